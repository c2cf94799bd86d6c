"""What the console says: texts of logs, servers and suites command nothing there."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.table import Table

from scotoma.cli import console
from scotoma.core import ConfigError, Rate
from scotoma.store import ArmSummary, RoundSummary, Summary
from scotoma.store.summary import ModeSummary, ShareSummary

EVIL = "\x1b]0;pwned\x07\x1b[31ma [bold]cat[/bold]\x9b2J\x7f\r"
HARMLESS = "]0;pwned[31ma [bold]cat[/bold]2J"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """All that a terminal without colours gets, from stdout and stderr."""
    text = io.StringIO()
    terminal = console.Terminal(file=text, force_terminal=True, color_system=None, no_color=True, width=200)
    monkeypatch.setattr(console, "out", terminal)
    monkeypatch.setattr(console, "err", terminal)
    return text


def test_an_errors_text_cannot_command_the_terminal(shown: io.StringIO) -> None:
    console.complain(ConfigError(f"no {EVIL}", hint=f"leave {EVIL} out"))
    assert HARMLESS in shown.getvalue()
    assert not {"\x07", "\x9b", "\x7f", "\r"} & set(shown.getvalue())
    assert "\x1b]" not in shown.getvalue()
    assert "\x1b[31m" not in shown.getvalue()


def test_nor_can_what_a_mode_is_called(shown: io.StringIO) -> None:
    rate = Rate(value=0.5, low=0.4, high=0.6, n=9)
    mode = ModeSummary(
        id="m", description=EVIL, predicate="skill=counting", status="suspected", suspected_rate=rate
    )
    console.show_modes(Summary(command="import", seed=0, wall_seconds=1.0, candidate="qwen", modes=[mode]))
    assert HARMLESS in shown.getvalue()
    assert "\x1b]" not in shown.getvalue()
    assert "\x9b" not in shown.getvalue()


def test_a_line_to_copy_stands_as_it_is_but_for_that(shown: io.StringIO) -> None:
    console.say(f"next: {EVIL} {'long ' * 60}\n\tend")
    assert shown.getvalue() == f"next: {HARMLESS} {'long ' * 60}\n        end\n"


def test_what_is_left_is_no_markup(shown: io.StringIO) -> None:
    console.out.print(console.safe("[\x1bbold]cat"))  # markup only once the escape is gone
    assert shown.getvalue() == "[bold]cat\n"


def test_no_command_escapes_or_prints_lines_in_a_way_of_its_own() -> None:
    own = [
        path.name
        for path in Path(console.__file__).parent.glob("*.py")
        if path.name != "console.py"
        and any(word in path.read_text() for word in ("rich.markup", "markup=False", "soft_wrap"))
    ]
    assert own == []


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


def test_retention_in_place_of_a_shortfall_is_told_beside_the_planned(shown: io.StringIO) -> None:
    share = ShareSummary(name="m", samples=300, weight=1.0, warm_start=False, reason="why", shortfall=120)
    arm = ArmSummary(samples=600, steps=9, mixture=[share], retention=300, retention_made=420)
    summary = Summary(
        command="evolve", seed=0, wall_seconds=1.0, candidate="pupil",
        rounds=[RoundSummary(round=1, arms={"targeted": arm})],
    )  # fmt: skip
    console.show_mixture(summary)
    assert "300 (−120)" in shown.getvalue()
    assert "300 (+120)" in shown.getvalue()


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
