"""From a brief to samples: the five agents at work, until the share is filled or the tries are used up.

    for batch in batches(brief, crew, checks, Pace(), so_far=[]):
        batch.samples, batch.images, batch.attempts

Pictures are searched for one sketch after the other, since each search knows what was offered before; then editor,
writer and validator work on several sketches at once, and what they made is judged in the order of the sketches. So
agents that answer alike make the same samples however many threads there are, and wherever a run was stopped.
A brief that falls short ends so, and says why: `scotoma generate` leaves it at that; in a spiral unaimed samples take
the place of what is missing (`evolve.supply`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Literal

from scotoma.core import ImageError, ImageRecord, Sample, Tags, skills_of
from scotoma.diagnose.wording import wording_tags
from scotoma.generate.attempt import Attempt
from scotoma.generate.checks import Checks, Draft
from scotoma.generate.delivery import FILLED
from scotoma.generate.handover import (
    Brief,
    Declined,
    Edited,
    Editor,
    Finds,
    Found,
    Outage,
    Planner,
    Role,
    Ruling,
    Searcher,
    Sketch,
    Validator,
    Writer,
    Written,
)
from scotoma.generate.settings import GenerateSettings
from scotoma.verify.rules import match

BARREN = "nothing came of it"

MOST_BARREN = 2
"""Batches in a row in which nothing was even rejected (no sketch, or infrastructure throughout) before it is given up:
what is broken thrice stays broken, and each time costs."""


@dataclass(frozen=True)
class Crew:
    """The five agents. `name` goes into every sample's provenance."""

    name: str
    planner: Planner
    searcher: Searcher
    editor: Editor
    writer: Writer
    validator: Validator


@dataclass(frozen=True)
class Pace:
    """How it is worked.

    Attributes:
        at_once: sketches that are worked on at the same time, ≥ 1. It changes no sample.
        batch: sketches that are planned together, ≥ 1: what a stop may cost.
        pictures: found pictures of which a sketch takes the first that can be edited, ≥ 1.
        questions: written about each picture, ≥ 1; phrasings of one question included.
        tries: attempts per wanted sample, ≥ 1, before it is given up.
    """

    at_once: int = 8
    batch: int = 8
    pictures: int = 3
    questions: int = 2
    tries: int = 5

    @classmethod
    def of(cls, told: GenerateSettings) -> Pace:
        """As the settings have it."""
        return cls(at_once=told.at_once, questions=told.questions, tries=told.tries)


@dataclass(frozen=True)
class Batch:
    """What came of one round of sketches; a stage of the journal. `ended` says why it was the last, where it was."""

    attempts: tuple[Attempt, ...] = ()
    samples: tuple[Sample, ...] = ()
    images: tuple[ImageRecord, ...] = ()
    ended: str | None = None


@dataclass(frozen=True)
class _Finished:
    """A question that the validator has ruled on, or failed to."""

    written: Written
    ruling: Ruling | None = None
    ending: Attempt | None = None


@dataclass(frozen=True)
class _Searched:
    """A sketch with what was offered for it, and passed over. `ending`: why that is nothing."""

    sketch: Sketch
    offered: tuple[Found, ...] = ()
    ending: Attempt | None = None
    passed_over: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Worked:
    """A sketch after all agents had it. `ending`: why there is no picture or no question."""

    sketch: Sketch
    offered: str | None = None
    found: Found | None = None
    edited: Edited | None = None
    finished: tuple[_Finished, ...] = ()
    ending: Attempt | None = None
    passed_over: Mapping[str, int] = field(default_factory=dict)


@dataclass
class _Progress:
    kept: int = 0
    tried: int = 0
    barren: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    offered: Counter[str] = field(default_factory=Counter)
    sketches: list[Sketch] = field(default_factory=list)

    def add(self, attempts: Sequence[Attempt]) -> None:
        kept = [attempt for attempt in attempts if attempt.outcome == "kept"]
        self.kept += len(kept)
        # What infrastructure struck was never tried: the cap on barren batches bounds it.
        self.tried += sum(attempt.outcome != "infrastructure" for attempt in attempts)
        self.answers.update(attempt.answer or "" for attempt in kept)
        # From the attempts alone, so that a run that was stopped goes on as if it had not been.
        begun = [attempt for attempt in attempts if attempt.begins]
        self.offered.update(attempt.offered for attempt in begun if attempt.offered is not None)
        self.sketches += [Sketch(attempt.shows, attempt.asks) for attempt in begun if attempt.shows]
        idle = all(attempt.outcome == "infrastructure" or attempt.agent == "planner" for attempt in attempts)
        self.barren = self.barren + 1 if idle else 0


