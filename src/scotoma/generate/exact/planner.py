"""The exact planner: from a mode's predicate to what scene and question must satisfy, and to near misses.

A sketch keeps the structure of a failure (measured: the same question texts on fresh random scenes teach nothing)
and says by which edits its picture is to differ.

    ExactPlanner(world).plan(brief, 4, earlier=())[0].must
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from scotoma.core import Condition, Predicate, RetouchableWorld
from scotoma.generate.handover import Brief, Declined, FailedQuestion, Sketch

ANSWER_KEYS = ("answer", "count")
"""Conditions on these say what the answer is. A near miss must have another one, or the answer is learnt."""

NEAR_MISSES = 0.5
"""The share of near misses of a mode that names its answer (as many as members, so that neither is the mode's own)."""

EDGE_MISSES = 0.2
"""Their share where the mode ends at something that the picture shows (`things>=6`): its edge, not its counterpart."""

_NEUTRAL = ("shift", "mirror")


class ExactPlanner:
    """Plans edits by name (`RetouchableWorld.operations`); draws everything from the brief's seed."""

    def __init__(self, world: RetouchableWorld) -> None:
        self._operations = [name for name in world.operations if name not in _NEUTRAL]

    def plan(self, brief: Brief, n: int, earlier: Sequence[Sketch]) -> Sequence[Sketch]:
        """`n` sketches, each on a failure drawn at random.

        Raises:
            Declined: no failure of the brief has facts.
        """
        failures = [failure for failure in brief.failures if failure.image.facts is not None]
        if not failures:
            raise Declined("no failure with facts", hint="exact agents need a world's pictures")
        rng = random.Random(f"plan/{brief.mode_id}/{brief.seed}")
        return [self._sketch(brief, rng.choice(failures), rng) for _ in range(n)]

    def _sketch(self, brief: Brief, like: FailedQuestion, rng: random.Random) -> Sketch:
        misses = near_misses(brief.predicate, [*ANSWER_KEYS, *like.image.attributes])
        share = NEAR_MISSES if _names_answer(brief.predicate) else EDGE_MISSES
        missed = rng.choice(misses) if misses and rng.random() < share else None
        # At least everything moves, so that no picture of a held-out split is handed on.
        edits = ("shift", *(("mirror",) if rng.random() < 0.5 else ()))
        edits += tuple(rng.sample(self._operations, rng.choice((0, 1, 1, 2))))
        must = missed or brief.predicate
        return Sketch(
            shows=str(must),
            asks=like.question,
            scene_edits=edits,
            must=must,
            purpose="contrast" if missed else "mode",
            like=like,
        )


def near_misses(predicate: Predicate, keys: Sequence[str]) -> list[Predicate]:
    """The predicates that differ from this one in a single condition, which is the opposite there; only conditions on
    `keys` are turned over, those on the answer before all others.

    >>> [str(miss) for miss in near_misses(Predicate.parse("skill=counting and things>=6"), ["things"])]
    ['skill=counting and things<=5']
    """
    answers = [c for c in predicate.conditions if c.key in ANSWER_KEYS]
    turned = answers or [c for c in predicate.conditions if c.key in keys]
    return [
        Predicate(
            conditions=tuple(
                part for c in predicate.conditions for part in (_opposite(c) if c is each else (c,))
            )
        )
        for each in turned
    ]


def _opposite(condition: Condition) -> tuple[Condition, ...]:
    """The conditions that together say that this one does not hold."""
    key, op, value = condition.key, condition.op, condition.value
    if isinstance(value, tuple):
        return tuple(Condition(key=key, op="!=", value=option) for option in value)
    if op in (">=", "<=") and isinstance(value, int):
        return (
            (Condition(key=key, op="<=", value=value - 1),)
            if op == ">="
            else (Condition(key=key, op=">=", value=value + 1),)
        )
    return (Condition(key=key, op="=" if op == "!=" else "!=", value=value),)


def _names_answer(predicate: Predicate) -> bool:
    return any(condition.key in ANSWER_KEYS for condition in predicate.conditions)
