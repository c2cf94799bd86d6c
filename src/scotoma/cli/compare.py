"""`scotoma compare`: who is better, how surely, and which blind spots do they share?"""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from scotoma.cli import console
from scotoma.core import ConfigError
from scotoma.store.configuration import load_settings
from scotoma.store.durable import write_durably
from scotoma.store.run import Run

if TYPE_CHECKING:
    from scotoma.store.summary import RankingSummary


def command(
    candidates: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SPEC…", help="Two models or more: pupil, hf:PATH_OR_ID, openai:MODEL@BASE_URL …"
        ),
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(help="worlds:shapes, folder:PATH, glob:PATTERN, hf-dataset:ID or webdataset:TARS."),
    ] = None,
    questions: Annotated[
        int | None, typer.Option(help="Uniform questions on the test split, the same for all.")
    ] = None,
    questions_from: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="RUN", help="Ask the questions of this run's proof instead, of its images."
        ),
    ] = None,
    modes: Annotated[
        list[Path] | None,
        typer.Option(
            "--modes",
            metavar="RUN",
            help="Compare the confirmed modes of this run; repeatable. None: search.",
        ),
    ] = None,
    judge: Annotated[
        str | None, typer.Option(help="Who judges images without facts: openai:MODEL@BASE_URL or hf:…")
    ] = None,
    questioner: Annotated[
        str | None, typer.Option(help="Who asks where images come with no templates.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder; an existing one is resumed.")] = None,
    config: Annotated[Path | None, typer.Option(help="A YAML file with these and more; flags win.")] = None,
    seed: Annotated[int | None, typer.Option(help="Fixes everything random.")] = None,
    json: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the summary as JSON here; - is stdout."),
    ] = None,
) -> None:
    """Rank candidates on the same questions, and tell universal failure modes from model-specific ones.

    Exact paired tests clustered by image, Holm's correction over all pairs. Failure modes of any candidate are put to
    all of them, on images that did not suggest them.

    **Examples**

        scotoma compare pupil hf:my/checkpoint --images worlds:shapes --out runs/versus
        scotoma compare hf:my/base hf:my/tuned --from runs/first --out runs/tuned
        scotoma compare pupil hf:my/checkpoint --modes runs/first --questions 1000 --json versus.json
    """
    from scotoma.evolve.compare import CompareSettings, check_before, compare

    overrides: dict[str, Any] = {
        "candidates": candidates or None,
        "images": _images_of(questions_from, images),
        "questions": questions,
        "questions_from": str(questions_from) if questions_from else None,
        "modes_from": [str(path) for path in modes] if modes else None,
        "judge.model": judge,
        "discover.questioner": questioner,
        "out": str(out) if out else None,
        "seed": seed,
    }
    settings = load_settings(CompareSettings, config, overrides)
    console.check_file(json, beside=settings.out)
    check_before(settings)
    with (
        Run.open(settings.out, command="compare", config=settings.model_dump(mode="json")) as run,
        console.progress_bars() as progress,
    ):
        summary = compare(run, settings, progress)
    if json is not None and str(json) == "-":
        typer.echo(summary.to_json())
        return
    if json is not None:
        write_durably(json, summary.to_json().encode())
    if summary.ranking is None:
        console.out.print("there is no question that every candidate answered")
    else:
        _show(summary.ranking)
    console.say(f"next: scotoma report {quote(str(settings.out))}")


def _images_of(questions_from: Path | None, images: str | None) -> str | None:
    """The images of the run whose questions are asked; they cannot be others."""
    if questions_from is None:
        return images
    with Run.read(questions_from) as run:
        theirs = run.config.get("images")
    if images is not None and images != theirs:
        raise ConfigError(
            f"the questions of {questions_from} are about {theirs}, not {images}", hint="leave --images out"
        )
    return str(theirs) if theirs else None


def _show(ranking: RankingSummary) -> None:
    from scotoma.report.quantity import difference

    names = {own.candidate: _short(own.candidate) for own in ranking.candidates}
    table = Table(title=f"Ranking on {ranking.compared:,} questions", title_justify="left")
    for column in ("rank", "candidate", "accuracy", "no answer"):
        table.add_column(column, overflow="fold")
    for own in ranking.candidates:
        between = f" [{own.rank.low:.0f}–{own.rank.high:.0f}]"
        table.add_row(
            f"{own.rank.value:.0f}{console.safe(between)}",
            console.safe(own.candidate),
            console.safe(own.accuracy.percent()),
            str(own.infrastructure_errors),
        )
    console.out.print(table)
    pairs = Table(title="Pair by pair", title_justify="left")
    for column in ("better", "worse", "difference", "p (Holm)"):
        pairs.add_column(column, overflow="fold")
    for pair in ranking.pairs:
        pairs.add_row(
            console.safe(names[pair.first]),
            console.safe(names[pair.second]),
            console.safe(difference(pair.difference)),
            f"{pair.p_holm:.2g}",
        )
    console.out.print(pairs)
    skills = Table(title="Right, per skill", title_justify="left")
    skills.add_column("skill")
    for own in ranking.candidates:
        skills.add_column(console.safe(names[own.candidate]), justify="right", overflow="fold")
    for skill in sorted({skill for own in ranking.candidates for skill in own.skills}):
        shown = [own.skills.get(skill) for own in ranking.candidates]
        skills.add_row(console.safe(skill), *(f"{100 * rate.value:.1f} %" if rate else "–" for rate in shown))
    console.out.print(skills)
    if not ranking.modes:
        console.out.print("no failure mode was suspected in any candidate")
        return
    table = Table(title="Failure modes: who fails how often", title_justify="left")
    for column in ("kind", "what"):
        table.add_column(column, overflow="fold")
    for own in ranking.candidates:
        table.add_column(console.safe(names[own.candidate]), overflow="fold")
    for mode in ranking.modes:
        rates = [
            (mode.failure_rates.get(own.candidate), own.candidate in mode.confirmed_for)
            for own in ranking.candidates
        ]
        cells = [
            console.safe(f"{rate.percent()}{' *' if proved else ''}") if rate else "–"
            for rate, proved in rates
        ]
        table.add_row(mode.kind, console.safe(mode.description), *cells)
    table.caption = "* confirmed for this candidate"
    console.out.print(table)


def _short(spec: str) -> str:
    """A spec without options, server and folders."""
    name = spec.partition("?")[0].partition("@http")[0]
    return name.rstrip("/").rpartition("/")[2] if "/" in name else name
