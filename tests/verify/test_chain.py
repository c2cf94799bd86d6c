"""Facts, then rules, then judges: each claim is decided by the first that can."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scotoma.core import Claim, Examination, ImageRecord, Request
from scotoma.models.scripted import ScriptedModel
from scotoma.verify.chain import VerifierChain
from scotoma.verify.facts import FactsVerifier
from scotoma.verify.judge import JudgeVerifier


class OneStar:
    """Facts of a picture of one star, which know one question."""

    def examine(self, question: str) -> Examination:
        if question == "how many stars ?":
            return Examination(valid=True, answer="1")
        return Examination(valid=False, reason="unparsable")

    def to_json(self) -> dict[str, Any]:
        return {}


WORLD = ImageRecord("aa", "world", facts=OneStar())
PHOTO = ImageRecord("bb", "photo", data=b"")


def reply(request: Request) -> str:
    if "Given answer:" in request.text:
        return json.dumps({"correct": "lonely" in request.text})
    return json.dumps({"valid": True, "answer": "2"})


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel(reply)


@pytest.fixture
def chain(model: ScriptedModel) -> VerifierChain:
    return VerifierChain(FactsVerifier(), JudgeVerifier(model))


def test_what_facts_decide_costs_no_call(chain: VerifierChain, model: ScriptedModel) -> None:
    claims = [
        Claim(image=WORLD, question="how many stars ?"),
        Claim(image=WORLD, question="how many stars ?", answer="one"),
        Claim(image=WORLD, question="how many stars ?", answer="4"),
        Claim(image=WORLD, question="star the how ?", answer="4"),
    ]
    verdicts = chain.judge(claims)
    assert [(v.valid, v.correct, v.decided_by) for v in verdicts] == [
        (True, None, "facts"),
        (True, 1.0, "facts"),
        (True, 0.0, "facts"),
        (False, None, "facts"),
    ]
    assert model.requests == []


def test_an_image_without_facts_goes_to_the_judge(chain: VerifierChain) -> None:
    claims = [
        Claim(image=PHOTO, question="how many cups ?"),
        Claim(image=PHOTO, question="how many cups ?", answer="2"),
        Claim(image=PHOTO, question="how many cups ?", answer="a lonely cup as it seems to me"),
    ]
    verdicts = chain.judge(claims)
    assert [(v.truth, v.correct, v.decided_by) for v in verdicts] == [
        ("2", None, "judge"),
        ("2", 1.0, "rules"),
        ("2", 1.0, "judge"),
    ]


def test_where_facts_know_the_truth_the_judge_only_reads_the_answer(
    chain: VerifierChain, model: ScriptedModel
) -> None:
    [verdict] = chain.judge(
        [Claim(image=WORLD, question="how many stars ?", answer="a lonely star as it seems to me")]
    )
    assert (verdict.valid, verdict.truth, verdict.correct) == (True, "1", 1.0)
    assert len(model.requests) == 1
    assert '"1"' in model.requests[0].text


def test_a_lost_answer_stays_lost(chain: VerifierChain, model: ScriptedModel) -> None:
    claims = [Claim(image=image, question="how many stars ?", answer="") for image in (WORLD, PHOTO)]
    verdicts = chain.judge(claims, ["timeout", "timeout"])
    assert [(v.error, v.correct) for v in verdicts] == [("timeout", None)] * 2
    assert model.requests == []


def test_mixed_claims_come_back_in_order(chain: VerifierChain) -> None:
    claims = [
        Claim(image=image, question="how many stars ?", answer=answer)
        for answer in ("1", "2")
        for image in (WORLD, PHOTO)
    ]
    verdicts = chain.judge(claims)
    assert [v.truth for v in verdicts] == ["1", "2", "1", "2"]
    assert [v.correct for v in verdicts] == [1.0, 0.0, 0.0, 1.0]


def test_a_chain_needs_a_link() -> None:
    with pytest.raises(ValueError, match="at least one"):
        VerifierChain()


@pytest.mark.parametrize("question", ["", "  ", "?!", "…"])
def test_what_asks_nothing_is_malformed_and_no_judge_may_call_it_valid(
    chain: VerifierChain, model: ScriptedModel, question: str
) -> None:
    [verdict] = chain.judge([Claim(image=PHOTO, question=question)])
    assert (verdict.valid, verdict.reason, verdict.decided_by) == (False, "malformed", "rules")
    assert not model.requests
