"""Samples for the proven modes of a run, made into a run folder of their own: resumable, and ready for every export.

    with Run.read("runs/photos") as origin:
        work = accept(origin, settings)
        with Run.open("runs/samples", command="generate", config=…) as run:
            for delivery in deliver(run, origin, work, progress):
                delivery.kept, delivery.shortfall, delivery.tally.rejected

Each batch of sketches is a stage of the ledger (`generate/MODE/NUMBER`) with everything that was tried, kept or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from scotoma.core import (
    ConfigError,
    FailureMode,
    ImageError,
    ImageRecord,
    ImageSource,
    Predicate,
    RunError,
    Split,
    World,
)
from scotoma.generate.attempt import Attempt, Tally, tally
from scotoma.generate.checks import Check, Checks, Draft
from scotoma.generate.checks.balance import Balance
from scotoma.generate.checks.blind import Blind, BlindModel
from scotoma.generate.checks.difficulty import Difficulty, PassRate
from scotoma.generate.checks.duplicate import Duplicate
from scotoma.generate.checks.form import Form
from scotoma.generate.checks.leakage import LEVELS, Leakage
from scotoma.generate.crew import open_crew, pool_of
from scotoma.generate.handover import Brief, FailedQuestion
from scotoma.generate.production import Crew, Pace, batches
from scotoma.generate.settings import GenerateSettings, refuse_the_trained
from scotoma.images.attributes import KEYS
from scotoma.images.duplicates import NearDuplicates
from scotoma.images.spec import open_images
from scotoma.models.spec import load_model
from scotoma.store import Run
from scotoma.store.configuration import Settings
from scotoma.store.ledger import Ledger
from scotoma.store.pictures import FactsBuilder

FAILURES = 200
"""Failures of a mode that agents are told of, the first; each costs a look into the images of its run."""

LONGEST_ANSWER = 120
"""Characters. What is longer is no short answer, and no rule can compare it."""

_HELD_OUT: tuple[Split, ...] = ("discover", "confirm", "test")
_WORDING = ("skill", "skills", "asks", "words", "negated", "composed", "answer_kind")

Progress = Callable[[str, int, int], None]
"""Called with a phase, what is done, and the total."""


class CommissionSettings(Settings):
    """What is made, for which modes, from which pictures.

    Attributes:
        run: the folder of the run whose modes samples are made for.
        candidate: the model under training, which may be none of the agents; it is the run's own.
        images: image spec of the pool.
        modes: ids of proven modes; none: all of them.
        samples: wanted for each mode.
        out: the folder that is made.
        seed: fixes everything random.
        generate: by whom.

    Raises:
        ConfigError: one of the agents is the candidate.
    """

    run: Path
    candidate: str
    images: str
    modes: tuple[str, ...] = ()
    samples: int = Field(default=50, ge=1)
    out: Path = Path("runs/samples")
    seed: int = Field(default=0, ge=0)
    generate: GenerateSettings = GenerateSettings()

    @model_validator(mode="after")
    def _nobody_teaches_himself(self) -> CommissionSettings:
        refuse_the_trained(self.generate, self.candidate)
        return self


class Delivery(BaseModel):
    """What came of one mode. `ended`: `filled`, or why it was given up; None while it is being worked on."""

    model_config = ConfigDict(frozen=True)

    mode_id: str
    description: str
    wanted: int
    kept: int
    ended: str | None
    tally: Tally

    @property
    def shortfall(self) -> int:
        """Samples that could not be made."""
        return self.wanted - self.kept


@dataclass(frozen=True)
class Commission:
    """Everything that can be wrong with the settings was found out, and nothing is written yet."""

    settings: CommissionSettings
    modes: tuple[FailureMode, ...]
    source: ImageSource
    crew: Crew
    further: tuple[Check, ...]
    """Checks that the settings ask for beside those that are always there."""


def accept(origin: Run, settings: CommissionSettings) -> Commission:
    """Open the pictures and the agents.

    Raises:
        ConfigError: the origin has no such mode, or the settings cannot be carried out.
        RunError: none of the origin's modes is proved.
        ImageError: there are no pictures.
        ModelError: a key is missing.
    """
    modes = proven_modes(origin, settings.modes)
    source = open_images(settings.images)
    pool = pool_of(source, settings.generate, settings.seed)
    crew = open_crew(settings.generate, source, pool)
    return Commission(settings, tuple(modes), source, crew, tuple(_further(settings)))


def deliver(run: Run, origin: Run, work: Commission, progress: Progress) -> list[Delivery]:
    """Make what is still missing in `run`; what was made before a stop is kept.

    Raises:
        ScotomaError: an agent's server cannot be used, a budget is used up, the disk is full.
    """
    checks = Checks([*_checks(origin, work.source, work.settings), *work.further])
    run.ledger.put_modes(work.modes)
    for mode in work.modes:
        for stage in _stages(run.ledger, mode.id):
            for sample in run.ledger.samples(stage=stage):
                image = run.images.get(sample.image_id, facts=_facts(work.source))
                checks.keep(Draft.of(sample, image))
    return [_delivered(run, origin, mode, work, checks, progress) for mode in work.modes]


def proven_modes(origin: Run, wanted: Sequence[str]) -> list[FailureMode]:
    """The modes of a run that were proved, those of these ids where there are any.

    Raises:
        ConfigError: there is no such mode, or it was not proved.
        RunError: none was proved.
    """
    proved = {mode.id: mode for mode in origin.ledger.modes() if mode.proved}
    if not proved:
        raise RunError(
            f"{origin.path} has no confirmed failure mode", hint=f"run `scotoma confirm {origin.path}` first"
        )
    missing = [name for name in wanted if name not in proved]
    if missing:
        raise ConfigError(
            f"{origin.path} has no confirmed failure mode {missing[0]!r}", hint=f"it has {', '.join(proved)}"
        )
    return [proved[name] for name in (wanted or proved)]


def _delivered(
    run: Run,
    origin: Run,
    mode: FailureMode,
    work: Commission,
    checks: Checks,
    progress: Progress,
) -> Delivery:
    settings, known = work.settings, _stages(run.ledger, mode.id)
    so_far = [_attempts(run.ledger, stage) for stage in known]
    told = settings.generate
    pace = Pace(at_once=told.at_once, questions=told.questions, tries=told.tries)
    brief = _brief(origin, mode, settings, work.source)
    kept = _account(run.ledger, mode, settings.samples).kept
    phase = f"generate {mode.id}"
    progress(phase, kept, settings.samples)
    for number, batch in enumerate(batches(brief, work.crew, checks, pace, so_far), start=len(known)):
        run.ledger.finish(
            f"generate/{mode.id}/{number}",
            {
                "attempts": [attempt.model_dump(mode="json") for attempt in batch.attempts],
                "ended": batch.ended,
            },
            samples=batch.samples,
            images=run.images.put_all(batch.images),
        )
        kept += len(batch.samples)
        progress(phase, kept, settings.samples)
    return _account(run.ledger, mode, settings.samples)


def _brief(origin: Run, mode: FailureMode, settings: CommissionSettings, source: ImageSource) -> Brief:
    exact = isinstance(source, World)
    tagging = origin.config.get("tagging")
    tagged = isinstance(tagging, dict) and tagging.get("model") is not None
    # What a model or topics told of the questions of that run, nobody tells of new ones.
    known = KEYS if tagged else (*KEYS, *_WORDING)
    decidable = tuple(c for c in mode.predicate.conditions if exact or c.key in known)
    return Brief(
        mode_id=mode.id,
        description=f"{mode.title}: {mode.description}" if mode.title else mode.description,
        predicate=mode.predicate,
        wanted=settings.samples,
        decidable=Predicate(conditions=decidable),
        failures=tuple(_failures(origin, mode, source)),
        seed=str(settings.seed),
    )


def _failures(origin: Run, mode: FailureMode, source: ImageSource) -> Iterator[FailedQuestion]:
    """Those of the `discover` split, with their pictures; one whose picture is gone is no example."""
    found = 0
    for item in origin.ledger.each_observation(outcome="failure"):
        entry = origin.ledger.image(item.image_id)
        if entry is None or entry.split != "discover" or not mode.predicate.matches(item.tags):
            continue
        try:
            image = origin.images.get(item.image_id, facts=_facts(source))
        except ImageError:
            continue
        yield FailedQuestion(image, item.question, item.answer, item.verdict.truth or "", item.tags)
        found += 1
        if found == FAILURES:
            return


def _further(settings: CommissionSettings) -> Iterator[Check]:
    """Cheap before dear."""
    told = settings.generate.checks
    if told.balance is not None:
        yield Balance(told.balance)
    if told.blind is not None:
        yield Blind(BlindModel(load_model(told.blind)))
    if told.band is not None:
        yield Difficulty(told.band, measure=PassRate(load_model(settings.candidate), told.pass_samples))


def _checks(origin: Run, source: ImageSource, settings: CommissionSettings) -> list[Check]:
    """Form, leakage and duplicates. Of a photo a near-copy counts as the photo itself; pictures that exact agents
    render are as different as their facts, however alike they look.

    What the run never drew of its held-out splits cannot be in the pool; the web may hold a copy of it.
    """
    entries = [entry for split in _HELD_OUT for entry in origin.ledger.images(split)]
    held_out = {entry.id for entry in entries}
    if isinstance(source, World) and settings.generate.agents == "exact":
        return [Form(longest_answer=LONGEST_ANSWER), Leakage(held_out), Duplicate()]
    photos: list[ImageRecord] = []
    for entry in entries:
        try:
            photos.append(origin.images.get(entry.id))
        except ImageError:  # gone, or never kept: then its id alone is held out
            continue
    if settings.generate.search.web and not isinstance(source, World):
        photos += [
            record
            for split in _HELD_OUT
            for record in source.images(split, settings.seed)
            if record.id not in held_out
        ]
    # In other words a question may be asked again: the writer does so on purpose.
    near = NearDuplicates(levels=LEVELS)
    return [Form(longest_answer=LONGEST_ANSWER), Leakage(held_out, photos), Duplicate(near=near)]


def _facts(source: ImageSource) -> FactsBuilder | None:
    return source.facts if isinstance(source, World) else None


def _stages(ledger: Ledger, mode_id: str) -> list[str]:
    return ledger.stages(f"generate/{mode_id}/")


def _attempts(ledger: Ledger, stage: str) -> list[Attempt]:
    done = ledger.done(stage) or {}
    return [Attempt.model_validate(attempt) for attempt in done["attempts"]]


def _account(ledger: Ledger, mode: FailureMode, wanted: int) -> Delivery:
    stages = _stages(ledger, mode.id)
    told = tally(attempt for stage in stages for attempt in _attempts(ledger, stage))
    ended = (ledger.done(stages[-1]) or {}).get("ended") if stages else None
    return Delivery(
        mode_id=mode.id,
        description=mode.description,
        wanted=wanted,
        kept=told.kept,
        ended=ended,
        tally=told,
    )
