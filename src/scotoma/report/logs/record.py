"""One answered question out of another tool's log, the same whatever the tool; or why an entry is none.

for entry in open_log(Path("samples.jsonl")).entries():
    entry.question if isinstance(entry, Record) else entry.reason
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scotoma.core import Tag


@dataclass(frozen=True)
class Record:
    """What a log says of one question.

    `where` names the entry for people (`line 12`). `truths` are the reference answers, the first the usual one;
    `list_of_truths` is the text that they were read from where it writes a list, for it may be one answer as it stands.
    `score` is the log's own C_Q in [0, 1], found under `metric`; None where it has none that is clear. `error` is the
    infrastructure error that struck. `image_key` names the image where the log has a name for it but no pixels, so
    that questions about one image stay together. `columns` are the categories that the log files the question under.
    """

    where: str
    id: str
    question: str
    truths: tuple[str, ...] = ()
    list_of_truths: str = ""
    answer: str | None = None
    score: float | None = None
    metric: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    image: bytes | Path | None = field(default=None, repr=False)
    image_key: str = ""
    columns: Mapping[str, Tag] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True)
class Skipped:
    """Entries that are no answered question: where, why, how many."""

    where: str
    reason: str
    count: int = 1


Entry = Record | Skipped
Row = Mapping[str, Any]

Wanted = Collection[str] | None
"""Columns (in clean form, `l2_category`) to take as tags beside the usual categories; None: every one."""
"""One entry of a log as it was parsed: any keys, any values."""
