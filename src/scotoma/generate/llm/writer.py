"""The writer as a language model: it looks at the edited picture, asks, and says what is true.

LanguageWriter(consultant).write(sketch, edited, 2)[0].question
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal
from zlib import crc32

from pydantic import BaseModel, ConfigDict, Field

from scotoma.generate.handover import Declined, Edited, Sketch, Written
from scotoma.generate.llm.consultant import Consultant, rendered


class Question(BaseModel):
    """One question, as the model writes it."""

    model_config = ConfigDict(frozen=True)

    question: str = Field(min_length=3, max_length=500)
    answer: str = Field(min_length=1, max_length=120)
    phrasing: Literal["first", "paraphrase"] = "first"


class Questions(BaseModel):
    """What the writer replies: questions, or none and why."""

    model_config = ConfigDict(frozen=True)

    questions: tuple[Question, ...] = ()
    reason: str | None = None


class LanguageWriter:
    """Is told what was edited, in words whose truth is known."""

    def __init__(self, consultant: Consultant[Questions]) -> None:
        self._consultant = consultant

    def write(self, sketch: Sketch, edited: Edited, n: int) -> Sequence[Written]:
        """Up to `n` questions.

        Raises:
            Declined: the model finds nothing to ask about this picture.
            Outage: the model failed, or wrote nothing that can be read.
        """
        prompt = rendered(
            "write.jinja",
            shows=json.dumps(sketch.shows, ensure_ascii=False),
            asks=json.dumps(sketch.asks, ensure_ascii=False),
            effects=edited.effects,
            near_miss=sketch.purpose == "contrast",
            n=n,
        )
        reply = self._consultant.ask(
            prompt, [edited.image], crc32(f"{sketch.key}/{edited.image.id}".encode())
        )
        if not reply.questions:
            raise Declined("nothing to ask", hint=reply.reason)
        return [
            Written(" ".join(each.question.split()), each.answer.strip(), each.phrasing)
            for each in reply.questions[:n]
        ]
