"""Leads: failures that nobody expected, followed up with the questions that are most like them.

A small blind spot shows as one odd failure among hundreds of right answers, long before any model of the failures can
learn it. A lead asks which conjunction of the failure's tags it was: every pair and triple of them is an arm of a
bandit, with the right and wrong answers seen so far, and Thompson sampling draws which to try next. An accident is
dropped after a few right answers; a blind spot is confirmed after a few wrong ones, and then expected. (Ours.)

    leads = Leads()
    leads.observe(tags, failed, expected)          # expected: the failure rates that were predicted for them
    orders = leads.rankings(proposals, draws=8, rng=rng)   # 8 × n: proposals, most promising first; None without leads
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from scotoma.core import Tags

Floats = npt.NDArray[np.float32]
Ranks = npt.NDArray[np.intp]

SURPRISING = 0.4
"""A failure is odd where at most this failure rate was predicted."""

FOLLOWED = 48
"""Odd failures that are followed at a time, the latest ones."""

_CELLS = 11
"""Tags of a failure that are weighed: the rarest. 55 pairs and 165 triples of them."""

_PRIOR = (0.3, 1.7)
"""What is thought of a conjunction before anything is known of it: Beta, as if two answers, mostly right."""


class Leads:
    """Which answered questions had which tags, and which failures among them were odd."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}
        self._rows: list[npt.NDArray[np.intp]] = []
        self._failed: list[bool] = []
        self._odd: deque[int] = deque(maxlen=FOLLOWED)

    def observe(self, tags: Sequence[Tags], failed: Sequence[bool], expected: Sequence[float]) -> None:
        """Add answered questions; `expected` is the failure probability that was predicted for each, in [0, 1]."""
        for tag, fail, rate in zip(tags, failed, expected, strict=True):
            if fail and rate <= SURPRISING:
                self._odd.append(len(self._rows))
            cells = [self._index.setdefault(name, len(self._index)) for name in _cells(tag)]
            self._rows.append(np.array(cells, dtype=np.intp))
            self._failed.append(bool(fail))

    def rankings(self, tags: Sequence[Tags], draws: int, rng: np.random.Generator) -> Ranks | None:
        """`draws` orders of the proposals (draws × n), each by one Thompson sample; None where nothing is followed."""
        if not self._odd or not tags:
            return None
        seen = self._table(self._rows)
        offered = self._table(
            [
                np.array([self._index[c] for c in _cells(tag) if c in self._index], dtype=np.intp)
                for tag in tags
            ]
        )
        failed = np.array(self._failed, dtype=np.float32)
        frequency = seen.mean(axis=0)
        scores = np.zeros((draws, len(tags)), dtype=np.float32)
        for odd in self._odd:
            cells = sorted(self._rows[odd], key=lambda cell: float(frequency[cell]))[:_CELLS]
            first, second, third = _conjunctions(len(cells))
            here, there = seen[:, cells], offered[:, cells]
            held = here[:, first] * here[:, second] * here[:, third]
            wrong = failed @ held
            right = held.sum(axis=0) - wrong
            rates = rng.beta(_PRIOR[0] + wrong, _PRIOR[1] + right, size=(draws, len(wrong))).astype(
                np.float32
            )
            holds = there[:, first] * there[:, second] * there[:, third]
            for draw in range(draws):
                np.maximum(scores[draw], (holds * rates[draw]).max(axis=1), out=scores[draw])
        scores += rng.uniform(0, 1e-3, scores.shape)
        return np.argsort(-scores, axis=1)

    def _table(self, rows: Sequence[npt.NDArray[np.intp]]) -> Floats:
        table = np.zeros((len(rows), len(self._index)), dtype=np.float32)
        for i, row in enumerate(rows):
            table[i, row] = 1.0
        return table


def _cells(tags: Tags) -> list[str]:
    """The tags as `key=value`, one for each member of a set."""
    return [
        f"{key}={item}"
        for key, value in tags.items()
        if value is not False
        for item in (value if isinstance(value, tuple) else (value,))
    ]


def _conjunctions(n: int) -> tuple[list[int], list[int], list[int]]:
    """Pairs and triples of n cells, as three lists of members; a pair names its second twice."""
    found = [(a, b, b) for a, b in combinations(range(n), 2)] + list(combinations(range(n), 3))
    return [a for a, _, _ in found], [b for _, b, _ in found], [c for _, _, c in found]
