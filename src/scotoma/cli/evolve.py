"""`scotoma evolve`: the whole spiral: find, prove, mend, prove that the targeting did it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scotoma.cli import console
from scotoma.evolve.settings import EvolveSettings
from scotoma.store.configuration import load_settings
from scotoma.store.run import Run


def command(
    config: Annotated[
        Path | None, typer.Option(help="A YAML file, e.g. configs/pupil.yaml; flags win.")
    ] = None,
    candidate: Annotated[str | None, typer.Option(help="The model to mend: pupil or hf:PATH_OR_ID.")] = None,
    images: Annotated[str | None, typer.Option(help="A world, or photos with generate.agents: llm.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder; an existing one is resumed.")] = None,
    rounds: Annotated[int | None, typer.Option(help="Turns of the spiral; more can be added later.")] = None,
    arms: Annotated[
        str | None, typer.Option(help="Comma-separated: targeted, uniform, random, targeted-frozen, dpe.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Fixes everything random.")] = None,
    accelerate: Annotated[
        Path | None, typer.Option(help="An Accelerate config: training is launched on its processes.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print images, calls, tokens, memory and cost; spend nothing."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print summary.json on stdout.")] = False,
) -> None:
    """Discover, confirm, then rounds of diagnose → generate → reinforce → examine, in every arm at equal volume.

    In a world failing scenes are varied into samples, or five agents that know the facts make them (generate.agents:
    exact). Of photos, language-model agents make them, and a judge rules: see configs/photos-evolve.yaml.

    Beside the targeted arm, controls: uniform (template questions; of photos, unaimed samples), random (made alike,
    from questions drawn by chance), targeted-frozen (the first diagnosis in all rounds), dpe (the paper's bands). At
    the end a fresh questioner looks at the repaired model.

    Killed or stopped with Ctrl-C, the same command goes on where it was.

    **Examples**

        scotoma evolve --config configs/pupil.yaml
        scotoma evolve --config configs/pupil.yaml --rounds 3 --seed 1 --out runs/seed1
        scotoma evolve --config configs/pupil.yaml --arms targeted,uniform,random,targeted-frozen --out runs/arms
        scotoma evolve --config configs/pupil.yaml --candidate hf:my/checkpoint --out runs/mine
        scotoma evolve --config configs/photos-evolve.yaml --images folder:photos --dry-run
    """
    overrides = {
        "candidate": candidate,
        "images": images,
        "out": str(out) if out else None,
        "rounds": rounds,
        "arms": [arm.strip() for arm in arms.split(",") if arm.strip()] if arms is not None else None,
        "seed": seed,
        "repair.accelerate": str(accelerate) if accelerate else None,
    }
    settings = load_settings(EvolveSettings, config, overrides)
    if dry_run:
        from scotoma.evolve.plan import plan_spiral

        console.show_plan(plan_spiral(settings))
        return

    from scotoma.evolve.spiral import evolve, open_resources
    from scotoma.report.build import build
    from scotoma.report.headline import headline

    resources = open_resources(settings)
    # How fast, not what; but with `auto` they also choose the engine.
    fast = ("repair.accelerate", "repair.vllm") if settings.repair.engine == "trl" else ()
    with (
        Run.open(
            settings.out,
            command="evolve",
            config=settings.model_dump(mode="json"),
            may_change=("out", "generate.at_once", "repair.tokens_per_minibatch", *fast),
        ) as run,
        console.progress_bars() as progress,
    ):
        summary = evolve(run, settings, progress, resources)
    report = build(settings.out)
    if json:
        typer.echo(summary.to_json())
        return
    console.show_modes(summary)
    console.show_mixture(summary)
    console.show_skipped_updates(summary)
    for line in headline(summary):
        console.out.print(console.safe(line), highlight=False)
    console.say(f"report: {report}   summary: {settings.out / 'summary.json'}")
