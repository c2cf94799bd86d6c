"""Single answer: the question has exactly one, and the picture settles it.

SingleAnswer(Reread(world)).reason(draft)       # "ambiguous" where "the star" could be either of two
"""

from __future__ import annotations

from scotoma.generate.checks.check import Check, Draft
from scotoma.generate.checks.opinion import SecondOpinion


class SingleAnswer(Check):
    """Rejects invalid questions (V_Q = 0), by the five names of `core.invalidity`."""

    name = "single_answer"

    def __init__(self, opinion: SecondOpinion) -> None:
        self._opinion = opinion

    def reason(self, draft: Draft) -> str | None:
        """`ambiguous`, `several_questions`, `not_grounded`, `not_answerable` or `malformed`; None also where
        undecided.
        """
        return self._opinion.of(draft).invalidity
