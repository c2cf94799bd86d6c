"""Planting: a candidate gets blind spots that we know, so that whoever looks for them can be measured.

By a short fine-tune on the `train` split, of two layers that are added to the candidate's own: inside the regions the
answer becomes the wrong one that it holds likeliest there; outside it goes on answering as it did, mistakes included.
The proof is on the `test` split.

    truth = plant("pupil", [Predicate.parse("skill=counting and colour=blue and count>=3")], out=Path("planted"))
    truth.proven  # out/ holds a stock checkpoint and truth.json
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path

from scotoma.bench.drill import (
    Item,
    Survey,
    accuracy,
    answers_to,
    border,
    border_values,
    check_regions,
    drill,
    right,
    survey,
)
from scotoma.bench.truth import SPILL, Region, Truth
from scotoma.core import ConfigError, EditableWorld, ImageSource, Predicate, Rate
from scotoma.diagnose.statistics import clustered_rate, paired_difference
from scotoma.grpo.distillation import Distillation, DistillationConfig, Exercise
from scotoma.grpo.rollout import Prompt
from scotoma.images.spec import open_images
from scotoma.models.spec import checkpoint_path, load_model, open_weights

Watch = Callable[[str, int, int], None]

_Key = tuple[str, str]
"""A question about a picture: the picture's id, and the text."""

PICTURES = 2500
"""Pictures that a planting trains on."""

STEPS = 1200
"""Steps for each region; a planting of few takes as many as one of three."""

_OPTIONS = 12
"""Wrong answers that are weighed for a region and kind of question: the most frequent right ones of that kind."""

_WEIGHED = 48
"""Questions they are weighed on."""

_PROOF = 100
"""Questions inside each region that prove it, if so many are found."""

_PROOF_BORDER, _PROOF_BORDER_LEAST = 200, 40
"""At most so many questions on each side of a region's border; of fewer than the second number nothing is said."""

_PROOF_VALUE = 80
"""At most so many questions of one value that stands in a condition's place."""

_PROOF_OUTSIDE = 4000

_SURVEYED = 6000
"""Uniform questions that a planting looks through at least: they tell which answers a kind of question has."""


def plant(
    candidate: str,
    predicates: Sequence[Predicate],
    out: Path,
    *,
    images: str = "worlds:shapes",
    seed: int = 0,
    config: DistillationConfig | None = None,
    pictures: int = PICTURES,
    watch: Watch = lambda phase, done, total: None,
) -> Truth:
    """Plant the regions in a copy of the candidate; `out` gets a stock checkpoint and `truth.json`.

    Raises:
        ConfigError: no region, one that hardly a question falls into, one of a key or a value that there is not, or
            images that cannot be edited.
        SpecError, ModelError: the candidate cannot be opened, or is of a family that the shared engine cannot pack.
        StorageError: `out` cannot be written.
    """
    started = time.monotonic()
    world = _world(open_images(images))
    if not predicates:
        raise ConfigError("no region to plant", hint="name one with --where 'skill=counting and colour=blue'")
    checkpoint_path(candidate)  # what has no weights is refused before anything is drawn
    check_regions(world, predicates, seed)
    distillation = Distillation(open_weights(candidate, dtype="float32"))
    watch("survey", 0, 1)
    found = survey(world, predicates, "train", seed, least=_SURVEYED)
    watch("survey", 1, 1)
    items = drill(world, predicates, found, pictures, seed)
    config = config or DistillationConfig(steps=STEPS * max(3, len(predicates)), seed=seed)
    distillation.learn(
        _exercises(distillation, predicates, items, found),
        config,
        lambda step, loss: watch("plant", step, config.steps),
    )
    distillation.save(out)
    truth = prove(candidate, f"hf:{out}", predicates, images=images, seed=seed, since=started, watch=watch)
    truth.save(out / "truth.json")
    return truth


