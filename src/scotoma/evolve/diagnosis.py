"""The diagnosis of an arm before a round: what the policy is bad at now, and so what it shall be trained on.

Every arm has its own way from one to the other, which is all that tells the arms apart:

- `targeted`: pass rates and error kinds of every confirmed mode, and which of discovery's failures are left, asked
  anew each round.
- `targeted-frozen`: the diagnosis of the first round, ever again: is diagnosing again worth it?
- `dpe`: the paper's bands (arXiv 2602.22859) on the accuracy in each type of question, and what is left in it.
- `random`: made like `targeted`, from questions drawn by chance.
- `uniform`: template questions about fresh pictures; of photos, samples that agents make unaimed.

    found = diagnose(shop, "targeted", policy.weights, number=1)
    found.mixture.shares, found.modes
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from pydantic import BaseModel, ConfigDict

from scotoma.core import (
    AttributedFailure,
    ComposedWorld,
    Condition,
    FailureMode,
    ImageRecord,
    ModeDiagnosis,
    Observation,
    Predicate,
    skills_of,
)
from scotoma.diagnose import mixture as mixtures
from scotoma.diagnose.error_kind import Part, attribute, examples, tally
from scotoma.diagnose.mixture import Mixture
from scotoma.diagnose.statistics import clustered_rate
from scotoma.discover.interview import Asked, Interview
from scotoma.discover.outage import MOST_LOST, check_answered
from scotoma.discover.pool import ValidQuestion
from scotoma.evolve.failures import failures_left
from scotoma.evolve.settings import Arm
from scotoma.evolve.workshop import Workshop
from scotoma.generate.planner import Target

PER_MODE = 40
"""Questions per mode whose pass rate is sampled; more costs time and moves the mixture little."""

CATEGORIES = ("type", "skills")
"""The tag whose values are the categories of `dpe` and `random`: a world's types of questions or, where there are none,
the combinations of skills."""

AIMED: tuple[Arm, ...] = ("targeted", "targeted-frozen")
"""The arms that know the failure modes."""

RENEWED: tuple[Arm, ...] = ("targeted", "dpe")
"""The arms that ask anew, in every round after the first, which failures are left."""


class Diagnosis(BaseModel):
    """The mixture of the next round and, where modes were asked about, what was found of each. Categories are values of
    the tag `category`. `failures` are the keys of those that samples are made from; None: all that discovery found.
    `attributions` holds every failure of the modes, of which `modes` has counts and examples.
    """

    model_config = ConfigDict(frozen=True)

    mixture: Mixture
    modes: tuple[ModeDiagnosis, ...] = ()
    category: str = CATEGORIES[0]
    failures: tuple[str, ...] | None = None
    attributions: tuple[AttributedFailure, ...] = ()

    def targets(self, modes: Sequence[FailureMode]) -> list[Target]:
        """What the shares of the mixture are aimed at."""
        if self.mixture.kind == "targeted":
            return [Target(mode.id, mode.predicate) for mode in modes]
        return [
            Target(
                share.name, Predicate(conditions=(Condition(key=self.category, op="=", value=share.name),))
            )
            for share in self.mixture.shares
        ]


def diagnose(shop: Workshop, arm: Arm, weights: str, number: int) -> Diagnosis:
    """The diagnosis of one arm before round `number`; from the ledger when it was made before."""
    name = f"round{number}/{arm}"
    if (done := shop.run.ledger.done(f"{name}/diagnose")) is not None:
        return Diagnosis.model_validate(done)
    repair = shop.settings.repair
    if arm == "targeted-frozen" and (first := _first(shop, number)) is not None:
        found = Diagnosis(mixture=first.mixture)
    elif arm in AIMED:
        found = _of_modes(shop, shop.interview(weights), name)
    elif arm == "dpe":
        key = _category(shop)
        accuracies = _by_category(shop, weights, name, key)
        found = Diagnosis(mixture=mixtures.dpe(accuracies, repair.samples), category=key)
    elif arm == "random":
        key = _category(shop)
        categories = sorted({str(item.tags[key]) for item in shop.held_back.uniform})
        mixture = mixtures.random(categories, repair.samples, repair.mixture.retention)
        found = Diagnosis(mixture=mixture, category=key)
    else:
        found = Diagnosis(mixture=mixtures.uniform(repair.samples))
    if number > 1 and arm in RENEWED:
        left = failures_left(shop, name, weights, found.targets(shop.modes))
        found = found.model_copy(update={"failures": left})
    shop.run.ledger.finish(f"{name}/diagnose", found.model_dump(mode="json"))
    return found


def _category(shop: Workshop) -> str:
    """The tag that categories are told by."""
    exact = all(CATEGORIES[0] in item.tags for item in shop.held_back.uniform)
    return CATEGORIES[0] if exact else CATEGORIES[1]


def _first(shop: Workshop, number: int) -> Diagnosis | None:
    """The diagnosis before the first round, of the same model for every arm: whichever arm made it."""
    arms = ("targeted",) if number == 1 else ("targeted", "targeted-frozen")
    stages = (shop.run.ledger.done(f"round1/{arm}/diagnose") for arm in arms)
    return next((Diagnosis.model_validate(done) for done in stages if done is not None), None)


def _of_modes(shop: Workshop, asking: Interview, name: str) -> Diagnosis:
    """Pass rates of k sampled answers and error kinds, mode by mode, on the `confirm` split."""
    repair = shop.settings.repair
    found: list[ModeDiagnosis] = []
    attributed: list[AttributedFailure] = []
    for n, mode in enumerate(shop.modes):
        shop.progress(f"diagnose {name}", n, len(shop.modes))
        fair = min(PER_MODE, shop.held_back.each or PER_MODE)
        members = [item for item in shop.held_back.modes if mode.predicate.matches(item.tags)][:fair]
        asked = [_asked(f"{name}/diagnose/{mode.id}/{i}", item) for i, item in enumerate(members)]
        rates = asking.pass_rates(asked, repair.pass_samples)
        known = [(rate, item.image.id) for rate, item in zip(rates, members, strict=True) if rate is not None]
        answered = asking.ask(asked, f"{name}/diagnose")
        check_answered(answered, MOST_LOST)
        failures = [o for o in answered if o.outcome == "failure"]
        images = {item.image.id: item.image for item in members}
        attributions = [
            attribute(failure, parts)
            for failure, parts in zip(failures, _parts(shop, asking, failures, images), strict=True)
        ]
        attributed += [
            AttributedFailure(**attribution.model_dump(), key=failure.key, mode_id=mode.id)
            for failure, attribution in zip(failures, attributions, strict=True)
        ]
        found.append(
            ModeDiagnosis(
                mode_id=mode.id,
                pass_rate=clustered_rate([rate for rate, _ in known], [image for _, image in known])
                if known
                else None,
                error_kinds=tally(attributions),
                examples=examples(attributions),
            )
        )
    rates_now = {each.mode_id: each.pass_rate.value for each in found if each.pass_rate}
    mixture = mixtures.targeted(
        _as_it_fails_now(shop.modes, rates_now), repair.samples, rates_now, repair.mixture
    )
    return Diagnosis(mixture=mixture, modes=tuple(found), attributions=tuple(attributed))


def _parts(
    shop: Workshop, asking: Interview, failures: Sequence[Observation], images: dict[str, ImageRecord]
) -> Sequence[list[Part] | None]:
    """What each failed question is made of, asked; None where no world can tell."""
    if not isinstance(shop.source, ComposedWorld):
        return [None for _ in failures]
    asked: list[Asked] = []
    owners: list[int] = []
    for i, failure in enumerate(failures):
        image = images[failure.image_id]
        assert image.facts is not None
        for question in shop.source.parts(image.facts, failure.question):
            asked.append(Asked(f"{failure.key}/parts/{len(asked)}", image, question))
            owners.append(i)
    found: list[list[Part]] = [[] for _ in failures]
    for i, observation in zip(owners, asking.ask(asked, "parts"), strict=True):
        right = None if observation.outcome == "infrastructure" else observation.outcome == "correct"
        found[i].append(Part(observation.question, skills_of(observation.tags), right))
    return found


def _by_category(shop: Workshop, weights: str, name: str, key: str) -> dict[str, float]:
    """Accuracy by category, on uniform questions of the `confirm` split."""
    shop.progress(f"diagnose {name}", 0, 1)
    asking = shop.interview(weights)
    items = shop.held_back.uniform
    answered = asking.ask(
        [_asked(f"{name}/diagnose/{i}", item) for i, item in enumerate(items)], f"{name}/diagnose"
    )
    check_answered(answered, MOST_LOST)
    scores: dict[str, list[bool]] = {}
    for o in answered:
        if o.answered:
            scores.setdefault(str(o.tags[key]), []).append(o.outcome == "correct")
    return {category: fmean(right) for category, right in sorted(scores.items())}


def _asked(key: str, item: ValidQuestion) -> Asked:
    return Asked(key, item.image, item.question, verdict=item.verdict, tags=item.tags)


def _as_it_fails_now(modes: Sequence[FailureMode], rates: dict[str, float]) -> list[FailureMode]:
    """The modes with this round's failure rate in place of the first round's: diagnosed again, not remembered."""
    renewed = []
    for mode in modes:
        old = mode.failure_rate
        if mode.id in rates and old is not None:
            value = 1 - rates[mode.id]
            renewed.append(mode.model_copy(update={"failure_rate": old.model_copy(update={"value": value})}))
        else:
            renewed.append(mode)
    return renewed
