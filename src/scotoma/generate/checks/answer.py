"""Answer: somebody who did not write the sample gets the same one.

Answer(Reread(world)).reason(draft)       # "answer" when the facts say otherwise
"""

from __future__ import annotations

from scotoma.generate.checks.check import Check, Draft
from scotoma.generate.checks.opinion import SecondOpinion


class Answer(Check):
    """Rejects what a second opinion contradicts, and what it cannot decide: an unsure label is no label."""

    name = "answer"

    def __init__(self, opinion: SecondOpinion) -> None:
        self._opinion = opinion

    def reason(self, draft: Draft) -> str | None:
        """`answer`; `unverified` where the opinion is open or infrastructure failed."""
        if draft.answer is None:
            return self.name
        verdict = self._opinion.of(draft)
        if verdict.error is not None or (verdict.valid is not False and verdict.correct is None):
            return "unverified"
        # An invalid question has no right answer; `single_answer` says why, where it is asked.
        return None if verdict.valid and (verdict.correct or 0.0) >= 0.5 else self.name
