"""`scotoma check`: what it prints, its exit codes, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from scotoma.cli.app import app
from scotoma.core import ConfigError, ImageError, ModelError, RunError, ScotomaError, SpecError, StorageError
from scotoma.evolve.suite import Suite
from scotoma.models.spec import checkpoint_path
from scotoma.store.run import Run
from tests import commands
from tests.evolve.test_compare import ONE, SEEING, TWO
from tests.evolve.test_suite import proved


def scotoma(*arguments: str | int | float | Path) -> Result:
    return CliRunner().invoke(app, ["check", *map(str, arguments)], env={"COLUMNS": "160"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `TwoSpots`, and a suite whose baseline has no blind spot."""
    path = tmp_path_factory.mktemp("check")
    proved(path / "run")
    ended = scotoma(path / "run", "--write", path / "suite", "--candidate", SEEING, "--questions", 30)
    (path / "printed").write_text(ended.output)
    assert ended.exit_code == 0, ended.output
    return path


def test_writing_shows_the_baseline_and_what_comes_next(folder: Path) -> None:
    printed = " ".join((folder / "printed").read_text().split())
    assert "questions about" in printed
    assert f"Baseline: {SEEING}" in printed
    assert "100.0 %" in printed
    assert f"next: scotoma check {folder / 'suite'} --candidate SPEC" in printed


def test_whoever_holds_ends_with_0(folder: Path) -> None:
    ended = scotoma(folder / "suite", "--candidate", SEEING)
    assert ended.exit_code == 0
    assert "nothing falls back" in ended.output


def test_whoever_falls_back_ends_with_1_and_a_table(folder: Path) -> None:
    ended = scotoma(folder / "suite", "--candidate", ONE, "--json", folder / "check.json")
    assert ended.exit_code == 1
    printed = " ".join(ended.output.split())
    for text in (f"{ONE} against {SEEING}", "falls back on 1 of 3"):
        assert text in printed
    result = json.loads((folder / "check.json").read_text())
    assert result["schema"] == "scotoma.check/1"
    assert result["passed"] is False
    assert [part["standing"] for part in result["parts"]] == ["fell", "holds", "holds"]
    assert set(result["parts"][0]["change"]) == {"value", "low", "high", "n"}


def test_another_model_can_be_the_baseline(folder: Path) -> None:
    ended = scotoma(folder / "suite", "--candidate", ONE, "--against", TWO, "--json", "-")
    assert ended.exit_code == 0
    assert json.loads(ended.stdout)["against"] == TWO


def test_a_minimum_is_asked_for_or_kept_in_the_suite(folder: Path, tmp_path: Path) -> None:
    ended = scotoma(folder / "suite", "--candidate", TWO, "--against", TWO, "--at-least", 0.9)
    assert ended.exit_code == 1
    assert "below 90%" in ended.output
    assert scotoma(folder / "run", "--write", tmp_path / "suite", "--at-least", 0.9).exit_code == 0
    assert scotoma(tmp_path / "suite", "--candidate", TWO).exit_code == 1
    assert scotoma(tmp_path / "suite", "--candidate", TWO, "--at-least", 0).exit_code == 0


