"""Logs become a run: observations, failure modes and a summary, with no model asked anything.

The images are dealt into two halves by their hash: modes are suspected on one and proved on the other, just as in a
discovery. Written in pieces, so that a killed import goes on where it was.

    with Run.open("runs/qwen", command="import", config=…) as run:
        summary = intake(run, logs, candidate="qwen")
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NoReturn

from scotoma.core import ConfigError, ImageRecord, LogError, Observation, Split
from scotoma.diagnose.modes import ModeSearch, confirm, suspect
from scotoma.diagnose.statistics import clustered_rate
from scotoma.discover.account import account_of_discovery, proof_finished
from scotoma.discover.settings import TaggingSettings
from scotoma.discover.tagging import Tagger
from scotoma.discover.topics import find_topics, taxonomy_of
from scotoma.images.attributes import attributes
from scotoma.images.decoding import look
from scotoma.report.logs import Log
from scotoma.report.logs.judgement import observe
from scotoma.report.logs.record import Record, Skipped
from scotoma.store import ImportSummary, ModeSummary, Run, Summary

PHASES: dict[Split, str] = {"discover": "discover", "confirm": "confirm-base"}
"""The phases of the two halves: nothing selected their questions."""

_NO_TOPICS = TaggingSettings(topics="never")

_PIECE = 500

_LARGEST = 200_000_000
"""Bytes of a picture's file."""

_SHOWN = 5
"""How many places are named per reason for skipping."""

_FEW = 60
"""A column with more values than this in the log is no category."""


@dataclass
class _Piece:
    """What one stretch of a log came to."""

    observations: list[Observation] = field(default_factory=list)
    images: dict[str, ImageRecord] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    where: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def check(logs: Sequence[Log], columns: Collection[str] = ()) -> None:
    """Look for the first question that was answered, and for one with each of the columns, so that useless files and
    misspelt columns are refused before anything is written.

    Raises:
        LogError: none of the logs holds an answered question; the message says what was found instead.
        ConfigError: no question has one of the columns; the hint lists those that there are.
    """
    reasons: Counter[str] = Counter()
    answered, missing = False, set(columns)
    for log in logs:
        for entry in log.entries(columns):
            if isinstance(entry, Record):
                answered = True
                missing -= entry.columns.keys()
                if not missing:
                    return
            else:
                reasons[entry.reason] += entry.count
    if answered:
        _refuse_columns(logs, missing)
    told = ", ".join(f"{count:,} × {reason}" for reason, count in reasons.most_common(4)) or "no entry"
    hint = "these are questions without a candidate's answers" if "no answer" in reasons else None
    names = ", ".join(log.path.name for log in logs[:3])
    raise LogError(f"{names} holds no answered question: {told}", hint=hint)


def _refuse_columns(logs: Sequence[Log], missing: Collection[str]) -> NoReturn:
    there = {
        name
        for log in logs
        for entry in log.entries(None)
        if isinstance(entry, Record)
        for name in entry.columns
    }
    names = ", ".join(repr(name) for name in sorted(missing))
    raise ConfigError(
        f"no entry has the column {names} with a value that can describe a mode",
        hint=f"there are {', '.join(sorted(there))}" if there else "leave --column out",
    )


def intake(
    run: Run,
    logs: Sequence[Log],
    candidate: str,
    columns: Collection[str] = (),
    progress: Callable[[str, int, int], None] = lambda phase, done, total: None,
    tagging: TaggingSettings = _NO_TOPICS,
) -> Summary:
    """Read the logs into the run, name and prove the failure modes, and return the summary. Resumes.

    Args:
        run: opened for writing.
        logs: the same ones, in the same order, when a run is resumed.
        candidate: who answered.
        columns: columns to take as tags beside the usual categories.
        progress: told (what, how many files are done, of how many).
        tagging: whether topics are looked for in the questions' text, and with which embeddings.

    Raises:
        ModelError: the embeddings that are asked for are not installed.
    """
    for number, log in enumerate(logs):
        progress("import", number, len(logs))
        _read(run, number, log, candidate, columns)
    progress("import", len(logs), len(logs))
    find_topics(run, Tagger(tagging), seed=0, phases=tuple(PHASES.values()))
    _find_modes(run)
    return _summarise(run, logs, candidate)


def _read(run: Run, number: int, log: Log, candidate: str, columns: Collection[str]) -> None:
    entries = enumerate(log.entries(columns))
    for piece_number in _until_empty():
        stretch = list(islice(entries, _PIECE))
        if not stretch:
            return
        stage = f"import/{number}/{piece_number}"
        if run.ledger.done(stage) is not None:
            continue
        piece = _Piece()
        for position, entry in stretch:
            if isinstance(entry, Skipped):
                piece.skipped[entry.reason] += entry.count
                piece.where[entry.reason].append(f"{log.path.name} {entry.where}")
                continue
            image_id, image = _image_of(entry, log, piece.images)
            if image is not None:
                piece.images[image_id] = image
            observed = observe(
                entry,
                key=f"import/{number}/{position}",
                image_id=image_id,
                phase=PHASES[_half(image_id)],
                candidate=candidate,
                attributes=image.attributes if image else None,
            )
            piece.observations.append(observed)
        payload = {
            "questions": len(piece.observations),
            "skipped": dict(piece.skipped),
            "where": {reason: places[:_SHOWN] for reason, places in piece.where.items()},
        }
        kept = run.images.put_all(piece.images.values())
        run.ledger.finish(stage, payload, observations=piece.observations, images=kept)


