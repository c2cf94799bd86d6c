"""`scotoma discover`: let a questioner find what a model gets wrong."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from scotoma.cli import console
from scotoma.core import ConfigError
from scotoma.discover.settings import DiscoverySettings
from scotoma.store.configuration import load_settings, read_yaml
from scotoma.store.run import Run
from scotoma.store.summary import Summary


def command(
    candidate: Annotated[
        str | None,
        typer.Option(
            help="The model under test: pupil, hf:PATH_OR_ID, openai:MODEL@BASE_URL or module:Class."
        ),
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(help="worlds:shapes, folder:PATH, glob:PATTERN, hf-dataset:ID or webdataset:TARS."),
    ] = None,
    judge: Annotated[
        str | None, typer.Option(help="Who judges images without facts: openai:MODEL@BASE_URL or hf:…")
    ] = None,
    questioner: Annotated[
        str | None, typer.Option(help="Who asks; the embedded questioner knows worlds:shapes only.")
    ] = None,
    frozen: Annotated[
        bool | None, typer.Option("--frozen", help="Do not train the questioner: an endpoint's cannot be.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder; an existing one is resumed.")] = None,
    config: Annotated[Path | None, typer.Option(help="A YAML file with these and more; flags win.")] = None,
    seed: Annotated[int | None, typer.Option(help="Fixes everything random.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the questioner.")] = None,
    explore: Annotated[
        float | None,
        typer.Option(
            help="The share of the questions that explore instead (0 to 1): more small modes, fewer failures."
        ),
    ] = None,
    stop_below: Annotated[
        float | None,
        typer.Option(
            help="End early, when surely less than this share of the failures is of a kind never seen."
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print images, calls, tokens, memory and cost; spend nothing."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print summary.json on stdout.")] = False,
) -> None:
    """Find suspected failure modes: an RL-trained questioner asks; exact facts judge, or a judge model.

    What is found is suspected only: `scotoma confirm` proves it on other images. Killed or stopped, the same command
    goes on where it was.

    **Examples**

        scotoma discover --candidate pupil --images worlds:shapes --out runs/first
        scotoma discover --config configs/qwen2.5-vl-7b-discover.yaml --candidate hf:my/model --out runs/mine
        scotoma discover --config configs/hosted.yaml --images folder:photos --dry-run
        scotoma discover --config configs/hosted.yaml --images folder:photos
        scotoma discover --candidate pupil --stop-below 0.02 --out runs/enough
        scotoma discover --candidate pupil --explore 1 --steps 50 --out runs/small-modes
        scotoma confirm runs/first
    """
    overrides = {
        "candidate": candidate,
        "images": images,
        "out": str(out) if out else None,
        "seed": seed,
        "judge.model": judge,
        "discover.questioner": questioner,
        "discover.reinforce": False if frozen else None,
        "discover.steps": steps,
        "discover.explore": explore,
        "discover.stop_below": stop_below,
    }
    if config is not None:
        _refuse_a_spirals(config)
    settings = load_settings(DiscoverySettings, config, overrides)
    if dry_run:
        from scotoma.discover.plan import plan_discovery

        console.show_plan(plan_discovery(settings))
        return

    from scotoma.discover.account import summarise
    from scotoma.discover.calibration import adopt_calibration
    from scotoma.discover.loop import discover
    from scotoma.discover.pool import open_source
    from scotoma.discover.preflight import preflight
    from scotoma.discover.verification import open_interview
    from scotoma.models.spec import check_model

    source = open_source(settings)
    preflight(settings, source)
    for spec in filter(None, (settings.candidate, *settings.judge.specs, settings.tagging.model)):
        check_model(spec)
    with (
        Run.open(settings.out, command="discover", config=settings.model_dump(mode="json")) as run,
        console.progress_bars() as progress,
    ):
        # Here, and not before: nobody waits for weights of a run that another process is at work in.
        interview = open_interview(settings)
        adopt_calibration(run, settings.judge)
        discover(run, source, interview, settings.discover, settings.seed, progress)
        summary = summarise(run, settings)
        run.write_summary(summary)
    if json:
        typer.echo(summary.to_json())
        return
    _show(summary, settings)


def _show(summary: Summary, settings: DiscoverySettings) -> None:
    console.show_modes(summary)
    found = summary.discovery
    if (
        found
        and found.taxonomy
        and not found.taxonomy.topics_found_by
        and settings.tagging.topics in ("beside", "only")
    ):
        console.out.print("no topics: there are too few different questions to find any in")
    if found and found.failure_rate and found.baseline_failure_rate:
        ratio = (
            f"ratio {found.yield_ratio.value:.2f}" if found.yield_ratio else "no failure there, so no ratio"
        )
        console.out.print(
            f"valid failures: {found.failure_rate.percent()}, "
            f"{'uniform templates' if found.baseline_asked_by == 'template' else 'unguided questions'}: "
            f"{found.baseline_failure_rate.percent()}, {ratio}"
        )
    if found and found.empty_answers:
        console.err.print(
            f"[bold yellow]{found.empty_answers:,} of {found.failures:,} failures are empty answers[/]: does the "
            "candidate's chat template fit, and may it say enough (answers.max_tokens)?",
            highlight=False,
        )
    if found and found.stopped:
        console.out.print(
            f"stopped after {found.stopped.steps} of {settings.discover.steps} steps: undiscovered failures surely "
            f"below {100 * found.stopped.below:g} %",
            highlight=False,
        )
    if found and (left := found.undiscovered):
        console.out.print(
            f"of a combination of skills never seen failing: {left.failure_mass.percent()} of the failures",
            highlight=False,
        )
        if left.outside_modes:
            console.out.print(
                f"in no failure mode that was named: {left.outside_modes.percent()} of them", highlight=False
            )
    if summary.modes:
        console.say(f"next: scotoma confirm {quote(str(settings.out))}")
    else:
        console.out.print("next: more steps (--steps), or --explore 0.5, in another --out")


def _refuse_a_spirals(config: Path) -> None:
    """A config of `scotoma evolve` is half a config of ours.

    Raises:
        ConfigError: it is one.
    """
    from scotoma.evolve.settings import EvolveSettings

    further = EvolveSettings.model_fields.keys() - DiscoverySettings.model_fields.keys()
    if found := [key for key in read_yaml(config) if key in further]:
        raise ConfigError(
            f"{config} is a config of scotoma evolve: {', '.join(found)}",
            hint=f"run scotoma evolve --config {config}, or leave {'these keys' if len(found) > 1 else 'this key'} out",
        )
