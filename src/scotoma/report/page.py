"""Everything one report shows, gathered from a run, finished or not; the templates only lay it out.

page = Page.of(Run.read("runs/demo"))
page.summary.modes, page.cards[0].exhibits
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import yaml

import scotoma
from scotoma.core import FailureMode
from scotoma.diagnose.taxonomy import Taxonomy
from scotoma.discover.topics import taxonomy_of
from scotoma.report.account import account
from scotoma.report.curves import Panel, panels
from scotoma.report.exhibit import Exhibit, Gallery, Pair
from scotoma.report.headline import confirmed
from scotoma.report.logs.intake import PHASES
from scotoma.report.progress import Change, Grid, arms, changes, grid
from scotoma.report.samples import Lot, lots
from scotoma.report.tally import Tally
from scotoma.store import ModeSummary, Run, Summary


@dataclass(frozen=True)
class Card:
    """One failure mode: its examples, the smallest of them and, after repair, its row of the before/after chart."""

    mode: ModeSummary
    exhibits: tuple[Exhibit, ...]
    change: Change | None
    pairs: tuple[Pair, ...] = ()


@dataclass(frozen=True)
class Stage:
    """One part of the run, done or not yet."""

    name: str
    done: bool


@dataclass(frozen=True)
class Source:
    """Where questions came from, in a word and in a phrase, and how they ended."""

    name: str
    title: str
    tally: Tally


@dataclass(frozen=True)
class Origin:
    """How the run was made: enough to make it again."""

    name: str
    started: datetime
    command: str
    config: str
    versions: dict[str, str]
    written_by: str


@dataclass(frozen=True)
class Page:
    """The content of a report, in its order."""

    origin: Origin
    images_spec: str
    stages: tuple[Stage, ...]
    summary: Summary
    cards: tuple[Card, ...]
    suspects: tuple[Card, ...]
    rejected: tuple[ModeSummary, ...]
    changes: tuple[Change, ...]
    grid: Grid | None
    panels: tuple[Panel, ...]
    taxonomy: Taxonomy
    asked: Tally
    uniform: Tally
    lots: tuple[Lot, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether every stage was done."""
        return all(stage.done for stage in self.stages)

    @property
    def imported(self) -> bool:
        """Whether the questions come out of another tool's logs: then nobody chose them, and nothing was trained."""
        return self.origin.command == "import"

    @property
    def compared(self) -> bool:
        """Whether several candidates were asked the same questions."""
        return self.origin.command == "compare"

    @property
    def generated(self) -> bool:
        """Whether it holds samples that agents made, and no questions to a candidate."""
        return self.origin.command == "generate"

    @property
    def sources(self) -> tuple[Source, ...]:
        """Who asked."""
        if self.imported:
            return (Source("the logs", "questions of the logs", self.asked),)
        return (
            Source("Scotoma", "Scotoma's questioner", self.asked),
            Source(
                self.baseline, "uniform templates" if self.templates else "unguided questions", self.uniform
            ),
        )

    @property
    def templates(self) -> bool:
        """Whether the baseline asks templates; where images come with none, the untrained questioner asks, unguided."""
        found = self.summary.discovery
        return found is None or found.baseline_asked_by == "template"

    @property
    def baseline(self) -> str:
        """What the baseline is called, in a word."""
        return "templates" if self.templates else "unguided"

    @property
    def candidate(self) -> str:
        """The model's name without folders, server and options; the whole spec stands under how it was run."""
        name = self.summary.candidate.partition("?")[0].partition("@http")[0]
        return name.rstrip("/").rpartition("/")[2] if "/" in name else name

    @classmethod
    def of(cls, run: Run) -> Page:
        """Gather it.

        Raises:
            RunError, RunVersion: the ledger or the summary is damaged or of another version.
        """
        modes = {mode.id: mode for mode in run.ledger.modes()}
        summary = account(run)
        rows = changes(summary, run.ledger)
        gallery = Gallery(run)
        halves = PHASES.values() if run.header.command == "import" else ("discover",)
        asked, uniform = Tally.of(run.ledger, *halves), Tally.of(run.ledger, "baseline")
        ordered = lots(run, gallery)
        images = run.config.get("images")
        return cls(
            origin=_origin(run, summary),
            images_spec=images if isinstance(images, str) else "",
            stages=_stages(run, summary, uniform, ordered),
            summary=summary,
            cards=tuple(_card(mode, modes, rows, gallery) for mode in confirmed(summary)),
            suspects=tuple(
                _card(mode, modes, rows, gallery) for mode in summary.modes if mode.status == "suspected"
            ),
            rejected=tuple(mode for mode in summary.modes if mode.status == "rejected"),
            changes=tuple(rows),
            grid=grid(summary),
            panels=tuple(panels(run.ledger)),
            taxonomy=taxonomy_of(run.ledger).top(depth=3, most=6),
            asked=asked,
            uniform=uniform,
            lots=ordered,
        )


def _card(mode: ModeSummary, modes: dict[str, FailureMode], rows: list[Change], gallery: Gallery) -> Card:
    known = modes.get(mode.id)
    change = next((row for row in rows if row.id == mode.id), None)
    if known is None:
        return Card(mode, (), change)
    return Card(mode, tuple(gallery.of(known)), change, tuple(gallery.pairs(known)))


def _origin(run: Run, summary: Summary) -> Origin:
    return Origin(
        name=run.path.resolve().name,
        started=run.header.started,
        command=summary.command,
        config=yaml.safe_dump(run.config, sort_keys=False, allow_unicode=True, width=100)
        if run.config
        else "",
        versions=run.header.versions,
        written_by=scotoma.__version__,
    )


def _stages(run: Run, summary: Summary, uniform: Tally, ordered: Sequence[Lot]) -> tuple[Stage, ...]:
    """What the config promised against what is there. A run of `discover` promises no rounds."""
    found, modes = summary.discovery, summary.modes
    stages = [
        Stage("discovery", found is not None and found.questions > 0),
        Stage("baseline", uniform.questions > 0 or bool(found and found.baseline_failure_rate)),
        Stage(
            "confirmation",
            bool(summary.proof_finished)
            or (bool(modes) and all(mode.status != "suspected" for mode in modes)),
        ),
    ]
    if summary.command == "import":
        # A log in which no mode stands out is a finished import all the same.
        return (Stage("import", run.ledger.done("confirm") is not None),)
    if summary.command == "generate":
        made = [lot.delivery.ended is not None for lot in ordered]
        return (Stage("samples", bool(made) and all(made)),)
    if summary.command == "compare":
        return (Stage("comparison", run.ledger.done("compared") is not None),)
    promised = 0 if summary.nothing_to_mend else run.config.get("rounds", 0)
    named = run.config.get("arms")
    every = [str(arm) for arm in named] if isinstance(named, list) and named else arms(summary)
    last = max([promised if isinstance(promised, int) else 0, *(turn.round for turn in summary.rounds)])
    for number in range(1, last + 1):
        there = next((turn.arms for turn in summary.rounds if turn.round == number), {})
        done = bool(there) and all(
            arm in there and there[arm].modes_accuracy_after is not None for arm in every
        )
        stages.append(Stage(f"round {number}", done))
    return tuple(stages)
