"""What a person sees: live progress on stderr, one clear line per error, and results on stdout.

with progress_bars() as progress:
    discover(run, …, progress)
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.table import Table

from scotoma.core import ScotomaError, StorageError
from scotoma.discover.progress import Progress as Watcher
from scotoma.store.summary import Summary

if TYPE_CHECKING:
    from scotoma.discover.plan import Plan, PlanRow


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What commands a terminal, of C0 and C1, but for line breaks and tabs."""


class Terminal(Console):
    """Where texts of logs, suites and servers are shown and command nothing: only Rich's own escape sequences pass."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See `Console.render`."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(_CONTROL.sub("", segment.text), segment.style)


class _Results(Terminal):
    def on_broken_pipe(self) -> None:
        """Rich would end with 1, which is a verdict of `scotoma check`."""
        raise BrokenPipeError


out = _Results(emoji=False)
err = Terminal(stderr=True, emoji=False)


def safe(text: str) -> str:
    """Anybody's text for tables and styled lines, where brackets are markup.

    >>> safe("a [bold] cat")
    'a \\\\[bold] cat'
    """
    return escape(text)


def say(text: str, end: str = "\n") -> None:
    """A line on stdout as it stands, to be copied: no colours, no markup, not broken at the window's edge."""
    out.print(text, highlight=False, markup=False, soft_wrap=True, end=end)


def complain(error: ScotomaError) -> None:
    """The error as one message, with what to do about it below."""
    err.print(f"[bold red]error[/]: {safe(error.message)}", highlight=False)
    if error.hint:
        err.print(f"  [dim]→ {safe(error.hint)}[/]", highlight=False)


def check_file(path: Path | None, *, beside: Path | None = None) -> None:
    """Before the work whose result is to go there: can the file be written? `-` (stdout) can.

    Args:
        path: None: nothing is to be written.
        beside: a folder that the command makes itself if need be.

    Raises:
        StorageError: it is a folder, or its folder is not there or not writable.
    """
    if path is None or str(path) == "-":
        return
    folder = path.parent
    if path.is_dir():
        wrong = "it is a folder"
    elif not folder.is_dir():
        if beside is not None and not folder.exists() and folder.resolve() == beside.resolve():
            return
        wrong = f"there is no folder {folder}"
    elif not os.access(path if path.exists() else folder, os.W_OK):
        wrong = "no permission"
    else:
        return
    raise StorageError(
        f"cannot write {path}: {wrong}", hint="name a file in a folder that is there and yours"
    )


def check_folder(path: Path) -> None:
    """Before the work whose result is to go there: is it a folder that can be written, or made?

    Raises:
        StorageError: it is a file, or below one, or there is no permission.
    """
    # Not Path.exists: below a folder that may not be looked into it raises.
    there = next(place for place in (path, *path.absolute().parents) if os.path.exists(place))
    if not os.path.isdir(there):
        wrong = "is no folder"
    else:
        wrong = "" if os.access(there, os.W_OK | os.X_OK) else "is not yours to write"
    if wrong:
        raise StorageError(f"cannot write {path}: {there} {wrong}", hint="name a place that is yours")


