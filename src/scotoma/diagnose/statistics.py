"""The statistics behind every figure: rates with intervals, tests and paired differences, clustered by image.

Questions about one image are not independent, so everything here takes `clusters` (one image id per observation) and
lets whole images vary together. A rate never leaves this file without its interval and its n.

>>> wilson(8, 10).percent()
'80.0 % [49.0, 94.3] n=10'
>>> paired_difference([1, 1, 1, 0], [0, 1, 0, 0]).value
0.5
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from scotoma.core import Rate

Values = Sequence[float] | Sequence[bool] | npt.NDArray[np.float64] | npt.NDArray[np.bool_]
"""One number in [0, 1] per observation; 0/1 or a mean over sampled answers."""

Clusters = Sequence[Hashable] | npt.NDArray[np.int64]
"""One cluster label (an image id) per observation."""

_UNKNOWN = Rate(value=0.0, low=0.0, high=1.0, n=0)
_BOOTSTRAP_CELLS = 4_000_000
_RESAMPLES = 2000


def wilson(successes: float, n: int, confidence: float = 0.95) -> Rate:
    """Rate of independent successes with Wilson's score interval (Wilson 1927).

    With n = 0 nothing is known: the interval is [0, 1] and the value 0 is a placeholder (JSON has no NaN).

    Raises:
        ValueError: unless 0 ≤ successes ≤ n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes out of {n}")
    if n == 0:
        return _UNKNOWN
    value = successes / n
    low, high = _score_interval(value, n, confidence)
    return Rate(value=value, low=float(np.clip(low, 0, value)), high=float(np.clip(high, value, 1)), n=n)


def _score_interval(rate: float, n: float, confidence: float) -> tuple[float, float]:
    """Wilson's, for an n that need not be whole (SciPy's wants counts)."""
    z = float(stats.norm.isf((1 - confidence) / 2))
    centre = rate + z**2 / (2 * n)
    reach = z * float(np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2)))
    return (centre - reach) / (1 + z**2 / n), (centre + reach) / (1 + z**2 / n)


def clustered_rate(
    values: Values,
    clusters: Clusters | None = None,
    weights: Values | None = None,
    confidence: float = 0.95,
) -> Rate:
    """Rate of clustered, possibly weighted observations: Wilson's interval at the effective sample size.

    The variance is the linearised (sandwich) one over clusters, the effective size is capped at n and shrunk for few
    clusters by Student's t (Korn & Graubard 1998, with Wilson's interval as Franco et al. 2019 recommend). When no
    cluster differs from another the correlation cannot be estimated, and each cluster then counts as one observation.

    With n = 0 the interval is [0, 1], as in `wilson`.
    """
    y = np.asarray(values, dtype=np.float64)
    n = len(y)
    if n == 0:
        return _UNKNOWN
    w = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    group, groups = _indices(clusters, n)
    rate = float(np.clip(np.average(y, weights=w), 0.0, 1.0))
    if groups == 1:
        effective = 1.0
    else:
        residuals = np.bincount(group, weights=w * (y - rate), minlength=groups)
        variance = groups / (groups - 1) * float(np.sum(residuals**2)) / float(w.sum()) ** 2
        spread = rate * (1 - rate)
        if variance > 1e-12 and spread > 1e-12:
            effective = min(float(n), spread / variance)
        else:
            size = np.bincount(group, weights=w, minlength=groups)
            effective = float(size.sum() ** 2 / np.sum(size**2))
        tail = 0.5 + confidence / 2
        effective *= float(stats.norm.ppf(tail) / stats.t.ppf(tail, groups - 1)) ** 2
    low, high = _score_interval(rate, effective, confidence)
    return Rate(value=rate, low=float(np.clip(low, 0, rate)), high=float(np.clip(high, rate, 1)), n=n)


def weighted_rate(values: Values, selection: Values, clusters: Clusters | None = None) -> Rate:
    """Rate in the population that observations were chosen from, with known selection probabilities in (0, 1].

    The self-normalised Horvitz–Thompson (Hájek 1971) estimator: every observation counts 1 / selection.

    Raises:
        ValueError: when a probability is outside (0, 1].
    """
    probabilities = np.asarray(selection, dtype=np.float64)
    if probabilities.size and not (np.all(probabilities > 0) and np.all(probabilities <= 1)):
        raise ValueError("selection probabilities lie in (0, 1]")
    return clustered_rate(values, clusters, 1 / probabilities)


