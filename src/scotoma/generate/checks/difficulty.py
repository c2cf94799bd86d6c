"""Difficulty: a sample that the candidate always, or never, gets right gives GRPO no signal.

>>> from scotoma.core import ImageRecord
>>> Difficulty().reason(Draft(ImageRecord(id="ab12", source="mine"), "is it a cat ?", "yes", pass_rate=1.0))
'too_easy'
"""

from __future__ import annotations

from scotoma.generate.checks.check import Check, Draft


class Difficulty(Check):
    """Rejects what lies outside the band, where the pass rate was measured (DPE, arXiv 2602.22859: [.3, .8] of 9).

    Args:
        band: least and greatest share of right answers, both allowed, in [0, 1].
    """

    name = "difficulty"

    def __init__(self, band: tuple[float, float] = (0.3, 0.8)) -> None:
        self._low, self._high = band

    def reason(self, draft: Draft) -> str | None:
        """`too_hard` or `too_easy`."""
        if draft.pass_rate is None:
            return None
        if draft.pass_rate < self._low:
            return "too_hard"
        return "too_easy" if draft.pass_rate > self._high else None
