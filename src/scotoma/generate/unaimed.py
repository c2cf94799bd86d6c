"""The planner of what is aimed at nothing: every skill equally often, whatever the pictures show.

In place of a planner it makes of any crew the control of its targeted samples: the same searcher, editor, writer,
validator and checks, and no word of any weakness.

    crew = replace(crew, planner=UnaimedPlanner(["counting", "colour"]))
    batches(unaimed(100, seed="0"), crew, checks, Pace())

>>> planned = UnaimedPlanner(["counting", "colour"]).plan(unaimed(4, seed="0"), 4, ())
>>> sorted(sketch.asks for sketch in planned[:2])
['something that calls for colour', 'something that calls for counting']
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from scotoma.core import Predicate
from scotoma.generate.handover import Brief, Sketch

UNAIMED = "unaimed"
"""In place of a mode's id."""


def unaimed(wanted: int, seed: str) -> Brief:
    """A brief that names no weakness."""
    return Brief(
        mode_id=UNAIMED,
        description="no weakness: ordinary questions about ordinary pictures",
        predicate=Predicate(),
        wanted=wanted,
        seed=seed,
    )


class UnaimedPlanner:
    """Every skill once, in random order, and again; asks no model.

    Args:
        skills: what can be asked about these pictures, at least one.
    """

    def __init__(self, skills: Sequence[str]) -> None:
        self._skills = tuple(skills)

    def plan(self, brief: Brief, n: int, earlier: Sequence[Sketch]) -> Sequence[Sketch]:
        """`n` sketches that any picture fits, going on where the earlier ones ended."""
        numbers = range(len(earlier), len(earlier) + n)
        return [
            Sketch(
                "whatever is there",
                f"something that calls for {self._skill(number)}",
                draw=f"{brief.seed}/{number}",
            )
            for number in numbers
        ]

    def _skill(self, number: int) -> str:
        cycle, place = divmod(number, len(self._skills))
        return random.Random(f"unaimed/{cycle}").sample(self._skills, len(self._skills))[place]
