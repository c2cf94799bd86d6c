"""`scotoma bench`: measurements of Scotoma itself, as ratios within one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from scotoma.cli import console
from scotoma.store.durable import write_durably

REPEATS = 8
"""Pairs of steps that are timed."""

SEEDS = 20
"""Careless candidates that are searched for failure modes they do not have."""

TURNS = 5
"""Turns of 2,000 questions that each client takes."""

app = typer.Typer(help="Measure Scotoma itself; ratios within one run.", no_args_is_help=True)


@app.callback()
def _options() -> None:
    """Measure Scotoma itself; ratios within one run."""


@app.command()
def grpo(
    json: Annotated[Path | None, typer.Option("--json", help="Write the result as JSON here.")] = None,
) -> None:
    """Seconds per 1,000 completions: the shared engine against TRL, same model, same prompts.

    The engines take turns, step by step, so that a busy machine slows both.

    **Example**

        scotoma bench grpo --json grpo.json
    """
    from scotoma.bench.grpo import measure, table

    console.check_file(json)
    with console.progress_bars() as progress:
        result = measure(repeats=REPEATS, on_repeat=lambda done: progress("bench grpo", done, REPEATS))
    console.out.print(table(result))
    _write(result, json)


@app.command()
def endpoint(
    json: Annotated[Path | None, typer.Option("--json", help="Write the result as JSON here.")] = None,
) -> None:
    """Our endpoint client and Inspect AI's, against one loopback server: share of its limit, CPU per request.

    The clients take turns, each in a process of its own.

    **Example**

        scotoma bench endpoint --json endpoint.json
    """
    from scotoma.bench.endpoint import measure, table

    console.check_file(json)
    with console.progress_bars() as progress:
        result = measure(repeats=TURNS, on_repeat=lambda done: progress("bench endpoint", done, TURNS))
    console.out.print(table(result))
    _write(result, json)


@app.command(name="false-discovery")
def false_discovery(
    json: Annotated[Path | None, typer.Option("--json", help="Write the result as JSON here.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Careless candidates that are searched.")] = SEEDS,
    adaptive: Annotated[
        str,
        typer.Option(
            help="Searches beside the one with uniform questions: explorer, harvest, both or none (''). The harvest "
            "takes four times as long."
        ),
    ] = "explorer",
) -> None:
    """Failure modes that are confirmed where there are none: a candidate whose 5 % errors are spread at random.

    Each seed is a whole search with the budgets of a real one.

    **Examples**

        scotoma bench false-discovery --json false-discovery.json

        scotoma bench false-discovery --adaptive explorer,harvest
    """
    from scotoma.bench.false_discovery import measure, table

    console.check_file(json)
    with console.progress_bars() as progress:
        result = measure(
            seeds=seeds,
            adaptive=[name.strip() for name in adaptive.split(",") if name.strip()],
            on_seed=lambda done: progress("bench false-discovery", done, seeds),
        )
    console.out.print(table(result))
    _write(result, json)


@app.command()
def quality(
    json: Annotated[Path | None, typer.Option("--json", help="Write the result as JSON here.")] = None,
    samples: Annotated[int, typer.Option(min=200, help="Clean samples that errors are put into.")] = 2000,
) -> None:
    """What the checks on training samples catch of known errors, 5 to 30 % of them, and what they wrongly reject: the
    chains that the commands run, and each check alone.

    Samples are of worlds:shapes, where facts decide answers: some checks have it easier there than on photos.

    **Example**

        scotoma bench quality --json quality.json
    """
    from scotoma.bench.quality import RATES, measure
    from scotoma.bench.quality_table import chain_table, table

    console.check_file(json)
    with console.progress_bars() as progress:
        result = measure(samples=samples, on_batch=lambda done: progress("bench quality", done, len(RATES)))
    console.out.print(chain_table(result))
    console.out.print(table(result))
    _write(result, json)


@app.command()
def discovery(
    json: Annotated[Path | None, typer.Option("--json", help="Write the result as JSON here.")] = None,
    candidate: Annotated[
        str,
        typer.Option(help="Who is planted; with --truth: a candidate that was planted already (a folder)."),
    ] = "pupil",
    truth: Annotated[
        Path | None, typer.Option(help="The truth.json of a planted candidate: plant nothing.")
    ] = None,
    sets: Annotated[int, typer.Option(min=1, help="Candidates to plant, with 3 to 5 regions each.")] = 5,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each method on each candidate.")] = 3,
    queries: Annotated[int, typer.Option(min=500, help="Candidate queries of each run.")] = 5000,
    methods: Annotated[
        str,
        typer.Option(
            help="Of scotoma, half, no-leads; harvest, harvest-frozen, harvest-by-chance, harvest-no-chance, "
            "harvest-unpaid, harvest-no-kl; paper, frozen, no-novelty, no-emb, no-ifreq, no-curriculum, no-history; "
            "uniform; or all."
        ),
    ] = "scotoma,uniform,paper",
    out: Annotated[
        Path, typer.Option(help="Planted candidates and finished runs; the same command goes on from there.")
    ] = Path("runs/bench/discovery"),
) -> None:
    """Plant known blind spots, then measure what share of them each method finds, and with how many questions.

    Every method has the same budget of candidate queries.

    **Examples**

        scotoma bench discovery --json discovery.json

        scotoma bench discovery --candidate planted --truth planted/truth.json --methods all --seeds 1
    """
    from scotoma.bench.discovery_table import curve_table, effects_table, table
    from scotoma.bench.methods import METHODS
    from scotoma.bench.study import examine, measure
    from scotoma.bench.truth import Truth

    console.check_folder(out)
    console.check_file(json, beside=out)
    chosen = tuple(METHODS) if methods == "all" else tuple(name.strip() for name in methods.split(","))
    with console.progress_bars() as progress:
        if truth is not None:
            spec = f"hf:{candidate}" if Path(candidate).is_dir() else candidate
            result = examine(
                [(spec, Truth.load(truth))], out, seeds=seeds, queries=queries, methods=chosen, watch=progress
            )
        else:
            result = measure(
                out,
                candidate=candidate,
                sets=sets,
                seeds=seeds,
                queries=queries,
                methods=chosen,
                watch=progress,
            )
    console.out.print(table(result))
    console.out.print(curve_table(result))
    if (effects := effects_table(result)) is not None:
        console.out.print(effects)
    _write(result, json)


@app.command()
def repair(
    json: Annotated[Path | None, typer.Option("--json", help="Write the result as JSON here.")] = None,
    planted: Annotated[
        list[Path] | None,
        typer.Option(help="A candidate that was planted already (its folder); repeat it. Plants nothing."),
    ] = None,
    sets: Annotated[int, typer.Option(min=1, help="Candidates to plant, with 3 regions each.")] = 3,
    seeds: Annotated[int, typer.Option(min=1, help="Spirals on each candidate.")] = 3,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each spiral.")] = 3,
    volume: Annotated[
        list[int] | None,
        typer.Option(
            min=10, help="Samples a round to train both targeted and uniform on, beside the 6,000; repeat it."
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Planted candidates and spirals; the same command goes on from there.")
    ] = Path("runs/bench/repair"),
) -> None:
    """Plant known blind spots, mend them in a spiral that is told nothing of them, against three control arms.

    Measured in the planted regions on the `test` split, with what else changed. A spiral takes some 20 minutes on two
    cores, one at a further volume some 10.

    **Examples**

        scotoma bench repair --json repair.json

        scotoma bench repair --planted planted --seeds 1

        scotoma bench repair --planted planted --seeds 1 --volume 500 --volume 1500
    """
    from scotoma.bench.repair import measure
    from scotoma.bench.repair_table import curve_table, table, volume_table

    console.check_folder(out)
    console.check_file(json, beside=out)
    with console.progress_bars() as progress:
        result = measure(
            out,
            sets=sets,
            seeds=seeds,
            rounds=rounds,
            planted=planted or (),
            volumes=volume or (),
            watch=progress,
        )
    console.out.print(table(result))
    console.out.print(curve_table(result))
    if result.volumes:
        console.out.print(volume_table(result))
    _write(result, json)


def _write(result: BaseModel, json: Path | None) -> None:
    if json is not None:
        write_durably(json, (result.model_dump_json(indent=2) + "\n").encode())
