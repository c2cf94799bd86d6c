"""How every question ended, the four kinds never mixed: failure, correct, invalid (by reason), infrastructure error.

tally = Tally.of(run.ledger, "discover")
tally.failure, tally.invalid_reasons
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from scotoma.store import Ledger


@dataclass(frozen=True)
class Tally:
    """The questions of one phase or several, counted. `reasons` says why the invalid ones are, most first."""

    failure: int = 0
    correct: int = 0
    invalid: int = 0
    infrastructure: int = 0
    images: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, ledger: Ledger, *phases: str) -> Tally:
        """The observations of these phases."""
        asked = [item for phase in phases for item in ledger.observations(phase)]
        outcomes = Counter(item.outcome for item in asked)
        reasons = Counter(str(item.verdict.invalidity) for item in asked if item.outcome == "invalid")
        return cls(
            failure=outcomes["failure"],
            correct=outcomes["correct"],
            invalid=outcomes["invalid"],
            infrastructure=outcomes["infrastructure"],
            images=len({item.image_id for item in asked}),
            reasons=dict(reasons.most_common()),
        )

    @property
    def questions(self) -> int:
        """All of them."""
        return self.failure + self.correct + self.invalid + self.infrastructure

    def share(self, number: int) -> float:
        """Of all questions, in [0, 1]."""
        return number / self.questions if self.questions else 0.0
