"""Samples for the proven modes of a run, made into a run folder of their own: resumable, and ready for every export.

    with Run.read("runs/photos") as origin:
        work = accept(origin, settings)
        with Run.open("runs/samples", command="generate", config=…) as run:
            for delivery in deliver(run, origin, work, progress):
                delivery.kept, delivery.shortfall, delivery.tally.rejected

Each batch of sketches is a stage of the ledger (`generate/MODE/NUMBER`) with everything that was tried, kept or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from scotoma.core import ConfigError, FailureMode, ImageSource, SpecError, World
from scotoma.diagnose.proven import proven_modes
from scotoma.generate.attempt import attempts_of
from scotoma.generate.briefing import brief_for, described
from scotoma.generate.checks import Check, Checks, Draft
from scotoma.generate.crew import open_crew, pool_of
from scotoma.generate.delivery import Delivery, delivery_of, stages_of
from scotoma.generate.production import Crew, Pace, batches
from scotoma.generate.settings import GenerateSettings, refuse_the_trained
from scotoma.generate.standards import Trainee, further_standards, leakage_of, standards
from scotoma.images.spec import open_images
from scotoma.models.spec import parse_model_spec
from scotoma.store import Run
from scotoma.store.configuration import HomePath, Settings
from scotoma.store.pictures import FactsBuilder

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
        ConfigError: one of the agents is the candidate, or that is no model spec; or nobody is an agent (`varied`).
    """

    run: HomePath
    candidate: str
    images: str
    modes: tuple[str, ...] = ()
    samples: int = Field(default=50, ge=1)
    out: HomePath = Path("runs/samples")
    seed: int = Field(default=0, ge=0)
    generate: GenerateSettings = Field(default=GenerateSettings(), validate_default=True)

    @field_validator("generate")
    @classmethod
    def _by_agents(cls, told: GenerateSettings) -> GenerateSettings:
        if told.agents == "varied":
            raise ConfigError(
                "generate.agents: varied is how a spiral makes its samples, and nobody else",
                hint="take exact, of a world, or llm",
            )
        return told.chosen("exact")

    @model_validator(mode="after")
    def _nobody_teaches_himself(self) -> CommissionSettings:
        try:
            parse_model_spec(self.candidate)
        except SpecError as error:
            raise ConfigError(
                f"the run's candidate {self.candidate!r} is a name and no model spec, as in an imported run",
                hint="say which model is meant, so that it is not asked to teach itself: --candidate SPEC",
            ) from error
        refuse_the_trained(self.generate, self.candidate)
        return self


@dataclass(frozen=True)
class Commission:
    """Everything that can be wrong with the settings was found out, and nothing is written yet."""

    settings: CommissionSettings
    modes: tuple[FailureMode, ...]
    source: ImageSource
    crew: Crew
    further: tuple[Check, ...]
    """Checks that the settings ask for beside those that are always there."""


def accept(origin: Run, settings: CommissionSettings, trainee: Trainee | None = None) -> Commission:
    """Open the pictures and the agents. `trainee`: how the candidate is asked in training; None: as it stands.

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
    return Commission(
        settings,
        tuple(modes),
        source,
        crew,
        tuple(further_standards(settings.generate.checks, trainee or Trainee(settings.candidate))),
    )


def deliver(run: Run, origin: Run, work: Commission, progress: Progress) -> list[Delivery]:
    """Make what is still missing in `run`; what was made before a stop is kept.

    Raises:
        ScotomaError: an agent's server cannot be used, a budget is used up, the disk is full.
    """
    settings = work.settings
    leakage = leakage_of(origin, work.source, settings.generate, settings.seed)
    checks = Checks([*standards(leakage, work.source, settings.generate.search), *work.further])
    run.ledger.put_modes(work.modes)
    for mode in work.modes:
        for stage in stages_of(run.ledger, mode.id):
            for sample in run.ledger.samples(stage=stage):
                image = run.images.get(sample.image_id, facts=_facts(work.source))
                checks.keep(Draft.of(sample, image))
    return [_delivered(run, origin, mode, work, checks, progress) for mode in work.modes]


def _delivered(
    run: Run,
    origin: Run,
    mode: FailureMode,
    work: Commission,
    checks: Checks,
    progress: Progress,
) -> Delivery:
    settings, known = work.settings, stages_of(run.ledger, mode.id)
    so_far = [attempts_of(run.ledger.done(stage) or {}) for stage in known]
    pace = Pace.of(settings.generate)
    brief = brief_for(
        origin, mode.id, described(mode), mode.predicate,
        wanted=settings.samples, seed=str(settings.seed), source=work.source,
        exact=settings.generate.agents != "llm",
    )  # fmt: skip
    kept = delivery_of(run.ledger, mode, settings.samples).kept
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
    return delivery_of(run.ledger, mode, settings.samples)


def _facts(source: ImageSource) -> FactsBuilder | None:
    return source.facts if isinstance(source, World) else None
