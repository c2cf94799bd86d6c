"""The planner as a language model: from a mode's description and a few of its failures to sketches.

LanguagePlanner(consultant).plan(brief, 4, earlier=())[0].search     # "crowded shelf mugs"
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from scotoma.core import Predicate, ScotomaError
from scotoma.generate.handover import Brief, FailedQuestion, Sketch
from scotoma.generate.llm.consultant import Consultant, rendered
from scotoma.images.editing import PictureEdit

EXAMPLES = 8
"""Failures that the planner is told of."""

PICTURES = 3
"""Of these, how many it is shown with their picture."""

REMEMBERED = 40
"""Earlier sketches that it is told not to repeat, the latest."""


class Proposal(BaseModel):
    """One sketch, as the model writes it."""

    model_config = ConfigDict(frozen=True)

    shows: str = Field(min_length=1, max_length=600)
    asks: str = Field(min_length=1, max_length=400)
    search: str = Field(default="", max_length=200)
    edits: tuple[PictureEdit, ...] = Field(default=(), max_length=3)
    instruction: str = Field(default="", max_length=600)
    near_miss: bool = False


class Proposals(BaseModel):
    """What the planner replies."""

    model_config = ConfigDict(frozen=True)

    sketches: tuple[Proposal, ...] = Field(min_length=1)


class LanguagePlanner:
    """Which failures it is told of is drawn anew each time, from the brief's seed."""

    def __init__(self, consultant: Consultant[Proposals]) -> None:
        self._consultant = consultant

    def plan(self, brief: Brief, n: int, earlier: Sequence[Sketch]) -> Sequence[Sketch]:
        """Up to `n` sketches. Near misses are bound to no predicate: what they miss, only the words say.

        Raises:
            Outage: the model failed, or wrote nothing that can be read.
        """
        rng = random.Random(f"plan/{brief.mode_id}/{brief.seed}")
        told = rng.sample(brief.failures, min(EXAMPLES, len(brief.failures)))
        shown = [failure.image for failure in told if _readable(failure)][:PICTURES]
        numbers = {image.id: number for number, image in enumerate(shown, start=1)}
        prompt = rendered(
            "plan.jinja",
            description=json.dumps(brief.description, ensure_ascii=False),
            predicate=json.dumps(str(brief.predicate), ensure_ascii=False),
            failures=[_told(failure, numbers.get(failure.image.id)) for failure in told],
            earlier=[json.dumps(sketch.shows, ensure_ascii=False) for sketch in earlier[-REMEMBERED:]],
            n=n,
        )
        proposals = self._consultant.ask(prompt, shown, rng.getrandbits(31)).sketches
        return [
            Sketch(
                shows=proposal.shows,
                asks=proposal.asks,
                search=proposal.search or proposal.shows,
                edits=proposal.edits,
                instruction=proposal.instruction,
                must=Predicate() if proposal.near_miss else brief.decidable,
                purpose="contrast" if proposal.near_miss else "mode",
                like=rng.choice(told) if told else None,
            )
            for proposal in proposals[:n]
        ]


def planner_instructions(*, paints: bool) -> str:
    """What the model is told once; `paints`: whether somebody carries out instructions to a generative editor."""
    return rendered("planner.jinja", paints=paints)


def _readable(failure: FailedQuestion) -> bool:
    """A picture that is gone costs the example its picture, not the plan."""
    try:
        failure.image.open()
    except ScotomaError:
        return False
    return True


def _told(failure: FailedQuestion, picture: int | None) -> dict[str, object]:
    texts = {"question": failure.question, "answer": failure.answer, "truth": failure.truth}
    return {"picture": picture, **{k: json.dumps(v[:500], ensure_ascii=False) for k, v in texts.items()}}
