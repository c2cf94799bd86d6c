"""Samples aimed at failure modes: exact volumes, balanced answers, true answers, nothing held out."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from scotoma.core import FailureMode, Predicate, Rate
from scotoma.diagnose.mixture import dpe, targeted
from scotoma.generate.pipeline import Made, targeted_samples, uniform_samples
from scotoma.generate.planner import Structure, Target
from scotoma.images.worlds.shapes import ShapesWorld

WORLD = ShapesWorld()
MODES = tuple(
    FailureMode(
        id=name,
        predicate=Predicate.parse(where),
        description=where,
        failure_rate=Rate(value=0.6, low=0.5, high=0.7, n=100),
        prevalence=0.02,
    )
    for name, where in (("fewer", "operation=fewer"), ("many", "type=counting and count>=3"))
)
TARGETS = [Target(mode.id, mode.predicate) for mode in MODES]


def structures(n: int = 150) -> list[Structure]:
    found = []
    for number, record in enumerate(islice(WORLD.images("discover", 0), n)):
        assert record.facts is not None
        for question in WORLD.questions(record.facts, number, 10):
            tags = record.facts.examine(question).tags
            if any(mode.predicate.matches(tags) for mode in MODES):
                found.append(Structure(record.facts, question, tags))
    return found


@pytest.fixture(scope="module")
def made() -> Made:
    return targeted_samples(WORLD, targeted(MODES, 480), TARGETS, structures(), held_out=(), seed=0)


def test_the_volume_is_exact_and_half_of_it_retains(made: Made) -> None:
    purposes = Counter(sample.purpose for sample in made.samples)
    assert len(made.samples) == 480
    assert purposes["mode"] + purposes["contrast"] == 240
    assert purposes["retention"] == 240
    assert not made.shortfalls


def test_a_small_volume_is_exact_too() -> None:
    purposes = Counter(
        sample.purpose
        for sample in targeted_samples(WORLD, targeted(MODES, 8), TARGETS, structures(), (), seed=0).samples
    )
    assert purposes.total() == 8
    assert purposes["retention"] == 4


def test_every_answer_is_what_the_picture_says(made: Made) -> None:
    for sample in made.samples:
        facts = made.images[sample.image_id].facts
        assert facts is not None
        assert facts.examine(sample.question).answer == sample.answer


def test_every_mode_sample_belongs_to_its_mode(made: Made) -> None:
    where = {mode.id: mode.predicate for mode in MODES}
    for sample in made.samples:
        if sample.purpose == "mode":
            assert sample.mode_id is not None
            assert where[sample.mode_id].matches(sample.tags)


def test_a_mode_that_names_an_answer_is_balanced_by_contrast(made: Made) -> None:
    purposes = Counter(sample.purpose for sample in made.samples if sample.mode_id == "many")
    assert abs(purposes["mode"] - purposes["contrast"]) <= 0.1 * sum(purposes.values())
    for sample in made.samples:
        if sample.purpose == "contrast":
            assert sample.tags["type"] == "counting"
            assert int(sample.answer) < 3


def test_no_answer_is_taught_as_the_modes_own(made: Made) -> None:
    answers = Counter(sample.answer for sample in made.samples if sample.mode_id == "fewer")
    assert min(answers["yes"], answers["no"]) >= 0.25 * sum(answers.values())


def test_a_held_out_picture_is_rejected_and_counted() -> None:
    held_out = {record.id for record in islice(WORLD.images("train", 3), 5)}
    made = uniform_samples(WORLD, 80, held_out, seed=3)
    assert not held_out & set(made.images)
    assert made.rejected["leakage"] > 0
    assert len(made.samples) == 80


def test_a_mode_without_structures_falls_short_and_says_so() -> None:
    made = targeted_samples(WORLD, targeted(MODES, 80), TARGETS, [], held_out=(), seed=0)
    assert sum(made.shortfalls.values()) == 40
    assert {sample.purpose for sample in made.samples} == {"retention"}
    assert len(made.samples) == 80


def test_the_same_seed_makes_the_same_samples(made: Made) -> None:
    again = targeted_samples(WORLD, targeted(MODES, 480), TARGETS, structures(), held_out=(), seed=0)
    assert [s.id for s in again.samples] == [s.id for s in made.samples]


def test_without_retention_the_volume_is_exact_too() -> None:
    mixture = dpe({"fewer": 0.2, "many": 0.95}, 200)
    made = targeted_samples(WORLD, mixture, TARGETS, structures(), held_out=(), seed=0)
    counts = Counter(sample.mode_id for sample in made.samples)
    assert counts == {"fewer": 160, "many": 40}
