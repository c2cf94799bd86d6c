"""`scotoma import`: a log goes in, a run with a report comes out, and torch is never loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from scotoma.cli.app import app
from scotoma.core import ConfigError, LogError, ScotomaError
from scotoma.store import Run
from tests.report.logs.files import lines, lmms_line, parquet

WITHOUT_TORCH = """
import sys
class Absent:
    def find_spec(self, name, *rest):
        if name.partition(".")[0] in ("torch", "transformers", "datasets", "inspect_ai"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from scotoma.cli import main
main()
"""


def bare(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own, as on a bare install."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )


def scotoma(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def error_of(result: Result) -> ScotomaError:
    assert isinstance(result.exception, ScotomaError), result
    return result.exception


def log(folder: Path, name: str = "a__b/x_samples_y.jsonl", *, right: bool = True) -> Path:
    said = "Yes" if right else "No"
    rows = [lmms_line(n, "Is it red?", "Yes", said, exact_match=float(right)) for n in range(30)]
    return lines(folder / name, [*rows, "{broken"])


def test_a_log_becomes_a_run_with_a_report_on_a_bare_install(tmp_path: Path) -> None:
    path = log(tmp_path)
    ended = bare("import", str(path), "--out", "runs/ab", "--json", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout)
    assert (summary["command"], summary["candidate"]) == ("import", "a/b")
    assert summary["imported"]["skipped"] == {"not JSON": 1}
    run = tmp_path / "runs" / "ab"
    assert json.loads((run / "summary.json").read_text()) == summary
    assert (run / "report.html").read_text().startswith("<!DOCTYPE html>")
    again = bare("import", str(path), "--out", "runs/ab", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "30 of 31 entries imported" in again.stdout
    assert "skipped: 1 × not JSON (x_samples_y.jsonl line 31)" in again.stdout


def test_topics_are_looked_for_where_they_are_wanted_and_enough_is_asked(tmp_path: Path) -> None:
    assert scotoma("import", log(tmp_path), "--out", tmp_path / "run", "--topics").exit_code == 0
    run = Run.read(tmp_path / "run")
    assert run.config["tagging"]["topics"] == "beside"
    assert run.ledger.done("topics") == {"questions": 1}
    refused = error_of(scotoma("import", log(tmp_path), "--out", tmp_path / "run"))
    assert "another config" in refused.message


def test_another_log_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    assert scotoma("import", log(tmp_path), "--out", tmp_path / "run").exit_code == 0
    refused = error_of(scotoma("import", log(tmp_path, right=False), "--out", tmp_path / "run"))
    assert isinstance(refused, ConfigError)
    assert "another config" in refused.message


def test_logs_of_two_candidates_are_refused(tmp_path: Path) -> None:
    two = [log(tmp_path), log(tmp_path, "c__d/x_samples_y.jsonl", right=False)]
    refused = error_of(scotoma("import", *two, "--out", tmp_path / "run"))
    assert "several candidates: a/b, c/d" in refused.message
    assert not (tmp_path / "run").exists()
    assert scotoma("import", *two, "--out", tmp_path / "run", "--candidate", "mine").exit_code == 0


def test_a_log_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    twice = [log(tmp_path), log(tmp_path, "a__b/copy_samples_y.jsonl")]
    refused = error_of(scotoma("import", *twice, "--out", tmp_path / "run"))
    assert "x_samples_y.jsonl and" in refused.message
    assert "hold the same" in refused.message
    assert not (tmp_path / "run").exists()


def test_what_is_no_log_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello\n")
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "r.pkl").write_bytes(b"\x80\x04.")
    parquet(tmp_path / "train.parquet", [{"problem": "Is it red?", "answer": "yes"}])
    for name, says in (
        ("notes.txt", "no log of a format that Scotoma knows"),
        ("empty.jsonl", "is empty"),
        ("r.pkl", "can run code"),
        ("train.parquet", "no answered question"),
        ("nowhere.jsonl", "cannot read"),
        (".", "cannot read"),
    ):
        refused = error_of(scotoma("import", tmp_path / name, "--out", tmp_path / "run"))
        assert isinstance(refused, LogError)
        assert says in refused.message
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("format", ["lmms-eval", "vlmevalkit", "inspect", "dpe"])
def test_a_wrong_format_is_refused_without_a_traceback(tmp_path: Path, format: str) -> None:
    (tmp_path / "notes.txt").write_text("hello\nworld\n")
    error_of(scotoma("import", tmp_path / "notes.txt", "--format", format, "--out", tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_column_that_no_entry_has_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    rows = [
        lmms_line(n, "Is it red?", "Yes", "Yes", doc={"hop_count": 2, "note": "x" * 5000}, exact_match=1.0)
        for n in range(8)
    ]
    path = lines(tmp_path / "a__b/x_samples_y.jsonl", rows)
    for name in ("nope", "note"):
        refused = error_of(scotoma("import", path, "--out", tmp_path / "run", "--column", name))
        assert isinstance(refused, ConfigError)
        assert f"no entry has the column '{name}'" in refused.message
        assert "hop_count" in str(refused.hint)
        assert not (tmp_path / "run").exists()
    assert scotoma("import", path, "--out", tmp_path / "run", "--column", "Hop-Count").exit_code == 0


def test_help_teaches_with_examples() -> None:
    told = scotoma("import", "--help")
    assert "scotoma import logs/org__model/*_samples_*.jsonl --out runs/model" in " ".join(
        told.output.split()
    )
