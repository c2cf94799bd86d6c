"""Novelty is measured against a long memory: what was asked often is new no more."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scotoma.core import ConfigError
from scotoma.discover.novelty import HashedWords, Memory, Terms, Vectors, terms

WORDS = ("red", "blue", "star", "circle", "left", "above", "two", "large")
bags = st.lists(st.lists(st.sampled_from(WORDS), max_size=4).map(tuple), min_size=1, max_size=12)


def embed(questions: list[Terms]) -> Vectors:
    return HashedWords(64)([" ".join(bag) for bag in questions], [{}] * len(questions))


def remembering(questions: list[Terms], size: int = 100) -> Memory:
    memory = Memory(size)
    memory.remember(embed(questions), questions)
    return memory


@given(bags)
def test_at_first_everything_is_new(batch: list[Terms]) -> None:
    for novelty in Memory().novelty(embed(batch), batch):
        assert (novelty.emb, novelty.ifreq) == (1, 1)


@given(bags, bags)
def test_both_measures_lie_between_0_and_1(past: list[Terms], batch: list[Terms]) -> None:
    memory = remembering(past)
    for novelty in memory.novelty(embed(batch), batch):
        assert 0 <= novelty.emb <= 1
        assert 0 <= novelty.ifreq <= 1


@given(bags, bags, bags)
def test_remembering_more_never_makes_a_question_farther_from_its_neighbours(
    past: list[Terms], more: list[Terms], batch: list[Terms]
) -> None:
    memory = remembering(past)
    before = memory.delta_emb(embed(batch))
    memory.remember(embed(more), more)
    assert np.all(memory.delta_emb(embed(batch)) <= before + 1e-3)


@given(bags, st.integers(0, 11))
def test_asking_again_never_makes_a_question_newer(past: list[Terms], index: int) -> None:
    memory, question = remembering(past), [past[index % len(past)]]
    [before] = memory.novelty(embed(question), question)
    memory.remember(embed(question), question)
    [after] = memory.novelty(embed(question), question)
    assert after.emb <= before.emb + 1e-3
    assert after.ifreq <= before.ifreq + 1e-6


def test_the_same_question_is_new_no_more_once_it_fills_the_neighbourhood() -> None:
    question: list[Terms] = [("red", "star")]
    memory = Memory(neighbours=4)
    seen = []
    for _ in range(5):
        seen.append(float(memory.delta_emb(embed(question))[0]))
        memory.remember(embed(question), question)
    assert seen == pytest.approx([1, 0.75, 0.5, 0.25, 0], abs=2e-3)


def test_rare_terms_are_newer_than_common_ones() -> None:
    memory = remembering([("red", "star")] * 9 + [("blue", "star")])
    rare, common, unseen = memory.delta_ifreq([("blue",), ("red",), ("green",)])
    assert common < rare < unseen == 1
    assert memory.delta_ifreq([("star",)])[0] == pytest.approx(0)


def test_the_oldest_questions_make_room() -> None:
    memory = remembering([("red", "star")] * 3 + [("blue", "circle")] * 8, size=8)
    assert len(memory) == 8
    [novelty] = memory.novelty(embed([("red", "star")]), [("red", "star")])
    assert novelty.emb > 0.99
    assert novelty.ifreq == 1


@settings(max_examples=30)
@given(bags, bags, st.integers(1, 10))
def test_a_resumed_memory_goes_on_as_if_nothing_had_happened(
    past: list[Terms], later: list[Terms], size: int
) -> None:
    memory = remembering(past, size)
    resumed = Memory.restore(json.loads(json.dumps(memory.state())))
    for each in (memory, resumed):
        each.remember(embed(later), later)
    probe = embed([("red", "star"), ("two",)])
    assert resumed.state() == memory.state()
    assert np.array_equal(resumed.delta_emb(probe), memory.delta_emb(probe))
    assert np.array_equal(resumed.delta_ifreq([("red",)]), memory.delta_ifreq([("red",)]))


@pytest.mark.parametrize("damage", [{"vectors": "AAA="}, {"terms": 7}, {"shape": [3, 3]}])
def test_a_damaged_state_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Memory.restore({**remembering([("red",)]).state(), **damage})


def test_a_memory_without_room_is_refused() -> None:
    with pytest.raises(ConfigError, match="room"):
        Memory(size=0)


def test_terms_are_content_words_and_skills() -> None:
    found = terms("How many red stars are to the left of the circle ?", {"skill": ("counting", "left")})
    assert found == ("red", "stars", "left", "circle", "skill:counting", "skill:left", "skills:counting+left")


def test_the_default_vectors_have_unit_length_and_agree_with_meaning() -> None:
    questions = ["how many red stars ?", "count the red stars .", "is a blue circle above the sign ?", "?"]
    vectors = HashedWords()(questions, [{}] * 4)
    assert np.linalg.norm(vectors[:3], axis=1) == pytest.approx([1, 1, 1])
    assert not vectors[3].any()
    assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]
