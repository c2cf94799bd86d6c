"""What a judge rules, read from what it wrote: one JSON object, whatever fences, thinking or prose stand around it.

A reply that holds no ruling, or two different ones, is unreadable: an infrastructure error of the judge, never a wrong
answer of the candidate.

>>> read_ruling('Sure!\\n```json\\n{"correct": true, "reason": "same colour"}\\n```', CorrectnessRuling)
CorrectnessRuling(correct=True, reason='same colour')
>>> read_ruling("I think it is correct.", CorrectnessRuling) is None
True
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from scotoma.core import INVALIDITIES
from scotoma.verify.bare import THINKING

REASONS = INVALIDITIES
"""Why a judge may call a question invalid: the names that its prompt offers."""

UNNAMED = "unnamed"
"""The reason of a question that the judge calls invalid for none of `REASONS`."""

_LONGEST = 200_000
_MOST_OBJECTS = 200

_LOOSE = ("title", "default", "minLength", "maxLength")
"""What a schema need not say, and OpenAI's strict ones must not."""


def _plain(value: Any) -> Any:
    """One line of printable text: judges write numbers, truth values and lists where text was asked for."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(part, str | int | float) for part in value):
        return _plain(", ".join(str(_plain(part)) for part in value))
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        # Lone surrogates and control characters can be written in JSON, but in no ledger.
        return "".join(character for character in " ".join(value.split()) if character.isprintable())
    return value


_A_REASON = {"anyOf": [{"type": "string", "enum": list(REASONS)}, {"type": "null"}]}
"""Others are read too, and are `UNNAMED`."""

Line = Annotated[str | None, BeforeValidator(_plain)]
Short = Annotated[Annotated[str, Field(max_length=300)] | None, BeforeValidator(_plain)]


class ValidityRuling(BaseModel):
    """V_Q: a valid question comes with the judge's own short `answer`, an invalid one with its `reason`."""

    model_config = ConfigDict(frozen=True)

    valid: bool
    reason: Annotated[Line, WithJsonSchema(_A_REASON)] = None
    answer: Short = None

    @model_validator(mode="after")
    def _complete(self) -> ValidityRuling:
        if self.valid and not self.answer:
            raise ValueError("a valid question needs an answer")
        return self

    @property
    def named_reason(self) -> str | None:
        """One of `REASONS`, `UNNAMED`, or None for a valid question."""
        if self.valid:
            return None
        name = re.sub(r"[\s-]+", "_", (self.reason or "").strip().lower())
        return name if name in REASONS else UNNAMED


class CorrectnessRuling(BaseModel):
    """C_Q: whether the answer says the same as the right one."""

    model_config = ConfigDict(frozen=True)

    correct: bool
    reason: Line = None


Ruling = TypeVar("Ruling", bound=BaseModel)


def read_ruling(text: str, kind: type[Ruling]) -> Ruling | None:
    """The one ruling in a reply, or other document of this kind; None where there is none, or two contradict."""
    found: list[Ruling] = []
    # Thinking comes off first: a long one that was cut off would lose the tag that opens it.
    for document in _objects(_without_thinking(text)[-_LONGEST:]):
        try:
            found.append(kind.model_validate(document))
        except ValidationError:
            continue
    return found[0] if found and all(ruling == found[0] for ruling in found) else None


@lru_cache
def schema_of(kind: type[BaseModel]) -> str:
    """The JSON schema of a ruling for `core.Request.reply_schema`, as strict as servers want it: every key is required,
    and there is no other. `read_ruling` is more lenient: it reads what models write that nobody holds to a schema.

    >>> json.loads(schema_of(CorrectnessRuling))["required"]
    ['correct', 'reason']
    """
    fields = {name: _strict(field) for name, field in kind.model_json_schema()["properties"].items()}
    document = {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }
    return json.dumps(document)


def _strict(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _strict(value) for key, value in schema.items() if key not in _LOOSE}
    return [_strict(part) for part in schema] if isinstance(schema, list) else schema


def _without_thinking(text: str) -> str:
    """A reply that is a ruling and nothing else is kept: a tag in it is one that its reason quotes."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return THINKING.sub(" ", text)
    return text


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The outermost JSON objects in a text."""
    decoder = json.JSONDecoder(object_pairs_hook=_without_repeats)
    at = text.find("{")
    for _ in range(_MOST_OBJECTS):
        if at < 0:
            return
        try:
            document, end = decoder.raw_decode(text, at)
            yield document
        except (ValueError, RecursionError):
            end = at + 1
        at = text.find("{", end)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a key is there twice")
    return document
