"""Questions in other words, where no world has a language for them: a chat model rewrites.

A reply that holds no rewriting is an infrastructure error of the writer: counted by its kind, never the candidate's.

    written = Rewriter(load_model("openai:gpt-5-mini")).rewrite([(record, "How many cups are there?")])
    written[0].question, written[0].error
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel, ConfigDict, Field

from scotoma.core import ChatModel, ImageRecord, Request, Sampling, Verifier
from scotoma.verify.chain import VerifierChain
from scotoma.verify.consensus import ConsensusVerifier
from scotoma.verify.judge import JudgeVerifier
from scotoma.verify.rulings import read_ruling, schema_of

_PROMPTS = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "prompts"), undefined=StrictUndefined, autoescape=False
)
_SAMPLING = Sampling(max_tokens=1024)


class Rewriting(BaseModel):
    """What the writer is to reply."""

    model_config = ConfigDict(frozen=True)

    paraphrase: str = Field(min_length=1, max_length=1000)


@dataclass(frozen=True)
class Rewritten:
    """A question in other words, or why there is none: `question` is empty then."""

    question: str = ""
    error: str | None = None


class Rewriter:
    """Asks a model for other words, greedily. It is shown the image: a judge that writes may know no other requests."""

    def __init__(self, model: ChatModel) -> None:
        self.model = model

    def rewrite(self, items: Sequence[tuple[ImageRecord, str]]) -> list[Rewritten]:
        """One per item, in order; `error` is the kind of the model's error, `unparsable` or `same words`."""
        replies = self.model.answer([_request(image, question) for image, question in items])
        written = []
        for (_, question), reply in zip(items, replies, strict=True):
            if reply.error is not None:
                written.append(Rewritten(error=reply.error.kind))
            elif (found := read_ruling(reply.text, Rewriting)) is None:
                written.append(Rewritten(error="unparsable"))
            elif _bare(found.paraphrase) == _bare(question):
                written.append(Rewritten(error="same words"))
            else:
                written.append(Rewritten(" ".join(found.paraphrase.split())))
        return written


def writer_among(verifier: Verifier) -> ChatModel | None:
    """The first judge's model, which can write as well; None where only facts decide."""
    if isinstance(verifier, JudgeVerifier):
        return verifier.model
    if isinstance(verifier, VerifierChain | ConsensusVerifier):
        parts = verifier.links if isinstance(verifier, VerifierChain) else verifier.members
        return next((model for part in parts if (model := writer_among(part)) is not None), None)
    return None


def _request(image: ImageRecord, question: str) -> Request:
    quoted = json.dumps(question, ensure_ascii=False)
    return Request(
        (image,),
        _PROMPTS.get_template("rewrite.jinja").render(question=quoted),
        sampling=_SAMPLING,
        reply_schema=schema_of(Rewriting),
    )


def _bare(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()
