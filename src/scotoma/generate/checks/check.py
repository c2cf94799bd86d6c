"""What a check looks at, and what it answers: the one protocol that all of them satisfy.

class NoRed(Check):
    name = "no_red"

    def reason(self, draft: Draft) -> str | None:
        return self.name if "red" in draft.question else None
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from scotoma.core import Facts, ImageRecord, Sample, Tags
from scotoma.verify.bare import normalise


@dataclass(frozen=True)
class Draft:
    """A sample before it may be trained on.

    `facts` are those that the question was written about, None for a photo. They are the picture's own unless somebody
    mixed the pictures up, so they are compared. `mode_id` is the failure mode it is for. `options` are the answers that
    the question offers, if it offers any. `pass_rate` is the share of the candidate's sampled answers that are right,
    in [0, 1], where it was measured.
    """

    image: ImageRecord
    question: str
    answer: str | None
    facts: Facts | None = None
    mode_id: str | None = None
    options: tuple[str, ...] = ()
    tags: Tags = field(default_factory=dict)
    pass_rate: float | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, sample: Sample, image: ImageRecord) -> Draft:
        """A sample that is written out already, about this picture."""
        return cls(
            image,
            sample.question,
            sample.answer,
            facts=image.facts,
            mode_id=sample.mode_id,
            tags=sample.tags,
            provenance=sample.provenance,
        )

    @property
    def phrasing(self) -> str:
        """Which of its wordings the writer says this is (`first`, `paraphrase`); empty where it says nothing."""
        return self.provenance.get("phrasing", "")

    @property
    def bare_answer(self) -> str:
        """The answer however it is written: "Yes." is "yes", "two" is "2". Nothing but signs ("+") stays as it is."""
        answer = self.answer or ""
        return normalise(answer) or answer


class Check(Protocol):
    """One reason, or a few, not to train on a sample. `name` is listed in `Sample.checks` of what passed."""

    name: str

    def reason(self, draft: Draft) -> str | None:
        """Why the draft is rejected, in a word or two that can be counted; None when it passes. Remembers nothing."""
        ...

    def keep(self, draft: Draft) -> None:
        """The draft passed every check and is kept: what later ones are compared with. Most remember nothing."""
        return
