"""A record of a log becomes an observation: who decides whether it was answered rightly, and what it is about.

The log's own score decides where it is clear, then rules on answer and reference. What neither can decide stays
undecided, and an error stays an error: neither is ever counted as wrong.

    observation = observe(record, key="import/0/7", image_id=image.id, phase="discover", candidate="qwen")
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from scotoma.core import Observation, Tag, Verdict
from scotoma.diagnose.wording import wording_tags
from scotoma.images.attributes import KEYS
from scotoma.report.logs.fields import failure_in
from scotoma.report.logs.record import Record
from scotoma.verify.rules import match

_OPTION = re.compile(r"^\s*\(?([A-J])(?:[.):]|\))\s+(\S.*?)\s*$", re.MULTILINE)


def observe(
    record: Record,
    *,
    key: str,
    image_id: str,
    phase: str,
    candidate: str,
    attributes: Mapping[str, Tag] | None = None,
) -> Observation:
    """The observation; `attributes` are the image's tags."""
    options = _options(record)
    return Observation(
        key=key,
        phase=phase,
        image_id=image_id,
        question=record.question,
        answer=record.answer or "",
        verdict=judge(record, options),
        tags={**tags_of(record, options), **(attributes or {})},
        asked_by="log",
        candidate=candidate,
    )


def judge(record: Record, options: Mapping[str, str]) -> Verdict:
    """The verdict: `decided_by` is `log`, `rules` or `nobody`, and then `reason` or `error` says why."""
    truth = record.truths[0] if record.truths else None
    if record.error is not None and not _right_all_the_same(record):
        return Verdict(truth=truth, error=record.error)
    if record.score is not None:
        return Verdict(valid=True, correct=record.score, truth=truth, decided_by="log")
    if record.list_of_truths and match(record.answer or "", record.list_of_truths) == "correct":
        return Verdict(valid=True, correct=1.0, truth=truth, decided_by="rules")
    if not record.truths:
        return Verdict(valid=True, reason="no_reference")
    said = {
        match(record.answer or "", other, options=options or None, closed=False) for other in record.truths
    }
    if "correct" in said or said == {"incorrect"}:
        return Verdict(valid=True, correct=float("correct" in said), truth=truth, decided_by="rules")
    return Verdict(valid=True, truth=truth, reason="undecided")


def _right_all_the_same(record: Record) -> bool:
    """Whether what reads like a tool's error is the answer: a dialog in the picture may say "Connection failed"."""
    if not record.answer or record.error != "api_error" or failure_in(record.answer) != record.error:
        return False
    return (record.score or 0.0) >= 0.5 or any(match(record.answer, t) == "correct" for t in record.truths)


def tags_of(record: Record, options: Mapping[str, str]) -> dict[str, Tag]:
    """What the wording says, the answer where it is one of few, and what the log files it under.

    A column of the log that has the name of one of our own tags (of the question, of its picture, or the topic that is
    found in its text) gets `log_` before it, in every question.
    """
    truth = record.truths[0] if record.truths else None
    tags = wording_tags(record.question, truth, options)
    ours = {*tags, "answer", "count", "topic", *KEYS}
    return tags | {f"log_{key}" if key in ours else key: tag for key, tag in record.columns.items()}


def _options(record: Record) -> dict[str, str]:
    """The options of the record, or those that its question lists."""
    if record.options:
        return dict(record.options)
    listed = dict(_OPTION.findall(record.question))
    return listed if len(listed) > 1 and {"A", "B"} <= listed.keys() else {}
