"""Leads: failures that nobody expected, followed up until they are known to be accidents or blind spots.

A small blind spot shows as one odd failure among hundreds of right answers, long before any model of the failures can
learn it. A lead holds every pair and triple of the failure's tags that is neither common nor hopelessly rare, as
hypotheses of what went wrong, and weighs them by Bayes' rule with all that was answered (Mitchell's version space, with
probabilities). The first question asked is the one most like the failure: a right answer drops an accident at once.
After a wrong one the questions are those that half of the belief calls inside, which tell where the blind spot ends.
(Ours.)

    leads = Leads(seed=0)
    leads.observe(tags, failed, random=True)
    for index in leads.follow([leads.encode(item.tags) for item in offered], n=32): ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import betaln
from sklearn.ensemble import ExtraTreesClassifier

from scotoma.core import Tag, Tags

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]

ODD = 0.4
"""A failure is odd where at most this failure rate was expected."""

FOLLOWED = 96
"""Leads that are followed at a time, the likeliest; the rest are forgotten."""

KNOWN = 12
"""Failures inside from which on a blind spot is known, once its borders are: nobody needs more to name it."""

_SHARES = (0.002, 0.08)
"""A blind spot that is rarer among the offered questions cannot be followed; one that is wider shows without leads."""
_REAL = 0.07
"""The share of odd failures that are thought to be no accidents, before anything else is known."""
_DROPPED, _SURE = 0.03, 0.9
"""Below the first belief a lead is dropped; from the second on it is real."""
_BACKGROUND = (0.05, 0.9)
"""Bounds of the failure rate that is expected of a question."""
_INSIDE = (5.0, 1.2)
"""The failure rate inside a blind spot: Beta."""
_ALIKE, _SETTLED = 0.6, 0.6
"""Its borders are known when this much of the belief is in hypotheses that overlap the best one this much (Jaccard)."""
_CELLS = 24
"""Tags of a failure that are weighed: the rarest. 276 pairs and 2,024 triples of them."""
_NEAREST = 60
"""Offered questions that are looked at closely while a lead may be an accident: those that share most of its tags."""
_WEIGHED = 40
"""Hypotheses that are looked at closely, the likeliest."""
_LIKELY = 0.7
"""From this belief on the questions ask where a blind spot ends, not whether there is one."""
_HELD = 0.15
"""A question tells nothing of a lead where less of the belief calls it inside."""
_LARGEST = 12
"""Whole numbers are told apart up to here."""


@dataclass
class _Lead:
    """One odd failure (its row), the conjunctions it may be (3 × H tag numbers; a pair names its second twice), and
    what the answers say of each: questions inside, wrong ones among them, and how well the background explains them.
    """

    row: int
    hypotheses: Numbers
    asked: Numbers
    wrong: Numbers
    explained: Floats

    def weigh(self) -> Floats:
        """The posterior of every hypothesis, and what is missing from 1 is that of an accident."""
        evidence = betaln(_INSIDE[0] + self.wrong, _INSIDE[1] + self.asked - self.wrong) - betaln(*_INSIDE)
        # Rounded, so that a sum taken in another order after a resume breaks no tie differently.
        score = evidence - np.round(self.explained, 6) + np.log(_REAL / max(1, len(self.asked)))
        accident = np.log(1 - _REAL)
        top = max(float(score.max(initial=-np.inf)), accident)
        mass = np.exp(score - top)
        return np.asarray(mass / (mass.sum() + np.exp(accident - top)))


class Leads:
    """All that was answered, by tags, and the odd failures among it that are being followed."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._index: dict[str, int] = {}
        self._encoded: dict[tuple[str, Tag], list[int]] = {}
        self._rows: list[Numbers] = []
        self._failed: list[bool] = []
        self._random: list[bool] = []
        self._expected: list[float] = []
        self._odd: list[int] = []
        self._leads: list[_Lead] = []
        self._weighed = 0
        self._forest: Any = None
        self._fitted = self._width = 0

    def __len__(self) -> int:
        """Leads under way."""
        return len(self._leads)

    def observe(self, tags: Sequence[Tags], failed: Sequence[bool], random: bool) -> None:
        """Add answered questions. Those that nothing selected (`random`) say what failure rate is to be expected."""
        first = len(self._rows)
        self._rows += [self.encode(tag) for tag in tags]
        self._failed += [bool(fail) for fail in failed]
        self._random += [random] * len(tags)
        self._expected += self._background(self._table(self._rows[first:]))
        self._odd += [
            i for i in range(first, len(self._rows)) if self._failed[i] and self._expected[i] <= ODD
        ]

    def encode(self, tags: Tags) -> Numbers:
        """A question for `follow`: the numbers of its tags. Worth keeping, it is the slow part."""
        cells = []
        for key, value in tags.items():
            known = self._encoded.get((key, value))
            if known is None:
                known = [self._index.setdefault(cell, len(self._index)) for cell in _cells(key, value)]
                self._encoded[key, value] = known
            cells += known
        return np.array(cells, dtype=np.intp)

    def follow(self, offered: Sequence[Numbers], n: int) -> list[int]:
        """Up to `n` of the offered questions, by position: those that tell most about the leads."""
        if not self._odd and not self._leads:
            return []
        table = self._table(offered)
        rows = self._table(self._rows)
        self._refit(rows)
        self._count(rows)
        self._open(table, rows)
        beliefs = [lead.weigh() for lead in self._leads]
        order = sorted(range(len(beliefs)), key=lambda i: (-beliefs[i].sum(), self._leads[i].row))
        kept = [i for i in order if self._is_open(self._leads[i], beliefs[i], table)][:FOLLOWED]
        self._leads = [self._leads[i] for i in kept]
        return self._choose([beliefs[i] for i in kept], table, rows, n)

    def _choose(self, beliefs: Sequence[Floats], table: Bools, rows: Bools, n: int) -> list[int]:
        """One question for every lead in turn, the likeliest leads first, up to three for one that seems real."""
        chosen: list[int] = []
        free = np.ones(table.shape[1], dtype=bool)
        rarity = -np.log(np.maximum(table.mean(axis=1), 1e-4))
        waiting = [
            (lead, belief, 3 if belief.sum() >= 0.5 else 1)
            for lead, belief in zip(self._leads, beliefs, strict=True)
        ]
        while waiting and len(chosen) < n:
            again = []
            for lead, belief, most in waiting:
                if len(chosen) == n:
                    break
                if (index := _most_telling(lead, belief, table, rows[:, lead.row], free, rarity)) is not None:
                    chosen.append(index)
                    free[index] = False
                    if most > 1:
                        again.append((lead, belief, most - 1))
            waiting = again
        return chosen

    def _is_open(self, lead: _Lead, belief: Floats, table: Bools) -> bool:
        """Whether there is more to learn: neither an accident nor a blind spot whose borders are known."""
        real = float(belief.sum())
        if real < _DROPPED:
            return False
        if real < _SURE or lead.wrong[int(belief.argmax())] < KNOWN:
            return True
        likeliest = np.argsort(-belief, kind="stable")[:_WEIGHED]
        inside = _inside(lead.hypotheses[:, likeliest], table[:, :1500])
        shared = (inside & inside[0]).sum(axis=1) + 0.5
        joined = (inside | inside[0]).sum(axis=1) + 0.5
        return float(belief[likeliest][shared >= _ALIKE * joined].sum()) < _SETTLED * real

    def _open(self, table: Bools, rows: Bools) -> None:
        """Turn odd failures into leads."""
        common = table.mean(axis=1)
        for row in self._odd:
            cells = np.flatnonzero(rows[:, row])
            cells = cells[(common[cells] < 0.7) & (common[cells] > 0)]
            cells = np.sort(cells[np.argsort(common[cells], kind="stable")][:_CELLS])
            hypotheses = cells[_conjunctions(len(cells))]
            share = _inside(hypotheses, table[:, :2000]).mean(axis=1)
            hypotheses = hypotheses[:, (share >= _SHARES[0]) & (share <= _SHARES[1])]
            lead = _Lead(row, hypotheses, *_nothing(hypotheses.shape[1]))
            self._tell(lead, rows, 0, len(self._rows))
            self._leads.append(lead)
        self._odd = []

    def _count(self, rows: Bools) -> None:
        """Tell every lead what was answered since."""
        for lead in self._leads:
            self._tell(lead, rows, self._weighed, len(self._rows))
        self._weighed = len(self._rows)

    def _tell(self, lead: _Lead, rows: Bools, first: int, last: int) -> None:
        failed = np.array(self._failed[first:last], dtype=bool)
        expected = np.array(self._expected[first:last])
        inside = _inside(lead.hypotheses, rows[:, first:last])
        lead.asked = lead.asked + inside.sum(axis=1)
        lead.wrong = lead.wrong + inside[:, failed].sum(axis=1)
        lead.explained = lead.explained + inside @ np.where(failed, np.log(expected), np.log(1 - expected))

    def _refit(self, rows: Bools) -> None:
        """Learn the background anew when the random answers have grown by a third.

        What was expected of the earlier answers stays: a failure must not explain itself (prequential, Dawid 1984).
        """
        chance = sum(self._random)
        if chance >= 96 and chance >= 4 / 3 * self._fitted:
            self._fit(rows, chance)

    def _fit(self, rows: Bools, count: int) -> None:
        chance = np.flatnonzero(self._random)[:count]
        failed = np.array(self._failed, dtype=bool)[chance]
        self._fitted, self._width = count, len(rows)
        if failed.all() or not failed.any():
            return
        self._forest = ExtraTreesClassifier(
            n_estimators=24,
            max_depth=12,
            min_samples_leaf=4,
            max_features=0.4,
            bootstrap=True,
            n_jobs=1,
            random_state=self._seed % 2**32,
        ).fit(rows[:, chance].T, failed)

    def _background(self, table: Bools) -> list[float]:
        """The expected failure rate per question, never quite 0 or 1."""
        if self._forest is None:
            known = [fail for fail, chance in zip(self._failed, self._random, strict=True) if chance]
            rates = np.full(table.shape[1], (sum(known) + 1) / (len(known) + 2))
        elif not table.shape[1]:
            return []
        else:
            rates = self._forest.predict_proba(table[: self._width].T)[:, 1]
        return [float(rate) for rate in np.clip(rates, *_BACKGROUND)]

    def state(self) -> dict[str, Any]:
        """What cannot be told from the answers; JSON. Rows come back by `restore`'s tags."""
        return {
            "random": [int(chance) for chance in self._random],
            "expected": self._expected,
            "odd": self._odd,
            "leads": [
                {"row": lead.row, "hypotheses": lead.hypotheses.tolist()} for lead in self._leads
            ],
            "index": list(self._index),
            "weighed": self._weighed,
            "fitted": self._fitted,
            "width": self._width,
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any], tags: Sequence[Tags], failed: Sequence[bool]) -> None:
        """As it was when `state` was taken, after these answers."""
        self._encoded.clear()
        self._index = {name: number for number, name in enumerate(state["index"])}
        self._rows = [self.encode(tag) for tag in tags]
        self._failed = [bool(fail) for fail in failed]
        self._random = [bool(chance) for chance in state["random"]]
        self._odd, self._weighed = list(state["odd"]), state["weighed"]
        rows = self._table(self._rows)
        if state["fitted"]:
            # With the tags that were known then: the forest draws among them.
            self._fit(rows[: state["width"]], state["fitted"])
        self._expected = list(state["expected"])
        self._leads = []
        for kept in state["leads"]:
            hypotheses = np.array(kept["hypotheses"], dtype=np.intp).reshape(3, -1)
            lead = _Lead(kept["row"], hypotheses, *_nothing(hypotheses.shape[1]))
            self._tell(lead, rows, 0, self._weighed)
            self._leads.append(lead)

    def _table(self, rows: Sequence[Numbers]) -> Bools:
        """Tags × questions, so that a conjunction of tags is a product of whole lines."""
        table = np.zeros((len(self._index), len(rows)), dtype=bool)
        if rows:
            table[np.concatenate(rows), np.repeat(np.arange(len(rows)), [len(row) for row in rows])] = True
        return table


