"""Accuracy on a set of questions and, where two checkpoints were asked the same ones, how it changed.

before, after = ledger.observations("test/base/modes"), ledger.observations("test/round1/targeted/modes")
accuracy(after), change(after, before)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scotoma.core import Observation, Rate
from scotoma.diagnose.statistics import clustered_rate, paired_difference


def accuracy(observations: Iterable[Observation]) -> Rate:
    """Share of right answers with its interval, clustered by image; infrastructure errors aside."""
    answered = [o for o in observations if o.outcome in ("correct", "failure")]
    return clustered_rate([o.outcome == "correct" for o in answered], [o.image_id for o in answered])


def change(after: Sequence[Observation], before: Sequence[Observation], seed: int = 0) -> Rate:
    """Paired difference of accuracy on the questions that both answered, in [-1, 1], clustered by image."""
    earlier = {question_of(o): o for o in before if o.outcome in ("correct", "failure")}
    pairs = [
        (o, earlier[question_of(o)])
        for o in after
        if o.outcome in ("correct", "failure") and question_of(o) in earlier
    ]
    return paired_difference(
        [a.outcome == "correct" for a, _ in pairs],
        [b.outcome == "correct" for _, b in pairs],
        [a.image_id for a, _ in pairs],
        seed,
    )


def question_of(observation: Observation) -> str:
    """The same for the same question in every phase: `modes/17`."""
    return "/".join(observation.key.rsplit("/", 2)[-2:])
