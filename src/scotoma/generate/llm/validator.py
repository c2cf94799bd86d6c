"""The validator as a vision-language model: it sees picture and question, and nothing that the writer holds true.

LanguageValidator(consultant).validate(record, "How many cups are there?").answer
"""

from __future__ import annotations

import json
import re

from pydantic import BaseModel, ConfigDict, Field, model_validator

from scotoma.core import INVALIDITIES, ImageRecord
from scotoma.generate.handover import Ruling
from scotoma.generate.llm.consultant import Consultant, rendered


class Answer(BaseModel):
    """What the validator replies: a short answer, or the reason why there is none."""

    model_config = ConfigDict(frozen=True)

    answer: str | None = Field(default=None, max_length=300)
    reason: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Answer:
        if not (self.answer or "").strip() and not self.reason:
            raise ValueError("give an answer, or the reason why there is none")
        return self


class LanguageValidator:
    """Should be another model than the writer: two of the same make the same mistakes."""

    def __init__(self, consultant: Consultant[Answer]) -> None:
        self._consultant = consultant

    def validate(self, image: ImageRecord, question: str) -> Ruling:
        """Its own answer.

        Raises:
            Outage: the model failed, or wrote nothing that can be read.
        """
        prompt = rendered("validate.jinja", question=json.dumps(question, ensure_ascii=False))
        reply = self._consultant.ask(prompt, [image])
        answer = (reply.answer or "").strip()
        return Ruling(answer) if answer else Ruling(None, _named(reply.reason or ""))


def _named(reason: str) -> str:
    """One of the five invalidities, so that reasons can be counted."""
    name = re.sub(r"[\s-]+", "_", reason.strip().lower())
    return name if name in INVALIDITIES else "no answer"
