"""One contract for every model we talk to: a batch of requests in, replies in the same order out.

In-process checkpoints, endpoints and scripted models obey it alike. One bad item never fails the batch: its reply
carries a typed error, which is an infrastructure error and never a wrong answer.

    replies = model.answer([Request(images=(record,), text="what colour is the star ?")])
    replies[0].text, replies[0].error
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from scotoma.core.image import ImageRecord

FaultKind = Literal["timeout", "rate_limit", "refused", "too_long", "unparsable", "bad_image", "crashed"]


@dataclass(frozen=True)
class Sampling:
    """How to decode. `temperature` 0 is greedy; `max_tokens` bounds the completion; `seed` fixes the draw."""

    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 32
    seed: int = 0


@dataclass(frozen=True)
class Turn:
    """One earlier message of the conversation."""

    role: Literal["user", "assistant", "system"]
    text: str


@dataclass(frozen=True)
class Request:
    """One question to a model: images, text, what was said before, and how to decode.

    `reply_schema` is the JSON schema (as text) of the reply that is wanted. The text asks for it as well: a server can
    be told to enforce it (`openai:…?structured=json_schema`), every other model goes by the text.
    """

    images: tuple[ImageRecord, ...]
    text: str
    history: tuple[Turn, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    reply_schema: str | None = None


@dataclass(frozen=True)
class ReplyError:
    """Why there is no reply. Counted apart from wrong answers, end to end."""

    kind: FaultKind
    message: str


@dataclass(frozen=True)
class Reply:
    """What came back: text with its token counts and latency in seconds, or a typed error (then `text` is empty)."""

    text: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    latency: float = 0.0
    error: ReplyError | None = None


class ChatModel(Protocol):
    """A vision-language model that answers. `name` is stable and goes into caches, ledgers and reports."""

    name: str

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request, in order. Raises nothing for a single bad item; its reply carries the error."""
        ...
