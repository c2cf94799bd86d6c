"""Advantages say how much better a completion is than the others of its group, and nothing else."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.grpo.advantage import group_advantages, zero_variance_share

REWARD = st.floats(-10, 10, allow_nan=False)
GROUP = st.lists(st.one_of(st.none(), REWARD), min_size=1, max_size=16)


@given(st.lists(GROUP, max_size=6), st.booleans())
def test_a_group_sums_to_zero(rewards: list[list[float | None]], scale: bool) -> None:
    for advantages in group_advantages(rewards, scale=scale):
        assert math.fsum(advantages) == pytest.approx(0, abs=1e-6)


@given(GROUP, st.booleans())
def test_a_masked_rollout_gets_nothing_and_changes_nothing(group: list[float | None], scale: bool) -> None:
    [with_masked] = group_advantages([[*group, None]], scale=scale)
    [without] = group_advantages([group], scale=scale)
    assert with_masked == [*without, 0.0]


@given(REWARD, st.integers(1, 12), st.booleans())
def test_a_group_of_equal_rewards_says_nothing(reward: float, size: int, scale: bool) -> None:
    assert group_advantages([[reward] * size], scale=scale) == [[0.0] * size]
    assert zero_variance_share([[reward] * size]) == 1.0


@given(st.lists(REWARD, min_size=2, max_size=12, unique=True), st.booleans())
def test_a_better_reward_never_has_a_smaller_advantage(group: list[float], scale: bool) -> None:
    [advantages] = group_advantages([group], scale=scale)
    by_reward = [advantage for _, advantage in sorted(zip(group, advantages, strict=True))]
    assert by_reward == sorted(by_reward)


def test_scaling_divides_by_the_standard_deviation() -> None:
    [advantages] = group_advantages([[0.0, 1.0, 2.0]], scale=True)
    assert advantages == pytest.approx([-1, 0, 1], abs=1e-3)


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_reward_that_is_no_number_is_masked(broken: float) -> None:
    assert group_advantages([[0.0, 1.0, broken]]) == [[-0.5, 0.5, 0.0]]
