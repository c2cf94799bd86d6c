"""Difficulty: a sample that the candidate always, or never, gets right gives GRPO no signal.

>>> from scotoma.core import ImageRecord
>>> Difficulty().reason(Draft(ImageRecord(id="ab12", source="mine"), "is it a cat ?", "yes", pass_rate=1.0))
'too_easy'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scotoma.core import ChatModel, Sampling
from scotoma.generate.checks.check import Check, Draft
from scotoma.generate.checks.sampling import sampled
from scotoma.verify.rules import match


class PassRate:
    """How often a model answers a draft rightly, of `samples` answers drawn at temperature 1 (DPE: 9).

    Rules decide; calls that fail, and answers that no rule can judge, count neither way. The question is worded (`put`)
    and bounded as in training, or the rate would be of something else.
    """

    def __init__(
        self,
        model: ChatModel,
        samples: int = 9,
        put: Callable[[str], str] = str,
        max_tokens: int = Sampling().max_tokens,
    ) -> None:
        self._model = model
        self._put = put
        self._max_tokens = max_tokens
        self._samples = samples

    def __call__(self, draft: Draft) -> float | None:
        """In [0, 1]; None where no more than half of the answers could be judged.

        Raises:
            Outage: half of the calls or more were not answered.
        """
        said = sampled(self._model, draft, self._samples, 1.0, put=self._put, max_tokens=self._max_tokens)
        closed = draft.image.facts is not None  # else a synonym may be as right
        judged = [match(answer, draft.answer or "", closed=closed) for answer in said]
        decided = [found for found in judged if found != "undecided"]
        return decided.count("correct") / len(decided) if 2 * len(decided) > len(judged) else None


class Difficulty(Check):
    """Rejects what lies outside the band, where the pass rate was measured (DPE, arXiv 2602.22859: [.3, .8] of 9).

    Args:
        band: least and greatest share of right answers, both allowed, in [0, 1].
        pass_rates: mode id → pass rate in [0, 1], as the diagnosis measured it; holds for the mode's samples that were
            not measured one by one.
        measure: how a draft is measured that was not, a `PassRate` say; None: it is not.
    """

    name = "difficulty"

    def __init__(
        self,
        band: tuple[float, float] = (0.3, 0.8),
        pass_rates: Mapping[str, float] | None = None,
        measure: Callable[[Draft], float | None] | None = None,
    ) -> None:
        self._low, self._high = band
        self._pass_rates = pass_rates or {}
        self._measure = measure

    def reason(self, draft: Draft) -> str | None:
        """`too_hard` or `too_easy`."""
        rate = draft.pass_rate
        if rate is None and self._measure is not None:
            rate = self._measure(draft)
        if rate is None:
            rate = self._pass_rates.get(draft.mode_id or "")
        if rate is None:
            return None
        if rate < self._low:
            return "too_hard"
        return "too_easy" if rate > self._high else None
