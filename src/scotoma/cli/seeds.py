"""`scotoma seeds`: what runs of several seeds say together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from scotoma.cli import console
from scotoma.store.durable import write_durably

if TYPE_CHECKING:
    from scotoma.report.seeds import SeedsSummary


def command(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN…", help="Two runs or more that differ in their seed only.")
    ],
    json: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the figures as JSON here; - is stdout."),
    ] = None,
) -> None:
    """Put runs of several seeds together: every headline figure, its mean, and how far seeds differ.

    The interval in a run's report is about its images. Here it is Student's, over the runs: of two or three it is wide,
    and honest. Failure modes are counted by the runs that confirmed them.

    **Example**

        for seed in 0 1 2; do scotoma evolve --config configs/pupil.yaml --seed $seed --out runs/seed$seed; done
        scotoma seeds runs/seed0 runs/seed1 runs/seed2
    """
    from scotoma.report.seeds import over_seeds

    console.check_file(json)
    found = over_seeds(runs)
    text = found.model_dump_json(by_alias=True, indent=2) + "\n"
    if json is not None and str(json) == "-":
        typer.echo(text, nl=False)
        return
    if json is not None:
        write_durably(json, text.encode())
    _show(found)


def _show(found: SeedsSummary) -> None:
    from scotoma.report.seeds import told

    table = Table(title=f"{len(found.seeds)} seeds of {console.safe(found.candidate)}", title_justify="left")
    table.add_column("")
    for seed in found.seeds:
        table.add_column(f"seed {seed}", justify="right")
    table.add_column("mean", justify="right")
    for figure in found.figures.values():
        cells = [told(figure, rate) for rate in figure.runs]
        table.add_row(
            console.safe(figure.title), *cells, console.safe(told(figure, figure.mean, interval=True))
        )
    table.caption = "mean over runs (of ratios the geometric one) with Student's 95 % interval"
    table.caption_justify = "left"
    console.out.print(table)
    if not found.modes:
        return
    modes = Table(title="Failure modes, by the runs that confirmed them", title_justify="left")
    modes.add_column("runs")
    modes.add_column("what", overflow="fold")
    for mode in found.modes:
        modes.add_row(f"{mode.confirmed} of {len(found.seeds)}", console.safe(mode.description))
    console.out.print(modes)
