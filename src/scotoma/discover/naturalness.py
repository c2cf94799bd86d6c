"""How natural questions are: how far their distribution lies from a reference set, and how typical each one is of it.

The distance is the maximum mean discrepancy (MMD) between sentence embeddings, under a Gaussian kernel. A questioner
that is paid only for failures drifts towards questions that nobody would ask: the distance shows it, and typicality,
as a term of the reward, holds it back.

    asked, usual = embed(questions, tags), embed(reference.questions, reference.tags)
    discrepancy(asked, usual).squared_mmd
    Typicality(usual)(asked)            # one number in (0, 1] per question
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics.pairwise import euclidean_distances

from scotoma.core import ConfigError

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]

LEAST = 20
"""Questions that each side of a comparison needs."""

GROUPS = 20
"""Into how many groups of images each side is cut for the jackknife."""

_T = 2.02
"""Student's 97.5 % quantile at 2 · (GROUPS − 1) degrees of freedom."""


@dataclass(frozen=True)
class Discrepancy:
    """MMD² between two sets of questions, with its 95 % interval, and the p-value of "they are alike" in (0, 1].

    `squared_mmd` is 0 on average when both come from one distribution (so it may fall below) and at most 2.
    """

    squared_mmd: float
    low: float
    high: float
    p_value: float
    n: int
    reference: int


def bandwidth_of(points: npt.NDArray[np.floating]) -> float:
    """The median heuristic: the median distance between two different points; 1 where all are the same."""
    distances = euclidean_distances(points)[np.triu_indices(len(points), k=1)]
    apart = distances[distances > 1e-6]
    return float(np.median(apart)) if len(apart) else 1.0


def kernel(left: npt.NDArray[np.floating], right: npt.NDArray[np.floating], bandwidth: float) -> Floats:
    """The Gaussian kernel k(x, y) = exp(−‖x − y‖² / 2σ²) of every pair, in (0, 1]."""
    squared = euclidean_distances(left, right, squared=True)
    return np.asarray(np.exp(-squared / (2 * bandwidth**2)), dtype=np.float64)


def discrepancy(
    asked: Vectors,
    reference: Vectors,
    asked_about: Sequence[Hashable] | None = None,
    reference_about: Sequence[Hashable] | None = None,
    *,
    permutations: int = 500,
    seed: int = 0,
) -> Discrepancy:
    """MMD² of two samples of embeddings, n × d and m × d, unbiased (Gretton et al. 2012, JMLR 13, equation 3):

        1/n(n−1) Σ_{i≠j} k(x_i, x_j) + 1/m(m−1) Σ_{i≠j} k(y_i, y_j) − 2/nm Σ_{i,j} k(x_i, y_j)

    σ is the median distance of the pooled sample. The p-value is that of a permutation test, (1 + #{at least as far})
    / (1 + permutations), for which single questions are exchanged. The interval is Student's, from a delete-a-group
    jackknife over `GROUPS` groups of images (Kott 2001), so that questions about one image hang together.

    Args:
        asked, reference: the embeddings.
        asked_about, reference_about: the image of each question; none: each counts for itself.
        permutations: of the test.
        seed: of the permutations and the groups.

    Raises:
        ConfigError: a side has fewer than `LEAST` questions, or the embeddings differ in length.
    """
    if min(len(asked), len(reference)) < LEAST or asked.shape[1] != reference.shape[1]:
        raise ConfigError(f"naturalness needs {LEAST} questions on each side, embedded alike")
    rng = np.random.default_rng(seed)
    pooled = np.concatenate([asked, reference]).astype(np.float64)
    gram = kernel(pooled, pooled, bandwidth_of(pooled))
    np.fill_diagonal(gram, 0.0)
    n, m = len(asked), len(reference)
    first = np.zeros((permutations + 1, n + m))
    first[0, :n] = 1
    for row in first[1:]:
        row[rng.permutation(n + m)[:n]] = 1
    value, *permuted = (float(v) for v in _squared_mmd(gram, first, np.ones(n + m)))
    # Rounding must not let an equal value pass for a smaller one.
    as_far = sum(other >= value - 1e-12 for other in permuted)
    reach = _T * _jackknife_error(gram, _groups(asked_about, n, rng), _groups(reference_about, m, rng))
    return Discrepancy(value, value - reach, value + reach, (1 + as_far) / (1 + permutations), n, m)


