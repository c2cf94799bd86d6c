"""Records as rows of the ledger, and back: the JSON of the whole record beside the columns that are queried.

>>> skill_combination({"skill": ("colour", "counting")})
'colour+counting'
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scotoma.core import FailureMode, ImageRecord, Observation, Sample, Split, Tag, Tags, skills_of

Row = tuple[Any, ...]


@dataclass(frozen=True)
class ImageEntry:
    """What the ledger knows of an image; its bytes lie beside the ledger (`Pictures`)."""

    id: str
    split: Split
    source: str
    licence: str
    facts: Mapping[str, Any] | None = None
    attributes: Mapping[str, Tag] = field(default_factory=dict)
    stage: str = ""


def skill_combination(tags: Tags) -> str:
    """The skills that a question needs, sorted and joined by `+`; empty when it has none."""
    return "+".join(sorted(skills_of(tags)))


def observation_row(stage: str, item: Observation) -> Row:
    """The columns of `observations`."""
    columns = (item.key, stage, item.phase, item.image_id, item.question, item.outcome)
    return (*columns, skill_combination(item.tags), item.candidate, item.step, item.model_dump_json())


def retagged_row(item: Observation) -> Row:
    """What of an observation in `observations` changes with its tags, and its key."""
    return (skill_combination(item.tags), item.model_dump_json(), item.key)


def mode_row(item: FailureMode) -> Row:
    """The columns of `modes`."""
    return (item.id, item.status, item.model_dump_json())


def sample_row(stage: str, item: Sample) -> Row:
    """The columns of `samples`."""
    return (stage, item.id, item.purpose, item.mode_id, item.image_id, item.model_dump_json())


def image_row(stage: str, item: ImageRecord) -> Row:
    """The columns of `images`."""
    facts = None if item.facts is None else json.dumps(item.facts.to_json())
    return (item.id, stage, item.split, item.source, item.licence, facts, json.dumps(dict(item.attributes)))


def image_entry(row: Row) -> ImageEntry:
    """The other way round."""
    image_id, stage, split, source, licence, facts, attributes = row
    return ImageEntry(
        id=image_id,
        split=split,
        source=source,
        licence=licence,
        facts=None if facts is None else json.loads(facts),
        # JSON has no tuples; a list of strings was one.
        attributes={
            key: tuple(value) if isinstance(value, list) else value
            for key, value in json.loads(attributes).items()
        },
        stage=stage,
    )
