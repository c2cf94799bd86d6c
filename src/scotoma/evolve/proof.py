"""The proof: that the gain is the targeting's, that it is steady, and that it is real.

Everything is measured on the same questions of the `test` split by every checkpoint, so all differences are paired, and
intervals come from a bootstrap over images.

    stations = {"targeted": ["base", "round1/targeted"], "uniform": ["base", "round1/uniform"]}
    course = Course(tests, stations, samples=6000)
    course.gain_ratio("targeted", "uniform"), course.efficiency("targeted", "uniform"), course.drops("targeted")
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from scotoma.core import Observation, Rate
from scotoma.diagnose.change import change, question_of
from scotoma.diagnose.statistics import bounds, paired_difference, resampled_means
from scotoma.evolve.examination import part
from scotoma.store.summary import BiasSummary, DropSummary, EfficiencySummary, ModeAccuracy

Floats = npt.NDArray[np.float64]

LEVEL = 0.8
"""The share of the final gain that an arm is to reach."""

_LEAST_GAIN = 1e-3
"""A control's gain that is no greater (or a loss) would make any ratio infinite: it counts as this much."""

_FREQUENT = 0.01
"""Answers that are rarer than this on both sides are not looked at one by one."""

_RESAMPLES = 20_000
"""Of an interval for many answers together, whose tails a usual number would hardly reach."""


@dataclass(frozen=True)
class Course:
    """How every arm went: the checkpoints that it stood at, from the base on, one more after every round.

    `tests` holds the observations of each checkpoint on the `test` split; `samples` is an arm's volume per round.
    """

    tests: Mapping[str, Sequence[Observation]]
    stations: Mapping[str, Sequence[str]]
    samples: int

    def gain_ratio(self, arm: str, control: str) -> Rate | None:
        """The gain on the confirmed modes over the control's; a control without a gain counts as a tenth of a point."""
        names = [self.stations[arm][0], self.stations[arm][-1], self.stations[control][-1]]
        if (found := self._means(names)) is None:
            return None
        value, draws = (
            (means[:, 1] - means[:, 0]) / np.maximum(means[:, 2] - means[:, 0], _LEAST_GAIN)
            for means in (found.whole, found.drawn)
        )
        return bounds(float(value[0]), draws, found.n)

    def efficiency(self, arm: str, control: str) -> EfficiencySummary | None:
        """Samples that the arm needed for `LEVEL` of its final gain on the modes, over the control's for as much.

        Between rounds accuracy is taken to grow evenly. A control that never got there counts with all its samples, so
        that the ratio is at most that. None where the arm did not surely gain: 80 % of nothing takes no samples.
        """
        names = [*self.stations[arm], *self.stations[control][1:]]
        if len(self.stations[arm]) < 2 or (found := self._means(names)) is None:
            return None
        split = len(self.stations[arm])

        def ratio(means: Floats) -> tuple[float, bool]:
            ours = means[:split] - means[0]
            theirs = np.concatenate([[0.0], means[split:] - means[0]])
            level = LEVEL * ours[-1]
            if level <= 0:
                return 1.0, False
            mine, _ = self._reached(ours, level)
            other, there = self._reached(theirs, level)
            return mine / other, there

        if np.quantile(found.drawn[:, split - 1] - found.drawn[:, 0], 0.025) <= 0:
            return None
        value, there = ratio(found.whole[0])
        draws = np.array([ratio(means)[0] for means in found.drawn])
        return EfficiencySummary(ratio=bounds(value, draws, found.n), control_reached=there)

    def _reached(self, gains: Floats, level: float) -> tuple[float, bool]:
        """Samples until this gain, and whether it was reached at all."""
        for i in range(1, len(gains)):
            if gains[i] >= level:
                rise = gains[i] - gains[i - 1]
                return self.samples * (i - 1 + (level - gains[i - 1]) / rise), True
        return float(self.samples * (len(gains) - 1)), False

    def drops(self, arm: str) -> list[DropSummary]:
        """The rounds after which the mean over the confirmed modes was significantly lower than before."""
        found = []
        for number, (before, after) in enumerate(
            zip(self.stations[arm], self.stations[arm][1:], strict=False), start=1
        ):
            moved = change(part(self.tests[after], "modes"), part(self.tests[before], "modes"))
            if moved.high < 0:
                found.append(DropSummary(arm=arm, round=number, change=moved))
        return found

    def bias(self, arm: str) -> BiasSummary | None:
        """The answer whose share of all answers to retained questions moved most, and by how much. It was chosen for
        that, so its interval is one of all answers' together (Bonferroni).
        """
        before, after = (
            {question_of(o): o for o in part(self.tests[name], "retained") if o.answered}
            for name in (self.stations[arm][0], self.stations[arm][-1])
        )
        both = [question for question in before if question in after]
        if not both:
            return None
        old, new = ([_said(side[question]) for question in both] for side in (before, after))
        images = [before[question].image_id for question in both]
        frequent = {
            answer
            for said in (old, new)
            for answer, count in Counter(said).items()
            if count >= _FREQUENT * len(both)
        }
        if not frequent:
            return None
        answer = max(sorted(frequent), key=lambda answer: abs(new.count(answer) - old.count(answer)))
        shift = paired_difference(
            [a == answer for a in new],
            [b == answer for b in old],
            images,
            confidence=1 - 0.05 / len(frequent),
            resamples=_RESAMPLES,
        )
        return BiasSummary(answer=answer, shift=shift, answers=len(frequent))

    def _means(self, names: Sequence[str]) -> _Means | None:
        """Accuracy on the modes of several checkpoints, on the questions that all of them answered."""
        answers = [{question_of(o): o for o in part(self.tests[n], "modes") if o.answered} for n in names]
        shared = [question for question in answers[0] if all(question in each for each in answers[1:])]
        if not shared:
            return None
        columns = np.array([[each[q].outcome == "correct" for each in answers] for q in shared], dtype=float)
        images = [answers[0][question].image_id for question in shared]
        return _Means(columns.mean(axis=0)[None], resampled_means(columns, images), len(shared))


def outcome_of(mode: ModeAccuracy) -> Literal["repaired", "open", "regressed"]:
    """What a repair did to a mode. Repaired: the change is significant, on the same questions, and at least half of
    what was wrong is right now. Regressed: a significant fall.
    """
    changed = mode.change
    if changed is None:
        return "open"
    if changed.high < 0:
        return "regressed"
    mended = changed.low > 0 and changed.value >= 0.5 * (1 - mode.before.value)
    return "repaired" if mended else "open"


@dataclass(frozen=True)
class _Means:
    whole: Floats
    drawn: Floats
    n: int


def _said(observation: Observation) -> str:
    return observation.answer.strip().lower()
