"""`scotoma bench`: measurements of Scotoma itself, as ratios within one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from scotoma.cli import console
from scotoma.core import StorageError

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

    **Example**

        scotoma bench grpo --json grpo.json
    """
    from scotoma.bench.grpo import measure, table

    with console.progress_bars() as progress:
        result = measure(repeats=REPEATS, on_repeat=lambda done: progress("bench grpo", done, REPEATS))
    console.out.print(table(result))
    _write(result, json)


@app.command()
def endpoint(
    json: Annotated[Path | None, typer.Option("--json", help="Write the result as JSON here.")] = None,
) -> None:
    """Our endpoint client and Inspect AI's, against one loopback server: share of its limit, CPU per request.

    **Example**

        scotoma bench endpoint --json endpoint.json
    """
    from scotoma.bench.endpoint import measure, table

    with console.progress_bars() as progress:
        result = measure(repeats=TURNS, on_repeat=lambda done: progress("bench endpoint", done, TURNS))
    console.out.print(table(result))
    _write(result, json)


@app.command(name="false-discovery")
def false_discovery(
    json: Annotated[Path | None, typer.Option("--json", help="Write the result as JSON here.")] = None,
) -> None:
    """Failure modes that are confirmed where there are none: a candidate whose 5 % errors are spread at random.

    **Example**

        scotoma bench false-discovery --json false-discovery.json
    """
    from scotoma.bench.false_discovery import measure, table

    with console.progress_bars() as progress:
        result = measure(seeds=SEEDS, on_seed=lambda done: progress("bench false-discovery", done, SEEDS))
    console.out.print(table(result))
    _write(result, json)


def _write(result: BaseModel, json: Path | None) -> None:
    if json is not None:
        try:
            json.write_text(result.model_dump_json(indent=2) + "\n")
        except OSError as error:
            raise StorageError(f"cannot write {json}: {error.strerror}") from error
