"""The planner of what is aimed at nothing: every skill equally often, whatever the pictures show.

In place of a planner it makes of any crew the control of its targeted samples: the same searcher, editor, writer,
validator and checks, and no word of any weakness.

    crew = replace(crew, planner=UnaimedPlanner(["counting", "colour"]))
    batches(unaimed(100, seed="0"), crew, checks, Pace())

>>> [sketch.asks for sketch in UnaimedPlanner(["counting", "colour"]).plan(unaimed(3, seed="0"), 3, ())]
['something that calls for counting', 'something that calls for colour', 'something that calls for counting']
"""

from __future__ import annotations

from collections.abc import Sequence

from scotoma.core import Predicate
from scotoma.generate.handover import Brief, Sketch


def unaimed(wanted: int, seed: str) -> Brief:
    """A brief that names no weakness."""
    return Brief(
        mode_id="unaimed",
        description="no weakness: ordinary questions about ordinary pictures",
        predicate=Predicate(),
        wanted=wanted,
        seed=seed,
    )


class UnaimedPlanner:
    """Skill after skill, going on where the earlier sketches ended; asks no model.

    Args:
        skills: what can be asked about these pictures, at least one.
    """

    def __init__(self, skills: Sequence[str]) -> None:
        self._skills = tuple(skills)

    def plan(self, brief: Brief, n: int, earlier: Sequence[Sketch]) -> Sequence[Sketch]:
        """`n` sketches that any picture fits."""
        turns = (self._skills[(len(earlier) + i) % len(self._skills)] for i in range(n))
        return [Sketch("whatever is there", f"something that calls for {skill}") for skill in turns]
