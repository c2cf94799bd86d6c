"""Means over runs carry Student's interval, and say where a single run has none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from scotoma.diagnose.average import geometric_mean, mean, mean_share, shown

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=20)


def test_the_interval_is_students() -> None:
    values = [0.2, 0.5, 0.9, 0.4]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (mean(values).low, mean(values).high) == pytest.approx((expected.low, expected.high))


def test_one_run_says_nothing_of_how_runs_differ() -> None:
    alone = mean([0.3])
    assert (alone.low, alone.high) == (-math.inf, math.inf)
    assert geometric_mean([2.0]).high == math.inf
    assert shown(alone) == "0.30 (n=1)"


@given(SHARES)
def test_the_interval_of_a_share_holds_the_mean_and_stays_within_0_and_1(shares: list[float]) -> None:
    found = mean_share(shares)
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1


def test_of_positive_values_the_mean_is_of_their_logarithms() -> None:
    found = geometric_mean([1.0, 4.0, 16.0])
    assert found.value == pytest.approx(4)
    assert found.low * found.high == pytest.approx(16)


def test_large_figures_are_shown_with_as_many_digits_as_are_wanted() -> None:
    assert shown(mean([1000.0, 1000.0]), digits=0) == "1,000 [1,000, 1,000]"


def test_a_share_of_one_run_has_no_interval_that_says_nothing() -> None:
    assert shown(mean_share([0.3])) == "0.30 (n=1)"
