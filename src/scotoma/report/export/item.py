"""One question as every format sees it: a picture, what is asked, what is true, and where all of it comes from.

item.prompt, item.answer, item.image.read()
item.metadata()["image_licence"]
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from hashlib import sha256

from scotoma.core import ImageRecord, Tags, skills_of
from scotoma.report.export.options import Options, options_in

METADATA = (
    *("id", "failure_mode", "purpose", "skills", "split", "image_id", "image_source", "image_licence"),
    *("made_by", "checks", "candidate_answer", "tags"),
)
"""The keys of `Item.metadata`."""

# What trainers put a picture (or a film, or a sound) in place of: one more of them than pictures is an error there.
_PLACEHOLDER = re.compile(r"<(?:image|video|audio)>[ \t]*\n?")


@dataclass(frozen=True)
class Item:
    """`purpose` is a sample's (`mode`, `contrast`, `retention`, `uniform`), or `failure` or `correct` for a question
    that the candidate was asked; then `reply` is what it said. `modes` are the ids of the failure modes it is in.
    """

    image: ImageRecord
    question: str
    answer: str
    purpose: str
    modes: tuple[str, ...] = ()
    tags: Tags = field(default_factory=dict)
    made_by: str = ""
    reply: str | None = None
    checks: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """16 hex digits; the same in every export of the same question about the same picture."""
        return sha256(f"{self.image.id}/{self.question}".encode()).hexdigest()[:16]

    @property
    def prompt(self) -> str:
        """The question without the placeholders that some logs keep in it: formats add their own."""
        text, before = self.question, ""
        while text != before:  # `<ima<image>ge>` holds another one
            text, before = _PLACEHOLDER.sub("", text), text
        return text.strip()

    @property
    def skills(self) -> tuple[str, ...]:
        """The skills that the question needs, sorted."""
        return tuple(sorted(skills_of(self.tags)))

    @property
    def options(self) -> Options | None:
        """The options, where the question lists some and the answer is one of them."""
        return options_in(self.prompt, self.answer)

    @property
    def marked(self) -> str:
        """The prompt with one `<image>` in front, where most trainers put the picture."""
        return f"<image>{self.prompt}"

    def metadata(self) -> dict[str, str]:
        """What formats with room for it tell beside question and answer: all text, the same keys for every item."""
        return {
            "id": self.id,
            "failure_mode": ",".join(self.modes),
            "purpose": self.purpose,
            "skills": ",".join(self.skills),
            "split": self.image.split,
            "image_id": self.image.id,
            "image_source": self.image.source,
            "image_licence": self.image.licence,
            "made_by": self.made_by,
            "checks": ",".join(self.checks),
            "candidate_answer": self.reply or "",
            "tags": json.dumps(dict(self.tags), sort_keys=True, ensure_ascii=False),
        }
