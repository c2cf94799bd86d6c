"""A model of somebody else's code (`module:Class`), held to the contract of `core.ChatModel`.

What it does wrong is told as its mistake, with the place in its code, and not as a traceback through Scotoma's.

    model = PluginModel("mine:Model", Model())
    model.answer(requests)      # ModelError: "mine:Model gave 3 replies to 4 requests"
"""

from __future__ import annotations

from collections.abc import Sequence

from scotoma.core import ChatModel, ModelError, Reply, ReplyError, Request, ScotomaError
from scotoma.core.plugin import failure


class PluginModel:
    """Asks the model, and looks at what it gives (`core.ChatModel`)."""

    def __init__(self, target: str, model: ChatModel) -> None:
        self.name = model.name
        self._target = target
        self._model = model

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request, in order.

        Raises:
            ModelError: it failed, or gave something else than a `Reply` for each request.
        """
        try:
            given: object = self._model.answer(requests)
        except ScotomaError:
            raise
        except Exception as error:  # somebody else's code raises what it likes
            raise ModelError(
                failure(self._target, self._model, error),
                hint="a request that cannot be answered gets Reply(error=ReplyError(kind, message))",
            ) from error
        if not isinstance(given, list | tuple):
            raise ModelError(
                f"{self._target} gave a {type(given).__name__}",
                hint="answer(requests) must return a list of Reply",
            )
        replies = list(given)
        if len(replies) != len(requests):
            raise ModelError(
                f"{self._target} gave {len(replies)} replies to {len(requests)} requests",
                hint="it must give one for each, in their order",
            )
        for reply in replies:
            if not isinstance(reply, Reply):
                raise ModelError(
                    f"{self._target} gave {reply!r:.80} as a reply", hint="it must be a scotoma.core.Reply"
                )
            if not isinstance(reply.text, str) or not isinstance(reply.error, ReplyError | None):
                raise ModelError(
                    f"{self._target} gave {reply!r:.80} as a reply",
                    hint="its text must be a str, its error a ReplyError or None",
                )
        return [reply if _is_text(reply.text) else _NO_TEXT for reply in replies]


_NO_TEXT = Reply(error=ReplyError("unparsable", "the reply holds characters that are none (lone surrogates)"))


def _is_text(said: str) -> bool:
    try:
        said.encode()
    except UnicodeEncodeError:
        return False
    return True
