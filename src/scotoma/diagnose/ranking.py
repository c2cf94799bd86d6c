"""Candidates in order: who is right more often on the same questions, and how sure the order is.

Every pair is tested on the questions of both, clustered by image, and Holm's correction holds over all pairs. A rank's
interval follows from those tests: whoever is surely better stands above, whoever is surely worse below (Mogstad,
Romano, Shaikh & Wilhelm 2024). All intervals together cover the true ranks with 95 %, near-ties included, where a
bootstrap of ranks does not.

>>> ranked = rank([[1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0]])
>>> ranked.standings[1].rank.value, ranked.pairs[0].p_value
(2.0, 0.03125)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from scotoma.core import Rate
from scotoma.diagnose.statistics import Clusters, Values, clustered_rate, holm, paired_difference, paired_test


@dataclass(frozen=True)
class Pair:
    """Two candidates, by number. `difference` is the accuracy of `first` − that of `second`, in [-1, 1];
    `first_only` questions were answered rightly by the first alone. `p_holm` is corrected over all pairs.
    """

    first: int
    second: int
    difference: Rate
    first_only: int
    second_only: int
    p_value: float
    p_holm: float


@dataclass(frozen=True)
class Standing:
    """One candidate: accuracy in [0, 1], and its rank, 1 for the best (equals share the better one)."""

    accuracy: Rate
    rank: Rate


@dataclass(frozen=True)
class Ranking:
    """`standings` in the order of the candidates given; every pair, better candidate first."""

    standings: tuple[Standing, ...]
    pairs: tuple[Pair, ...]


def rank(correct: Sequence[Values], clusters: Clusters | None = None, alpha: float = 0.05) -> Ranking:
    """Rank candidates by accuracy.

    Args:
        correct: per candidate one value per question, the same questions in the same order; ≥ 0.5 is right.
        clusters: the image of each question.
        alpha: the probability with which any rank's interval may miss.
    """
    accuracies = [clustered_rate(values, clusters) for values in correct]
    ordered = [
        (i, j) if accuracies[i].value >= accuracies[j].value else (j, i)
        for i, j in combinations(range(len(correct)), 2)
    ]
    p_values = [paired_test(correct[i], correct[j], clusters) for i, j in ordered]
    pairs = []
    for (i, j), p_value, p_holm in zip(ordered, p_values, holm(p_values), strict=True):
        first, second = (np.asarray(correct[k], dtype=np.float64) >= 0.5 for k in (i, j))
        difference = paired_difference(first, second, clusters)
        only = int(np.sum(first & ~second)), int(np.sum(second & ~first))
        pairs.append(Pair(i, j, difference, *only, p_value, p_holm))
    sure = [(pair.first, pair.second) for pair in pairs if pair.p_holm <= alpha and pair.difference.value > 0]
    standings = []
    for i, accuracy in enumerate(accuracies):
        place = Rate(
            value=1.0 + sum(other.value > accuracy.value for other in accuracies),
            low=1.0 + sum(worse == i for _, worse in sure),
            high=float(len(correct) - sum(better == i for better, _ in sure)),
            n=accuracy.n,
        )
        standings.append(Standing(accuracy, place))
    return Ranking(tuple(standings), tuple(pairs))
