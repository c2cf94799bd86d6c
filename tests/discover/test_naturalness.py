"""Naturalness: MMD by its equation, its test and its interval; typicality as a rank among the reference."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scotoma.core import ConfigError
from scotoma.discover.naturalness import LEAST, Typicality, bandwidth_of, discrepancy

Vectors = npt.NDArray[np.float32]


def sample(n: int, shift: float = 0.0, seed: int = 0, d: int = 5) -> Vectors:
    return np.random.default_rng(seed).normal(shift, 1, (n, d)).astype(np.float32)


def by_the_equation(x: Vectors, y: Vectors) -> float:
    """Gretton et al. 2012, equation 3, term by term."""
    pooled = [*x.astype(float), *y.astype(float)]
    apart = [float(np.linalg.norm(a - b)) for i, a in enumerate(pooled) for b in pooled[:i]]
    sigma = float(np.median([distance for distance in apart if distance > 1e-6]))

    def k(a: Vectors, b: Vectors) -> float:
        return float(np.exp(-np.sum((a - b) ** 2) / (2 * sigma**2)))

    xs, ys = pooled[: len(x)], pooled[len(x) :]
    within = [
        sum(k(a, b) for i, a in enumerate(side) for j, b in enumerate(side) if i != j)
        / (len(side) * (len(side) - 1))
        for side in (xs, ys)
    ]
    return sum(within) - 2 * sum(k(a, b) for a in xs for b in ys) / (len(xs) * len(ys))


@settings(max_examples=10)
@given(st.integers(LEAST, 26), st.integers(LEAST, 26), st.floats(0, 2), st.integers(0, 99))
def test_it_is_the_published_equation(n: int, m: int, shift: float, seed: int) -> None:
    x, y = sample(n, shift, seed), sample(m, 0, seed + 1)
    found = discrepancy(x, y, permutations=20)
    assert found.squared_mmd == pytest.approx(by_the_equation(x, y), abs=1e-6)
    assert found.low <= found.squared_mmd <= found.high
    assert (found.n, found.reference) == (n, m)
    assert 0 < found.p_value <= 1


def test_between_alike_samples_it_is_zero_on_average_and_the_test_keeps_its_level() -> None:
    found = [discrepancy(sample(60, seed=i), sample(50, seed=1000 + i), permutations=99) for i in range(100)]
    values = [one.squared_mmd for one in found]
    assert abs(np.mean(values)) < 3 * np.std(values) / 10
    assert sum(one.p_value <= 0.05 for one in found) <= 12  # 5 expected; more than 12 once in 500
    assert sum(one.low <= 0 <= one.high for one in found) >= 88


def test_what_differs_is_seen() -> None:
    found = discrepancy(sample(100, 0.7), sample(100, seed=1))
    assert found.p_value < 0.01
    assert found.low > 0


def test_the_farther_the_larger() -> None:
    values = [discrepancy(sample(80, shift), sample(80, seed=1), permutations=1) for shift in (0, 0.5, 1, 2)]
    assert [v.squared_mmd for v in values] == sorted(v.squared_mmd for v in values)


def test_questions_about_one_image_hang_together() -> None:
    images = sample(20, 0.3)
    asked = np.repeat(images, 10, axis=0)
    about = np.repeat(np.arange(20), 10)
    together = discrepancy(asked, sample(200, seed=1), about.tolist(), permutations=1)
    apart = discrepancy(asked, sample(200, seed=1), permutations=1)
    assert together.squared_mmd == apart.squared_mmd
    assert together.high - together.low > 2 * (apart.high - apart.low)


@pytest.mark.parametrize("about", [["one"] * 30, ["one"] * 29 + ["two"], list(range(30))])
def test_any_grouping_gives_an_interval(about: list[object]) -> None:
    found = discrepancy(sample(30), sample(40, seed=1), about, permutations=1)  # type: ignore[arg-type]
    assert np.isfinite([found.low, found.high]).all()


def test_too_few_questions_are_refused() -> None:
    with pytest.raises(ConfigError, match="20 questions on each side"):
        discrepancy(sample(LEAST - 1), sample(50))


def test_equal_points_leave_the_bandwidth_defined() -> None:
    assert bandwidth_of(np.zeros((30, 4))) == 1.0
    assert discrepancy(np.zeros((30, 4), np.float32), np.zeros((30, 4), np.float32)).squared_mmd == 0


@settings(max_examples=20)
@given(st.integers(0, 999), st.floats(0, 8))
def test_typicality_is_the_rank_of_the_density_among_the_references(seed: int, shift: float) -> None:
    reference, asked = sample(40, seed=seed), sample(5, shift, seed + 1)
    sigma = bandwidth_of(reference.astype(float))

    def density(point: Vectors, others: Vectors) -> float:
        return float(np.mean(np.exp(-np.sum((others - point) ** 2, axis=1) / (2 * sigma**2))))

    own = [density(r, np.delete(reference, i, axis=0)) for i, r in enumerate(reference)]
    for found, point in zip(Typicality(reference)(asked), asked, strict=True):
        rank = sum(other <= density(point, reference) for other in own)
        assert found == pytest.approx((1 + rank) / 41, abs=1.01 / 41)  # float32 may swap two neighbours
        assert 0 < found <= 1


def test_a_question_like_the_reference_is_typical_and_a_strange_one_is_not() -> None:
    typicality = Typicality(sample(500))
    usual = typicality(sample(400, seed=1))
    assert 0.4 < float(np.mean(usual)) < 0.6
    assert abs(float(np.quantile(usual, 0.1)) - 0.1) < 0.06
    assert max(typicality(sample(50, shift=6, seed=2))) < 0.01
    assert typicality(np.zeros((1, 5), np.float32))[0] > 0.9
    assert typicality(np.zeros((0, 5), np.float32)) == []
