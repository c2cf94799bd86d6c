"""Volumes add up exactly, old skills are kept, and what teaches most gets most."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scotoma.core import FailureMode, Predicate, Rate
from scotoma.diagnose.mixture import Mixture, TargetedMixture, dpe, dpe_weight, targeted, uniform


def mode(name: str, failure: float = 0.6, prevalence: float | None = 0.02) -> FailureMode:
    rate = Rate(value=failure, low=0, high=1, n=100)
    return FailureMode(
        id=name,
        predicate=Predicate(),
        description=name,
        failure_rate=rate,
        prevalence=prevalence,
        status="confirmed",
    )


rates = st.floats(0, 1)
modes = st.lists(st.tuples(rates, st.none() | st.floats(0.0001, 0.5)), max_size=12).map(
    lambda rows: [mode(f"m{i}", failure, prevalence) for i, (failure, prevalence) in enumerate(rows)]
)


def samples(mixture: Mixture) -> dict[str, int]:
    return {share.name: share.samples for share in mixture.shares}


@given(modes, st.integers(0, 5000), st.floats(0.5, 1), st.integers(0, 100))
def test_counts_add_up_to_the_volume_and_retention_has_its_share(
    found: list[FailureMode], volume: int, retention: float, minimum: int
) -> None:
    mixture = targeted(found, volume, config=TargetedMixture(retention=retention, minimum=minimum))
    counts = list(samples(mixture).values())
    assert sum(counts) + mixture.retention + mixture.uniform == volume
    assert mixture.retention >= retention * volume - 1e-6
    assert all(count >= 0 for count in counts)
    if counts:
        assert min(counts) >= min(minimum, sum(counts) // len(counts))


@given(modes, st.dictionaries(st.sampled_from([f"m{i}" for i in range(12)]), rates))
def test_weights_are_shares_and_heavier_modes_never_get_fewer(
    found: list[FailureMode], passing: dict[str, float]
) -> None:
    mixture = targeted(found, 1000, passing)
    if not found:
        return
    assert sum(share.weight for share in mixture.shares) == pytest.approx(1)
    ranked = sorted(mixture.shares, key=lambda share: share.weight)
    assert all(light.samples <= heavy.samples + 1 for light, heavy in pairwise(ranked))


def test_what_fails_more_is_more_frequent_or_is_learnable_gets_more() -> None:
    def split(one: FailureMode, other: FailureMode, a: float, b: float) -> tuple[int, int]:
        counts = samples(targeted([one, other], 1000, {"a": a, "b": b}))
        return counts["a"], counts["b"]

    for more, less in (
        split(mode("a", failure=0.8), mode("b", failure=0.4), a=0.5, b=0.5),
        split(mode("a", prevalence=0.08), mode("b", prevalence=0.02), a=0.5, b=0.5),
        split(mode("a"), mode("b"), a=0.5, b=0.97),
        split(mode("a"), mode("b"), a=0.5, b=0.02),
    ):
        assert more > 1.2 * less


def test_a_mode_ten_times_as_frequent_gets_about_three_times_as_much() -> None:
    mixture = targeted([mode("a", prevalence=0.1), mode("b", prevalence=0.01)], 4000, {"a": 0.5, "b": 0.5})
    assert mixture.shares[0].weight / mixture.shares[1].weight == pytest.approx(10**0.5)


def test_a_mode_that_no_uniform_question_fell_into_is_rare_and_not_unknown() -> None:
    found = [
        mode(name, prevalence=share) for name, share in (("never", 0.0), ("rare", 0.01), ("often", 0.09))
    ]
    counts = samples(targeted(found, 2000, {m.id: 0.5 for m in found}, TargetedMixture(minimum=0)))
    assert counts["never"] < counts["rare"] < counts["often"]
    unknown = [mode("unknown", prevalence=None), *found[1:]]
    counts = samples(targeted(unknown, 2000, {m.id: 0.5 for m in unknown}, TargetedMixture(minimum=0)))
    assert counts["rare"] < counts["unknown"] < counts["often"]


def test_a_mode_that_is_never_right_is_flagged_for_a_warm_start() -> None:
    mixture = targeted([mode("dead"), mode("alive")], 400, {"dead": 0.0, "alive": 0.4})
    assert [share.warm_start for share in mixture.shares] == [True, False]
    assert samples(mixture)["dead"] >= 16


def test_without_modes_everything_keeps_old_skills() -> None:
    mixture = targeted([], 300)
    assert (mixture.retention, mixture.shares) == (300, ())


def test_less_than_half_retention_is_refused() -> None:
    with pytest.raises(ValidationError, match="retention"):
        TargetedMixture(retention=0.4)


def test_the_uniform_arm_has_the_same_volume_and_aims_at_nothing() -> None:
    mixture = uniform(240)
    assert (mixture.volume, mixture.uniform, mixture.retention, mixture.shares) == (240, 240, 0, ())


@pytest.mark.parametrize(
    ("accuracy", "weight"),
    [(0.0, 2.0), (0.699, 2.0), (0.70, 1.5), (0.75, 1.0), (0.85, 0.8), (0.90, 0.5), (1.0, 0.5)],
)
def test_dpe_weights_are_the_published_bands(accuracy: float, weight: float) -> None:
    assert dpe_weight(accuracy) == weight


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=4), rates, max_size=10), st.integers(0, 3000))
def test_dpe_counts_add_up_too(accuracies: dict[str, float], volume: int) -> None:
    mixture = dpe(accuracies, volume)
    assert sum(samples(mixture).values()) + mixture.uniform == volume
    assert set(samples(mixture)) == set(accuracies)
