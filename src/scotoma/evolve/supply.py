"""The supply: what an arm trains on in a round, made as its mixture says, and read from the ledger ever after.

There are two ways. In a world failing scenes are varied and asked about in bulk (`generate.pipeline`). Or agents make
samples one by one (`generate.production`), for each share of the mixture and, of the same crew without a word of any
weakness, the unaimed ones: a targeted arm's retention is the beginning of the uniform arm's samples. Where language
models are the crew, nothing but the aim differs between the two. With exact agents more does: they make the aimed ones
only, two questions a picture, and these alone pass `standards` and `generate.checks`; the others are what a world's
templates ask of fresh pictures, eight questions each, and pass `usual_checks`. Every batch of the agents is a stage of
the ledger.

Either way a share that falls short is said, and retention takes the place of what is missing, so that volumes stay
equal across arms.

    made = supply(shop, diagnosis, "targeted", Policy("base", "hf:my/model"), number=1)
    made.samples, made.images, made.shortfalls
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from scotoma.core import (
    ConfigError,
    EditableWorld,
    ImageRecord,
    ImageSource,
    ModelError,
    Sample,
    World,
    skills_of,
)
from scotoma.diagnose.wording import OTHER
from scotoma.discover.interview import put
from scotoma.evolve.diagnosis import Diagnosis
from scotoma.evolve.failures import failures_of
from scotoma.evolve.settings import Arm, EvolveSettings
from scotoma.evolve.workshop import Policy, Workshop
from scotoma.generate.attempt import Attempt, Tally, attempts_of, tally
from scotoma.generate.briefing import brief_for, described
from scotoma.generate.checks import Checks, Draft
from scotoma.generate.crew import exact_world
from scotoma.generate.handover import Brief
from scotoma.generate.pipeline import Made, targeted_samples, uniform_samples
from scotoma.generate.planner import Structure, Target
from scotoma.generate.production import BARREN, Crew, Pace, batches
from scotoma.generate.settings import CheckSettings
from scotoma.generate.standards import Trainee, further_standards, held_out, standards
from scotoma.generate.unaimed import UNAIMED, UnaimedPlanner, unaimed
from scotoma.models.spec import same_model


@dataclass(frozen=True)
class _Work:
    """What was made of a brief. `images`: those that the ledger does not know yet."""

    samples: list[Sample]
    tally: Tally
    images: Mapping[str, ImageRecord] = field(default_factory=dict)


def check_makers(source: ImageSource, settings: EvolveSettings) -> None:
    """Somebody must be able to make samples of these pictures, and nobody asks what he is then trained on.

    Raises:
        ConfigError: nobody is, or the candidate would write the questions of its own proof.
    """
    if not isinstance(source, World) and same_model(settings.discover.questioner, settings.candidate):
        raise ConfigError(
            f"discover.questioner: {settings.discover.questioner!r} is the model under training, which would write the "
            "questions of its own proof and examination",
            hint="name another model; facts would decide, but these pictures have none",
        )
    if settings.generate.agents == "exact":
        exact_world(source)
    elif settings.generate.agents == "varied" and not isinstance(source, EditableWorld):
        raise ConfigError(
            f"images: {source.spec} has no scenes that can be edited, so somebody must make the samples",
            hint="set generate.agents: llm with a planner, a writer and a validator, or use worlds:shapes",
        )


def supply(shop: Workshop, diagnosis: Diagnosis, arm: Arm, policy: Policy, number: int) -> Made:
    """The samples of an arm in round `number`, from the ledger when they were made before.

    Raises:
        ScotomaError: an agent's server cannot be used, a budget is used up, the disk is full.
    """
    ledger, mixture = shop.run.ledger, diagnosis.mixture
    name = f"round{number}/{arm}"
    stage = f"{name}/generate"
    if ledger.done(stage) is None:
        shop.progress(f"generate {name}", 0, mixture.volume)
        if shop.crew is not None:
            made = _by_agents(shop, shop.crew, diagnosis, arm, policy, number)
        else:
            made = _by_variation(shop, diagnosis, number)
        ledger.finish(
            stage,
            {
                "samples": len(made.samples),
                "shortfalls": made.shortfalls,
                "rejected": dict(made.rejected),
                "infrastructure": dict(made.infrastructure),
            },
            samples=made.samples,
            images=shop.run.images.put_all(made.images.values()),
        )
        shop.progress(f"generate {name}", mixture.volume, mixture.volume)
    samples = ledger.samples(stage)
    done = ledger.done(stage) or {}
    return Made(samples, pictures_for(shop, samples), done.get("shortfalls", {}))


def evened(supplies: Mapping[Arm, Made]) -> dict[Arm, Made]:
    """Every arm's samples, as many as the arm with the fewest has: spread evenly over what was made, so that the
    mixture stays what it was. Only where pictures or tries ran out is there anything to leave out.

    Raises:
        ConfigError: an arm has none.
    """
    least = min(len(made.samples) for made in supplies.values())
    if least == 0:
        bare = next(arm for arm, made in supplies.items() if not made.samples)
        raise ConfigError(
            f"not one sample could be made for the arm {bare}",
            hint="the report says what was rejected, and why; more pictures, tries or another writer may help",
        )
    found = {}
    for arm, made in supplies.items():
        n = len(made.samples)
        kept = [made.samples[i * n // least] for i in range(least)]
        shown = {sample.image_id for sample in kept}
        images = {image_id: image for image_id, image in made.images.items() if image_id in shown}
        found[arm] = replace(made, samples=kept, images=images)
    return found


def _seed(shop: Workshop, number: int) -> int:
    """Of a round's template questions: the same in every arm, and however the aimed samples are made."""
    return shop.settings.seed * 1000 + number