def batches(
    brief: Brief, crew: Crew, checks: Checks, pace: Pace, so_far: Sequence[Sequence[Attempt]] = ()
) -> Iterator[Batch]:
    """Batch after batch until `brief.wanted` samples are kept. `so_far` holds the attempts of the batches made before a
    stop; the last batch says in `ended` why there are no more.

    Raises:
        ScotomaError: what would strike every attempt alike: a key that is missing, a server that does not answer.
    """
    progress = _Progress()
    for attempts in so_far:
        progress.add(attempts)
    # Started again, it is worth another try: the server may be back.
    progress.barren = 0
    number = len(so_far)
    with ThreadPoolExecutor(max_workers=pace.at_once) as threads:
        while _ended(progress, brief, pace) is None:
            wanted = brief.wanted - progress.kept
            sketches, ending = _planned(brief, crew, pace, progress, wanted, number)
            searched = _searched(sketches, crew.searcher, pace.pictures, progress.offered)
            worked = [
                replace(done, passed_over=each.passed_over)
                for each, done in zip(
                    searched, threads.map(lambda each: _work(each, crew, pace), searched), strict=True
                )
            ]
            batch = _judged(worked, brief, crew, checks, progress.answers, wanted)
            attempts = (*batch.attempts, *((ending,) if ending else ()))
            progress.add(attempts)
            number += 1
            yield Batch(attempts, batch.samples, batch.images, _ended(progress, brief, pace))


def _ended(progress: _Progress, brief: Brief, pace: Pace) -> str | None:
    if progress.kept >= brief.wanted:
        return FILLED
    if progress.barren >= MOST_BARREN:
        return BARREN
    return "tries used up" if progress.tried >= pace.tries * brief.wanted else None


def _planned(
    brief: Brief, crew: Crew, pace: Pace, progress: _Progress, wanted: int, number: int
) -> tuple[list[Sketch], Attempt | None]:
    n = min(pace.batch, math.ceil(wanted / pace.questions))
    try:
        # The number makes every batch another draw, also when one is repeated after a stop.
        again = replace(brief, seed=f"{brief.seed}/{number}")
        sketches = list(crew.planner.plan(again, n, progress.sketches))[:n]
    except (Declined, Outage) as error:
        return [], _ending("planner", error)
    if not sketches:
        return [], Attempt(outcome="rejected", agent="planner", reason="no sketch")
    return sketches, None


def _searched(
    sketches: Sequence[Sketch], searcher: Searcher, n: int, offered: Counter[str]
) -> list[_Searched]:
    """In order, each with what was offered before it; whatever fails becomes an ending."""
    before, found = offered.copy(), []
    for sketch in sketches:
        told = replace(sketch, offered=before)
        passed_over: Mapping[str, int] = {}
        try:
            pictures = searcher.search(told, n)
            passed_over = pictures.passed_over if isinstance(pictures, Finds) else {}
            if not pictures:
                raise Declined("no picture")
        except (Declined, Outage, ImageError) as error:
            passed_over = error.passed_over if isinstance(error, Outage) else passed_over
            found.append(_Searched(sketch, ending=_ending("searcher", error), passed_over=passed_over))
            continue
        before[pictures[0].image.id] += 1
        found.append(_Searched(sketch, tuple(pictures), passed_over=passed_over))
    return found


def _work(searched: _Searched, crew: Crew, pace: Pace) -> _Worked:
    """One sketch through editor, writer and validator; whatever fails becomes an ending."""
    sketch = searched.sketch
    if searched.ending is not None:
        return _Worked(sketch, ending=searched.ending)
    first = searched.offered[0].image.id
    role: Role = "editor"
    found: Found | None = None
    edited: Edited | None = None
    try:
        found, edited = _first_edited(sketch, searched.offered, crew.editor)
        role = "writer"
        written = crew.writer.write(sketch, edited, pace.questions)
        if not written:
            raise Declined("no question")
    except (Declined, Outage, ImageError) as error:
        return _Worked(sketch, first, found, edited, ending=_ending(role, error))
    finished = tuple(_validated(each, edited.image, crew.validator) for each in written[: pace.questions])
    return _Worked(sketch, first, found, edited, finished)


def _first_edited(sketch: Sketch, offered: Sequence[Found], editor: Editor) -> tuple[Found, Edited]:
    """Of at least one picture."""
    for found in offered[:-1]:
        with suppress(Declined, ImageError):
            return found, editor.edit(sketch, found)
    return offered[-1], editor.edit(sketch, offered[-1])


def _validated(written: Written, image: ImageRecord, validator: Validator) -> _Finished:
    try:
        return _Finished(written, validator.validate(image, written.question))
    except (Declined, Outage, ImageError) as error:
        return _Finished(written, ending=_ending("validator", error))


