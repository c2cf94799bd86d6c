"""What the console says at the end of a command."""

from __future__ import annotations

from scotoma.cli import console
from scotoma.store import ArmSummary, RoundSummary, Summary


def test_skipped_updates_are_told_of_the_trainings_that_had_any() -> None:
    arms = {
        "targeted": ArmSummary(samples=8, steps=100, skipped_updates=1200),
        "uniform": ArmSummary(samples=8, steps=9),
    }
    summary = Summary(
        command="evolve", seed=0, wall_seconds=1.0, candidate="pupil",
        rounds=[RoundSummary(round=2, arms=arms)],
    )  # fmt: skip
    with console.out.capture() as said:
        console.show_skipped_updates(summary)
    assert " ".join(said.get().split()) == (
        "round 2, targeted: 1,200 of its updates skipped, as loss or gradient was not finite"
    )