def test_what_was_mended_is_kept_mended(folder: Path, tmp_path: Path) -> None:
    """Against the untrained candidate's answers a mended model could lose all that it has learnt."""
    shutil.copytree(folder / "run", tmp_path / "run")
    with Run.open(tmp_path / "run", command="evolve", config=None) as run:
        policy = run.checkpoint("round1/targeted/policy")
        shutil.copytree(str(checkpoint_path("pupil")), policy)
        run.ledger.finish("round1/targeted/gate", {"accepted": True})
    ended = scotoma(tmp_path / "run", "--write", tmp_path / "suite", "--questions", 5)
    assert ended.exit_code == 0, ended.output
    assert Suite.read(tmp_path / "suite").header.candidate == f"hf:{policy}"


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (["nowhere", "--candidate", SEEING], ConfigError, "there is no folder"),
        (["nowhere", "--write", "new"], RunError, "there is no run"),
        (["run", "--candidate", SEEING], ConfigError, "is a run"),
        (["suite", "--write", "new"], RunError, "there is no run"),
        (["suite"], ConfigError, "nobody is to be checked"),
        (["suite", "--candidate", "gpt"], ConfigError, "names no model"),
        (["suite", "--candidate", SEEING, "--force"], ConfigError, "go with --write"),
        (["run", "--write", "new", "--against", SEEING], ConfigError, "not with --write"),
        (["run", "--write", "new", "--judge", "tests.judges:Reliable"], ConfigError, "ruled on already"),
        (["run", "--write", "suite"], StorageError, "a suite already"),
        (["run", "--write", "run", "--force"], StorageError, "more than a suite"),
        (["suite", "--candidate", "tests.evolve.test_suite:HardOfHearing"], ModelError, "no verdict"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_left(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    error: type[ScotomaError],
    says: str,
) -> None:
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    ended = scotoma(*arguments)
    assert isinstance(ended.exception, error)
    assert ended.exception.exit_code != 1
    assert says in str(ended.exception)
    assert sorted(folder.rglob("*")) == before


def test_rulings_of_two_judges_are_not_compared(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "suite", tmp_path / "suite")
    header = json.loads((tmp_path / "suite/suite.json").read_text())
    header["judge"]["model"] = "tests.judges:Reliable"
    (tmp_path / "suite/suite.json").write_text(json.dumps(header))
    other = (tmp_path / "suite", "--candidate", SEEING, "--judge", "tests.judges:Careless")
    ended = scotoma(*other)
    assert isinstance(ended.exception, ConfigError)
    assert "judged by tests.judges:Reliable" in str(ended.exception)
    assert scotoma(*other[:-1], "tests.judges:Reliable").exit_code == 0
    unnamed = scotoma(*other[:-2])
    assert isinstance(unnamed.exception, ConfigError)
    assert "because a file says so (if you trust it, say so: --judge tests.judges:Reliable)" in str(
        unnamed.exception
    )
    assert scotoma(*other, "--against", TWO).exit_code == 0


def test_a_world_that_a_suite_names_is_not_run_unless_the_user_says_so(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "suite", tmp_path / "suite")
    sidecar = tmp_path / "suite/images/facts.jsonl"
    sidecar.write_text(sidecar.read_text().replace("worlds:shapes", "somebody.elses:World"))
    ended = scotoma(tmp_path / "suite", "--candidate", SEEING)
    assert isinstance(ended.exception, SpecError)
    assert "whose code would be run (if you trust it, say so: --world somebody.elses:World)" in str(
        ended.exception
    )
    ended = scotoma(tmp_path / "suite", "--candidate", SEEING, "--world", "somebody.elses:World")
    assert "no module 'somebody'" in str(ended.exception)


def test_a_missing_picture_is_told(folder: Path, tmp_path: Path) -> None:
    assert scotoma(folder / "run", "--write", tmp_path / "suite", "--questions", 2).exit_code == 0
    next((tmp_path / "suite/images").glob("*.png")).unlink()
    ended = scotoma(tmp_path / "suite", "--candidate", SEEING)
    assert isinstance(ended.exception, ImageError)


def test_the_pupil_in_real_processes(folder: Path, tmp_path: Path) -> None:
    wrote = commands.run(
        "check",
        str(folder / "run"),
        "--write",
        "suite",
        "--candidate",
        "pupil",
        "--questions",
        "15",
        cwd=tmp_path,
    )
    assert wrote.returncode == 0, wrote.stderr
    same = commands.run("check", "suite", "--candidate", "pupil", "--json", "check.json", cwd=tmp_path)
    assert same.returncode == 0, same.stderr
    parts = json.loads((tmp_path / "check.json").read_text())["parts"]
    assert [part["change"]["value"] for part in parts] == [0, 0, 0]
    worse = commands.run(
        "check", "suite", "--candidate", "pupil", "--at-least", "1",
        cwd=tmp_path, environment={"COLUMNS": "160"},
    )  # fmt: skip
    assert worse.returncode == 1
    assert "below 100%" in worse.stdout
    nowhere = commands.run("check", "nowhere", "--candidate", "pupil", cwd=tmp_path)
    assert (nowhere.returncode, nowhere.stdout) == (2, "")
    assert nowhere.stderr.startswith("error: there is no folder nowhere")
