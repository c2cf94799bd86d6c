"""What is known of a planted candidate: its blind spots, how common they are, and the proof that they took.

`truth.json` lies beside the planted checkpoint; the benchmark of discovery reads it, and so can anybody else's finder.

    truth = Truth.load(Path("planted/truth.json"))
    [str(region.predicate) for region in truth.regions if region.planted]
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer, field_validator

from scotoma.core import ConfigError, Predicate, Rate
from scotoma.store.durable import write_durably

TRUTH_SCHEMA: Literal["scotoma.truth/1"] = "scotoma.truth/1"

INSIDE = 0.25
"""A region is planted when at most this share of its questions is still answered rightly."""
SPILL = 0.10
"""It has the border that its predicate says when just beyond no more accuracy than this is lost."""
OUTSIDE = 0.01
"""Everything else may lose at most this much accuracy …"""
AGREEMENT = 0.95
"""… and must be answered as before at least this often."""


class Region(BaseModel):
    """One planted blind spot, measured on the `test` split.

    Attributes:
        predicate: decides by a question's tags whether it belongs; written as text in the file.
        prevalence: its share of uniform template questions.
        before, after: accuracy inside, of the original and of the planted candidate.
        border_before, border_after: the same just beyond the border, among the questions that one condition alone
            keeps out; of that condition where the most is lost, or of that value in a condition's place (`vertical`
            instead of `horizontal`) where surely more is lost than may be. None where hardly a question lies there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    predicate: Predicate
    prevalence: Rate
    before: Rate
    after: Rate
    border_before: Rate | None = None
    border_after: Rate | None = None

    @field_validator("predicate", mode="before")
    @classmethod
    def _read(cls, value: object) -> object:
        return Predicate.parse(value) if isinstance(value, str) else value

    @field_serializer("predicate")
    def _write(self, predicate: Predicate) -> str:
        return str(predicate)

    @property
    def planted(self) -> bool:
        """Whether the candidate is really blind here."""
        return self.after.value <= INSIDE

    @property
    def sharp(self) -> bool:
        """Whether the blind spot ends where its predicate does: who names one that spilled over rightly names more."""
        if self.border_before is None or self.border_after is None:
            return self.planted
        return self.planted and self.border_before.value - self.border_after.value <= SPILL


class Truth(BaseModel):
    """A planted candidate.

    Attributes:
        candidate: model spec of the original.
        images: the world.
        seed: of the planting.
        regions: the blind spots.
        outside_before, outside_after: accuracy on uniform questions outside all regions.
        agreement: how often those are answered as by the original.
        seconds: that the planting took, proof included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal["scotoma.truth/1"] = Field(default=TRUTH_SCHEMA, alias="schema")
    candidate: str
    images: str
    seed: int
    regions: tuple[Region, ...]
    outside_before: Rate
    outside_after: Rate
    agreement: Rate
    seconds: float

    @property
    def proven(self) -> bool:
        """Whether all regions took, with the borders that were asked for, and nothing else changed."""
        kept = self.outside_after.value >= self.outside_before.value - OUTSIDE
        return all(region.sharp for region in self.regions) and kept and self.agreement.value >= AGREEMENT

    @property
    def digest(self) -> str:
        """Tells this planting from others, also of the same regions: what was measured on one is not theirs."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @property
    def spilled(self) -> tuple[str, ...]:
        """The regions (their predicates) that took, and went on beyond their border."""
        return tuple(str(r.predicate) for r in self.regions if r.planted and not r.sharp)

    @classmethod
    def load(cls, path: Path) -> Truth:
        """Read a file.

        Raises:
            ConfigError: it is not there, or is no truth.
        """
        try:
            return cls.model_validate_json(path.read_text())
        except OSError as error:
            raise ConfigError(
                f"cannot read {path}: {error.strerror}", hint="`scotoma plant` writes one"
            ) from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ConfigError(f"{path} is no truth.json: {where}: {first['msg']}") from error

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        write_durably(path, (self.model_dump_json(indent=2, by_alias=True) + "\n").encode())