def _most_telling(
    lead: _Lead, belief: Floats, table: Bools, own: Bools, free: Bools, rarity: Floats
) -> int | None:
    """The free question that tells most: while the lead may be an accident the one that most hypotheses hold, later
    one that somewhat more than half of the belief calls inside. None where nothing offered is like it.
    """
    real = float(belief.sum())
    if real == 0 or not free.any():
        return None
    likeness = np.where(free, rarity[own] @ table[own], -np.inf)
    if real < _LIKELY:
        nearest = np.argsort(-likeness, kind="stable")[:_NEAREST]
        nearest = nearest[free[nearest]]
        inside = np.round(belief @ _inside(lead.hypotheses, table[:, nearest]) / real, 6)
        return int(nearest[inside.argmax()]) if inside.max() >= _HELD else None
    likeliest = np.argsort(-belief, kind="stable")[:_WEIGHED]
    weight = belief[likeliest] / belief[likeliest].sum()
    inside = weight @ _inside(lead.hypotheses[:, likeliest], table)
    if np.max(inside, where=free, initial=0) < _HELD:
        return None
    # The likeness breaks ties, for the unlike: two blind spots side by side must not pass for one.
    doubt = np.where(free, np.round(np.abs(inside - 0.6), 1), np.inf)
    return int(np.lexsort((likeness, doubt))[0])


