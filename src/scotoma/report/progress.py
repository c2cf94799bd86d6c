"""What the rounds changed: accuracy per mode and arm as rows with marks, and modes and skills × rounds as a grid.

for row in changes(summary, run.ledger):
    row.title, row.marks
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scotoma.core import Rate
from scotoma.diagnose.change import change
from scotoma.report.headline import confirmed
from scotoma.store import ArmSummary, Ledger, ModeAccuracy, Summary


@dataclass(frozen=True, order=True)
class Checkpoint:
    """The model that left training in `round` (from 1) and `arm`; round 0 is the base model."""

    round: int = 0
    arm: str = ""

    @property
    def name(self) -> str:
        """As the phases of the ledger call it: `base`, `round1/targeted`."""
        return f"round{self.round}/{self.arm}" if self.round else "base"


@dataclass(frozen=True)
class Mark:
    """One accuracy on a row: of the base model (`arm` "base") or of the checkpoint an arm ended with.

    `change` is its paired difference to the base model, where both answered the same questions.
    """

    arm: str
    rate: Rate
    change: Rate | None = None


@dataclass(frozen=True)
class Change:
    """Before and after on one set of questions; `kind` is `all`, `mode` or `retained`."""

    kind: str
    title: str
    id: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Cell:
    """Accuracy of one checkpoint on one set of questions; `shade` grows with the share of mistakes."""

    rate: Rate | None

    @property
    def shade(self) -> int:
        """0 for faultless, 100 for 40 % accuracy and below."""
        return 0 if self.rate is None else round(100 * min(1.0, (1 - self.rate.value) / 0.6))


@dataclass(frozen=True)
class GridRow:
    """One mode or skill, a cell for every column of the grid."""

    title: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Grid:
    """Modes and retained skills × checkpoints; the base model comes first, `refused` are those no gate let pass."""

    columns: tuple[Checkpoint, ...]
    refused: tuple[Checkpoint, ...]
    modes: tuple[GridRow, ...]
    skills: tuple[GridRow, ...]


def arms(summary: Summary) -> list[str]:
    """Every arm that was measured; `targeted` last, where it is drawn on top and read last."""
    names = {name for turn in summary.rounds for name in turn.arms}
    return sorted(names, key=lambda name: (name == "targeted", name))


def changes(summary: Summary, ledger: Ledger) -> list[Change]:
    """One row for all confirmed modes, one per mode, one for the retained skills; [] before any round."""
    rows = _overall("all", "All confirmed modes", "modes", summary, ledger)
    for mode in confirmed(summary):
        of_mode = {arm: mode.test_accuracy[arm] for arm in arms(summary) if arm in mode.test_accuracy}
        rows += _change("mode", mode.description, of_mode, mode.id)
    return rows + _overall("retained", "Retained: questions outside every mode", "retained", summary, ledger)


def _overall(kind: str, title: str, part: str, summary: Summary, ledger: Ledger) -> list[Change]:
    """Base model against the checkpoint that each arm ended with. The summary has the accuracy of both but, of an arm
    that nothing is held against, no change over several rounds: the ledger has the answers.
    """
    found: dict[str, ModeAccuracy] = {}
    for arm in arms(summary):
        taken = _turns(summary, arm)
        ending = _ending(taken)
        before = getattr(taken[0][1], f"{part}_accuracy_before")
        after = next((getattr(a, f"{part}_accuracy_after") for n, a in taken if n == ending), before)
        if before is None or after is None:
            continue
        ended = Checkpoint(ending, arm).name
        moved = change(ledger.observations(f"test/{ended}/{part}"), ledger.observations(f"test/base/{part}"))
        found[arm] = ModeAccuracy(before=before, after=after, change=moved if moved.n else None)
    return _change(kind, title, found)


def _change(kind: str, title: str, found: Mapping[str, ModeAccuracy], identity: str = "") -> list[Change]:
    if not found:
        return []
    base = Mark("base", next(iter(found.values())).before)
    marks = (Mark(arm, accuracy.after, accuracy.change) for arm, accuracy in found.items())
    return [Change(kind, title, identity, (base, *marks))]


def grid(summary: Summary) -> Grid | None:
    """Accuracy of the base model and after each round of each arm; None before any round."""
    taken = {
        Checkpoint(number, arm): found for arm in arms(summary) for number, found in _turns(summary, arm)
    }
    if not taken:
        return None
    skills = sorted({skill for arm in taken.values() for skill in arm.per_skill})
    return Grid(
        columns=(Checkpoint(), *taken),
        refused=tuple(checkpoint for checkpoint, arm in taken.items() if arm.gate == "kept_old"),
        modes=tuple(
            _row(mode.description, {at: arm.per_mode.get(mode.id) for at, arm in taken.items()})
            for mode in confirmed(summary)
            if any(mode.id in arm.per_mode for arm in taken.values())
        ),
        skills=tuple(
            _row(skill, {at: arm.per_skill.get(skill) for at, arm in taken.items()}) for skill in skills
        ),
    )


def _row(title: str, pairs: Mapping[Checkpoint, ModeAccuracy | None]) -> GridRow:
    first = {arm: min(at for at in pairs if at.arm == arm) for arm in {at.arm for at in pairs}}
    base = next((pair.before for at in first.values() if (pair := pairs[at]) is not None), None)
    return GridRow(title, (Cell(base), *(Cell(pair.after if pair else None) for pair in pairs.values())))


def _turns(summary: Summary, arm: str) -> list[tuple[int, ArmSummary]]:
    """The rounds of an arm that were measured, in order."""
    return [(turn.round, turn.arms[arm]) for turn in summary.rounds if arm in turn.arms]


def _ending(taken: Sequence[tuple[int, ArmSummary]]) -> int:
    """The last round whose checkpoint no gate refused; 0 where the base model stayed."""
    return max((number for number, arm in taken if arm.gate != "kept_old"), default=0)