@contextmanager
def progress_bars() -> Iterator[Watcher]:
    """One bar per phase with count, rate and time left; plain lines when stderr is no terminal."""
    if not err.is_terminal:
        yield _lines()
        return
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<26}", markup=False),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:>9}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=err,
    ) as bars:
        tasks: dict[str, TaskID] = {}

        def watch(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(phase, total=total, rate="")
            speed = next(task.speed for task in bars.tasks if task.id == tasks[phase])
            bars.update(tasks[phase], completed=done, total=total, rate=f"{speed:.1f}/s" if speed else "")

        yield watch


def _lines() -> Watcher:
    last: dict[str, int] = {}

    def watch(phase: str, done: int, total: int) -> None:
        tenth = 10 * done // max(total, 1)
        if last.get(phase) != tenth:
            last[phase] = tenth
            err.print(f"{phase}: {done}/{total}", highlight=False, markup=False)

    return watch


def show_modes(summary: Summary) -> None:
    """The failure modes as a table."""
    if not summary.modes:
        out.print("no failure mode stands out: none is suspected")
        return
    table = Table(title="Failure modes", title_justify="left")
    for column in ("status", "what", "failure rate", "base", "q", "predicate"):
        table.add_column(column, overflow="fold")
    for mode in summary.modes:
        rate = mode.failure_rate or mode.suspected_rate
        table.add_row(
            mode.status,
            safe(mode.description),
            rate.percent() if rate else "–",
            f"{100 * mode.base_rate.value:.1f} %" if mode.base_rate else "–",
            f"{mode.q_value:.3g}" if mode.q_value is not None else "–",
            safe(mode.predicate),
        )
    out.print(table)


def show_mixture(summary: Summary) -> None:
    """Why each failure mode got its share of the last round's samples, as a table; nothing before a round."""
    turns = [turn for turn in summary.rounds if turn.arms.get("targeted") and turn.arms["targeted"].mixture]
    if not turns:
        return
    arm = turns[-1].arms["targeted"]
    described = {mode.id: mode.description for mode in summary.modes}
    found = {mode.mode_id: mode for mode in arm.diagnosis}
    table = Table(title=f"Mixture of round {turns[-1].round}, targeted", title_justify="left")
    for column in ("mode", "passes", "errors of", "samples", "why"):
        table.add_column(
            column, overflow="fold", justify="right" if column in ("passes", "samples") else "left"
        )
    for share in sorted(arm.mixture, key=lambda share: -share.samples):
        mode = found.get(share.name)
        kinds = [f"{kind} {n}" for kind, n in mode.error_kinds.items()] if mode else []
        table.add_row(
            safe(described.get(share.name, share.name)),
            f"{100 * mode.pass_rate.value:.0f} %" if mode and mode.pass_rate else "–",
            ", ".join(kinds) or "–",
            f"{share.samples:,}" + (f" (−{share.shortfall:,})" if share.shortfall else ""),
            safe(share.reason) + ("; supervised steps first" if share.name in arm.taught_first else ""),
        )
    table.add_section()
    besides = f" ({arm.retention_besides:+,})".replace("-", "−") if arm.retention_besides else ""
    table.add_row("retention", "", "", f"{arm.retention:,}{besides}", "uniform questions, beside the modes'")
    out.print(table)


def show_skipped_updates(summary: Summary) -> None:
    """A line per training in which updates were skipped; mostly nothing."""
    for turn in summary.rounds:
        for name, arm in turn.arms.items():
            if arm.skipped_updates:
                out.print(
                    f"round {turn.round}, {name}: {arm.skipped_updates:,} of its updates skipped, as loss or gradient "
                    "was not finite",
                    highlight=False,
                )


def _plan_table(title: str, plan: Plan, rows: Sequence[PlanRow], roles: Sequence[str]) -> None:
    table = Table(title=title, title_justify="left")
    table.add_column("stage")
    for column in ("images", *roles):
        table.add_column("completions" if column == "trained" else column, justify="right")
    for row in rows:
        calls = (row.calls(role) for role in roles)
        table.add_row(row.stage, f"{row.images:,}", *(f"{count:,}" if count else "" for count in calls))
    table.add_section()
    table.add_row("calls in all", "", *(f"{plan.total(role):,}" for role in roles))
    out.print(table)


def show_plan(plan: Plan) -> None:
    """What a run will take, as tables; nothing was spent."""
    # In two tables where one would be too wide for a terminal of 80 columns.
    asked = [role for role in plan.roles if role in ("candidate", "questioner", "judge", "tagger")]
    made = [role for role in plan.roles if role not in asked]
    if len(asked) + len(made) <= 5:
        _plan_table("Plan: at most", plan, plan.rows, [*asked, *made])
    else:
        _plan_table("Plan: at most", plan, plan.rows, asked)
        rows = [row for row in plan.rows if any(row.calls(role) for role in made)]
        _plan_table("Samples and training: at most", plan, rows, made)
    for role, (read, written) in plan.tokens.items():
        price = f", about ${plan.cost[role]:,.2f}" if role in plan.cost else ""
        out.print(f"{role}: about {read / 1e6:,.1f} M tokens read, {written / 1e6:,.1f} M written{price}")
    for model in plan.memory:
        size = "size unknown here" if model.bytes is None else f"about {model.bytes / 2**30:,.1f} GiB"
        out.print(f"memory: {model.role} {safe(model.spec)} {safe(model.how)}: {size}")
    for note in plan.notes:
        out.print(f"[dim]{safe(note)}[/]", highlight=False)
