"""What `--help` shows in a terminal of 80 columns."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from itertools import accumulate

import pytest
import typer.main
from typer.testing import CliRunner

from scotoma.cli.app import app


def documented(command: object, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every command that can be run, with its help text."""
    inner = getattr(command, "commands", {})
    if not inner:
        yield words, inspect.cleandoc(getattr(command, "help", None) or "")
    for word, nested in inner.items():
        yield from documented(nested, (*words, word))


COMMANDS = dict(documented(typer.main.get_command(app)))


def shown(*words: str) -> list[str]:
    told = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    return [line.strip() for line in told.output.splitlines()]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_example_begins_a_line_and_ends_one(words: tuple[str, ...]) -> None:
    # Typer takes the indentation away from examples that nothing but their title precedes after the summary: then they
    # run together. A paragraph between the two keeps it.
    examples = [" ".join(line.split()) for line in re.findall(r"^ {4,}(\S.*)", COMMANDS[words], re.MULTILINE)]
    assert examples or words == ("doctor",)
    lines = shown(*words)
    for example in examples:
        assert any(
            told == example
            for at in range(len(lines))
            for told in accumulate(lines[at : at + 4], lambda above, below: f"{above} {below}")
        ), f"{' '.join(words)}: {example}"


def test_what_an_option_takes_is_not_broken_in_two() -> None:
    told = "\n".join(shown("import"))
    assert "FORMAT" in told
    for name in ("lmms-eval", "vlmevalkit", "inspect", "dpe"):
        assert name in told
