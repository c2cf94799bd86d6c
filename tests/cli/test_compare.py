"""`scotoma compare`: what it prints, what it leaves, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from scotoma.cli.app import app
from scotoma.core import ConfigError, RunError, StorageError
from scotoma.store.summary import Summary

SEEING, ONE = "tests.evolve.test_compare:Seeing", "tests.evolve.test_compare:OneSpot"


def scotoma(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["compare", *map(str, arguments)], env={"COLUMNS": "160"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compare")
    (path / "small.yaml").write_text("base_questions: 60\nmode_questions: 20\npool: 600\n")
    ended = scotoma(
        SEEING, ONE, "--questions", 300, "--config", path / "small.yaml", "--out", path / "run",
        "--json", path / "versus.json",
    )  # fmt: skip
    (path / "printed").write_text(ended.output)
    assert ended.exit_code == 0, ended.output
    return path


def test_it_prints_ranking_pairs_skills_and_modes(folder: Path) -> None:
    printed = " ".join((folder / "printed").read_text().split())
    for text in (
        "Ranking on 300 questions",
        "1 [1–1]",
        "p (Holm)",
        "Right, per skill",
        "specific",
        "counting",
    ):
        assert text in printed


def test_the_summary_is_left_in_the_run_and_where_it_is_wanted(folder: Path) -> None:
    summary = Summary.from_json((folder / "run/summary.json").read_text())
    assert summary.command == "compare"
    assert summary.ranking is not None
    assert [own.candidate for own in summary.ranking.candidates] == [SEEING, ONE]
    assert (
        json.loads((folder / "versus.json").read_text())["ranking"]
        == json.loads(summary.to_json())["ranking"]
    )
    again = scotoma(
        SEEING,
        ONE,
        "--questions",
        300,
        "--config",
        folder / "small.yaml",
        "--out",
        folder / "run",
        "--json",
        "-",
    )
    assert json.loads(again.stdout)["ranking"]["compared"] == 300


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ([SEEING], ConfigError, "two candidates or more"),
        ([SEEING, SEEING], ConfigError, "named twice"),
        ([], ConfigError, "candidates"),
        ([SEEING, ONE, "--modes", "nowhere"], RunError, "there is no run"),
        ([SEEING, ONE, "--from", "nowhere"], RunError, "there is no run"),
        ([SEEING, ONE, "--questions", "3"], ConfigError, "questions"),
        ([SEEING, ONE, "--json", "nowhere/x.json"], StorageError, "there is no folder nowhere"),
        ([SEEING, ONE, "--json", "/"], StorageError, "it is a folder"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_left(
    tmp_path: Path, arguments: list[str], error: type[Exception], says: str
) -> None:
    ended = scotoma(*arguments, "--out", tmp_path / "run")
    assert isinstance(ended.exception, error)
    assert says in str(ended.exception)
    assert list(tmp_path.iterdir()) == []


def test_the_questions_of_a_comparison_are_not_asked_again_as_if_they_were_a_proof(
    folder: Path, tmp_path: Path
) -> None:
    ended = scotoma(SEEING, ONE, "--from", folder / "run", "--out", tmp_path / "run")
    assert isinstance(ended.exception, RunError)
    assert list(tmp_path.iterdir()) == []
