"""Leads find out which conjunction of tags an odd failure was, and leave accidents alone."""

from __future__ import annotations

import numpy as np

from scotoma.core import Predicate, Tags
from scotoma.discover.leads import Leads
from scotoma.discover.surrogate import Surrogate, SurrogateSettings
from tests.tagworld import draw_tags

REGION = Predicate.parse("skill=colour and shape=star and size=small")


def pool(n: int, seed: int = 0) -> list[Tags]:
    return list(draw_tags(n, np.random.default_rng(seed)))


def test_without_odd_failures_there_is_nothing_to_follow() -> None:
    leads = Leads()
    tags = pool(50)
    leads.observe(tags, [i % 2 == 0 for i in range(50)], [0.9] * 50)
    assert leads.rankings(tags, 2, np.random.default_rng(0)) is None


def test_one_odd_failure_puts_its_likes_first() -> None:
    leads, tags, offered = Leads(), pool(400), pool(1200, seed=1)
    failed = [REGION.matches(tag) for tag in tags]
    leads.observe(tags, failed, [0.1] * 400)
    orders = leads.rankings(offered, 8, np.random.default_rng(0))
    assert orders is not None
    inside = np.array([REGION.matches(tag) for tag in offered])
    assert inside[orders[:, :20]].mean() > 5 * inside.mean()


def test_an_accident_is_dropped_when_its_likes_are_answered_rightly() -> None:
    tags, offered = pool(400), pool(1200, seed=1)
    inside = np.array([REGION.matches(tag) for tag in offered])
    share = []
    for right in (0, 12):
        leads = Leads()
        leads.observe(tags, [False] * 400, [0.1] * 400)
        likes = [tag for tag in pool(4000, seed=2) if REGION.matches(tag)]
        leads.observe(likes[:1], [True], [0.1])
        leads.observe(likes[1 : 1 + right], [False] * right, [0.1] * right)
        orders = leads.rankings(offered, 8, np.random.default_rng(0))
        assert orders is not None
        share.append(float(inside[orders[:, :20]].mean()))
    assert share[1] < share[0]


def test_every_proposal_is_ranked_once_and_a_seed_fixes_the_order() -> None:
    leads, tags = Leads(), pool(200)
    leads.observe(tags, [i == 3 for i in range(200)], [0.0] * 200)
    first = leads.rankings(tags, 3, np.random.default_rng(5))
    again = leads.rankings(tags, 3, np.random.default_rng(5))
    assert first is not None
    assert again is not None
    assert (first == again).all()
    assert (np.sort(first, axis=1) == np.arange(200)).all()


def hunt(seed: int, **shares: float) -> int:
    """Questions of a small region that are asked in 25 turns of 24 out of 192."""
    surrogate = Surrogate(SurrogateSettings(seed=seed, replicates=1, **shares))  # type: ignore[arg-type]  # floats
    rng, met = np.random.default_rng(seed), 0
    for turn in range(25):
        offered = pool(192, seed=100 * seed + turn)
        picked = [offered[i] for i in surrogate.choose(offered, 24, rng).indices]
        failed = [REGION.matches(tag) or rng.random() < 0.1 for tag in picked]
        surrogate.observe(picked, failed)
        met += sum(map(REGION.matches, picked))
    return met


def test_following_leads_meets_a_small_region_more_often_than_chance() -> None:
    chance = sum(hunt(seed, random_share=1.0) for seed in range(4))
    led = sum(hunt(seed, random_share=0.5, lead_share=0.5) for seed in range(4))
    assert led > 1.5 * chance


def test_a_settled_mode_takes_no_more_than_its_share() -> None:
    offered = pool(400)
    wide = Predicate.parse("skill=counting")
    surrogate = Surrogate(SurrogateSettings(settled_share=0.1, random_share=1.0))
    surrogate.settle([wide])
    picked = surrogate.choose(offered, 40, np.random.default_rng(0)).indices
    assert sum(wide.matches(offered[i]) for i in picked) <= 4
    assert len(picked) == 40
