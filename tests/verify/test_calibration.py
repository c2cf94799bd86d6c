"""A judge is measured on items whose truth is known, without being shown it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from scotoma.core import Calibration, Claim, ConfigError, ImageError, ImageRecord, Rate
from scotoma.diagnose.statistics import clustered_rate
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.images.worlds.shapes.scene import COLOURS
from scotoma.verify.calibration import (
    KnownItem,
    known_from_labels,
    known_from_world,
    measure,
    picture_stream,
)
from scotoma.verify.consensus import ConsensusVerifier
from scotoma.verify.judge import VERSIONS, JudgeVerifier
from tests import judges


@pytest.fixture(scope="module")
def items() -> list[KnownItem]:
    return known_from_world(ShapesWorld(), 200, seed=0)


def calibrate(model: judges.Reliable | judges.Silent, items: list[KnownItem]) -> Calibration:
    return measure(
        JudgeVerifier(model),
        items,
        clustered_rate,
        judge=model.name,
        prompts=VERSIONS,
        measured_on="worlds:shapes",
    )


def test_items_are_balanced(items: list[KnownItem]) -> None:
    assert Counter((item.valid, item.correct) for item in items) == {
        (False, None): 100,
        (True, True): 50,
        (True, False): 50,
    }


def test_items_are_as_the_facts_say(items: list[KnownItem]) -> None:
    known = {item.image.id for item in items}
    stream = picture_stream(ShapesWorld(), seed=0)
    facts = {}
    while known - facts.keys():
        record = next(stream)
        facts[record.id] = record.facts
    for item in items:
        examined = facts[item.image.id].examine(item.question)
        assert examined.valid == item.valid
        if item.valid:
            assert (examined.answer == item.answer) == item.correct


def test_wrong_answers_are_of_the_type_that_was_asked_for(items: list[KnownItem]) -> None:
    wrong = [(item.question, item.answer) for item in items if item.correct is False]
    assert {answer for question, answer in wrong if question.startswith(("is there", "are there"))} <= {
        "yes",
        "no",
    }
    assert {answer for question, answer in wrong if "what colour" in question} <= set(COLOURS)
    counts = {answer for question, answer in wrong if question.startswith(("how many", "count"))}
    assert counts
    assert all(answer is not None and answer.isdigit() for answer in counts)


def test_the_judge_sees_no_facts(items: list[KnownItem]) -> None:
    assert all(item.image.facts is None and not item.image.attributes for item in items)


def test_the_same_seed_gives_the_same_items() -> None:
    again, other = (known_from_world(ShapesWorld(), 40, seed) for seed in (0, 1))
    assert again == known_from_world(ShapesWorld(), 40, seed=0)
    assert not {item.image.id for item in again} & {item.image.id for item in other}


def test_a_reliable_judge_is_found_reliable(items: list[KnownItem]) -> None:
    found = calibrate(judges.Reliable(), items)
    for rate in (found.validity.sensitivity, found.validity.specificity):
        assert (rate.value, rate.n) == (1.0, 100)
    for rate in (found.correctness.sensitivity, found.correctness.specificity):
        assert (rate.value, rate.n) == (1.0, 50)
    assert found.unusable == {}
    assert found.correctness.informative


def test_a_careless_judge_is_found_careless(items: list[KnownItem]) -> None:
    found = calibrate(judges.Careless(), items)
    for rate in (found.validity.sensitivity, found.validity.specificity, found.correctness.specificity):
        assert rate.low < 0.9 < rate.high
    rulings = found.validity.sensitivity.n + found.validity.specificity.n
    assert found.unusable["judge:unparsable"] >= 200 - rulings > 0


def test_items_about_one_picture_belong_together(items: list[KnownItem]) -> None:
    told: list[Counter[str]] = []

    def rate(right: Sequence[bool], images: Sequence[str]) -> Rate:
        assert len(right) == len(images)
        told.append(Counter(images))
        return clustered_rate(right, images)

    model = judges.Reliable()
    measure(
        JudgeVerifier(model), items, rate, judge=model.name, prompts=VERSIONS, measured_on="worlds:shapes"
    )
    for fault, images in zip((True, False), told[:2], strict=True):  # of validity; then of correctness
        assert images == Counter(item.image.id for item in items if item.valid is not fault)


def test_a_silent_judge_has_no_rates_and_is_not_called_wrong(items: list[KnownItem]) -> None:
    found = calibrate(judges.Silent(), items)
    assert found.unusable == {"judge:timeout": 200}
    assert found.validity.sensitivity.n == found.correctness.specificity.n == 0
    assert not found.correctness.informative


def test_the_unanimity_of_a_consensus_is_told(items: list[KnownItem]) -> None:
    members = [JudgeVerifier(judges.Reliable()) for _ in range(2)] + [JudgeVerifier(judges.Careless())]
    found = measure(
        ConsensusVerifier(members),
        items[:60],
        clustered_rate,
        judge="three",
        prompts=VERSIONS,
        measured_on="worlds:shapes",
    )
    assert found.unanimity is not None
    assert 0.5 < found.unanimity.value < 1
    assert found.validity.sensitivity.value == found.validity.specificity.value == 1.0


def test_a_calibration_survives_its_file(items: list[KnownItem]) -> None:
    found = calibrate(judges.Careless(), items)
    assert Calibration.from_json(found.to_json()) == found
    assert json.loads(found.to_json())["schema"] == "scotoma.calibration/1"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": "scotoma.calibration/2"}', "\x00"])
def test_what_is_no_calibration_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not of schema"):
        Calibration.from_json(text, "judge.json")


LABELS = [
    {"image": "a.png", "question": "how many cups ?", "valid": True, "answer": "2", "correct": True},
    {"image": "a.png", "question": "how many forks ?", "valid": True, "answer": "7", "correct": False},
    {"image": "a.png", "question": "why ?", "valid": False, "annotator": "kim"},
]


def written(folder: Path, *lines: str) -> Path:
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    path = folder / "labels.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_human_labels_are_read(tmp_path: Path) -> None:
    items = known_from_labels(written(tmp_path, *map(json.dumps, LABELS), ""))
    assert [(item.valid, item.answer, item.correct) for item in items] == [
        (True, "2", True),
        (True, "7", False),
        (False, None, None),
    ]
    assert items[0].image.id == ImageRecord.hash((tmp_path / "a.png").read_bytes())
    assert JudgeVerifier(judges.Silent()).judge([Claim(image=items[0].image, question="?")])


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("nonsense", "labels.jsonl:2: no JSON"),
        ('{"image": "a.png", "question": "?"}', "labels.jsonl:2: valid"),
        ('{"image": "a.png", "question": "?", "valid": "perhaps"}', "labels.jsonl:2: valid"),
        ('{"image": "a.png", "question": "?", "valid": true, "correct": true}', "without an `answer`"),
        ("[" * 5000, "labels.jsonl:2: no JSON"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(ConfigError, match=r"labels\.jsonl:2") as told:
        known_from_labels(written(tmp_path, json.dumps(LABELS[0]), line))
    assert says in str(told.value)


def test_labels_of_an_image_that_is_not_there_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps({**LABELS[0], "image": "b.png"}))
    with pytest.raises(ImageError, match=r"b\.png"):
        known_from_labels(path)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe\x00"])
def test_an_empty_or_binary_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "labels.jsonl").write_bytes(content)
    with pytest.raises(ConfigError, match=r"labels\.jsonl"):
        known_from_labels(tmp_path / "labels.jsonl")


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=40)
    | st.dictionaries(st.sampled_from(["image", "question", "valid"]), st.text()).map(json.dumps)
)
def test_no_line_is_an_accident(tmp_path: Path, line: str) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text(line, encoding="utf-8", errors="replace")
    with pytest.raises((ConfigError, ImageError)):
        known_from_labels(path)
