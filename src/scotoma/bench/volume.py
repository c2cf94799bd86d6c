"""How many samples the targeting saves: the same spirals at other volumes, and the least with which an arm gets there.

With as many steps a round, fewer samples may teach as much. So an arm counts with the fewest samples, over all volumes
and rounds, with which it reaches the level: nobody would make more.

>>> least({6000: [0.25, 0.75], 500: [0.25, 0.5, 0.75]}, gain=0.375)
750.0
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scotoma.core import Rate
from scotoma.diagnose.average import geometric_mean
from scotoma.evolve.proof import LEVEL
from scotoma.store.summary import Summary

ARM, CONTROL = "targeted", "uniform"

Courses = Mapping[int, Sequence[float]]
"""By samples a round: an arm's accuracy on the modes, of the base and after every round, each in [0, 1]."""


def course_of(summary: Summary, arm: str) -> list[float]:
    """An arm's accuracy on the modes, of the base and after each round; a refused round changes nothing."""
    course: list[float] = []
    for turn in summary.rounds:
        own = turn.arms.get(arm)
        if own is None or own.modes_accuracy_before is None or own.modes_accuracy_after is None:
            break
        course = course or [own.modes_accuracy_before.value]
        course.append(own.modes_accuracy_after.value if own.gate == "accepted" else course[-1])
    return course


def least(courses: Courses, gain: float) -> float | None:
    """The fewest samples, of all rounds together, with which the accuracy has risen so far; None where it never has.

    Between rounds accuracy is taken to grow evenly.
    """
    reached = (_reached(volume, course, gain) for volume, course in courses.items())
    return min((samples for samples in reached if samples is not None), default=None)


def _reached(volume: int, course: Sequence[float], gain: float) -> float | None:
    for i in range(1, len(course)):
        if course[i] - course[0] >= gain:
            return volume * (i - 1 + (gain - course[i - 1] + course[0]) / (course[i] - course[i - 1]))
    return None


@dataclass(frozen=True)
class Needs:
    """What both arms of one planted candidate and seed needed for `LEVEL` of the targeted arm's gain.

    A control that never got there counts with the most samples that it was given, so that the ratio is at most that.
    """

    targeted: float
    control: float


def needs(targeted: Courses, control: Courses) -> Needs | None:
    """Of the courses at all volumes; the gain is that of the largest. None where the targeted arm gained nothing."""
    final = targeted[max(targeted)]
    gain = LEVEL * (final[-1] - final[0])
    ours = least(targeted, gain) if gain > 0 else None
    if ours is None:
        return None
    theirs = least(control, gain)
    most = max(volume * (len(course) - 1) for volume, course in control.items())
    return Needs(ours, most if theirs is None else theirs)


def saved(found: Sequence[Needs]) -> Rate | None:
    """The targeted arm's samples over the control's: the geometric mean over spirals; None of none."""
    return geometric_mean([each.targeted / each.control for each in found]) if found else None
