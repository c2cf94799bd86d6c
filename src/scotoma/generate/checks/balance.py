"""Balance: a mode whose samples all have one answer teaches that answer, and not the skill.

Balance(most=0.6).reason(draft)      # "balance" once three in five of the mode's samples say "yes"
"""

from __future__ import annotations

from collections import Counter, defaultdict

from scotoma.generate.checks.check import Check, Draft


class Balance(Check):
    """Holds every answer's share of its mode's samples at or below `most`; what is for no mode is one group as well.

    Args:
        most: in (0, 1]. Yes/no questions need more than a half.
        after: samples of a mode before its shares are looked at, ≥ 1.
    """

    name = "balance"

    def __init__(self, most: float = 0.6, after: int = 20) -> None:
        self._most = most
        self._after = after
        self._answers: dict[str | None, Counter[str]] = defaultdict(Counter)

    def reason(self, draft: Draft) -> str | None:
        """`balance`."""
        answers = self._answers[draft.mode_id]
        total = answers.total() + 1
        if total <= self._after:
            return None
        return self.name if answers[draft.bare_answer] + 1 > self._most * total else None

    def keep(self, draft: Draft) -> None:
        """Count its answer."""
        self._answers[draft.mode_id][draft.bare_answer] += 1
