"""What a language model says a question is about: a fixed sheet of tags, filled in from the text of the question alone.

The schema and its prompt have a version (`prompts/tagging/tags-2.jinja`). The tagger is not shown the picture, so that
a question asked of a thousand pictures is tagged once; it rules on nothing, so the candidate itself may tag.

    tagger = LanguageTagger(load_model("openai:qwen3-8b@http://localhost:8000/v1"))
    [sheet] = tagger.fill(["how many red cups are left of the plate?"])
    sheet.tags()          # {"skill": ("counting", "position"), "object": ("cup", "plate"), …}
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from scotoma.core import ChatModel, Request, Sampling, Tag
from scotoma.diagnose.wording import ANSWER_KINDS, OTHER, SKILLS
from scotoma.verify.rulings import read_ruling, schema_of

VERSION = "tags-2"
"""The schema and prompt in use; a changed one is a new file with the next number."""

PROMPTS = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "prompts" / "tagging"),
    undefined=StrictUndefined,
    trim_blocks=True,
)

_LONGEST = 4000
_MOST = 8
_LONGEST_WORD = 40


def _words(value: Any) -> Any:
    """A list of short phrases in lower case, each once, in alphabetical order."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        return value
    phrases = {
        " ".join("".join(c if c.isprintable() else " " for c in part).lower().split()) for part in value
    }
    return tuple(sorted(phrase for phrase in phrases if 0 < len(phrase) <= _LONGEST_WORD)[:_MOST])


def _known_skills(value: Any) -> Any:
    """Those of the fixed list; `other` where the model names none of them."""
    named = _words(value)
    if not isinstance(named, tuple):
        return value
    return tuple(skill for skill in named if skill in SKILLS and skill != OTHER) or (OTHER,)


def _listed(item: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"type": "array", "items": {"type": "string", **item}, "maxItems": _MOST})


Words = Annotated[tuple[str, ...], BeforeValidator(_words), _listed({})]


class TagSheet(BaseModel):
    """One question's sheet. `skills` is required and holds names of `diagnose.wording.SKILLS` only."""

    model_config = ConfigDict(frozen=True)

    skills: Annotated[
        tuple[str, ...], BeforeValidator(_known_skills), _listed({"enum": [s for s in SKILLS if s != OTHER]})
    ]
    objects: Words = ()
    attributes: Words = ()
    relations: Words = ()
    answer_kind: Literal["yes/no", "number", "option", "words"] | None = None

    def tags(self) -> dict[str, Tag]:
        """As tags, under the names that the wording's tags have (`attribute`: worlds count theirs as `attributes`)."""
        tags: dict[str, Tag] = {
            "skill": self.skills,
            "negated": "negation" in self.skills,
            "composed": len(self.skills) > 1,
            "object": self.objects,
            "attribute": self.attributes,
            "relation": self.relations,
        }
        return tags if self.answer_kind is None else {**tags, "answer_kind": self.answer_kind}


EXAMPLES = {
    "how many red kettles are left of the accordion?": TagSheet(
        skills=("counting", "position"), objects=("accordion", "kettle"), attributes=("red",),
        relations=("left of",), answer_kind="number",
    ),
    "Is there no unicycle in front of the lighthouse?": TagSheet(
        skills=("existence", "negation", "position"), objects=("lighthouse", "unicycle"),
        relations=("in front of",), answer_kind="yes/no",
    ),
    "What colour is the larger anvil?": TagSheet(
        skills=("colour", "comparison"), objects=("anvil",), attributes=("larger",), answer_kind="words"
    ),
}  # fmt: skip
"""Questions with their sheets, which the prompt shows; of things that are seldom asked about."""

_SHOWN_THINGS = frozenset(thing for sheet in EXAMPLES.values() for thing in sheet.objects)


class LanguageTagger:
    """A model that fills in sheets. What it said once it is not asked again.

    Args:
        model: any chat model; it is sent text only.
        max_tokens: room for a reply, thinking included.
    """

    def __init__(self, model: ChatModel, max_tokens: int = 512) -> None:
        self.model = model
        self._sampling = Sampling(max_tokens=max_tokens)
        self._known: dict[str, TagSheet] = {}
        self.counted: Counter[str] = Counter()
        """Different questions that were tagged (`model`), and those that were not, by error."""

    def fill(self, questions: Sequence[str]) -> list[TagSheet | str]:
        """One sheet per question, in order, or the infrastructure error in its place: `tagger:timeout` …"""
        new = [question for question in dict.fromkeys(questions) if question not in self._known]
        template = PROMPTS.get_template(f"{VERSION}.jinja")
        shown = [
            {"question": quoted(example), "sheet": sheet.model_dump_json()}
            for example, sheet in EXAMPLES.items()
        ]
        requests = [
            Request(
                (),
                template.render(
                    question=quoted(question), skills=SKILLS, answer_kinds=ANSWER_KINDS, examples=shown
                ),
                sampling=self._sampling,
                reply_schema=schema_of(TagSheet),
            )
            for question in new
        ]
        failed: dict[str, str] = {}
        for question, reply in zip(new, self.model.answer(requests) if requests else [], strict=True):
            sheet = None if reply.error is not None else read_ruling(reply.text, TagSheet)
            if sheet is not None and not _echoes(sheet, question):
                self._known[question] = sheet
            else:
                failed[question] = f"tagger:{reply.error.kind if reply.error else 'unparsable'}"
            self.counted[failed.get(question, "model")] += 1
        return [
            self._known[question] if question in self._known else failed[question] for question in questions
        ]


def _echoes(sheet: TagSheet, question: str) -> bool:
    """Whether the sheet is of the prompt's examples and not of the question. A model that cannot do it repeats them: a
    real one of 135 million parameters did so for nearly every question.
    """
    things = set(sheet.objects)
    return bool(things) and things <= _SHOWN_THINGS and not any(thing in question.lower() for thing in things)


def quoted(text: str) -> str:
    """As a JSON string, so that no question can leave its place in the prompt; of a long one the end."""
    legible = text[-_LONGEST:].encode("utf-8", "replace").decode("utf-8")
    return json.dumps(legible, ensure_ascii=False)
