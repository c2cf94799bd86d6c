"""Records to write into runs: the same for the same arguments, as a resumed command makes them again."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from scotoma.core import Examination, FailureMode, ImageRecord, Observation, Predicate, Sample, Verdict
from scotoma.core.observation import Outcome

VERDICTS: dict[Outcome, Verdict] = {
    "correct": Verdict(valid=True, correct=1.0, truth="yes", decided_by="facts"),
    "failure": Verdict(valid=True, correct=0.0, truth="no", decided_by="facts"),
    "invalid": Verdict(valid=False, reason="no_referent", decided_by="facts"),
    "infrastructure": Verdict(error="timeout"),
}


@dataclass(frozen=True)
class ColourFacts:
    """Facts of a picture of one colour."""

    colour: int

    def examine(self, question: str) -> Examination:
        return Examination(valid=True, answer=str(self.colour))

    def to_json(self) -> dict[str, Any]:
        return {"colour": self.colour}

    @classmethod
    def rebuild(cls, document: Mapping[str, Any]) -> ColourFacts:
        return cls(document["colour"])


def picture(colour: int) -> ImageRecord:
    """A picture of one colour, in memory, with facts and attributes."""
    buffer = io.BytesIO()
    Image.new("RGB", (12, 8), (colour % 256, colour // 256 % 256, 7)).save(buffer, "PNG")
    data = buffer.getvalue()
    return ImageRecord(
        id=ImageRecord.hash(data),
        source="worlds:test",
        licence="CC0-1.0",
        data=data,
        facts=ColourFacts(colour),
        attributes={"colours": ("red", "blue"), "things": colour},
    )


def observation(key: str, outcome: Outcome = "failure", **changes: Any) -> Observation:
    """An observation of that outcome."""
    given = {
        "phase": "discover",
        "image_id": "ab",
        "question": f"is there a star in {key} ?",
        "answer": "no",
        "tags": {"skill": ("counting", "colour"), "things": 3, "negated": False},
        "verdict": VERDICTS[outcome],
    }
    return Observation(key=key, **{**given, **changes})


def mode(name: str, **changes: Any) -> FailureMode:
    """A failure mode."""
    return FailureMode(
        id=name,
        predicate=Predicate.parse("skill=counting and things>=3"),
        description=f"mode {name}",
        **changes,
    )


def sample(name: str, **changes: Any) -> Sample:
    """A training sample."""
    given = {"image_id": "ab", "question": "how many ?", "answer": "3", "purpose": "mode", "mode_id": "m"}
    return Sample(id=name, **{**given, **changes}, tags={"skill": ("counting",)}, checks=("facts",))