def median(values: Sequence[float]) -> Rate:
    """The median of independent values with the 95 % interval that order statistics give (Thompson 1936).

    Conservative, without a distribution: `low` and `high` are values of the sample, or, below six of them, its extremes
    (coverage is then 1 − 2^(1 − n)). Not clipped: values need not lie in [0, 1].

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values have no median")
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    n = len(ordered)
    # The largest k with P(Binomial(n, 1/2) < k) ≤ 2.5 %: the k-th smallest and k-th largest values bound the median.
    k = max(1, int(stats.binom.ppf(0.025, n, 0.5)))
    return Rate(value=float(np.median(ordered)), low=float(ordered[k - 1]), high=float(ordered[n - k]), n=n)


def excess_test(
    values: Values, inside: Sequence[bool] | npt.NDArray[np.bool_], clusters: Clusters | None = None
) -> float:
    """One-sided p-value of "the rate inside is no higher than outside", both on the same split, clustered by image.

    A cluster-robust score test: residuals are taken from the pooled rate, so that a mode in which everything fails
    still has a variance; an image with questions on both sides counts once. The variance is at least that of as many
    independent questions: where nearly everything fails anyway, the few right answers inside would measure it too
    small, most of all when there happen to be none. Student's t with as many degrees of freedom as images on the
    smaller side, less one (ours; the score form follows Rotnitzky & Jewell 1990). 1.0 when a side is empty or comes
    from a single image.
    """
    y = np.asarray(values, dtype=np.float64)
    member = np.asarray(inside, dtype=bool)
    n_in, n_out = int(member.sum()), int((~member).sum())
    if n_in == 0 or n_out == 0:
        return 1.0
    group, groups = _indices(clusters, len(y))
    images = min(len(np.unique(group[member])), len(np.unique(group[~member])))
    if images < 2:
        return 1.0
    share = np.where(member, 1 / n_in, -1 / n_out)
    scores = np.bincount(group, weights=share * (y - y.mean()), minlength=groups)
    difference = float(share @ y)
    independent = float(y.mean() * (1 - y.mean()) * np.sum(share**2))
    deviation = float(np.sqrt(max(groups / (groups - 1) * np.sum(scores**2), independent)))
    if deviation == 0:
        return 1.0
    return float(stats.t.sf(difference / deviation, images - 1))


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """q-values in the order of the p-values (Benjamini & Hochberg 1995): reject q ≤ α to hold the false discovery rate
    at α."""
    if not p_values:
        return []
    return [float(q) for q in stats.false_discovery_control(p_values, method="bh")]


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order of the p-values (Holm 1979): reject p ≤ α to err at all with probability α."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(np.arange(len(p), 0, -1) * p[order]), 1)
    return [float(value) for value in adjusted]


def paired_difference(
    a: Values,
    b: Values,
    clusters: Clusters | None = None,
    seed: int = 0,
    resamples: int = _RESAMPLES,
    confidence: float = 0.95,
) -> Rate:
    """Mean of a − b measured on the same questions, with the bootstrap interval over clusters (95 % by default).

    The percentile interval, expanded for few clusters by Student's t and √(G / (G − 1)) (Hesterberg 2015, § 5.3).
    Two arms: `paired_difference(targeted, uniform, images)`; a change: `paired_difference(after, before, images)`.
    With n = 0 the interval is [-1, 1]; with one cluster too, since nothing shows how clusters vary. Where all clusters
    differ alike nothing does either: a share of others, as large as Wilson's interval leaves open after none in G, may
    lie at an end of the scale (ours).

    Raises:
        ValueError: when a and b differ in length.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if len(first) != len(second):
        raise ValueError(f"paired values differ in number: {len(first)} and {len(second)}")
    n = len(first)
    if n == 0:
        return Rate(value=0.0, low=-1.0, high=1.0, n=0)
    group, groups = _indices(clusters, n)
    value = float(np.mean(first - second))
    if groups == 1:
        return Rate(value=value, low=-1.0, high=1.0, n=n)
    sums = np.bincount(group, weights=first - second, minlength=groups)
    sizes = np.bincount(group, minlength=groups).astype(np.float64)
    if np.ptp(sums / sizes) < 1e-12:
        unseen = wilson(0, groups, confidence).high
        return Rate(value=value, low=value - unseen * (value + 1), high=value + unseen * (1 - value), n=n)
    random = np.random.default_rng(seed)
    draws = []
    for start in range(0, resamples, batch := max(1, _BOOTSTRAP_CELLS // groups)):
        chosen = random.integers(groups, size=(min(batch, resamples - start), groups))
        draws.append(sums[chosen].sum(axis=1) / sizes[chosen].sum(axis=1))
    tail = (1 - confidence) / 2
    expansion = np.sqrt(groups / (groups - 1)) * stats.t.isf(tail, groups - 1) / stats.norm.isf(tail)
    low, high = value + expansion * (np.quantile(np.concatenate(draws), [tail, 1 - tail]) - value)
    return Rate(value=value, low=float(np.clip(low, -1, value)), high=float(np.clip(high, value, 1)), n=n)


def resampled_means(
    columns: npt.NDArray[np.float64], clusters: Clusters | None = None
) -> npt.NDArray[np.float64]:
    """Means of paired columns in bootstrap resamples of whole clusters: what any statistic of means has its interval
    from (`bounds`).

    Args:
        columns: n × k, one row per question, one column per model or difference.
        clusters: an image id per row.

    Returns:
        `_RESAMPLES` × k, always the same; the same clusters are drawn for every column, so that columns stay paired.
    """
    group, groups = _indices(clusters, len(columns))
    sums = np.zeros((groups, columns.shape[1]))
    np.add.at(sums, group, columns)
    sizes = np.bincount(group, minlength=groups).astype(np.float64)
    drawn = np.random.default_rng(0).multinomial(groups, np.full(groups, 1 / groups), size=_RESAMPLES)
    return np.asarray((drawn @ sums) / (drawn @ sizes)[:, None])


def bounds(value: float, draws: npt.NDArray[np.float64], n: int) -> Rate:
    """A statistic with the percentile interval of its bootstrap draws, which need not be bounded."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return Rate(value=value, low=float(min(low, value)), high=float(max(high, value)), n=n)


def paired_test(a: Values, b: Values, clusters: Clusters | None = None) -> float:
    """Two-sided p-value of "a and b are right equally often" on the same questions, clustered by image; exact.

    If nothing tells a from b, the two can be swapped for any image, all its questions together: the sign of each
    image's difference is a coin's (Fisher's randomisation test, 1935). The distribution of their sum is folded up image
    by image, with nothing drawn at random. With one question per image this is McNemar's exact test. Values ≥ 0.5 count
    as right.

    Raises:
        ValueError: when a and b differ in length.
    """
    first, second = np.asarray(a, dtype=np.float64) >= 0.5, np.asarray(b, dtype=np.float64) >= 0.5
    if len(first) != len(second):
        raise ValueError(f"paired values differ in number: {len(first)} and {len(second)}")
    group, groups = _indices(clusters, len(first))
    differences = np.bincount(group, weights=first * 1.0 - second, minlength=groups).astype(int)
    sizes = np.abs(differences[differences != 0])
    chances = np.ones(1)  # of the sums −total, −total + 2, …: each image adds its size, or takes it away
    for size in sizes:
        folded = np.zeros(len(chances) + size)
        folded[: len(chances)] += chances / 2
        folded[size:] += chances / 2
        chances = folded
    sums = np.abs(2 * np.arange(len(chances)) - sizes.sum())
    return min(1.0, float(chances[sums >= abs(differences.sum())].sum()))


def noninferiority(difference: Rate, margin: float) -> Literal["holds", "fails", "undecided"]:
    """Whether after − before is a fall of no more than `margin` (> 0, in its unit).

    The 95 % interval is held against −margin, a one-sided test at 2.5 % (ICH E9): wholly above it `holds`, wholly below
    `fails`.
    """
    if difference.low > -margin:
        return "holds"
    return "fails" if difference.high < -margin else "undecided"


def _indices(clusters: Clusters | None, n: int) -> tuple[npt.NDArray[np.intp], int]:
    """Clusters numbered from 0, and how many there are; without clusters every observation is its own."""
    if clusters is None:
        return np.arange(n), n
    if len(clusters) != n:
        raise ValueError(f"{n} values but {len(clusters)} cluster labels")
    numbered: dict[Hashable, int] = {}
    group = np.array([numbered.setdefault(label, len(numbered)) for label in clusters], dtype=np.intp)
    return group, len(numbered)
