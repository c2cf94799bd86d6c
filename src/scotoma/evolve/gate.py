"""The gate: new weights go on only if no retained skill fell significantly, on questions that nobody trains on.

>>> decide([], [], margin=0.02).accepted
True
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scotoma.core import Observation, skills_of
from scotoma.diagnose.change import Paired
from scotoma.diagnose.statistics import benjamini_hochberg


@dataclass(frozen=True)
class Gate:
    """Whether the new weights go on, and why (not)."""

    accepted: bool
    reason: str


def decide(
    before: Sequence[Observation], after: Sequence[Observation], margin: float, alpha: float = 0.05
) -> Gate:
    """A fall beyond `margin` that is significant at q ≤ `alpha` keeps the old weights: of a question type (tag `type`;
    photos have none, there of a skill), or of all questions together, where a broad fall shows that no type has
    questions enough to tell.

    Exact paired tests on the same questions, clustered by image (`paired_test`); Benjamini–Hochberg over all of them.
    """
    types = sorted({name for o in before for name in _types(o)})
    pairs = [
        Paired.of([o for o in after if name in _types(o)], [o for o in before if name in _types(o)])
        for name in types
    ]
    falls = [(name, pair.difference, pair.p_value) for name, pair in zip(types, pairs, strict=True)]
    q_values = benjamini_hochberg([p for _, _, p in falls])
    worse = [
        f"{name} fell by {-100 * difference.value:.1f} points (n={difference.n}, q={q:.3f})"
        for (name, difference, _), q in zip(falls, q_values, strict=True)
        if q <= alpha and difference.value < -margin
    ]
    if worse:
        return Gate(False, "; ".join(worse))
    return Gate(True, "no retained skill fell significantly")


def _types(observation: Observation) -> tuple[str, ...]:
    kind = observation.tags.get("type")
    own = (str(kind),) if kind is not None else skills_of(observation.tags)
    return (*own, "everything retained")
