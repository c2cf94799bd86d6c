"""`scotoma check`: does a model fall back on a blind spot that is known?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from scotoma.cli import console
from scotoma.core import ConfigError
from scotoma.store.durable import write_durably
from scotoma.store.run import Run

if TYPE_CHECKING:
    from scotoma.evolve.check import CheckResult
    from scotoma.evolve.suite import Suite

_STANDINGS = {"holds": "holds", "fell": "[bold red]falls back[/]", "below": "[bold red]below {:.0%}[/]"}


def command(
    place: Annotated[
        Path, typer.Argument(metavar="DIR", help="A suite to check against; with --write a run folder.")
    ],
    candidate: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            help="Who is checked; with --write: whose answers are the baseline (default: those of the mended "
            "checkpoint or, where nothing was mended, of the run's candidate).",
        ),
    ] = None,
    write: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the run's confirmed modes as a suite here.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC", help="Ask this model too, and compare with it, not with the suite's baseline."
        ),
    ] = None,
    at_least: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="The accuracy that every mode must reach; --write keeps it in the suite."
        ),
    ] = None,
    judge: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC",
            help="Who judges where rules cannot; repeatable. A suite's judge is asked only if it is named here; "
            "another may be with --against, or when a suite is written.",
        ),
    ] = None,
    world: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:CLASS", help="A world of your own whose facts the suite has; its code is run."
        ),
    ] = None,
    questions: Annotated[
        int | None,
        typer.Option(min=1, help="With --write: at most so many of each mode, and so many retained ones."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Fixes everything random.")] = 0,
    force: Annotated[
        bool, typer.Option("--force", help="With --write: replace the suite that is there.")
    ] = False,
    json: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the result as JSON here; - is stdout."),
    ] = None,
) -> None:
    """Keep it mended: turn a run's confirmed modes into a regression suite, and check any model against it.

    A suite is a folder with pictures and questions, which can be copied and kept in version control. A mode falls back
    when its accuracy is significantly lower than the baseline's on the same questions (exact paired tests clustered by
    image, Holm's correction over all parts), or lower than `--at-least`. So do the retained questions, outside every
    mode. **Exit code 1** says that something falls back, 0 that nothing does; other codes, that nothing was checked.

    **Examples**

        scotoma check runs/demo --write suites/demo
        scotoma check suites/demo --candidate hf:my/next
        scotoma check suites/demo --candidate hf:my/next --against hf:my/last --at-least 0.8 --json check.json
    """
    from scotoma.evolve.check import ask, check, judge_for
    from scotoma.evolve.suite import Suite

    if write is not None:
        if against is not None:
            raise ConfigError("--against goes with a check, not with --write", hint="leave one of them out")
        _write(place, write, candidate, judge or (), questions, at_least, seed, force)
        return
    if questions is not None or force:
        raise ConfigError("--questions and --force go with --write DIR")
    if not place.is_dir():
        raise ConfigError(
            f"there is no folder {place}", hint="write a suite first: scotoma check RUN --write DIR"
        )
    if candidate is None:
        hint = f"scotoma check {quote(str(place))} --candidate SPEC"
        if (place / "run.yaml").exists():
            hint = f"write a suite first: scotoma check {quote(str(place))} --write DIR"
        raise ConfigError("nobody is to be checked", hint=hint)
    console.check_file(json, beside=None if json is None else json.parent)  # made if need be
    suite = Suite.read(place, world=world)
    judging = judge_for(suite, judge or ())
    known = suite.header.judge.specs
    if against is None and known and judging.specs != known:
        raise ConfigError(
            f"the suite's baseline was judged by {', '.join(known)}: rulings of two judges cannot be compared",
            hint="add --against SPEC, a model that this judge rules on too, or write the suite again with --judge and "
            "--candidate",
        )
    with console.progress_bars() as progress:
        before = None if against is None else ask(suite, against, judging, progress)
        now = ask(suite, candidate, judging, progress)
    result = check(suite, now, before, at_least=at_least, seed=seed)
    document = result.model_dump_json(by_alias=True, indent=2) + "\n"
    if json is not None and str(json) == "-":
        typer.echo(document, nl=False)
    else:
        if json is not None:
            write_durably(json, document.encode())
        _show(result)
    if not result.passed:
        raise typer.Exit(1)


def _write(
    run_dir: Path,
    folder: Path,
    candidate: str | None,
    judge: Sequence[str],
    questions: int | None,
    at_least: float | None,
    seed: int,
    force: bool,
) -> None:
    from scotoma.evolve.check import ask, judge_flags, judged_by
    from scotoma.evolve.excerpt import excerpt, mended_checkpoint
    from scotoma.evolve.suite import check_place
    from scotoma.models.spec import trained

    check_place(folder, force=force)
    with Run.read(run_dir) as run:
        suite = excerpt(run, questions, at_least, seed)
        mended = mended_checkpoint(run)
    if candidate is None and mended is not None:
        candidate = trained(suite.header.candidate, mended)  # what is to be kept, and not what was mended
        console.say(
            f"the baseline is what the mended checkpoint answers, {candidate}; another's: --candidate SPEC"
        )
    if judge and candidate is None:
        raise ConfigError(
            "the run's own answers are ruled on already, and by another judge",
            hint="add --candidate SPEC, whose answers this judge rules on, or leave --judge out",
        )
    if judge:
        suite = suite.judged_by(judged_by(judge))
    if candidate is not None:
        with console.progress_bars() as progress:
            answered = ask(suite, candidate, suite.header.judge, progress)
        suite = suite.with_baseline(candidate, answered.answers)
    suite.write(folder, force=force)
    _show_suite(suite, folder)
    judges = f" {judge_flags(suite.header.judge)}" if suite.header.judge.specs else ""
    console.say(f"next: scotoma check {quote(str(folder))} --candidate SPEC{judges}")


def _show_suite(suite: Suite, folder: Path) -> None:
    header = suite.header
    console.say(f"{header.questions} questions about {len(suite.pictures)} pictures: {folder}")
    for reason, count in suite.skipped.items():
        console.out.print(console.safe(f"left out: {count} {reason}"), highlight=False)
    table = Table(title=f"Baseline: {console.safe(header.candidate)}", title_justify="left")
    for column in ("mode", "what", "accuracy"):
        table.add_column(column, overflow="fold")
    for mode in header.modes:
        table.add_row(
            console.safe(mode.id),
            console.safe(mode.title or mode.description),
            console.safe(mode.baseline.percent()),
        )
    if header.retained.n:
        table.add_row("retained", "outside every mode", console.safe(header.retained.percent()))
    console.out.print(table)


def _show(result: CheckResult) -> None:
    from scotoma.report.quantity import difference

    table = Table(
        title=f"{console.safe(result.candidate)} against {console.safe(result.against)}", title_justify="left"
    )
    for column in ("mode", "what", "n", "before", "now", "change (points)", "p (Holm)", ""):
        # In a narrow window the words are folded, not the verdict.
        table.add_column(column, overflow="fold", no_wrap=column == "")
    for part in result.parts:
        table.add_row(
            console.safe(part.id),
            console.safe(part.description),
            str(part.now.n),
            f"{100 * part.before.value:.1f} %",
            f"{100 * part.now.value:.1f} %",
            console.safe(difference(part.change)),
            f"{part.p_holm:.2g}",
            _STANDINGS[part.standing].format(part.at_least or 0),
        )
    console.out.print(table)
    if result.lost:
        told = ", ".join(f"{count} × {reason}" for reason, count in result.lost.items())
        lost = f"{sum(result.lost.values())} of {result.questions} questions were not answered and judged: {told}"
        console.out.print(console.safe(lost), highlight=False)
    fallen = len(result.fallen)
    console.out.print(
        f"[bold red]falls back on {fallen} of {len(result.parts)}[/]" if fallen else "nothing falls back"
    )
