"""A model may name a mode for people; it decides nothing, and its failures cost a name and no more."""

from __future__ import annotations

import json

import pytest

from scotoma.core import FailureMode, Predicate, ReplyError
from scotoma.discover.naming import name_modes
from scotoma.models.scripted import ScriptedModel
from tests.tagworld import observation

MODE = FailureMode(id="m", predicate=Predicate.parse("skill=counting"), description="counting questions")
ROWS = [
    observation("a", "i", {"skill": ("counting",)}, failed=True).model_copy(
        update={"question": "how many cups ?"}
    ),
    observation("b", "j", {"skill": ("counting",)}, failed=True).model_copy(
        update={"question": "how many cups ?"}
    ),
    observation("c", "k", {"skill": ("counting",)}, failed=False).model_copy(
        update={"question": "how many pens ?"}
    ),
    observation("d", "l", {"skill": ("colour",)}, failed=True).model_copy(
        update={"question": "what colour ?"}
    ),
]


def test_a_mode_gets_its_name_beside_the_predicate() -> None:
    model = ScriptedModel(lambda request: '{"name": "  Counting\\n cups. "}')
    [mode] = name_modes([MODE], ROWS, model).modes
    assert mode.title == "Counting cups"
    assert mode.model_copy(update={"title": None}) == MODE


def test_it_is_shown_different_failing_questions_of_the_mode_and_no_picture() -> None:
    model = ScriptedModel(lambda request: '{"name": "cups"}')
    name_modes([MODE], ROWS, model)
    [request] = model.requests
    assert request.images == ()
    assert '"skill=counting"' in request.text
    assert request.text.count("how many cups ?") == 1
    assert "how many pens ?" not in request.text
    assert "what colour ?" not in request.text


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ("Counting cups", "tagger:unparsable"),
        (json.dumps({"name": ""}), "tagger:unparsable"),
        (json.dumps({"name": "x" * 200}), "tagger:unparsable"),
        (json.dumps({"name": 7}), "tagger:unparsable"),
        (ReplyError("rate_limit", "429"), "tagger:rate_limit"),
    ],
)
def test_without_a_legible_name_it_stays_as_it_is_and_that_is_counted(
    reply: str | ReplyError, error: str
) -> None:
    named = name_modes([MODE], ROWS, ScriptedModel(lambda request: reply))
    assert named.modes == (MODE,)
    assert named.lost == {error: 1}


def test_no_modes_cost_no_call() -> None:
    model = ScriptedModel(lambda request: "{}")
    assert name_modes([], ROWS, model).modes == ()
    assert model.requests == []
