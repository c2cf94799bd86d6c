"""Facts decide validity and correctness; what they cannot decide they leave to others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from scotoma.core import Claim, Examination, ImageRecord, Observation, Verdict, Verifier
from scotoma.verify.facts import FactsVerifier


@dataclass(frozen=True)
class OneStar:
    """A picture of a single red star."""

    def examine(self, question: str) -> Examination:
        known = {"how many stars ?": "1", "is there a star ?": "yes", "what colour is the star ?": "red"}
        if question in known:
            answers = ("red", "blue") if "colour" in question else ()
            return Examination(
                valid=True, answer=known[question], tags={"skill": ("counting",)}, answers=answers
            )
        reason = "no_referent" if "circle" in question else "unparsable"
        return Examination(valid=False, reason=reason)

    def to_json(self) -> dict[str, Any]:
        return {}


def claim(question: str, answer: str | None = None, *, facts: bool = True) -> Claim:
    return Claim(
        image=ImageRecord("ab", "test", facts=OneStar() if facts else None), question=question, answer=answer
    )


def outcome(verdict: Verdict) -> str:
    return Observation(key="k", phase="discover", image_id="ab", question="?", verdict=verdict).outcome


def judge(
    question: str, answer: str | None = None, *, facts: bool = True, error: str | None = None
) -> Verdict:
    [verdict] = FactsVerifier().judge([claim(question, answer, facts=facts)], [error])
    return verdict


def test_it_is_a_verifier() -> None:
    verifier: Verifier = FactsVerifier()
    assert verifier.judge([]) == []


@pytest.mark.parametrize(
    ("answer", "correct"),
    [("1", 1.0), ("One.", 1.0), ("<think>2?</think>there is one star", 1.0), ("2", 0.0), ("", 0.0)],
)
def test_a_valid_question_is_judged_by_rules(answer: str, correct: float) -> None:
    verdict = judge("how many stars ?", answer)
    assert (verdict.valid, verdict.truth, verdict.correct, verdict.decided_by) == (
        True,
        "1",
        correct,
        "facts",
    )
    assert outcome(verdict) == ("correct" if correct else "failure")


@pytest.mark.parametrize(
    ("question", "reason"), [("what colour is the circle ?", "no_referent"), ("star how ?", "unparsable")]
)
def test_an_invalid_question_is_named_and_has_no_correctness(question: str, reason: str) -> None:
    verdict = judge(question, "red")
    assert (verdict.valid, verdict.reason, verdict.correct) == (False, reason, None)
    assert outcome(verdict) == "invalid"


def test_without_an_answer_only_validity_and_truth_are_told() -> None:
    verdict = judge("is there a star ?")
    assert (verdict.valid, verdict.truth, verdict.correct) == (True, "yes", None)


def test_without_facts_nobody_has_decided() -> None:
    verdict = judge("is there a star ?", "yes", facts=False)
    assert (verdict.valid, verdict.correct, verdict.error, verdict.decided_by) == (None, None, None, "nobody")


def test_an_error_is_one_only_if_the_caller_says_so() -> None:
    silent, struck = judge("how many stars ?", ""), judge("how many stars ?", "", error="timeout")
    assert outcome(silent) == "failure"
    assert (struck.valid, struck.correct, struck.error) == (True, None, "timeout")
    assert outcome(struck) == "infrastructure"


def test_an_answer_that_rules_cannot_read_is_not_called_wrong() -> None:
    verdict = judge("what colour is the star ?", "somewhere between crimson and orange, I believe")
    assert (verdict.valid, verdict.correct, verdict.reason, verdict.truth) == (True, None, "undecided", "red")


def test_known_answers_help_with_wordy_ones() -> None:
    assert judge("what colour is the star ?", "that star looks blue to me").correct == 0.0


def test_verdicts_come_in_the_order_of_the_claims() -> None:
    verdicts = FactsVerifier().judge(
        [claim("how many stars ?", "1"), claim("what ?", "1"), claim("is there a star ?", "no")]
    )
    assert [outcome(verdict) for verdict in verdicts] == ["correct", "invalid", "failure"]


def test_errors_must_match_the_claims() -> None:
    with pytest.raises(ValueError, match="zip"):
        FactsVerifier().judge([claim("how many stars ?", "1")], [None, None])