def _by_variation(shop: Workshop, diagnosis: Diagnosis, number: int) -> Made:
    world, mixture = shop.source, diagnosis.mixture
    assert isinstance(world, EditableWorld)
    kept_back, seed = held_out(shop.run), _seed(shop, number)
    if not mixture.shares:
        return uniform_samples(world, mixture.volume, kept_back, seed)
    targets = diagnosis.targets(shop.modes)
    return targeted_samples(
        world, mixture, targets, _structures(shop, world, diagnosis, targets), kept_back, seed
    )


def _structures(
    shop: Workshop, world: EditableWorld, diagnosis: Diagnosis, targets: Sequence[Target]
) -> list[Structure]:
    """The scenes of the `discover` split in which the candidate failed, read back with their facts; for `random` those
    of all uniform questions, right or wrong.
    """
    if diagnosis.mixture.kind == "random":
        asked = [
            o
            for o in shop.run.ledger.observations("baseline")
            if o.answered and any(t.predicate.matches(o.tags) for t in targets)
        ]
    else:
        asked = failures_of(shop.run, targets, diagnosis.failures)
    found: list[Structure] = []
    for observation in asked:
        record = shop.run.images.get(observation.image_id, facts=world.facts)
        if record.facts is not None:
            found.append(Structure(record.facts, observation.question, observation.tags))
    return found


def _by_agents(
    shop: Workshop, crew: Crew, diagnosis: Diagnosis, arm: Arm, policy: Policy, number: int
) -> Made:
    """Each share by its brief; the rest of the volume, shortfalls too, unaimed."""
    settings, mixture, made = shop.settings, diagnosis.mixture, Made()
    name, seed = f"round{number}/{arm}", f"{settings.seed}/{number}"
    checks = _checks(shop, settings.generate.checks, policy.weights)
    words = {mode.id: described(mode) for mode in shop.modes}
    targets = {target.id: target for target in diagnosis.targets(shop.modes)}
    for share in mixture.shares:
        brief = brief_for(
            shop.run,
            share.name,
            words.get(share.name, f"questions of the kind {share.name}"),
            targets[share.name].predicate,
            wanted=share.samples,
            seed=seed,
            source=shop.source,
            exact=settings.generate.agents != "llm",
            by_chance=mixture.kind == "random",
            left=diagnosis.failures,
        )
        work = _worked(shop, f"{name}/agents/{share.name}", brief, crew, checks)
        made.samples += work.samples
        made.count(work.tally)
        if len(work.samples) < share.samples:
            made.shortfalls[share.name] = share.samples - len(work.samples)
    known = {sample.id for sample in made.samples}
    rest = mixture.volume - len(known)
    beside = _besides(shop, crew, rest, number, known)
    made.count(beside.tally)
    purpose = "retention" if mixture.shares else "uniform"
    made.samples += [
        sample.model_copy(update={"purpose": purpose, "mode_id": None}) for sample in beside.samples
    ]
    if len(made.samples) < mixture.volume:
        made.shortfalls[UNAIMED] = mixture.volume - len(made.samples)
    shown = {sample.image_id for sample in made.samples}
    made.images = pictures_for(shop, [s for s in made.samples if s.image_id not in beside.images])
    made.images |= {image_id: image for image_id, image in beside.images.items() if image_id in shown}
    return made


