"""What a fallible judge reports is corrected for its errors, and its uncertainty is not forgotten."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.core import ConfigError, Discernment, Rate
from scotoma.diagnose.prevalence import effective_size, true_rate
from scotoma.diagnose.statistics import clustered_rate, wilson


def judge(sensitivity: float, specificity: float, n: int = 100) -> Discernment:
    return Discernment(
        sensitivity=wilson(round(sensitivity * n), n), specificity=wilson(round(specificity * n), n)
    )


counts = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
accuracies = st.floats(0.6, 1.0)


@given(counts)
def test_a_perfect_judge_changes_nothing(count: tuple[int, int]) -> None:
    apparent = wilson(*count)
    certain = Rate(value=1.0, low=1.0, high=1.0, n=10**12)
    corrected = true_rate(apparent, Discernment(sensitivity=certain, specificity=certain))
    assert corrected.value == pytest.approx(apparent.value)
    assert corrected.n == apparent.n
    # Agresti and Coull's interval, which Lang and Reiczigel's comes down to, holds Wilson's.
    assert corrected.low <= apparent.low + 1e-6
    assert corrected.high >= apparent.high - 1e-6
    assert corrected.high - corrected.low <= apparent.high - apparent.low + 4 / (apparent.n + 4)


@given(st.floats(0, 1), accuracies, accuracies)
def test_the_errors_of_a_known_judge_are_undone(truth: float, sensitivity: float, specificity: float) -> None:
    known = Discernment(
        sensitivity=Rate(value=sensitivity, low=0, high=1, n=10**6),
        specificity=Rate(value=specificity, low=0, high=1, n=10**6),
    )
    seen = truth * sensitivity + (1 - truth) * (1 - specificity)
    assert true_rate(Rate(value=seen, low=0, high=1, n=500), known).value == pytest.approx(truth, abs=1e-6)


@given(counts, counts, counts)
def test_a_corrected_rate_is_a_rate(seen: tuple[int, int], se: tuple[int, int], sp: tuple[int, int]) -> None:
    known = Discernment(sensitivity=wilson(*se), specificity=wilson(*sp))
    if not known.informative:
        with pytest.raises(ConfigError, match="tells nothing"):
            true_rate(wilson(*seen), known)
        return
    corrected = true_rate(wilson(*seen), known)
    assert 0 <= corrected.low <= corrected.value <= corrected.high <= 1


def test_fewer_calibration_items_make_a_wider_interval() -> None:
    apparent = wilson(300, 1000)
    widths = [
        (rate := true_rate(apparent, judge(0.9, 0.9, n))).high - rate.low for n in (20, 100, 1000, 100_000)
    ]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] > apparent.high - apparent.low


def test_where_nothing_was_observed_nothing_is_corrected() -> None:
    assert true_rate(wilson(0, 0), judge(0.9, 0.9)) == wilson(0, 0)


@pytest.mark.parametrize("known", [judge(0.5, 0.5), judge(0.2, 0.7), judge(1.0, 0.0)])
def test_a_judge_that_tells_nothing_is_refused(known: Discernment) -> None:
    with pytest.raises(ConfigError, match="tells nothing"):
        true_rate(wilson(3, 10), known)


def test_a_judge_that_was_not_measured_is_refused() -> None:
    unmeasured = Discernment(sensitivity=wilson(0, 0), specificity=Rate(value=1.0, low=0.9, high=1, n=40))
    with pytest.raises(ConfigError, match="tells nothing"):
        true_rate(wilson(3, 10), unmeasured)


@given(counts)
def test_a_wilson_interval_tells_how_many_there_were(count: tuple[int, int]) -> None:
    assert effective_size(wilson(*count)) == pytest.approx(count[1], rel=1e-6)


def test_a_clustered_interval_counts_as_fewer() -> None:
    values = [1.0] * 50 + [0.0] * 50
    rate = clustered_rate(values, [i // 10 for i in range(100)])
    assert effective_size(rate) < 20


SIMULATIONS = 800
cached = cache(wilson)


@pytest.mark.parametrize("truth", [0.02, 0.2, 0.5, 0.9])
@pytest.mark.parametrize(("se", "sp", "known"), [(0.85, 0.92, 100), (0.95, 0.98, 60), (0.7, 0.75, 200)])
def test_nineteen_intervals_in_twenty_hold_the_truth(truth: float, se: float, sp: float, known: int) -> None:
    random = np.random.default_rng(0)
    held = 0
    for seen, caught, passed in zip(
        random.binomial(400, truth * se + (1 - truth) * (1 - sp), SIMULATIONS),
        random.binomial(known, se, SIMULATIONS),
        random.binomial(known, sp, SIMULATIONS),
        strict=True,
    ):
        measured = Discernment(sensitivity=cached(caught, known), specificity=cached(passed, known))
        rate = true_rate(cached(seen, 400), measured)
        held += rate.low <= truth <= rate.high
    assert held / SIMULATIONS >= 0.92


def test_the_interval_holds_the_truth_of_clustered_questions_too() -> None:
    random = np.random.default_rng(1)
    truth, se, sp, images, each, held = 0.3, 0.85, 0.92, 60, 6, 0
    for _ in range(SIMULATIONS):
        shares = np.repeat(random.beta(1.2, 2.8, images), each)
        failed = random.random(images * each) < shares
        seen = np.where(failed, random.random(len(failed)) < se, random.random(len(failed)) >= sp)
        measured = Discernment(
            sensitivity=cached(int(random.binomial(100, se)), 100),
            specificity=cached(int(random.binomial(100, sp)), 100),
        )
        rate = true_rate(clustered_rate(seen, np.repeat(np.arange(images), each)), measured)
        held += rate.low <= truth <= rate.high
    assert held / SIMULATIONS >= 0.92


def test_a_judge_measured_on_few_pictures_is_known_less_well() -> None:
    right = [True] * 270 + [False] * 30
    pictures = [str(i // 6) for i in range(300)]
    known, clustered = wilson(270, 300), clustered_rate(right, pictures)
    seen = wilson(60, 300)
    one = true_rate(seen, Discernment(sensitivity=known, specificity=known))
    few = true_rate(seen, Discernment(sensitivity=clustered, specificity=clustered))
    assert one.value == few.value
    assert few.high - few.low > 1.2 * (one.high - one.low)
