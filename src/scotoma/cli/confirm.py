"""`scotoma confirm`: prove suspected failure modes on fresh images."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from scotoma.cli import console
from scotoma.core import RunError
from scotoma.discover.settings import DiscoverySettings
from scotoma.evolve.settings import EvolveSettings
from scotoma.store.run import Run


def command(
    run_dir: Annotated[Path, typer.Argument(metavar="DIR", help="A run folder made by `scotoma discover`.")],
    json: Annotated[bool, typer.Option("--json", help="Print summary.json on stdout.")] = False,
) -> None:
    """Confirm or reject each suspected mode on images and questions never used to find it.

    One-sided tests clustered by image, Benjamini–Hochberg at q ≤ 0.05. Failures of the confirmed modes are then asked
    once more (resampled, in other words, about edited pictures), and a few are made as small as they get.

    **Example**

        scotoma confirm runs/first
    """
    with (
        Run.open(run_dir, command="confirm", config=None) as run,
        console.progress_bars() as progress,
    ):
        from scotoma.discover.account import summarise
        from scotoma.discover.calibration import adopt_calibration
        from scotoma.discover.confirm import confirm
        from scotoma.discover.loop import discover
        from scotoma.discover.pool import open_source
        from scotoma.discover.verification import open_interview

        if run.header.command == "import":
            raise RunError(
                f"{run_dir} is an import, whose modes were proved on the other half of its images",
                hint=f"look at it: `scotoma report {run_dir}`",
            )
        if run.header.command not in ("discover", "evolve"):
            raise RunError(
                f"{run_dir} was made by `scotoma {run.header.command}`: it holds no suspected failure modes",
                hint="give the folder of a `scotoma discover` or `scotoma evolve`",
            )
        kind: type[DiscoverySettings] = (
            EvolveSettings if run.header.command == "evolve" else DiscoverySettings
        )
        settings = run.settings(kind)
        source, interview = open_source(settings), open_interview(settings)
        adopt_calibration(run, settings.judge)
        # Ends an unfinished discovery first.
        discover(run, source, interview, settings.discover, settings.seed, progress)
        confirm(run, source, interview, settings.discover, settings.confirm, settings.seed, progress)
        summary = summarise(run, settings)
        if run.header.command != "evolve":
            run.write_summary(summary)
    if json:
        typer.echo(summary.to_json())
        return
    console.show_modes(summary)
    console.say(f"next: scotoma report {quote(str(run_dir))}")
