"""A model that answers by a plain function: for unit tests, and for candidates whose faults must be known.

model = ScriptedModel(lambda request: "red" if "colour" in request.text else "3")
model.answer([Request(images=(), text="what colour is it ?")])[0].text  # "red"
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scotoma.core import Reply, ReplyError, Request, ScotomaError


class ScriptedModel:
    """Implements `core.ChatModel`. The function gives a text, a whole `Reply`, or a `ReplyError`.

    A `ScotomaError` or any other exception that it raises becomes a `crashed` reply, as with a real model.
    `requests` keeps everything that was asked, so that a test can look at it.
    """

    def __init__(self, answer: Callable[[Request], str | Reply | ReplyError], name: str = "scripted") -> None:
        self.name = name
        self.requests: list[Request] = []
        self._answer = answer

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request, in order."""
        self.requests.extend(requests)
        return [self._reply(request) for request in requests]

    def _reply(self, request: Request) -> Reply:
        try:
            answered = self._answer(request)
        except ScotomaError as error:
            return Reply(error=ReplyError("crashed", str(error)))
        except Exception as error:  # a scripted fault stands for any fault of a real model
            return Reply(error=ReplyError("crashed", f"{type(error).__name__}: {error}"))
        if isinstance(answered, Reply):
            return answered
        if isinstance(answered, ReplyError):
            return Reply(error=answered)
        return Reply(answered, tokens_in=len(request.text.split()), tokens_out=len(answered.split()))