def _until_empty() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


def _image_of(entry: Record, log: Log, known: Mapping[str, ImageRecord]) -> tuple[str, ImageRecord | None]:
    """The picture's id and, where the log holds it or names a file that is there, and it can be shown, the picture."""
    try:
        data = _bytes_of(entry.image) if isinstance(entry.image, Path) else entry.image
    except (OSError, ValueError):
        data = None
    if not data:
        return _id_without_pixels(entry), None
    image_id = ImageRecord.hash(data)
    if image_id in known:  # several questions about one picture
        return image_id, known[image_id]
    seen = look(data)
    if isinstance(seen, str):
        return image_id, None  # its questions stay in one half all the same
    return image_id, ImageRecord(
        id=image_id,
        source=f"{log.format}:{log.path.name}",
        split=_half(image_id),
        data=data,
        attributes=attributes(seen.thumbnail, seen.size),
    )


def _bytes_of(path: Path) -> bytes | None:
    """A picture's file. A log may name anything: what is no file, or far too large for a picture, is not read."""
    return path.read_bytes() if path.is_file() and path.stat().st_size <= _LARGEST else None


def _id_without_pixels(entry: Record) -> str:
    """Questions about one image share an id where the log names the image; any other question has its own."""
    name = entry.image_key or "\n".join((entry.id, entry.question, *entry.truths))
    return ImageRecord.hash(f"not seen: {name}".encode())


def _half(image_id: str) -> Split:
    # Hashed again, so that these halves owe nothing to other uses of the same digits.
    return "discover" if hashlib.sha256(f"import/{image_id}".encode()).digest()[0] % 2 else "confirm"


def _find_modes(run: Run) -> None:
    if run.ledger.done("confirm") is not None:
        return
    found, fresh = (run.ledger.observations(phase) for phase in PHASES.values())
    suspected = suspect(found, ModeSearch(ignore=_too_many_values([*found, *fresh])), uniform=found)
    judged = confirm(suspected, fresh)
    run.ledger.finish("confirm", {"suspected": len(suspected), "questions": len(fresh)}, modes=judged)
    run.ledger.finish("taxonomy", taxonomy_of(run.ledger, tuple(PHASES.values())).model_dump(mode="json"))


def _too_many_values(observations: Sequence[Observation]) -> frozenset[str]:
    """Columns that file almost every question under a name of its own. Of `answer`, which is ours, rare values are no
    conditions anyway, and the common ones, yes and no, are to stay.
    """
    values: dict[str, set[object]] = defaultdict(set)
    for row in observations:
        for key, tag in row.tags.items():
            if isinstance(tag, str) and key != "answer" and len(values[key]) <= _FEW:
                values[key].add(tag)
    return frozenset(key for key, seen in values.items() if len(seen) > _FEW)


def _summarise(run: Run, logs: Sequence[Log], candidate: str) -> Summary:
    rows = [row for phase in PHASES.values() for row in run.ledger.observations(phase)]
    decided = [row for row in rows if row.answered]
    skipped: Counter[str] = Counter()
    where: dict[str, list[str]] = {}
    for stage in run.ledger.stages("import/"):
        payload = run.ledger.done(stage) or {}
        skipped.update(payload["skipped"])
        for reason, places in payload["where"].items():
            where[reason] = [*where.get(reason, []), *places][:_SHOWN]
    undecided = (row for row in rows if row.outcome == "infrastructure" and row.verdict.error is None)
    return Summary(
        command="import",
        seed=0,
        wall_seconds=run.wall_seconds,
        candidate=candidate,
        discovery=account_of_discovery(run.ledger),
        proof_finished=proof_finished(run.ledger),
        modes=[ModeSummary.of(mode) for mode in run.ledger.modes()],
        imported=ImportSummary(
            files={log.path.name: log.format for log in logs},
            entries=len(rows) + skipped.total(),
            questions=len(rows),
            repeated=len(rows) - len({(row.image_id, row.question) for row in rows}),
            failure_rate=clustered_rate(
                [row.outcome == "failure" for row in decided], [row.image_id for row in decided]
            )
            if decided
            else None,
            decided_by=_counted(row.verdict.decided_by for row in decided),
            undecided=_counted(row.verdict.reason or "undecided" for row in undecided),
            errors=_counted(row.verdict.error for row in rows if row.verdict.error is not None),
            skipped=dict(skipped.most_common()),
            skipped_where=where,
            images=len(run.ledger.images()),
        ),
    )


def _counted(names: Iterator[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())
