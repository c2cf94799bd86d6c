"""`scotoma plant`: give a candidate blind spots that are known, to measure a finder with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from scotoma.cli import console
from scotoma.core import ConfigError, Predicate

if TYPE_CHECKING:
    from scotoma.bench.truth import Truth


def command(
    where: Annotated[
        list[str],
        typer.Option(help="A blind spot, as a predicate on a question's tags; once for each of them."),
    ],
    out: Annotated[Path, typer.Option(help="A new folder: the planted checkpoint and truth.json.")],
    candidate: Annotated[str, typer.Option(help="Who is to be planted: pupil or hf:PATH_OR_ID.")] = "pupil",
    images: Annotated[
        str, typer.Option(help="The world whose questions the predicates speak of.")
    ] = "worlds:shapes",
    seed: Annotated[int, typer.Option(min=0, help="Fixes pictures, questions and training.")] = 0,
) -> None:
    """Plant known blind spots in a copy of a candidate and prove them: wrong inside, unchanged outside.

    Keys of the world `worlds:shapes`: `skill`, `type`, `operation`, `colour`, `shape`, `size`, `relation`, `digit`,
    `count`, `answer`, `attributes`, `negated`, `composed`, `complexity`, `wording`, `landmark`, `things`, `signs`,
    `background`, `occluded`; operators `=` `!=` `>=` `<=` `in` (options split by `|`), joined by `and`.

    **Examples**

        scotoma plant --where "skill=counting and colour=blue and count>=3" --out planted

        scotoma plant --where "skill=reading and digit=7" --where "relation=left and shape=star" --out planted

    Then look for them: `scotoma discover --candidate hf:planted`, or measure a finder:
    `scotoma bench discovery --candidate planted --truth planted/truth.json`.
    """
    if not all(text.strip() for text in where):
        raise ConfigError(
            "--where names no region", hint="for instance --where 'skill=counting and colour=blue'"
        )
    predicates = [Predicate.parse(text) for text in where]
    if os.path.exists(out) and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is there already", hint="name a new folder with --out")
    console.check_folder(out)
    from scotoma.bench.plant import plant

    with console.progress_bars() as progress:
        truth = plant(candidate, predicates, out, images=images, seed=seed, watch=progress)
    show(truth)
    console.say(f"checkpoint: hf:{out}   proof: {out / 'truth.json'}")
    if not truth.proven:
        console.err.print(
            "[bold yellow]not all of it took[/]: the table says what; another --seed, or wider regions, may help"
        )
        raise typer.Exit(1)


def show(truth: Truth) -> None:
    """The proof as a table."""
    from scotoma.bench.truth import AGREEMENT, INSIDE, OUTSIDE

    table = Table(title=f"Planted in {console.safe(truth.candidate)}", title_justify="left")
    for column in ("where", "prevalence", "right before", "right after", "just beyond", ""):
        table.add_column(column, overflow="fold")
    for region in truth.regions:
        beyond = region.border_before, region.border_after
        table.add_row(
            console.safe(str(region.predicate)),
            f"{100 * region.prevalence.value:.2f} %",
            f"{100 * region.before.value:.0f} %",
            region.after.percent(),
            " → ".join(f"{100 * rate.value:.0f} %" for rate in beyond if rate is not None),
            "✓" if region.sharp else "spilled over" if region.planted else f"> {100 * INSIDE:.0f} %",
        )
    table.add_section()
    kept = truth.outside_after.value >= truth.outside_before.value - OUTSIDE
    table.add_row(
        "everywhere else",
        "",
        f"{100 * truth.outside_before.value:.1f} %",
        truth.outside_after.percent(),
        "",
        "✓" if kept else f"lost more than {100 * OUTSIDE:.0f} point",
    )
    agreed = truth.agreement.value >= AGREEMENT
    table.add_row(
        "answered as before",
        "",
        "",
        truth.agreement.percent(),
        "",
        "✓" if agreed else f"< {100 * AGREEMENT:.0f} %",
    )
    console.out.print(table)
    console.out.print(f"{truth.seconds:.0f} s", highlight=False)
