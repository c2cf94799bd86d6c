"""The verifier that cannot be wrong: it asks the facts that travel with a rendered image.

An answer that rules cannot read is left open (`reason="undecided"`), never called wrong.

    [verdict] = FactsVerifier().judge([Claim(image=record, question="how many stars are there ?", answer="3")])
    verdict.valid, verdict.truth, verdict.correct
"""

from __future__ import annotations

from collections.abc import Sequence

from scotoma.core import Claim, Verdict
from scotoma.verify.rules import match


class FactsVerifier:
    """Judges by `Facts.examine`, first in every chain. An image without facts gets `valid=None`: somebody else
    decides.
    """

    def judge(self, items: Sequence[Claim], errors: Sequence[str | None] | None = None) -> list[Verdict]:
        """One verdict per claim, in order; see `core.Verifier`."""
        struck = errors if errors is not None else [None] * len(items)
        return [self._judge(claim, error) for claim, error in zip(items, struck, strict=True)]

    def _judge(self, claim: Claim, error: str | None) -> Verdict:
        if claim.image.facts is None:
            return Verdict(error=error)
        examined = claim.image.facts.examine(claim.question)
        if not examined.valid:
            return Verdict(valid=False, reason=examined.reason, decided_by="facts", error=error)
        if examined.answer is None:
            return Verdict(error=error)
        if claim.answer is None or error is not None:
            return Verdict(valid=True, truth=examined.answer, decided_by="facts", error=error)
        found = match(claim.answer, examined.answer, alternatives=examined.answers)
        if found == "undecided":
            return Verdict(valid=True, truth=examined.answer, reason="undecided", decided_by="facts")
        correct = 1.0 if found == "correct" else 0.0
        return Verdict(valid=True, truth=examined.answer, correct=correct, decided_by="facts")
