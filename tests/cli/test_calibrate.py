"""`scotoma calibrate`: from a judge to a file that a run can name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from scotoma.cli.app import app
from scotoma.core import Calibration, ScotomaError
from scotoma.discover.calibration import read_calibration
from scotoma.discover.settings import JudgeSettings
from scotoma.discover.tagger_calibration import TaggerCalibration

CARELESS = "tests.judges:Careless"


def calibrate(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["calibrate", *map(str, arguments)])


def refused(folder: Path, *arguments: str | Path) -> ScotomaError:
    before = sorted(folder.rglob("*"))
    error = calibrate(*arguments).exception
    assert isinstance(error, ScotomaError), error
    assert sorted(folder.rglob("*")) == before
    return error


def test_a_judge_is_measured_on_a_world(tmp_path: Path) -> None:
    ended = calibrate("--judge", CARELESS, "--n", "60", "--out", tmp_path / "judge.json", "--json")
    assert ended.exit_code == 0, ended.output
    told = Calibration.from_json((tmp_path / "judge.json").read_bytes())
    assert told.judge == CARELESS
    assert told.items == 60
    assert 0 < told.correctness.sensitivity.n <= 15
    assert json.loads(ended.stdout)["correctness"] == told.correctness.model_dump()
    assert read_calibration(JudgeSettings(model=CARELESS, calibration=tmp_path / "judge.json")) == told


def test_a_person_sees_the_four_rates(tmp_path: Path) -> None:
    ended = calibrate("--judge", "tests.judges:Reliable", "--n", "24", "--out", tmp_path / "judge.json")
    for line in ("invalid questions refused", "valid questions accepted", "wrong answers caught", "100.0 %"):
        assert line in ended.stdout
    assert "judge.calibration" in ended.stdout


def test_a_consensus_is_measured_as_one(tmp_path: Path) -> None:
    ended = calibrate(
        *("--judge", "tests.judges:Reliable", "--judge", CARELESS, "--agreement", "0.9"),
        *("--n", "24", "--out", tmp_path / "judge.json"),
    )
    assert ended.exit_code == 0, ended.output
    told = Calibration.from_json((tmp_path / "judge.json").read_bytes())
    assert told.judge == f"tests.judges:Reliable + {CARELESS}, agreement 0.9"
    assert told.unanimity is not None
    assert told.unusable["no_consensus"] > 0


def test_human_labels_are_the_other_source(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    line = {"image": "a.png", "question": "how many ?", "valid": True, "answer": "2", "correct": True}
    (tmp_path / "labels.jsonl").write_text(json.dumps(line) + "\n")
    error = refused(
        tmp_path,
        *("--judge", "tests.judges:Silent", "--labels", tmp_path / "labels.jsonl"),
        *("--out", tmp_path / "judge.json"),
    )
    assert "judge:timeout (1)" in str(error)
    assert error.exit_code == 4


def test_a_tagger_is_measured_against_exact_tags(tmp_path: Path) -> None:
    ended = calibrate("--tagger", "wording", "--n", "120", "--out", tmp_path / "tagger.json")
    assert ended.exit_code == 0, ended.output
    assert "the whole set" in ended.stdout
    told = TaggerCalibration.model_validate_json((tmp_path / "tagger.json").read_bytes())
    assert told.questions == 120
    assert told.error is not None
    assert "counting" in ended.stdout
    again = calibrate("--tagger", "wording", "--n", "120", "--out", tmp_path / "again.json", "--json")
    assert json.loads(again.stdout)["error"] == told.error.model_dump()


def test_what_else_a_tagger_names_is_in_the_table(tmp_path: Path) -> None:
    ended = calibrate("--tagger", "tests.judges:Namer", "--n", "120", "--out", tmp_path / "tagger.json")
    assert ended.exit_code == 0, ended.output
    told = TaggerCalibration.model_validate_json((tmp_path / "tagger.json").read_bytes())
    assert set(told.named) == {"attribute", "object"}
    assert told.named["object"].values["circle"].recall.value == 1.0
    for shown in ("attribute", "object", "circle", f"{100 * told.named['object'].macro_f1.value:.1f} %"):
        assert shown in ended.stdout


def test_a_tagger_that_fills_in_no_sheet_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "tagger.json"
    error = refused(tmp_path, "--tagger", "tests.judges:Silent", "--n", "20", "--out", out)
    assert "tagger:timeout" in str(error)
    assert error.exit_code == 4


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "--judge or --tagger"),
        (("--judge", CARELESS, "--tagger", "wording"), "--judge or --tagger"),
        (("--tagger", "gpt"), "'gpt' names no model"),
        (("--tagger", "wording", "--labels", "x.jsonl"), "--labels are for a judge"),
        (("--judge", "gpt"), "'gpt' names no model"),
        (("--judge", CARELESS, "--images", "worlds:shape"), "worlds:shapes"),
        (("--judge", CARELESS, "--images", "worlds:shapes", "--labels", "x.jsonl"), "exclude each other"),
        (("--judge", CARELESS, "--labels", "nowhere.jsonl"), "nowhere.jsonl"),
        (("--judge", CARELESS, "--agreement", "7"), "agreement"),
    ],
)
def test_bad_input_is_refused(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    assert says in str(refused(tmp_path, *arguments, "--out", tmp_path / "judge.json"))


def test_a_judge_who_tells_nothing_is_not_recommended(tmp_path: Path) -> None:
    shown = calibrate("--judge", "tests.judges:Contrary", "--n", "40", "--out", tmp_path / "judge.json")
    assert "tells nothing about answers" in shown.stdout
    assert "judge.calibration" not in shown.stdout


def test_where_nothing_can_be_written_nobody_is_asked(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    error = refused(tmp_path, "--judge", CARELESS, "--out", tmp_path / "file" / "judge.json")
    assert "is no folder" in str(error)


def test_the_help_teaches_with_examples() -> None:
    assert "scotoma calibrate --judge" in " ".join(calibrate("--help").stdout.split())
