"""Shrinking: from a failure to the smallest scene and question that still fail, as property-testing tools do.

Greedy to a fixpoint (Zeller & Hildebrandt 2002; MacIver & Donaldson 2020): of everything that the world offers as one
step smaller, the first that is valid by facts, inside the mode, and answered wrongly takes the failure's place, and so
on until nothing smaller fails. The candidate is really asked at every step. Many failures shrink side by side, so that
it answers in batches.

    shrunk = Shrinker(world, interview).shrink([Failing(record, observation, mode.predicate)])
    shrunk[0].image, shrunk[0].example.smallest.question
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from scotoma.core import Example, ImageRecord, Observation, Predicate, ReducibleWorld, Shrunk, Verdict
from scotoma.discover.interview import Asked, Interview
from scotoma.discover.progress import Progress, silent

PHASE = "smaller"
"""The phase of the smallest questions in the ledger; the steps on the way are counted, not kept."""


@dataclass(frozen=True)
class Failing:
    """A failure to be made small, inside `within` (None: whatever still fails)."""

    image: ImageRecord
    observation: Observation
    within: Predicate | None = None


@dataclass(frozen=True)
class Shrinkage:
    """What came of one failure: the example with its figures, and the smallest picture and question for the ledger."""

    example: Shrunk
    image: ImageRecord
    observation: Observation


@dataclass
class _Descent:
    """One failure on its way down. `steps` yields what is smaller than `at` and may be asked; `done` when it is at its
    end, `lost` when an error kept a step from being answered.
    """

    start: Failing
    at: Observation
    image: ImageRecord
    steps: Iterator[Asked]
    asked: int = 0
    done: bool = False
    lost: bool = False
    tried: set[tuple[str, str]] = field(default_factory=set)


class Shrinker:
    """Makes failures small.

    Args:
        world: what is smaller.
        interview: the candidate, and the facts.
        most: candidate queries for one failure, at the most, one more at the end aside.
        together: steps of one failure that are asked at once. It changes no result, as the first that fails is taken;
            more means fewer, larger batches, and more queries in vain.
    """

    def __init__(
        self, world: ReducibleWorld, interview: Interview, *, most: int = 120, together: int = 4
    ) -> None:
        self._world = world
        self._interview = interview
        self._most = most
        self._together = together

    def shrink(self, failures: Sequence[Failing], progress: Progress = silent) -> list[Shrinkage]:
        """The smallest of each, in order. Every picture must carry its facts."""
        descents = [self._begin(failure) for failure in failures]
        while active := [descent for descent in descents if not descent.done and self._left(descent)]:
            progress("shrink", len(descents) - len(active), len(descents))
            drawn = [self._draw(descent) for descent in active]
            replies = iter(self._interview.ask([step for steps in drawn for step in steps], PHASE))
            for descent, steps in zip(active, drawn, strict=True):
                self._take(descent, steps, [next(replies) for _ in steps])
        progress("shrink", len(descents), len(descents))
        last = self._interview.ask([_again(n, descent) for n, descent in enumerate(descents)], PHASE)
        return [self._result(*pair) for pair in zip(descents, last, strict=True)]

    def _begin(self, failure: Failing) -> _Descent:
        descent = _Descent(failure, failure.observation, failure.image, iter(()))
        descent.steps = self._steps(descent)
        return descent

    def _left(self, descent: _Descent) -> int:
        return self._most - descent.asked

    def _draw(self, descent: _Descent) -> list[Asked]:
        """The next few steps; none left to try means that nothing smaller fails."""
        steps: list[Asked] = []
        for step in descent.steps:
            steps.append(step)
            if len(steps) == min(self._together, self._left(descent)):
                break
        descent.done = not steps
        return steps

    def _take(self, descent: _Descent, steps: Sequence[Asked], replies: Sequence[Observation]) -> None:
        descent.asked += len(steps)
        for step, reply in zip(steps, replies, strict=True):
            if reply.outcome == "failure":
                descent.at, descent.image = reply, step.image
                descent.steps, descent.lost = self._steps(descent), False
                return
            if reply.outcome == "infrastructure":
                descent.lost = True
            else:
                descent.tried.add((step.image.id, step.question))

    def _steps(self, descent: _Descent) -> Iterator[Asked]:
        """Smaller pairs that are valid, inside the mode and not tried before; drawn only when they are wanted."""
        facts = descent.image.facts
        if facts is None:
            return
        within = descent.start.within
        for smaller in self._world.reductions(facts, descent.at.question):
            examined = smaller.facts.examine(smaller.question)
            if not examined.valid or (within is not None and not within.matches(examined.tags)):
                continue
            image = self._world.render(smaller.facts, descent.start.image.split)
            if (image.id, smaller.question) in descent.tried:
                continue
            verdict = Verdict(valid=True, truth=examined.answer, decided_by="facts")
            yield Asked("", image, smaller.question, asked_by="shrinker", verdict=verdict)

    def _result(self, descent: _Descent, last: Observation) -> Shrinkage:
        start = descent.start
        example = Shrunk(
            original=self._example(start.image, start.observation),
            smallest=self._example(descent.image, descent.at),
            still_failing=None if last.outcome == "infrastructure" else last.outcome == "failure",
            minimal=descent.done and not descent.lost,
            queries=descent.asked + 1,
        )
        return Shrinkage(example, descent.image, last)

    def _example(self, image: ImageRecord, observation: Observation) -> Example:
        return Example(
            image_id=image.id,
            question=observation.question,
            answer=observation.answer,
            truth=observation.verdict.truth,
            things=self._world.things(image.facts) if image.facts is not None else 0,
            words=words(observation.question),
        )


def words(question: str) -> int:
    """How many words a question has, without its punctuation.

    >>> words("is there a star ?")
    4
    """
    return len(re.findall(r"\w+", question))


def _again(number: int, descent: _Descent) -> Asked:
    # With its number: a failure of two modes shrinks inside each of them, to two questions.
    key = f"{PHASE}/{number}/{descent.start.observation.key}"
    return Asked(key, descent.image, descent.at.question, asked_by="shrinker")
