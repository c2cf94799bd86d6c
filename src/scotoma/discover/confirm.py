"""The proof: suspected modes on images and questions that were never used to find them.

Uniform questions on the `confirm` split are looked through for members of each mode; the candidate answers those and a
uniform sample; `scotoma.diagnose.modes.confirm` tests, with false-discovery control. What is confirmed is then looked
at more closely (`scotoma.discover.qualification`).

    modes = confirm(run, source, interview, settings, ConfirmSettings(), seed=0)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from scotoma.core import FailureMode, ImageRecord, ImageSource, Observation, Predicate, Split
from scotoma.diagnose import modes as diagnosis
from scotoma.discover.calibration import calibration_of
from scotoma.discover.interview import Asked, Interview
from scotoma.discover.outage import MOST_LOST, check_answered
from scotoma.discover.pictures import acquaint
from scotoma.discover.pool import Pool, ValidQuestion
from scotoma.discover.progress import Progress, silent
from scotoma.discover.qualification import qualify
from scotoma.discover.settings import ConfirmSettings, DiscoverSettings
from scotoma.discover.topics import adopt_topics
from scotoma.store.run import Run


@dataclass(frozen=True)
class Drawn:
    """Questions of one split: up to so many from each mode, and a uniform sample; none is in both."""

    modes: tuple[ValidQuestion, ...]
    uniform: tuple[ValidQuestion, ...]
    looked_through: int

    @property
    def images(self) -> list[ImageRecord]:
        """Every image that a drawn question is about, once."""
        return list({item.image.id: item.image for item in (*self.modes, *self.uniform)}.values())


def fair_sample(
    mode: FailureMode, drawn: Iterable[Observation], uniform: Iterable[Observation], each: int
) -> list[Observation]:
    """The answers that speak for a mode: the uniform ones inside it, and the first `each` that were drawn for it; later
    ones were kept for the sake of other modes.
    """
    inside = [row for row in drawn if mode.predicate.matches(row.tags)]
    return [*(row for row in uniform if mode.predicate.matches(row.tags)), *inside[:each]]


def draw(
    pool: Pool, split: Split, seed: int, predicates: Sequence[Predicate], each: int, uniform: int, limit: int
) -> Drawn:
    """Look through at most `limit` uniform questions for `each` members of every predicate.

    A question is kept once, if any of its modes still wants one, so modes that overlap share members. The first `each`
    members of a mode are a fair sample of it; later ones were kept for other modes. The uniform sample is the first
    `uniform` of the stream: nothing selects them.
    """
    wanted: Counter[int] = Counter(dict.fromkeys(range(len(predicates)), each))
    members: list[ValidQuestion] = []
    base: list[ValidQuestion] = []
    looked = 0
    for item in islice(pool.questions(split, seed), limit):
        looked += 1
        if len(base) < uniform:
            base.append(item)
            continue
        if not any(count > 0 for count in wanted.values()):
            break
        inside = [i for i, predicate in enumerate(predicates) if predicate.matches(item.tags)]
        if any(wanted[i] > 0 for i in inside):
            members.append(item)
            wanted.subtract(inside)
    return Drawn(tuple(members), tuple(base), looked)


def confirm(
    run: Run,
    source: ImageSource,
    interview: Interview,
    discovery: DiscoverSettings,
    settings: ConfirmSettings,
    seed: int,
    progress: Progress = silent,
) -> list[FailureMode]:
    """Confirm or reject every suspected mode of the run, and qualify the confirmed ones; resumes.

    Raises:
        ModelError: half of the questions or more were lost to errors; nothing is written down, and the same command
            asks again.
    """
    acquaint(source, run)
    adopt_topics(run, interview.tagger)
    if run.ledger.done("confirm") is None:
        _prove(run, source, interview, discovery, settings, seed, progress)
    qualify(run, source, interview, settings, seed, progress)
    return run.ledger.modes()


def _prove(
    run: Run,
    source: ImageSource,
    interview: Interview,
    discovery: DiscoverSettings,
    settings: ConfirmSettings,
    seed: int,
    progress: Progress,
) -> None:
    suspected = run.ledger.modes()
    progress("confirm", 0, len(suspected))
    tagged = interview.tagger.counted
    pool = Pool(source, discovery, interview.verifier, tagger=interview.tagger)
    drawn = draw(
        pool, "confirm", seed, [mode.predicate for mode in suspected],
        settings.questions, settings.base_questions, settings.pool,
    )  # fmt: skip

    def ask(phase: str, items: Sequence[ValidQuestion]) -> list[Asked]:
        return [
            Asked(f"{phase}/{i}", item.image, item.question, pool.asked_by, verdict=item.verdict)
            for i, item in enumerate(items)
        ]

    members = interview.ask(ask("confirm", drawn.modes), "confirm")
    base = interview.ask(ask("confirm-base", drawn.uniform), "confirm-base")
    for asked in (members, base):
        check_answered(asked, MOST_LOST)
    judged = diagnosis.confirm(
        suspected, members, base, settings.alpha, calibration_of(run.ledger), settings.questions
    )
    run.images.put_all(drawn.images)
    run.ledger.finish(
        "confirm",
        {
            "looked_through": drawn.looked_through,
            "questions": len(members),
            "base_questions": len(base),
            "unjudged": dict(pool.unjudged),
            "tagged": dict(interview.tagger.counted - tagged),
        },
        observations=[*members, *base],
        modes=judged,
        images=drawn.images,
    )
    progress("confirm", len(suspected), len(suspected))
