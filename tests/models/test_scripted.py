"""A scripted model answers by a plain function, and its faults look like those of a real one."""

from __future__ import annotations

from scotoma.core import ImageError, Reply, ReplyError, Request
from scotoma.models import ScriptedModel


def _ask(*texts: str) -> list[Request]:
    return [Request((), text) for text in texts]


def test_it_answers_in_order_and_remembers_what_was_asked() -> None:
    model = ScriptedModel(lambda request: request.text.upper(), name="shouting")
    asked = _ask("one", "two two")
    replies = model.answer(asked)
    assert [reply.text for reply in replies] == ["ONE", "TWO TWO"]
    assert [reply.tokens_out for reply in replies] == [1, 2]
    assert model.requests == asked
    assert model.name == "shouting"


def test_it_may_give_whole_replies_and_typed_errors() -> None:
    answers = {"reply": Reply("ok", latency=2.0), "error": ReplyError("timeout", "too slow")}
    replies = ScriptedModel(lambda request: answers[request.text]).answer(_ask("reply", "error"))
    assert replies[0] == Reply("ok", latency=2.0)
    assert replies[1].error == ReplyError("timeout", "too slow")


def test_what_it_raises_costs_only_its_own_reply() -> None:
    def answer(request: Request) -> str:
        if request.text == "house":
            raise ImageError("no image")
        if request.text == "alien":
            raise KeyError("x")
        return "fine"

    house, alien, fine = ScriptedModel(answer).answer(_ask("house", "alien", "fine"))
    assert house.error == ReplyError("crashed", "no image")
    assert alien.error == ReplyError("crashed", "KeyError: 'x'")
    assert (fine.text, fine.error) == ("fine", None)
