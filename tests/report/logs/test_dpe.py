"""DPE's and EasyR1's parquet with the candidate's responses."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from scotoma.core import LogError
from scotoma.report.logs import Record, Skipped, open_log
from scotoma.report.logs.intake import intake
from scotoma.store import Run
from tests.report.logs.files import entries, parquet, png, records

ROW = {
    "problem": "<image>How many stars are there?",
    "answer": "3",
    "images": [{"bytes": png(5), "path": None}],
    "response": "<think>I count</think> \\boxed{3}",
    "accuracy": 1.0,
    "category": "counting",
}


def test_a_row_with_picture_response_and_accuracy(tmp_path: Path) -> None:
    path = parquet(tmp_path / "diagnosis.parquet", [ROW])
    assert open_log(path).format == "dpe"
    [record] = records(path)
    assert (record.question, record.truths, record.answer) == (ROW["problem"], ("3",), ROW["response"])
    assert (record.score, record.metric, record.image) == (1.0, "accuracy", png(5))
    assert record.columns == {"category": "counting"}


def test_several_answers_give_their_mean(tmp_path: Path) -> None:
    row = {**ROW, "response": ["3", "4", "3"], "accuracy": [1.0, 0.0, 1.0]}
    [record] = records(parquet(tmp_path / "d.parquet", [row]))
    assert record.score == pytest.approx(2 / 3)
    assert record.answer == "3"


@pytest.mark.parametrize("failed", ["API error 500", None, " "])
def test_among_several_answers_a_failed_call_counts_for_nothing(tmp_path: Path, failed: str | None) -> None:
    row = {**ROW, "response": [failed, "3", "4", failed], "accuracy": [0.0, 1.0, 0.0, 0.0]}
    [record] = records(parquet(tmp_path / "d.parquet", [row]))
    assert (record.answer, record.score, record.error) == ("3", 0.5, None)


def test_several_failed_calls_are_an_error(tmp_path: Path) -> None:
    row = {**ROW, "response": ["API error 500", None], "accuracy": [0.0, 0.0]}
    [record] = records(parquet(tmp_path / "d.parquet", [row]))
    assert record.error == "api_error"


def test_one_score_of_answers_and_failed_calls_decides_nothing(tmp_path: Path) -> None:
    rows = [
        {**ROW, "response": responses, "accuracy": 0.5} for responses in (["3", "API error 500"], ["3", "4"])
    ]
    found = records(parquet(tmp_path / "d.parquet", rows))
    assert [(record.answer, record.score) for record in found] == [("3", None), ("3", 0.5)]


def test_what_reads_like_a_failed_call_and_is_scored_right_is_an_answer(tmp_path: Path) -> None:
    row = {**ROW, "response": ["Connection failed", "no"], "accuracy": [1.0, 0.0]}
    [record] = records(parquet(tmp_path / "d.parquet", [row]))
    assert (record.answer, record.score) == ("Connection failed", 0.5)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response": None}, "no_response"),
        ({"response": " "}, "empty_answer"),
        ({"response": "API error 500"}, "api_error"),
    ],
)
def test_a_failed_call_is_an_error(tmp_path: Path, change: dict[str, Any], error: str) -> None:
    found = records(parquet(tmp_path / "d.parquet", [ROW, {**ROW, **change}]))
    assert [record.error for record in found] == [None, error]


def test_of_several_answers_those_that_no_server_gave_are_left_out(tmp_path: Path) -> None:
    lost = ["Request failed: timed out", None]
    rows = [
        {**ROW, "response": ["3", *lost], "accuracy": [1.0, 0.0, 0.0]},
        {**ROW, "response": [*lost, "4"], "accuracy": [0.0, 0.0, 0.0]},
        {**ROW, "response": lost, "accuracy": [0.0, 0.0]},
    ]
    right, wrong, failed = records(parquet(tmp_path / "d.parquet", rows))
    assert (right.error, right.score, right.answer) == (None, 1.0, "3")
    assert (wrong.error, wrong.score, wrong.answer) == (None, 0.0, "4")
    assert failed.error is not None


def test_pictures_may_be_named_by_path(tmp_path: Path) -> None:
    [record] = records(parquet(tmp_path / "d.parquet", [{**ROW, "images": ["pictures/1.png"]}]))
    assert record.image == Path("pictures/1.png")
    assert record.image_key == "pictures/1.png"


def test_questions_about_a_picture_that_is_not_here_stay_together(tmp_path: Path) -> None:
    rows = [{**ROW, "problem": f"{i}?", "images": [f"gone/{i % 4}.png"]} for i in range(40)]
    damaged = [
        {**ROW, "problem": f"{i}?", "images": [{"bytes": b"no picture", "path": None}]} for i in range(5)
    ]
    logs = [parquet(tmp_path / "gone.parquet", rows), parquet(tmp_path / "damaged.parquet", damaged)]
    with Run.open(tmp_path / "run", command="import", config={}) as run:
        intake(run, [open_log(log) for log in logs], "qwen")
        asked = run.ledger.observations()
    assert len(asked) == 45
    assert len({o.image_id for o in asked}) == 5


def test_categories_may_lie_in_extra_info(tmp_path: Path) -> None:
    row = {**ROW, "extra_info": {"index": 3, "difficulty": "hard"}}
    assert records(parquet(tmp_path / "d.parquet", [row]))[0].columns == {
        "category": "counting",
        "difficulty": "hard",
    }


def test_a_training_set_has_no_answers(tmp_path: Path) -> None:
    row = {key: ROW[key] for key in ("problem", "answer", "images")}
    assert entries(parquet(tmp_path / "train.parquet", [row])) == [Skipped("row 1", "no answer")]


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path / "d.parquet", [ROW])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(LogError, match="no parquet file that can be read"):
        entries(path)


def test_an_answer_that_is_a_list_is_one_answer(tmp_path: Path) -> None:
    rows = [{"problem": "Which?", "answer": "['cat', 'dog']", "response": "cat"}]
    [record] = records(parquet(tmp_path / "d.parquet", rows))
    assert record.truths == ("['cat', 'dog']",)


def test_a_reward_of_many_points_decides_nothing(tmp_path: Path) -> None:
    rows = [{"problem": "How many?", "answer": "3", "response": "4", "reward": value} for value in (1.0, 5.0)]
    assert [record.score for record in records(parquet(tmp_path / "d.parquet", rows))] == [None, None]


@pytest.mark.parametrize(
    ("kind", "value"),
    [("date32", 10**7), ("timestamp[ms]", 10**16), ("timestamp[ns]", 2**60 + 1), ("duration[ms]", 2**53)],
)
def test_a_date_that_python_does_not_have_costs_no_row(tmp_path: Path, kind: str, value: int) -> None:
    table = pyarrow.Table.from_pylist([ROW] * 2)
    kinds = {"timestamp[ms]": pyarrow.timestamp("ms"), "timestamp[ns]": pyarrow.timestamp("ns")}
    kinds |= {"date32": pyarrow.date32(), "duration[ms]": pyarrow.duration("ms")}
    made = pyarrow.array([value] * 2, kinds[kind])
    pyarrow.parquet.write_table(table.append_column("made", made), tmp_path / "d.parquet")
    assert [record.score for record in records(tmp_path / "d.parquet")] == [1.0, 1.0]
    # Asked for, it is told in a line.
    for entry in entries(tmp_path / "d.parquet", "made"):
        assert isinstance(entry, Record) or entry.reason.startswith("damaged parquet")


def test_a_date_that_is_wanted_is_a_column(tmp_path: Path) -> None:
    path = parquet(tmp_path / "d.parquet", [{**ROW, "made": datetime.date(2024, 5, 1)}])
    assert records(path, "made")[0].columns == {"category": "counting", "made": "2024-05-01"}
    assert records(path)[0].columns == {"category": "counting"}
