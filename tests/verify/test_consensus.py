"""Several judges decide by a clear majority, and where there is none, nobody does."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.core import Claim, ImageRecord, Observation, ReplyError, Request, Verdict
from scotoma.models.scripted import ScriptedModel
from scotoma.verify.consensus import NO_CONSENSUS, ConsensusVerifier
from scotoma.verify.judge import JudgeVerifier

PHOTO = ImageRecord("ab", "test", data=b"")
WORDY = "that is hard to tell, but possibly so"


def claim(answer: str | None = None, truth: str | None = None) -> Claim:
    return Claim(image=PHOTO, question="what is it ?", answer=answer, truth=truth)


def judge(
    says: str | None, *, same: bool | None = None, model: list[ScriptedModel] | None = None
) -> JudgeVerifier:
    """A judge that answers the question with `says` (`-reason`: calls it invalid; None: times out)."""

    def reply(request: Request) -> str | ReplyError:
        if says is None:
            return ReplyError("timeout", "slow")
        if "Given answer:" in request.text:
            return json.dumps({"correct": same}) if same is not None else ReplyError("refused", "no")
        if says.startswith("-"):
            return json.dumps({"valid": False, "reason": says[1:]})
        return json.dumps({"valid": True, "answer": says})

    scripted = ScriptedModel(reply)
    if model is not None:
        model.append(scripted)
    return JudgeVerifier(scripted)


def consensus(*says: str | None, agreement: float = 0.6, answer: str | None = None) -> Verdict:
    return ConsensusVerifier([judge(text) for text in says], agreement=agreement).judge([claim(answer)])[0]


def outcome(verdict: Verdict) -> str:
    return Observation(key="k", phase="p", image_id="ab", question="?", verdict=verdict).outcome


@pytest.mark.parametrize(
    ("says", "valid", "truth"),
    [
        (("2", "2", "2"), True, "2"),
        (("2", "two", "3"), True, "2"),
        (("30 mm", "2", "3 cm"), True, "30 mm"),
        (("2", "-ambiguous", "-ambiguous"), False, None),
        (("2", "3", "4"), None, None),
        (("2", "2", "3", "3"), None, None),
        (("2", "2", "-malformed", "-ambiguous"), None, None),
        (("2",), True, "2"),
        (("2", "2", None), True, "2"),
    ],
)
def test_a_majority_decides_validity_and_truth(
    says: Sequence[str | None], valid: bool | None, truth: str | None
) -> None:
    verdict = consensus(*says)
    assert (verdict.valid, verdict.truth, verdict.decided_by) == (valid, truth, "consensus")
    if valid is None:
        assert (verdict.reason, outcome(verdict)) == (NO_CONSENSUS, "infrastructure")


def test_the_reason_is_the_most_frequent_one() -> None:
    assert consensus("-ambiguous", "-malformed", "-malformed").reason == "malformed"


def test_the_share_that_must_agree_is_a_setting() -> None:
    assert consensus("2", "2", "3", agreement=0.9).reason == NO_CONSENSUS
    assert consensus("2", "2", "3", agreement=0.1).truth == "2"
    assert consensus("2", "3", agreement=0.1).reason == NO_CONSENSUS


@pytest.mark.parametrize("says", [(None, None, None), (None, None, "2"), (None, "2")])
def test_without_a_quorum_the_error_stands(says: Sequence[str | None]) -> None:
    verdict = consensus(*says)
    assert (verdict.error, outcome(verdict)) == ("judge:timeout", "infrastructure")


@pytest.mark.parametrize(("votes", "correct"), [((True, True, False), 1.0), ((False, True, False), 0.0)])
def test_a_majority_decides_on_an_answer_that_rules_cannot_read(
    votes: Sequence[bool], correct: float
) -> None:
    verifier = ConsensusVerifier([judge("red", same=vote) for vote in votes])
    [verdict] = verifier.judge([claim(WORDY)])
    assert (verdict.correct, verdict.truth, verdict.decided_by) == (correct, "red", "consensus")


def test_a_tie_on_an_answer_is_no_consensus() -> None:
    [verdict] = ConsensusVerifier([judge("red", same=True), judge("red", same=False)]).judge([claim(WORDY)])
    assert (verdict.reason, outcome(verdict)) == (NO_CONSENSUS, "infrastructure")


def test_rules_decide_before_any_vote_on_the_answer() -> None:
    models: list[ScriptedModel] = []
    verifier = ConsensusVerifier([judge("3", model=models) for _ in range(3)])
    first, second = verifier.judge([claim("4"), claim("3", truth="3")])
    assert [(v.correct, v.decided_by) for v in (first, second)] == [(0.0, "rules"), (1.0, "rules")]
    assert [len(model.requests) for model in models] == [1, 1, 1]


@pytest.mark.parametrize(("same", "truth"), [(True, "a brown dog on the green grass"), (False, None)])
def test_truths_in_other_words_are_compared_by_the_judges(same: bool, truth: str | None) -> None:
    says = ("a brown dog on the green grass", "some dog that lies on a lawn", "a dog lying down on a meadow")
    [verdict] = ConsensusVerifier([judge(text, same=same) for text in says]).judge([claim()])
    assert verdict.truth == truth


def test_an_answer_that_never_came_is_not_voted_on() -> None:
    models: list[ScriptedModel] = []
    verifier = ConsensusVerifier([judge("red", model=models) for _ in range(2)])
    verdicts = verifier.judge([claim(""), claim("", truth="red")], ["timeout", "refused"])
    assert [v.error for v in verdicts] == ["timeout", "refused"]
    assert [model.requests for model in models] == [[], []]


def test_agreement_is_counted() -> None:
    verifier = ConsensusVerifier([judge("red"), judge("red"), judge("blue")])
    verifier.judge([claim()])
    assert (verifier.agreement.ruled, verifier.agreement.unanimous) == (1, 0)


@given(st.lists(st.sampled_from([None, "2", "3", "-ambiguous", "-malformed"]), min_size=1, max_size=6))
def test_whatever_the_votes_a_decision_has_a_majority(says: list[str | None]) -> None:
    verdict = consensus(*says)
    if verdict.valid:
        assert 2 * says.count(verdict.truth) > len([vote for vote in says if vote])
    elif verdict.valid is False:
        assert 2 * sum(vote is not None and vote[0] == "-" for vote in says) > len([v for v in says if v])
    else:
        assert outcome(verdict) == "infrastructure"
