"""Random blind spots: conjunctions of two or three conditions that a candidate still answers well.

What is drawn is neither trivial nor known: a region must be as common as was asked, must not be a weakness already (a
finder would find it anyway), and must not be the same as another one.

    regions = draw_regions(questions, right, n=4, seed=0)
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from scotoma.core import Condition, ConfigError, Predicate, Tag, Tags
from scotoma.diagnose.conditions import Mask, members

KEYS = (
    "skill", "operation", "colour", "shape", "size", "relation", "count", "answer", "attributes", "negated", "composed",
    "landmark", "things", "digit",
)  # fmt: skip
"""What a region may speak of. The first two say what is asked, and every region names one of them."""

_STILL_GOOD = 0.85
"""A region that is answered worse than this is a weakness already, and no repair could bring back what never was."""

_OVERLAP = 0.1
"""Jaccard index from which two regions are too much alike to be told apart."""

_TRIES = 50_000


def draw_regions(
    questions: Sequence[Tags],
    right: Sequence[bool],
    n: int,
    seed: int,
    prevalence: tuple[float, float] = (0.003, 0.05),
) -> list[Predicate]:
    """`n` regions of a prevalence within the bounds, seeded: one from each n-th of the range on a log scale, so that
    every set holds rare ones and common ones.

    Args:
        questions: tags of uniform questions, some thousands.
        right: whether the candidate answers them rightly.
        n: how many.
        seed: fixes the draw.
        prevalence: least and greatest share of the questions.

    Raises:
        ConfigError: no such regions were found.
    """
    rng = random.Random(f"regions/{seed}")
    well = np.array(right, dtype=bool)
    holds = _Masks(questions)
    found: list[Predicate] = []
    masks: list[Mask] = []
    edges = np.geomspace(*prevalence, n + 1)
    strata = rng.sample(range(n), n)
    for _ in range(_TRIES):
        predicate = _conjunction(rng.choice(questions), rng)
        if predicate is None:
            continue
        inside = holds.of(predicate.conditions)
        share = float(inside.mean())
        if not edges[strata[len(found)]] <= share <= edges[strata[len(found)] + 1]:
            continue
        if float(well[inside].mean()) < _STILL_GOOD or not _each_counts(predicate, holds):
            continue
        if any((inside & other).sum() > _OVERLAP * min(inside.sum(), other.sum()) for other in masks):
            continue
        found.append(predicate)
        masks.append(inside)
        if len(found) == n:
            return found
    raise ConfigError(
        f"only {len(found)} of {n} regions were found", hint="widen the bounds of their prevalence"
    )


def _conjunction(tags: Tags, rng: random.Random) -> Predicate | None:
    """Two or three conditions that this question meets, one of them about what is asked."""
    offered = [key for key in KEYS[2:] if key in tags and tags[key] not in ((), "none", False)]
    size = rng.choice((2, 3, 3))
    first = rng.choice([key for key in KEYS[:2] if key in tags] or [""])
    if not first or len(offered) < size - 1:
        return None
    keys = [first, *rng.sample(offered, size - 1)]
    return Predicate(conditions=tuple(_condition(key, tags[key], rng) for key in keys))


def _condition(key: str, value: Tag, rng: random.Random) -> Condition:
    if isinstance(value, tuple):
        return Condition(key=key, op="=", value=rng.choice(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return Condition(key=key, op=rng.choice((">=", "<=")), value=value)
    return Condition(key=key, op="=", value=value)


def _each_counts(predicate: Predicate, holds: _Masks) -> bool:
    """Whether every condition leaves out at least a third of what the others hold: no idle words in a name."""
    inside = holds.of(predicate.conditions).sum()
    return all(
        inside <= holds.of([other for other in predicate.conditions if other != dropped]).sum() / 1.5
        for dropped in predicate.conditions
    )


class _Masks:
    """Which questions a conjunction holds for; every condition is looked at once."""

    def __init__(self, questions: Sequence[Tags]) -> None:
        self._questions = questions
        self._known: dict[Condition, Mask] = {}

    def of(self, conditions: Sequence[Condition]) -> Mask:
        """The conjunction's members."""
        inside = np.ones(len(self._questions), dtype=bool)
        for condition in conditions:
            if condition not in self._known:
                self._known[condition] = members(Predicate(conditions=(condition,)), self._questions)
            inside &= self._known[condition]
        return inside