def _ending(role: Role | Literal["checks"], error: Declined | Outage | ImageError) -> Attempt:
    if isinstance(error, Outage):
        return Attempt(outcome="infrastructure", agent=role, reason=error.kind, detail=error.message)
    reason = error.message if isinstance(error, Declined) else "unusable picture"
    detail = error.hint or "" if isinstance(error, Declined) else error.message
    return Attempt(outcome="rejected", agent=role, reason=reason, detail=detail)


def _judged(
    worked: Sequence[_Worked], brief: Brief, crew: Crew, checks: Checks, known: Counter[str], wanted: int
) -> Batch:
    """Each finished question: does the validator agree, does it belong to the mode, is it taken?"""
    attempts: list[Attempt] = []
    samples: list[Sample] = []
    images: dict[str, ImageRecord] = {}
    answers = known.copy()
    for each in worked:
        if each.ending is not None or each.edited is None or each.found is None:
            assert each.ending is not None
            attempts.append(_described(each.ending, each))
            continue
        image = each.edited.image
        # The rarest answer so far first: where only one of two is still wanted, none becomes the mode's own.
        for n, finished in enumerate(sorted(each.finished, key=lambda f: answers[f.written.answer])):
            if len(samples) >= wanted:
                break
            ending, tags = finished.ending, _tags(finished, image)
            if ending is None:
                ending = _disagreement(finished) or _outside(each.sketch, tags)
            if ending is None:
                sample = _sample(each, finished, tags, brief, crew, checks)
                ending = _checked(checks, Draft.of(sample, image))
                if ending.outcome == "kept":
                    samples.append(sample)
                    images[image.id] = image
                    answers[finished.written.answer] += 1
            told = _described(ending, each, finished)
            # Searched for once, however many questions there are: counted with the first.
            attempts.append(told if n == 0 else told.model_copy(update={"begins": False, "passed_over": {}}))
    return Batch(tuple(attempts), tuple(samples), tuple(images.values()))


def _checked(checks: Checks, draft: Draft) -> Attempt:
    try:
        reason = checks.objection(draft)
    except Outage as error:
        return _ending("checks", error)
    return _rejected("checks", reason) if reason else Attempt(outcome="kept")


def _tags(finished: _Finished, image: ImageRecord) -> Tags:
    if finished.ruling is not None and finished.ruling.tags is not None:
        return finished.ruling.tags
    tags = wording_tags(finished.written.question, finished.written.answer)
    return {**image.attributes, **tags, "skills": "+".join(skills_of(tags))}


def _disagreement(finished: _Finished) -> Attempt | None:
    """Why writer and validator do not agree, or None. What rules cannot decide is no agreement: an unsure label is
    no label."""
    ruling, answer = finished.ruling, finished.written.answer
    assert ruling is not None
    if ruling.answer is None:
        return _rejected("validator", ruling.reason or "no answer")
    found = match(ruling.answer, answer, closed=False)
    if found == "undecided":
        found = match(answer, ruling.answer, closed=False)
    if found == "correct":
        return None
    return _rejected("validator", "another answer" if found == "incorrect" else "undecided")


def _outside(sketch: Sketch, tags: Tags) -> Attempt | None:
    return None if sketch.must.matches(tags) else _rejected("writer", "outside the mode")


def _rejected(agent: str, reason: str) -> Attempt:
    return Attempt.model_validate({"outcome": "rejected", "agent": agent, "reason": reason})


def _described(ending: Attempt, worked: _Worked, finished: _Finished | None = None) -> Attempt:
    """The ending with everything that is known of the attempt."""
    edited, found = worked.edited, worked.found
    return ending.model_copy(
        update={
            "purpose": worked.sketch.purpose,
            "shows": worked.sketch.shows,
            "asks": worked.sketch.asks,
            "found": "" if found is None else found.how,
            "offered": worked.offered,
            "passed_over": dict(worked.passed_over),
            "operations": () if edited is None else edited.operations,
            "image_id": None if edited is None else edited.image.id,
            "question": None if finished is None else finished.written.question,
            "answer": None if finished is None else finished.written.answer,
            "ruling": None if finished is None or finished.ruling is None else finished.ruling.answer,
        }
    )


def _sample(
    worked: _Worked, finished: _Finished, tags: Tags, brief: Brief, crew: Crew, checks: Checks
) -> Sample:
    assert worked.edited is not None
    assert worked.found is not None
    image, question = worked.edited.image, finished.written.question
    return Sample(
        id=sha256(f"{image.id}/{question}".encode()).hexdigest()[:16],
        image_id=image.id,
        question=question,
        answer=finished.written.answer,
        purpose=worked.sketch.purpose,
        mode_id=brief.mode_id,
        tags=dict(tags),
        provenance={
            "made_by": crew.name,
            "seed": brief.seed,
            "found": worked.found.how,
            "edits": ",".join(worked.edited.operations),
            "source": image.source,
            "licence": image.licence,
            "phrasing": finished.written.phrasing,
        },
        checks=("agreement", *checks.names),
    )