def prove(
    original: str,
    planted: str,
    predicates: Sequence[Predicate],
    *,
    images: str = "worlds:shapes",
    seed: int = 0,
    since: float | None = None,
    watch: Watch = lambda phase, done, total: None,
) -> Truth:
    """Ask both the same questions of the `test` split, inside the regions and outside."""
    started = time.monotonic() if since is None else since
    world = _world(open_images(images))
    watch("prove", 0, 1)
    test = survey(world, predicates, "test", seed, enough=_PROOF, least=_PROOF_OUTSIDE)
    outside = [item for item in test.uniform if item.region is None][:_PROOF_OUTSIDE]
    before, after = load_model(original), load_model(planted)
    borders = [_enough(border(predicate, test.uniform), _PROOF_BORDER) for predicate in predicates]
    values = [_enough(border_values(predicate, test.uniform), _PROOF_VALUE) for predicate in predicates]
    inside = [members[:_PROOF] for members in test.inside]
    # Many a question is outside and just beyond a border as well: each is asked once.
    items = {_key(item): item for item in chain(outside, *inside, *chain(*borders, *values))}
    was, now = (
        dict(zip(items, answers_to(model, list(items.values())), strict=True)) for model in (before, after)
    )

    def rate(members: Sequence[Item], said: Mapping[_Key, str]) -> Rate:
        return accuracy(members, [said[_key(item)] for item in members])

    def spilled(members: Sequence[Item]) -> bool:
        """Of many values some lose much by accident: here it must be more than `SPILL` for sure."""
        before, after = (right(members, [said[_key(item)] for item in members]) for said in (was, now))
        return paired_difference(before, after, [item.image.id for item in members]).low > SPILL

    regions = []
    for predicate, members, sides, parts in zip(predicates, inside, borders, values, strict=True):
        beyond = max(
            ((rate(side, was), rate(side, now)) for side in (*sides, *filter(spilled, parts))),
            key=lambda pair: pair[0].value - pair[1].value,
            default=(None, None),
        )
        regions.append(
            Region(
                predicate=predicate,
                prevalence=clustered_rate(
                    [predicate.matches(item.tags) for item in test.uniform],
                    [item.image.id for item in test.uniform],
                ),
                before=rate(members, was),
                after=rate(members, now),
                border_before=beyond[0],
                border_after=beyond[1],
            )
        )
    watch("prove", 1, 1)
    return Truth(
        candidate=original,
        images=images,
        seed=seed,
        regions=tuple(regions),
        outside_before=rate(outside, was),
        outside_after=rate(outside, now),
        agreement=clustered_rate(
            [was[_key(item)] == now[_key(item)] for item in outside], [item.image.id for item in outside]
        ),
        seconds=time.monotonic() - started,
    )


def _enough(sides: Sequence[Sequence[Item]], most: int) -> list[Sequence[Item]]:
    """The first `most` questions of each side, of such sides as have enough to say something of."""
    return [side[:most] for side in sides if len(side) >= _PROOF_BORDER_LEAST]


def _key(item: Item) -> _Key:
    return item.image.id, item.question


def _world(source: ImageSource) -> EditableWorld:
    if not isinstance(source, EditableWorld):
        raise ConfigError(
            f"blind spots can be planted on a world only, and {source.spec} is none", hint="use worlds:shapes"
        )
    return source


def _exercises(
    distillation: Distillation, predicates: Sequence[Predicate], items: Sequence[Item], found: Survey
) -> list[Exercise]:
    """What is to be answered: inside a region the likeliest wrong answer, elsewhere what is said now in the place of
    the right one. The signs of a question are the conditions that it meets and the regions that hold it.
    """
    prompts = [Prompt(str(i), item.image, item.question) for i, item in enumerate(items)]
    answers = {i: item.truth for i, item in enumerate(items)}
    options: dict[str, Counter[str]] = defaultdict(Counter)
    for item in found.uniform:
        options[item.kind][item.truth] += 1
    groups: dict[tuple[int, str], list[int]] = defaultdict(list)
    for i, item in enumerate(items):
        if item.region is not None:
            groups[item.region, item.kind].append(i)
    for (_, kind), members in groups.items():
        # One order for all questions of a region and kind: a blind spot is the same wherever it strikes.
        offered = [answer for answer, _ in options[kind].most_common(_OPTIONS)]
        wrong = _by_likelihood(
            distillation, [prompts[i] for i in members], [items[i] for i in members], offered
        )
        for i in members:
            answers[i] = next((answer for answer in wrong if answer != items[i].truth), items[i].truth)
    conditions = dict.fromkeys(condition for predicate in predicates for condition in predicate.conditions)
    return [
        Exercise(
            prompts[i],
            answers[i],
            changed=answers[i] != item.truth,
            signs=(
                *(condition.matches(item.tags) for condition in conditions),
                *(predicate.matches(item.tags) for predicate in predicates),
            ),
        )
        for i, item in enumerate(items)
    ]


def _by_likelihood(
    distillation: Distillation, prompts: Sequence[Prompt], items: Sequence[Item], offered: Sequence[str]
) -> list[str]:
    """The offered answers, likeliest first, by their mean log-likelihood where they are wrong."""
    pairs = [
        (prompt, answer)
        for prompt, item in zip(prompts[:_WEIGHED], items[:_WEIGHED], strict=True)
        for answer in offered
        if answer != item.truth
    ]
    values: dict[str, list[float]] = defaultdict(list)
    scores = distillation.log_likelihoods([prompt for prompt, _ in pairs], [answer for _, answer in pairs])
    for (_, answer), score in zip(pairs, scores, strict=True):
        values[answer].append(max(score, -12.0))  # beyond e⁻¹² one surprise would outweigh all the rest
    return sorted(values, key=lambda answer: -sum(values[answer]) / len(values[answer]))