def _inside(hypotheses: Numbers, table: Bools) -> Bools:
    """Which questions (columns) each conjunction (rows) holds."""
    return np.asarray(table[hypotheses[0]] & table[hypotheses[1]] & table[hypotheses[2]])


def _nothing(n: int) -> tuple[Numbers, Numbers, Floats]:
    return np.zeros(n, dtype=np.intp), np.zeros(n, dtype=np.intp), np.zeros(n)


def _conjunctions(n: int) -> Numbers:
    """Pairs and triples of n cells, 3 × H."""
    found = [(a, b, b) for a, b in combinations(range(n), 2)] + list(combinations(range(n), 3))
    return np.array(found, dtype=np.intp).reshape(-1, 3).T


def _cells(key: str, value: Tag) -> list[str]:
    """The conditions that hold: `key=value` for each member of a set, for whole numbers also `>=` and `<=`."""
    if value is False:
        return []
    cells = [f"{key}={item}" for item in (value if isinstance(value, tuple) else (value,))]
    if isinstance(value, int) and not isinstance(value, bool):
        near = min(max(value, 0), _LARGEST)
        cells += [f"{key}>={bound}" for bound in range(1, near + 1)]
        cells += [f"{key}<={bound}" for bound in range(near, _LARGEST)]
    return cells
