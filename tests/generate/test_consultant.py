"""Asking a model for typed replies, with PydanticAI's own test models: no server, no network."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from scotoma.core import BudgetError, ImageRecord, ModelError, Predicate, SpecError
from scotoma.generate.handover import Brief, Outage
from scotoma.generate.llm.consultant import Consultant, Manner
from scotoma.generate.llm.planner import LanguagePlanner, Proposals
from scotoma.generate.llm.validator import Answer, LanguageValidator
from scotoma.generate.pictures import PoolSearch
from scotoma.images.editing import Flip
from scotoma.images.search.pool import PicturePool
from scotoma.models.spending import Budget, Spending
from tests.images.test_search import png, record

SKETCH = {"shows": "cups", "asks": "how many cups", "edits": [{"operation": "flip"}], "near_miss": True}


def test_a_reply_that_does_not_fit_is_sent_back_with_what_was_wrong() -> None:
    told: list[str] = []

    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        again = len(messages) > 1
        told.append(str(messages[-1]) if again else "")
        return ModelResponse([TextPart('```json\n{"answer": "3"}\n```' if again else '{"answer": null}')])

    validator = LanguageValidator(Consultant(FunctionModel(model), Answer, Manner("answer")))
    assert validator.validate(ImageRecord("a", "mine", data=png()), "How many?").answer == "3"
    assert "give an answer, or the reason" in " ".join(told)


def test_retries_are_bounded() -> None:
    calls: list[int] = []

    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        calls.append(len(messages))
        return ModelResponse([TextPart("Let me think about that.")])

    consultant = Consultant(FunctionModel(model), Answer, Manner("answer", retries=2))
    with pytest.raises(Outage) as caught:
        consultant.ask("How many?")
    assert caught.value.kind == "unparsable"
    assert len(calls) == 3


def test_a_reason_of_the_validators_own_is_counted_as_one_of_a_few() -> None:
    replies = iter(['{"reason": "Not Grounded"}', '{"reason": "it is a rather dark picture"}'])

    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse([TextPart(next(replies))])

    validator = LanguageValidator(Consultant(FunctionModel(model), Answer, Manner("answer")))
    photo = ImageRecord("a", "mine", data=png())
    assert [validator.validate(photo, "?").reason for _ in range(2)] == ["not_grounded", "no answer"]


def test_a_planner_may_look_into_the_pool_before_it_plans(tmp_path: Path) -> None:
    found: list[str] = []

    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        returned = [
            part for message in messages for part in message.parts if isinstance(part, ToolReturnPart)
        ]
        if not returned:
            assert [tool.name for tool in info.function_tools] == ["search_images"]
            return ModelResponse([ToolCallPart("search_images", {"words": "red cups"})])
        found.append(json.dumps(returned[0].content))
        return ModelResponse([TextPart(json.dumps({"sketches": [SKETCH]}))])

    pool = PicturePool([record(tmp_path, "1.png", "red", "three red cups on a table")])
    manner = Manner("plan", tools=(PoolSearch(pool),))
    planner = LanguagePlanner(Consultant(FunctionModel(model), Proposals, manner))
    counting = Predicate.parse("skill=counting")
    [sketch] = planner.plan(Brief("m1", "counting", counting, 4, counting), 3, [])
    assert "three red cups on a table" in found[0]
    assert (sketch.edits, sketch.purpose, sketch.search) == ((Flip(),), "contrast", "cups")
    assert sketch.must.conditions == ()


def test_a_budget_waits_for_requests_under_way_before_it_stops_anything() -> None:
    async def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        await asyncio.sleep(0.05)
        return ModelResponse([TextPart('{"answer": "3"}')])

    consultant = Consultant(FunctionModel(model), Answer, Manner("answer", max_tokens=1000))
    # Room for one at a time; what the first leaves over is enough for the second.
    consultant.spending = Spending(Budget(max_tokens_total=1500))
    with ThreadPoolExecutor(2) as threads:
        assert [reply.answer for reply in threads.map(consultant.ask, ["How many?"] * 2)] == ["3", "3"]
    consultant.spending = Spending(Budget(max_tokens_total=999))
    with pytest.raises(BudgetError, match="holds no further request"):
        consultant.ask("How many?")


def test_a_reply_that_is_asked_for_again_is_asked_for_within_the_budget() -> None:
    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse(
            [TextPart("Let me think.")], usage=RequestUsage(input_tokens=100, output_tokens=1000)
        )

    consultant = Consultant(FunctionModel(model), Answer, Manner("answer", max_tokens=1000, retries=2))
    consultant.spending = Spending(Budget(max_tokens_total=2500))
    with pytest.raises(BudgetError, match="2,200 tokens in 2 requests"):
        consultant.ask("How many?")


def test_what_is_no_endpoint_is_refused_with_what_to_do() -> None:
    with pytest.raises(SpecError, match="behind no endpoint"):
        Consultant("hf:some/model", Answer, Manner("answer"))


def test_a_hosted_model_wants_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ModelError, match="OPENAI_API_KEY"):
        Consultant("openai:m@https://models.example.org/v1", Answer, Manner("answer"))
