"""What the ledger offers for export, row by row: training samples, or the questions that a checkpoint answered.

for row in offered_samples(run.ledger, arm="targeted", turn=None, mode=None): ...
for row in offered_answers(run.ledger, modes, checkpoint=None, failures=True, inside=False): ...
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from scotoma.core import FailureMode, ImageRecord, Tag
from scotoma.report.export.item import Item
from scotoma.store import Ledger

_GENERATED = re.compile(r"round(?P<round>\d+)/(?P<arm>[\w-]+)/")
_DERIVED = re.compile(r"(checks|smaller)(/|$)")
"""Phases of questions that were made out of other questions of the run: they would count those twice."""
_ANSWERED = re.compile(r"\w+/round(?P<round>\d+)/(?P<arm>[\w-]+)")


@dataclass(frozen=True)
class Checkpoint:
    """What left training in an arm of a round."""

    round: int
    arm: str


@dataclass(frozen=True)
class Offered:
    """An item that waits for its picture."""

    image_id: str
    question: str
    answer: str
    purpose: str
    modes: tuple[str, ...]
    tags: dict[str, Tag]
    made_by: str
    reply: str | None = None
    checks: tuple[str, ...] = ()

    def about(self, picture: ImageRecord) -> Item:
        """The item."""
        return Item(
            image=picture,
            question=self.question,
            answer=self.answer,
            purpose=self.purpose,
            modes=self.modes,
            tags=self.tags,
            made_by=self.made_by,
            reply=self.reply,
            checks=self.checks,
        )


def trained(ledger: Ledger) -> set[Checkpoint]:
    """The arms and rounds of a run."""
    return {made for stage in ledger.stages() if (made := _named(_GENERATED, stage)) is not None}


def examined(ledger: Ledger) -> set[Checkpoint]:
    """Those of them whose answers are in the ledger: in an unfinished run the last may not be."""
    return {made for stage in ledger.stages() if (made := _named(_ANSWERED, stage)) is not None}


def has_samples(ledger: Ledger) -> bool:
    """Whether the run made any training samples."""
    return any(ledger.samples(stage=stage) for stage in ledger.stages())


def offered_samples(ledger: Ledger, *, arm: str, turn: int | None, mode: str | None) -> Iterator[Offered]:
    """The samples of an arm (`all`: of every one), of one round or of all."""
    for stage in ledger.stages():
        made = _named(_GENERATED, stage)
        if made is not None and (arm not in ("all", made.arm) or turn not in (None, made.round)):
            continue
        for sample in ledger.samples(stage=stage):
            if mode in (None, sample.mode_id):
                yield Offered(
                    image_id=sample.image_id,
                    question=sample.question,
                    answer=sample.answer,
                    purpose=sample.purpose,
                    modes=(sample.mode_id,) if sample.mode_id else (),
                    tags=sample.tags,
                    made_by=sample.provenance.get("made_by", ""),
                    checks=sample.checks,
                )


def offered_answers(
    ledger: Ledger,
    modes: Collection[FailureMode],
    *,
    checkpoint: Checkpoint | None,
    failures: bool,
    inside: bool,
) -> Iterator[Offered]:
    """The valid questions that a checkpoint answered, each with the modes it is in; None is the candidate before any
    training. `failures`: only those answered wrongly. `inside`: only those in one of the modes.
    """
    for item in ledger.each_observation(outcome="failure" if failures else None):
        if not item.answered or _named(_ANSWERED, item.phase) != checkpoint:
            continue
        if _DERIVED.match(item.phase):
            continue
        names = tuple(mode.id for mode in modes if mode.predicate.matches(item.tags))
        if names or not inside:
            yield Offered(
                image_id=item.image_id,
                question=item.question,
                answer=item.verdict.truth or "",
                purpose=item.outcome,
                modes=names,
                tags=item.tags,
                made_by=item.asked_by,
                reply=item.answer,
            )


def _named(pattern: re.Pattern[str], name: str) -> Checkpoint | None:
    match = pattern.match(name)
    return Checkpoint(int(match["round"]), match["arm"]) if match else None
