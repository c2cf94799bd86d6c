"""Logs become a run whose modes were found on one half of the images and proved on the other."""

from __future__ import annotations

import base64
import os
import random
from pathlib import Path
from typing import Any

import pytest

from scotoma.core import LogError
from scotoma.discover.settings import TaggingSettings
from scotoma.report import build, headline
from scotoma.report.logs import open_log
from scotoma.report.logs.intake import check, intake
from scotoma.store import Run, Summary
from tests.report.logs.files import inspect_sample, inspect_zip, lines, lmms_line, parquet, png

KINDS = {
    "counting": ("How many dogs are there?", [str(n) for n in range(8)]),
    "existence": ("Is there a dog in the image?", ["Yes", "No"]),
    "position": ("Is the dog to the left of the cat?", ["Yes", "No"]),
    "colour": ("What color is the dog?", ["red", "blue", "green"]),
    "scene": ("What kind of place is it?", ["a beach", "a street"]),
}
OTHER = "something else"


def weak(kind: str, truth: str) -> bool:
    """The planted weak spots: large counts, and saying yes."""
    return (kind == "counting" and truth.isdigit() and int(truth) >= 4) or (kind, truth) == (
        "existence",
        "No",
    )


def rows(n: int = 3000) -> list[dict[str, Any]]:
    """A log in which weak spots fail six times in ten and anything else one time in ten; 2 questions per image."""
    chance = random.Random(5)
    found = []
    for number in range(n):
        kind = chance.choice(sorted(KINDS))
        question, truths = KINDS[kind]
        truth = chance.choice(truths)
        wrong = chance.random() < (0.6 if weak(kind, truth) else 0.1)
        answer = {"Yes": "No", "No": "Yes"}.get(truth, OTHER) if wrong else truth
        doc = {"category": kind, "img_id": str(number // 2), "shuffled": chance.choice("ab")}
        found.append(lmms_line(number, question, truth, answer, doc=doc, exact_match=float(not wrong)))
    return found


def run_of(path: Path, *logs: Path, candidate: str = "qwen") -> Summary:
    opened = [open_log(log) for log in logs]
    with Run.open(path, command="import", config={"candidate": candidate}) as run:
        summary = intake(run, opened, candidate)
        run.write_summary(summary)
        build(run)
    return summary


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imported")
    broken = [
        lmms_line(9001, "Is it?", "Yes", None),
        lmms_line(9002, "Why?", "Because of love", "I do not know that at all"),
    ]
    run_of(folder / "run", lines(folder / "x_samples_mix.jsonl", [*rows(), "{broken", *broken]))
    return folder / "run"


def test_planted_weak_spots_are_found_and_confirmed_and_nothing_else(imported: Path) -> None:
    with Run.read(imported) as run:
        confirmed = [mode for mode in run.ledger.modes() if mode.status == "confirmed"]
        predicates = {str(mode.predicate) for mode in confirmed}
        assert predicates == {"count>=4", "skill=existence and answer=no"}
        for mode in confirmed:
            assert mode.failure_rate is not None
            assert mode.failure_rate.low < 0.6 < mode.failure_rate.high
            assert mode.q_value is not None
            assert mode.q_value <= 0.05


def test_no_image_is_in_both_halves(imported: Path) -> None:
    with Run.read(imported) as run:
        halves = [
            {row.image_id for row in run.ledger.observations(phase)} for phase in ("discover", "confirm-base")
        ]
        assert not halves[0] & halves[1]
        assert len(halves[0] | halves[1]) == 1502  # two questions each, and the two without a name
        assert min(map(len, halves)) > 650


def test_every_entry_is_a_question_or_a_counted_reason(imported: Path) -> None:
    with Run.read(imported) as run:
        summary = run.summary()
    assert summary is not None
    found = summary.imported
    assert found is not None
    assert (found.entries, found.questions) == (3003, 3002)
    assert found.files == {"x_samples_mix.jsonl": "lmms-eval"}
    assert found.decided_by == {"log": 3000}
    assert found.errors == {"no_response": 1}
    assert found.undecided == {"undecided": 1}
    assert found.skipped == {"not JSON": 1}
    assert found.skipped_where == {"not JSON": ["x_samples_mix.jsonl line 3001"]}
    assert found.failure_rate is not None
    assert found.failure_rate.n == 3000
    assert headline(summary)[0].startswith("Imported: 3,002 questions")


def test_the_report_speaks_of_logs_and_promises_no_training(imported: Path) -> None:
    page = (imported / "report.html").read_text()
    assert "Counting questions when the answer is 4 or more" in page
    assert "questions in the imported logs" in page
    assert "x_samples_mix.jsonl" in page
    for absent in (
        "unfinished",
        "Scotoma chose to ask",
        "templates",
        "After repair",
        "Before and after",
        "Learning curves",
    ):
        assert absent not in page.split("The words")[0]


def test_importing_again_changes_nothing(imported: Path) -> None:
    log = imported.parent / "x_samples_mix.jsonl"
    with Run.read(imported) as run:
        before = [row.key for row in run.ledger.observations()], run.ledger.modes(), run.ledger.stages()
    run_of(imported, log)
    with Run.read(imported) as run:
        assert before == (
            [row.key for row in run.ledger.observations()],
            run.ledger.modes(),
            run.ledger.stages(),
        )


def test_a_killed_import_goes_on_where_it_was(tmp_path: Path) -> None:
    log = lines(tmp_path / "s.jsonl", rows(1700))
    whole = run_of(tmp_path / "whole", log)

    class Killed(Exception):
        pass

    with Run.open(tmp_path / "run", command="import", config={"candidate": "qwen"}) as run:
        finish = run.ledger.finish

        def die(stage: str, *rest: Any, **more: Any) -> None:
            if stage == "import/0/2":
                raise Killed
            finish(stage, *rest, **more)

        run.ledger.finish = die  # type: ignore[method-assign]  # the kill, at a stage's end
        with pytest.raises(Killed):
            intake(run, [open_log(log)], "qwen")
    assert build(tmp_path / "run").exists()  # a report of what there is so far
    again = run_of(tmp_path / "run", log)
    assert again.model_copy(update={"wall_seconds": 0}) == whole.model_copy(update={"wall_seconds": 0})


def test_what_a_log_names_and_is_no_picture_file_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")  # read, it would never end
    (tmp_path / "large.png").write_bytes(png(0) * 50)
    (tmp_path / "fair.png").write_bytes(png(1))
    monkeypatch.setattr("scotoma.report.logs.intake._LARGEST", len(png(0)) * 20)
    rows = [
        {
            "problem": "What colour is it?",
            "answer": "blue",
            "images": [{"path": str(path)}],
            "response": "red",
        }
        for path in (tmp_path / "pipe", tmp_path / "large.png", tmp_path / "fair.png", tmp_path)
    ]
    summary = run_of(tmp_path / "run", parquet(tmp_path / "d.parquet", rows))
    assert summary.imported is not None
    assert (summary.imported.questions, summary.imported.images) == (4, 1)


@pytest.mark.parametrize("picture", ["/elsewhere/{}.png", "https://x.org/{}.png", "broken bytes"])
@pytest.mark.parametrize("tool", ["dpe", "inspect"])
def test_a_picture_that_is_not_to_be_had_is_in_one_half_all_the_same(
    tmp_path: Path, picture: str, tool: str
) -> None:
    rows, samples = [], []
    for number in range(120):
        name, question = picture.format(number // 10), f"How many dogs of kind {number % 10}?"
        cut = png(number // 10)[8:]  # without its first bytes it is no picture
        broken = picture == "broken bytes"
        rows.append(
            {
                "problem": question,
                "answer": "2",
                "images": [{"bytes": cut, "path": None} if broken else {"bytes": None, "path": name}],
                "response": "3",
            }
        )
        source = f"data:image/png;base64,{base64.b64encode(cut).decode()}" if broken else name
        content = [{"type": "image", "image": source}, {"type": "text", "text": question}]
        samples.append(inspect_sample(number, [{"role": "user", "content": content}], "2", "3"))
    log = (
        parquet(tmp_path / "d.parquet", rows)
        if tool == "dpe"
        else inspect_zip(tmp_path / "log.eval", samples)
    )
    run_of(tmp_path / "run", log)
    with Run.read(tmp_path / "run") as run:
        halves = [
            {row.image_id for row in run.ledger.observations(phase)} for phase in ("discover", "confirm-base")
        ]
    assert not halves[0] & halves[1]
    assert len(halves[0] | halves[1]) == 12


def test_pictures_go_into_the_run_and_the_report(tmp_path: Path) -> None:
    told = [
        {"problem": "What colour is it?", "answer": "blue", "images": [{"bytes": png(n)}], "response": "red"}
        for n in range(24)
    ]
    told += [{**told[0], "images": [{"bytes": b"no picture"}]}, told[0], told[1]]
    summary = run_of(tmp_path / "run", parquet(tmp_path / "d.parquet", told))
    assert summary.imported is not None
    assert (summary.imported.images, summary.imported.questions, summary.imported.repeated) == (24, 27, 2)
    assert (
        "2 questions had been asked about the same picture before"
        in (tmp_path / "run/report.html").read_text()
    )
    with Run.read(tmp_path / "run") as run:
        assert len(list(run.images.all())) == 24
        shown = {row.image_id for row in run.ledger.observations()}
        assert {entry.id for entry in run.ledger.images()} < shown


def test_a_log_without_failures_is_a_finished_import(tmp_path: Path) -> None:
    right = [lmms_line(n, "Is it red?", "Yes", "Yes", exact_match=1.0) for n in range(30)]
    summary = run_of(tmp_path / "run", lines(tmp_path / "s.jsonl", right))
    assert summary.modes == []
    page = (tmp_path / "run" / "report.html").read_text()
    assert "unfinished" not in page
    assert "No failure mode was confirmed." in page


def test_columns_that_name_every_question_are_no_category(tmp_path: Path) -> None:
    """Otherwise a coarse search would call one document a failure mode."""
    found = [{**row, "doc": {**row["doc"], "source": f"book {row['doc_id'] // 11}"}} for row in rows(2000)]
    summary = run_of(tmp_path / "run", lines(tmp_path / "s.jsonl", found))
    assert not any("source" in mode.predicate for mode in summary.modes)


def test_many_different_options_do_not_hide_a_bias_to_yes(tmp_path: Path) -> None:
    chance = random.Random(3)
    asked = []
    for number in range(1600):
        words = [f"{letter}{'aeiu'[number // 20 % 4]}" for letter in "bcdfghklmnprstvwxz"]
        one, other = chance.sample(words, 2)
        question, truth = (
            ("Is there a dog?", chance.choice(("Yes", "No")))
            if number % 2
            else (f"Is it a {one} or a {other}?", one)
        )
        wrong = chance.random() < (0.7 if truth == "No" else 0.1)
        answer = {"Yes": "No", "No": "Yes"}.get(truth, other) if wrong else truth
        asked.append(
            lmms_line(
                number, question, truth, answer, doc={"img_id": str(number)}, exact_match=float(not wrong)
            )
        )
    summary = run_of(tmp_path / "run", lines(tmp_path / "x_samples_mix.jsonl", asked))
    assert "answer=no" in {mode.predicate for mode in summary.modes if mode.status == "confirmed"}


def test_logs_without_an_answer_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = parquet(tmp_path / "train.parquet", [{"problem": "Is it red?", "answer": "yes"}] * 3)
    with pytest.raises(LogError, match="3 × no answer") as refused:
        check([open_log(path)])
    assert refused.value.hint == "these are questions without a candidate's answers"


def test_what_no_tag_sees_can_be_a_topic_and_be_proved_on_the_other_half(tmp_path: Path) -> None:
    chance = random.Random(2)
    kinds = (
        "vehicle {} crossing busy road",
        "animal {} grazing upon grass",
        "kitchen {} shelf full plates",
    )
    found = []
    for number in range(1500):
        kind = chance.choice(kinds)
        question = f"Is the {kind.format(chance.choice('abcdefghijklmnopqrstuvwxyz') * 3)} ?"
        wrong = chance.random() < (0.6 if kind == kinds[0] else 0.05)
        doc = {"img_id": str(number // 2)}
        said = "No" if wrong else "Yes"
        found.append(lmms_line(number, question, "Yes", said, doc=doc, exact_match=float(not wrong)))
    log = lines(tmp_path / "x_samples_mix.jsonl", found)
    tagging = TaggingSettings(topics="beside", embedder="words")
    with Run.open(tmp_path / "run", command="import", config={}) as run:
        summary = intake(run, [open_log(log)], "qwen", tagging=tagging)
        [mode] = [mode for mode in run.ledger.modes() if mode.status == "confirmed"]
    assert [condition.key for condition in mode.predicate.conditions] == ["topic"]
    assert {"vehicle", "crossing", "busy", "road"} & set(
        str(mode.predicate).removeprefix("topic=").split(", ")
    )
    assert summary.discovery is not None
    assert summary.discovery.taxonomy is not None
    assert (summary.discovery.taxonomy.topics, summary.discovery.taxonomy.questions) == (3, 1500)


def test_every_question_of_both_halves_has_its_place_in_the_taxonomy(imported: Path) -> None:
    with Run.read(imported) as run:
        summary = run.summary()
    assert summary is not None
    assert summary.imported is not None
    assert summary.discovery is not None
    assert summary.discovery.taxonomy is not None
    assert summary.imported.failure_rate is not None
    assert summary.discovery.taxonomy.questions == summary.imported.failure_rate.n
    assert summary.discovery.taxonomy.topics_found_by is None
