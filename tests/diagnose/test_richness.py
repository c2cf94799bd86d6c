"""What has been seen once tells what has not been seen at all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.diagnose.richness import chao1, good_turing_coverage

counts = st.lists(st.integers(0, 40), max_size=30)


@given(counts)
def test_coverage_is_a_probability_within_its_interval(seen: list[int]) -> None:
    rate = good_turing_coverage(seen)
    assert 0 <= rate.low <= rate.value <= rate.high <= 1
    assert rate.n == sum(seen)


@given(counts)
def test_there_are_at_least_as_many_modes_as_were_seen(seen: list[int]) -> None:
    modes = sum(count > 0 for count in seen)
    rate = chao1(seen)
    assert modes <= rate.low <= rate.value <= rate.high


def test_when_everything_was_seen_often_nothing_is_missing() -> None:
    assert good_turing_coverage([5, 8, 13]).value == 1
    assert chao1([5, 8, 13]).value == 3


def test_no_failure_yet_says_nothing_of_coverage() -> None:
    rate = good_turing_coverage([])
    assert (rate.low, rate.high, rate.n) == (0, 1, 0)


def test_coverage_is_the_share_of_the_next_failures_that_fall_into_known_modes() -> None:
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.full(60, 0.5))
    covered, truth, estimates = [], [], []
    for _ in range(300):
        seen = random.multinomial(80, shares)
        rate = good_turing_coverage(seen.tolist())
        known = float(shares[seen > 0].sum())
        truth.append(known)
        estimates.append(rate.value)
        covered.append(rate.low <= known <= rate.high)
    assert np.mean(estimates) == pytest.approx(np.mean(truth), abs=0.01)
    assert np.mean(covered) >= 0.9


def test_chao1_finds_the_number_of_equally_frequent_modes() -> None:
    random = np.random.default_rng(1)
    rates = [chao1(random.multinomial(60, np.full(50, 1 / 50)).tolist()) for _ in range(300)]
    assert np.mean([rate.value for rate in rates]) == pytest.approx(50, rel=0.08)
    assert np.mean([rate.low <= 50 <= rate.high for rate in rates]) >= 0.9
