"""The gate: new weights go on only if no retained skill fell significantly, on questions that nobody trains on.

>>> decide([], [], margin=0.02).accepted
True
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scotoma.core import Observation, skills_of
from scotoma.diagnose.change import change
from scotoma.diagnose.statistics import benjamini_hochberg, paired_test


@dataclass(frozen=True)
class Gate:
    """Whether the new weights go on, and why (not)."""

    accepted: bool
    reason: str


def decide(
    before: Sequence[Observation], after: Sequence[Observation], margin: float, alpha: float = 0.05
) -> Gate:
    """Per question type (tag `type`): a fall beyond `margin` that is significant at q ≤ `alpha` keeps the old weights.
    Photos have no types; there it is every skill by itself, and all questions together, since a skill may have few.

    Exact paired tests on the same questions, clustered by image (`paired_test`); Benjamini–Hochberg over the types.
    """
    types = sorted({name for o in before for name in _types(o)})
    falls = []
    for name in types:
        old = [o for o in before if name in _types(o)]
        keys = {o.key.rsplit("/", 1)[1] for o in old}
        new = [o for o in after if o.key.rsplit("/", 1)[1] in keys]
        difference = change(new, old)
        falls.append((name, difference, _p_value(new, old)))
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
    return (str(kind),) if kind is not None else (*skills_of(observation.tags), "everything retained")


def _p_value(after: Sequence[Observation], before: Sequence[Observation]) -> float:
    earlier = {o.key.rsplit("/", 1)[1]: o for o in before if o.outcome in ("correct", "failure")}
    pairs = [
        (o, earlier[key])
        for o in after
        if o.outcome in ("correct", "failure") and (key := o.key.rsplit("/", 1)[1]) in earlier
    ]
    return paired_test(
        [a.outcome == "correct" for a, _ in pairs],
        [b.outcome == "correct" for _, b in pairs],
        [a.image_id for a, _ in pairs],
    )