def _besides(shop: Workshop, crew: Crew, rest: int, number: int, known: Collection[str]) -> _Work:
    """The first `rest` unaimed samples that no aimed one is already; what is left out is made besides."""
    wanted = rest
    while True:
        work = _unaimed(shop, crew, wanted, number)
        fresh = [sample for sample in work.samples if sample.id not in known][:rest]
        if len(fresh) >= rest or len(work.samples) < wanted:
            return replace(work, samples=fresh)
        wanted += rest - len(fresh)


def _unaimed(shop: Workshop, crew: Crew, wanted: int, number: int) -> _Work:
    """The first so many unaimed samples of a round, the same for every arm; no check looks at any arm's policy."""
    settings = shop.settings
    if settings.generate.agents == "exact":
        asked = uniform_samples(exact_world(shop.source), wanted, held_out(shop.run), _seed(shop, number))
        tried = Tally(kept=len(asked.samples), rejected=dict(asked.rejected))
        return _Work(asked.samples, tried, asked.images)
    checks = _checks(shop, settings.generate.checks.model_copy(update={"band": None}), settings.candidate)
    plain = replace(crew, planner=UnaimedPlanner(_skills(shop)))
    brief = unaimed(wanted, f"{settings.seed}/{number}")
    return _worked(shop, f"{UNAIMED}/{number}", brief, plain, checks)


def _skills(shop: Workshop) -> list[str]:
    """What unguided questions called for; what their wording does not tell cannot be wished for."""
    asked = shop.run.ledger.observations("baseline")
    found = {skill for o in asked if o.verdict.valid for skill in skills_of(o.tags)} - {OTHER}
    return sorted(found) or ["a look at it"]


def _checks(shop: Workshop, told: CheckSettings, trained: str) -> Checks:
    assert shop.leakage is not None
    answers, search = shop.settings.answers, shop.settings.generate.search
    trainee = Trainee(trained, partial(put, answers=answers), answers.max_tokens)
    return Checks([*standards(shop.leakage, shop.source, search), *further_standards(told, trainee)])


def _worked(shop: Workshop, stage: str, brief: Brief, crew: Crew, checks: Checks) -> _Work:
    """The first `brief.wanted` samples, batch by batch; those made before a stop are not made again.

    Raises:
        ModelError: the agents' servers fail throughout. No shortfall: the same command asks again.
    """
    run = shop.run
    known = [run.ledger.done(name) or {} for name in run.ledger.stages(f"{stage}/")]
    made = _samples(known)
    pictures = pictures_for(shop, made)
    for sample in made:
        checks.keep(Draft.of(sample, pictures[sample.image_id]))
    pace = Pace.of(shop.settings.generate)
    shop.progress(stage, len(made), brief.wanted)
    for number, batch in enumerate(
        batches(brief, crew, checks, pace, [attempts_of(each) for each in known]), start=len(known)
    ):
        document = {
            "attempts": [attempt.model_dump(mode="json") for attempt in batch.attempts],
            # In the document and no rows of their own: they become the samples of the arms that take them.
            "samples": [sample.model_dump(mode="json") for sample in batch.samples],
            "ended": batch.ended,
        }
        run.ledger.finish(f"{stage}/{number}", document, images=run.images.put_all(batch.images))
        known.append(document)
        made += batch.samples
        shop.progress(stage, len(made), brief.wanted)
    if known and known[-1]["ended"] == BARREN and len(made) < brief.wanted:
        failed = tally(attempts_of(known[-1])).infrastructure
        if failed:
            told_of = ", ".join(f"{count} × {reason}" for reason, count in failed.items())
            raise ModelError(
                f"the agents of {stage} fail for want of an answer: {told_of}",
                hint="are their servers well? The same command goes on",
            )
    return _within(brief.wanted, known)


def _within(wanted: int, batches_made: Sequence[dict[str, Any]]) -> _Work:
    """The first so many samples, and how the attempts ended that they took: others may have wanted more."""
    samples: list[Sample] = []
    attempts: list[Attempt] = []
    for document in batches_made:
        if len(samples) >= wanted:
            break
        samples += _samples([document])
        attempts += attempts_of(document)
    return _Work(samples[: max(wanted, 0)], tally(attempts))


def _samples(documents: Iterable[dict[str, Any]]) -> list[Sample]:
    return [Sample.model_validate(sample) for each in documents for sample in each["samples"]]


def pictures_for(shop: Workshop, samples: Sequence[Sample]) -> dict[str, ImageRecord]:
    """The samples' pictures, by id."""
    facts = shop.source.facts if isinstance(shop.source, World) else None
    ids = dict.fromkeys(sample.image_id for sample in samples)
    return {image_id: shop.run.images.get(image_id, facts=facts) for image_id in ids}