class Typicality:
    """How typical a question is of a reference set: in (0, 1], 1 for its very centre.

        t(x) = (1 + #{i : μ_{−i}(r_i) ≤ μ(x)}) / (1 + m),    μ(x) = 1/m Σ_j k(x, r_j)

    the rank of the question's kernel density among those of the reference questions themselves, each without its own
    part (the mean over the other m − 1). It is a conformal p-value (Vovk, Gammerman & Shafer 2005): for a question of
    the reference's own distribution about uniform, for a strange one near 0. σ is the reference's median distance.
    """

    def __init__(self, reference: Vectors) -> None:
        if len(reference) < 2:
            raise ConfigError("typicality needs at least two reference questions")
        self._reference = reference.astype(np.float64)
        self._bandwidth = bandwidth_of(self._reference)
        gram = kernel(self._reference, self._reference, self._bandwidth)
        np.fill_diagonal(gram, 0.0)
        self._densities = np.sort(gram.sum(axis=1) / (len(gram) - 1))

    def __call__(self, vectors: Vectors) -> list[float]:
        """t of each row (n × d)."""
        if not len(vectors):
            return []
        density = kernel(vectors.astype(np.float64), self._reference, self._bandwidth).mean(axis=1)
        below = np.searchsorted(self._densities, density + 1e-12, side="right")
        return [(1 + int(count)) / (1 + len(self._densities)) for count in below]


def _squared_mmd(blocks: Floats, first: Floats, sizes: Floats) -> Floats:
    """MMD² for each row of `first`: what belongs to the first sample (1), to the second (0), or to none (−1).

    `blocks` holds the sums of the kernel between parts of `sizes` questions, no question with itself.
    """
    x, y = (first == 1).astype(np.float64), (first == 0).astype(np.float64)
    n, m = x @ sizes, y @ sizes
    within, beyond, across = (np.sum((a @ blocks) * b, axis=1) for a, b in ((x, x), (y, y), (x, y)))
    return np.asarray(within / (n * (n - 1)) + beyond / (m * (m - 1)) - 2 * across / (n * m))


def _groups(about: Sequence[Hashable] | None, n: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """The group of each question: whole images together, in random order; single ones where an image holds them all."""
    singly = np.arange(n)
    images = singly if about is None else np.unique([str(image) for image in about], return_inverse=True)[1]
    for clusters in (images, singly):
        order = rng.permutation(int(clusters.max()) + 1)
        groups = order[clusters] % GROUPS
        if np.bincount(groups).max() <= n - 2:
            break
    return np.asarray(groups, dtype=np.intp)


def _jackknife_error(gram: Floats, asked: npt.NDArray[np.intp], reference: npt.NDArray[np.intp]) -> float:
    """The standard error: left-out groups of each side, whose variances add up."""
    groups = np.concatenate([asked, GROUPS + reference])
    parts = np.eye(2 * GROUPS)[:, groups]
    blocks, sizes = parts @ gram @ parts.T, parts.sum(axis=1)
    variance = 0.0
    for side in (np.unique(asked), GROUPS + np.unique(reference)):
        first = np.tile(np.repeat([1.0, 0.0], GROUPS), (len(side), 1))
        first[np.arange(len(side)), side] = -1
        left_out = _squared_mmd(blocks, first, sizes)
        variance += (len(side) - 1) / len(side) * float(np.sum((left_out - left_out.mean()) ** 2))
    return math.sqrt(variance)
