"""C_Q: one greedy answer, or the mean over several sampled ones; a lost answer counts for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import pytest

from scotoma.core import Reply, ReplyError, Request
from scotoma.discover.interview import Asked, Interview
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.verify.facts import FactsVerifier


class Wavering:
    """Answers by the seed: right for those in `right`, lost for those in `lost`, else wrong."""

    name = "wavering"

    def __init__(self, right: Sequence[int] = (), lost: Sequence[int] = ()) -> None:
        self.right, self.lost = right, lost
        self.requests: list[Request] = []

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        self.requests += requests
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Reply:
        facts = request.images[0].facts
        assert facts is not None
        if request.sampling.seed in self.lost:
            return Reply(error=ReplyError("timeout", "too late"))
        truth = facts.examine(request.text).answer
        return Reply(str(truth) if request.sampling.seed in self.right else "all of 99")


def asked(n: int = 3) -> list[Asked]:
    records = islice(ShapesWorld().images("discover", 0), n)
    return [Asked(f"q/{i}", record, "how many things are there ?") for i, record in enumerate(records)]


def test_one_answer_is_greedy_and_leaves_no_samples() -> None:
    candidate = Wavering(right=[0])
    observations = Interview(candidate, FactsVerifier()).ask(asked(), "discover")
    assert [o.outcome for o in observations] == ["correct"] * 3
    assert [o.samples for o in observations] == [()] * 3
    assert {request.sampling.temperature for request in candidate.requests} == {0.0}


@pytest.mark.parametrize(
    ("right", "lost", "correct", "outcome"),
    [
        ((0, 1, 2), (), 0.75, "correct"),
        ((1, 3), (), 0.5, "correct"),
        ((3,), (), 0.25, "failure"),
        ((), (), 0.0, "failure"),
        ((1,), (0, 2), 0.5, "correct"),
        ((), (0, 1, 2), 0.0, "failure"),
        ((), (0, 1, 2, 3), None, "infrastructure"),
    ],
)
def test_of_several_the_mean_decides(
    right: tuple[int, ...], lost: tuple[int, ...], correct: float | None, outcome: str
) -> None:
    candidate = Wavering(right, lost)
    [observation] = Interview(candidate, FactsVerifier()).ask(asked(1), "discover", samples=4)
    assert (observation.verdict.correct, observation.outcome) == (correct, outcome)
    assert [sample.seed for sample in observation.samples] == [0, 1, 2, 3]
    assert [sample.error for sample in observation.samples] == [
        "timeout" if seed in lost else None for seed in range(4)
    ]
    assert {request.sampling.temperature for request in candidate.requests} == {1.0}
    assert len(candidate.requests) == 4


def test_the_answer_shown_is_one_that_the_outcome_speaks_of() -> None:
    [failure] = Interview(Wavering(right=[0]), FactsVerifier()).ask(asked(1), "discover", samples=4)
    assert failure.answer == "all of 99"
    [correct] = Interview(Wavering(right=[2, 3]), FactsVerifier()).ask(asked(1), "discover", samples=4)
    assert correct.answer == correct.verdict.truth


def test_an_invalid_question_is_not_put_however_many_samples() -> None:
    candidate = Wavering(right=[0])
    [record] = islice(ShapesWorld().images("discover", 0), 1)
    [observation] = Interview(candidate, FactsVerifier()).ask(
        [Asked("q", record, "what is it all about ?")], "discover", samples=3
    )
    assert (observation.outcome, observation.verdict.invalidity) == ("invalid", "malformed")
    assert (candidate.requests, observation.samples) == ([], ())


def test_pass_rates_are_means_over_samples_too() -> None:
    assert Interview(Wavering(right=[0], lost=[1]), FactsVerifier()).pass_rates(asked(2), 3) == [0.5, 0.5]
    assert Interview(Wavering(lost=[0, 1]), FactsVerifier()).pass_rates(asked(2), 2) == [None, None]
