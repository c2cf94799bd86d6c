"""What the rounds changed: accuracy per mode and arm as rows with marks, and modes and skills × rounds as a grid.

for row in changes(summary, measured, predicates):
    row.title, row.marks
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scotoma.core import Predicate, Rate
from scotoma.report.headline import confirmed
from scotoma.report.measurement import Checkpoint, Measurements, Part
from scotoma.store import ArmSummary, ModeAccuracy, Summary


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


def changes(summary: Summary, measured: Measurements, predicates: Mapping[str, Predicate]) -> list[Change]:
    """One row for all confirmed modes, one per mode, one for the retained skills; [] before any round."""
    turns = {arm: _turns(summary, arm) for arm in arms(summary)}
    endings = {arm: _ending(taken) for arm, taken in turns.items()}

    def row(
        kind: str,
        title: str,
        found: Mapping[str, ModeAccuracy],
        part: Part,
        identity: str = "",
    ) -> list[Change]:
        if not found:
            return []
        marks = [Mark("base", next(iter(found.values())).before)]
        for arm, accuracy in found.items():
            ending = Checkpoint(endings[arm], arm) if endings[arm] else Checkpoint()
            change = measured.change(ending, Checkpoint(), part=part, predicate=predicates.get(identity))
            marks.append(Mark(arm, accuracy.after, change))
        return [Change(kind, title, identity, tuple(marks))]

    def overall(part: str) -> dict[str, ModeAccuracy]:
        found = {}
        for arm, taken in turns.items():
            before = getattr(taken[0][1], f"{part}_accuracy_before")
            after = next(
                (getattr(a, f"{part}_accuracy_after") for n, a in taken if n == endings[arm]), before
            )
            if before is not None and after is not None:
                found[arm] = ModeAccuracy(before=before, after=after)
        return found

    rows = row("all", "All confirmed modes", overall("modes"), "modes")
    for mode in confirmed(summary):
        of_mode = {
            arm: accuracy
            for arm, taken in turns.items()
            if (accuracy := mode.test_accuracy.get(arm) or _of_mode(taken, mode.id, endings[arm])) is not None
        }
        rows += row("mode", mode.description, of_mode, "modes", mode.id)
    return rows + row("retained", "Retained: questions outside every mode", overall("retained"), "retained")


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


def _of_mode(taken: Sequence[tuple[int, ArmSummary]], mode_id: str, ending: int) -> ModeAccuracy | None:
    """Base model against the checkpoint the arm ended with, on one mode."""
    measured = {number: arm.per_mode[mode_id] for number, arm in taken if mode_id in arm.per_mode}
    if not measured:
        return None
    before = measured[min(measured)].before
    return ModeAccuracy(before=before, after=measured[ending].after if ending in measured else before)
