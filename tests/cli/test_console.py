"""What the console says at the end of a command."""

from __future__ import annotations

from rich.table import Table

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


def test_what_a_log_says_is_no_command_to_the_terminal() -> None:
    hostile = "\x1b]0;pwned\x07\x1b[31mEVIL\x9b1m\tword"
    with console.out.capture() as said:
        console.out.print(hostile, markup=False)
        table = Table(title=hostile)
        table.add_column(hostile)
        table.add_row(hostile)
        console.out.print(table)
    assert not {"\x1b", "\x07", "\x9b"} & set(said.get())
    assert "EVIL" in said.get()
