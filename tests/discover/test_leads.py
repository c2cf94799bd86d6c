"""Leads find out which conjunction of tags an odd failure was, and leave accidents alone."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from scotoma.core import Predicate, Tags
from scotoma.discover.leads import Leads
from tests.tagworld import draw_tags

REGION = Predicate.parse("skill=colour and shape=star and size=small")

Fails = Callable[[Tags], bool]


def pool(n: int, seed: int = 0) -> list[Tags]:
    return list(draw_tags(n, np.random.default_rng(seed)))


def follow(leads: Leads, offered: list[Tags], n: int) -> list[Tags]:
    return [offered[i] for i in leads.follow([leads.encode(tags) for tags in offered], n)]


def in_region(tags: list[Tags]) -> float:
    return float(np.mean([REGION.matches(tag) for tag in tags]))


def hunt(leads: Leads, fails: Fails, rounds: range) -> list[Tags]:
    """Rounds of 20 random questions and up to 20 that follow leads; the followed ones."""
    followed: list[Tags] = []
    for number in rounds:
        fresh = pool(600, seed=number)
        led = follow(leads, fresh[20:], 20)
        for tags, random in ((led, False), (fresh[:20], True)):
            leads.observe(tags, [fails(tag) for tag in tags], random)
        followed += led
    return followed


def test_without_odd_failures_there_is_nothing_to_follow() -> None:
    leads, tags = Leads(), pool(200)
    assert follow(leads, tags, 8) == []
    leads.observe(tags, [i % 2 == 0 for i in range(200)], random=True)
    assert follow(leads, tags, 8) == []


def test_what_fails_widely_is_not_odd() -> None:
    leads, tags = Leads(), pool(1200)
    wide = Predicate.parse("skill=counting")
    hunt(leads, wide.matches, range(12))
    leads.observe(tags, [wide.matches(tag) for tag in tags], random=True)
    follow(leads, pool(400, seed=90), 1)  # the background is learnt anew
    before = len(leads)
    more = [tag for tag in pool(400, seed=91) if wide.matches(tag)]
    leads.observe(more, [True] * len(more), random=False)
    follow(leads, pool(400, seed=92), 1)
    assert len(leads) <= before + 2


def test_the_first_question_is_one_most_like_the_odd_failure() -> None:
    leads, offered = Leads(), pool(1200, seed=1)
    odd = next(tag for tag in pool(4000, seed=2) if REGION.matches(tag))
    leads.observe(pool(400), [False] * 400, random=True)
    leads.observe([odd], [True], random=True)
    first = follow(leads, offered, 8)
    assert len(first) == 1  # an accident until the contrary is known: one question
    likeness = [sum(tags.get(key) == value for key, value in odd.items()) for tags in offered]
    assert sum(first[0].get(key) == value for key, value in odd.items()) >= np.quantile(likeness, 0.95)


def test_an_accident_is_dropped_after_a_few_right_answers() -> None:
    leads = Leads()
    accident = pool(1, seed=5)
    leads.observe(pool(100), [False] * 100, random=True)
    leads.observe(accident, [True], random=True)
    hunt(leads, lambda tags: False, range(8))
    assert len(leads) == 0


def test_a_blind_spot_is_met_far_more_often_than_by_chance_and_then_left_alone() -> None:
    random = np.random.default_rng(0)

    def fails(tags: Tags) -> bool:
        return REGION.matches(tags) or random.random() < 0.05

    leads = Leads()
    followed = hunt(leads, fails, range(100, 120))
    chance = in_region(pool(6000))
    assert in_region(followed) > 5 * chance
    assert sum(map(REGION.matches, followed)) >= 12
    # Its borders are known by now: the questions go elsewhere.
    later = hunt(leads, fails, range(120, 140))
    assert in_region(later) < 0.5 * in_region(followed)


@pytest.mark.parametrize("stop", [1, 7])
def test_what_is_restored_goes_on_as_if_nothing_had_been(stop: int) -> None:
    def fails(tags: Tags) -> bool:
        return REGION.matches(tags) or hash(str(tags["answer"]) + str(tags["things"])) % 17 == 0

    whole, first, second = Leads(seed=3), Leads(seed=3), Leads(seed=3)
    rows: list[Tags] = []
    observe = first.observe

    def noted(tags: list[Tags], failed: list[bool], random: bool) -> None:
        rows.extend(tags)
        observe(tags, failed, random)

    first.observe = noted  # type: ignore[assignment, method-assign]  # to keep what was answered, in its order
    expected = hunt(whole, fails, range(12))
    followed = hunt(first, fails, range(stop))
    second.restore(json.loads(json.dumps(first.state())), rows, [fails(tag) for tag in rows])
    assert followed + hunt(second, fails, range(stop, 12)) == expected


def test_tags_that_were_first_met_after_the_last_fit_change_nothing_on_a_resume() -> None:
    def fails(tags: Tags) -> bool:
        return tags["answer"] == "no"

    first, second, rows = Leads(seed=3), Leads(seed=3), pool(200)
    first.observe(rows, [fails(tag) for tag in rows], random=True)
    follow(first, pool(200, seed=1), 4)
    first.encode({"colour": tuple(f"colour {n}" for n in range(200))})
    second.restore(json.loads(json.dumps(first.state())), rows, [fails(tag) for tag in rows])
    later = pool(300, seed=2)
    for leads in (first, second):
        leads.observe(later, [fails(tag) for tag in later], random=True)
    assert second.state()["expected"] == first.state()["expected"]
