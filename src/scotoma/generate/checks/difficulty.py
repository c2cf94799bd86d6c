"""Difficulty: a sample that the candidate always, or never, gets right gives GRPO no signal.

>>> from scotoma.core import ImageRecord
>>> Difficulty().reason(Draft(ImageRecord(id="ab12", source="mine"), "is it a cat ?", "yes", pass_rate=1.0))
'too_easy'
"""

from __future__ import annotations

from collections.abc import Mapping

from scotoma.generate.checks.check import Check, Draft


class Difficulty(Check):
    """Rejects what lies outside the band, where the pass rate was measured (DPE, arXiv 2602.22859: [.3, .8] of 9).

    Args:
        band: least and greatest share of right answers, both allowed, in [0, 1].
        pass_rates: mode id → pass rate in [0, 1], as the diagnosis measured it; holds for the mode's samples that were
            not measured one by one.
    """

    name = "difficulty"

    def __init__(
        self, band: tuple[float, float] = (0.3, 0.8), pass_rates: Mapping[str, float] | None = None
    ) -> None:
        self._low, self._high = band
        self._pass_rates = pass_rates or {}

    def reason(self, draft: Draft) -> str | None:
        """`too_hard` or `too_easy`."""
        rate = draft.pass_rate if draft.pass_rate is not None else self._pass_rates.get(draft.mode_id or "")
        if rate is None:
            return None
        if rate < self._low:
            return "too_hard"
        return "too_easy" if rate > self._high else None
