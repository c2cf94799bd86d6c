"""Accuracy on a set of questions and, where two checkpoints were asked the same ones, how it changed.

before, after = ledger.observations("test/base/modes"), ledger.observations("test/round1/targeted/modes")
accuracy(after), change(after, before)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scotoma.core import Observation, Rate
from scotoma.diagnose.statistics import clustered_rate, paired_difference, paired_test


def accuracy(observations: Iterable[Observation]) -> Rate:
    """Share of right answers with its interval, clustered by image; infrastructure errors aside."""
    answered = [o for o in observations if o.answered]
    return clustered_rate([o.outcome == "correct" for o in answered], [o.image_id for o in answered])


@dataclass(frozen=True)
class Paired:
    """The questions that two checkpoints answered: right or wrong `now` and `before`, about which `images`."""

    now: tuple[bool, ...]
    before: tuple[bool, ...]
    images: tuple[str, ...]

    @classmethod
    def of(cls, after: Sequence[Observation], before: Sequence[Observation]) -> Paired:
        """Question by question, in the order of `after`; those that an error took from one of them are left out."""
        earlier = {question_of(o): o for o in before if o.answered}
        pairs = [(o, earlier[question_of(o)]) for o in after if o.answered and question_of(o) in earlier]
        return cls(
            tuple(new.outcome == "correct" for new, _ in pairs),
            tuple(old.outcome == "correct" for _, old in pairs),
            tuple(new.image_id for new, _ in pairs),
        )

    @property
    def difference(self) -> Rate:
        """Of the accuracies, in [-1, 1], clustered by image."""
        return paired_difference(self.now, self.before, self.images)

    @property
    def p_value(self) -> float:
        """Of "both are right equally often": exact, two-sided, clustered by image."""
        return paired_test(self.now, self.before, self.images)


def change(after: Sequence[Observation], before: Sequence[Observation]) -> Rate:
    """Paired difference of accuracy on the questions that both answered, in [-1, 1], clustered by image."""
    return Paired.of(after, before).difference


def question_of(observation: Observation) -> str:
    """The same for the same question in every phase: `modes/17`."""
    return "/".join(observation.key.rsplit("/", 2)[-2:])
