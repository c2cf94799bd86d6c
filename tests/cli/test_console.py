"""What logs, servers and suites say reaches the terminal as text, and commands nothing there."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from scotoma.cli import console
from scotoma.core import ConfigError, Rate
from scotoma.store import Summary
from scotoma.store.summary import ModeSummary

EVIL = "\x1b]0;pwned\x07\x1b[31ma [bold]cat[/bold]\x9b2J\x7f\r"
HARMLESS = "]0;pwned[31ma [bold]cat[/bold]2J"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """All that a terminal without colours gets, from stdout and stderr."""
    text = io.StringIO()
    terminal = Console(file=text, force_terminal=True, color_system=None, no_color=True, width=200)
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
