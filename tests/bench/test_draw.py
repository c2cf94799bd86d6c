"""Random regions: as common as asked, not weak already, told apart, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from scotoma.bench.draw import KEYS, draw_regions
from scotoma.core import ConfigError, Tags
from scotoma.diagnose.conditions import members
from tests.tagworld import draw_tags


@pytest.fixture(scope="module")
def questions() -> list[Tags]:
    return list(draw_tags(6000, np.random.default_rng(0)))


@pytest.mark.parametrize("seed", range(4))
def test_regions_keep_to_the_bounds_and_to_themselves(questions: list[Tags], seed: int) -> None:
    right = [True] * len(questions)
    regions = draw_regions(questions, right, n=4, seed=seed)
    masks = [members(region, questions) for region in regions]
    assert len(regions) == 4
    for region, mask in zip(regions, masks, strict=True):
        assert 0.003 <= mask.mean() <= 0.05
        assert {condition.key for condition in region.conditions} <= set(KEYS)
        assert 2 <= len(region.conditions) <= 3
    for i, mask in enumerate(masks):
        for other in masks[:i]:
            assert (mask & other).sum() <= 0.1 * min(mask.sum(), other.sum())


def test_no_condition_is_idle(questions: list[Tags]) -> None:
    for region in draw_regions(questions, [True] * len(questions), n=4, seed=1):
        inside = members(region, questions).sum()
        for dropped in region.conditions:
            kept = tuple(c for c in region.conditions if c != dropped)
            assert inside <= members(region.model_copy(update={"conditions": kept}), questions).sum() / 1.5


def test_what_is_weak_already_is_left_out(questions: list[Tags]) -> None:
    right = ["counting" not in tags["skill"] for tags in questions]  # type: ignore[operator]  # a set of skills
    for seed in range(4):
        for region in draw_regions(questions, right, n=4, seed=seed):
            inside = members(region, questions)
            assert np.array(right)[inside].mean() >= 0.85


def test_every_set_holds_rare_regions_and_common_ones(questions: list[Tags]) -> None:
    right = [True] * len(questions)
    edges = np.geomspace(0.01, 0.16, 5)
    for seed in range(6):
        shares = [
            float(members(region, questions).mean())
            for region in draw_regions(questions, right, 4, seed, prevalence=(0.01, 0.16))
        ]
        assert sorted(np.searchsorted(edges, shares)) == [1, 2, 3, 4]


def test_a_seed_fixes_them(questions: list[Tags]) -> None:
    right = [True] * len(questions)
    assert draw_regions(questions, right, 3, seed=5) == draw_regions(questions, right, 3, seed=5)
    assert draw_regions(questions, right, 3, seed=5) != draw_regions(questions, right, 3, seed=6)


def test_where_there_are_none_it_says_so(questions: list[Tags]) -> None:
    with pytest.raises(ConfigError, match="only 0 of 3 regions"):
        draw_regions(questions, [False] * len(questions), 3, seed=0)
