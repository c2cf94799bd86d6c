"""The questions a planting is made of: inside the regions, just outside them, and everywhere else.

A small model learns a region's border only from questions on both sides of it. So pictures are varied from such as
offered a question inside, or one that a single condition keeps out ("fewer than four things" has four); they come with
questions inside, with others of the same kind that fall outside, and with uniform ones. A part of the pictures is
uniform altogether.

    found = survey(world, predicates, "train", seed=0)
    items = drill(world, predicates, found, images=2500, seed=0)
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from scotoma.core import (
    ChatModel,
    Condition,
    ConfigError,
    EditableWorld,
    ImageRecord,
    ModelError,
    Predicate,
    Rate,
    Request,
    Sampling,
    Split,
    Tag,
    Tags,
)
from scotoma.diagnose.statistics import clustered_rate
from scotoma.verify.rules import match

PER_IMAGE = 12
"""Uniform questions about each surveyed image."""

_GLANCED = 100
"""Pictures whose questions tell which keys there are, and of some keys which values."""

_OFTEN = 5
"""A key's values count as known when each was met so often: there are few colours, and many wordings."""

_LEAST = 8
"""Questions inside a region that a planting needs to start from."""

_UNIFORM_SHARE = 0.35
"""Pictures that no region chose."""

_BORDER_SHARE = 0.4
"""Pictures of a region that start just outside it: where a condition speaks of the scene, no question about a picture
inside is outside.
"""

_INSIDE, _UNIFORM = 7, 6
"""At most so many questions of a region, and so many uniform ones, about one picture."""


@dataclass(frozen=True)
class Item:
    """A valid question; `region` is the number of the first region that holds it, None outside all."""

    image: ImageRecord
    question: str
    truth: str
    tags: Tags
    region: int | None

    @property
    def kind(self) -> str:
        """What the question asks for: questions of one kind have answers of one kind."""
        return str(self.tags.get("operation", self.tags.get("type", "")))


@dataclass(frozen=True)
class Survey:
    """Uniform questions of a split, and those inside each region, also where regions overlap."""

    uniform: tuple[Item, ...]
    inside: tuple[tuple[Item, ...], ...]


def survey(
    world: EditableWorld,
    predicates: Sequence[Predicate],
    split: Split,
    seed: int,
    *,
    enough: int = 40,
    least: int = 6_000,
    most: int = 30_000,
) -> Survey:
    """Look through uniform questions until every region has `enough`: at least `least` questions, at most `most`."""
    uniform: list[Item] = []
    inside: list[list[Item]] = [[] for _ in predicates]
    for number, image in enumerate(world.images(split, seed)):
        assert image.facts is not None
        uniform += items_of(predicates, image, world.questions(image.facts, number, PER_IMAGE))
        for item in uniform[-PER_IMAGE:]:
            for members, predicate in zip(inside, predicates, strict=True):
                if predicate.matches(item.tags):
                    members.append(item)
        short = any(len(members) < enough for members in inside)
        if len(uniform) >= most or (len(uniform) >= least and not short):
            break
    return Survey(tuple(uniform), tuple(map(tuple, inside)))


def check_regions(world: EditableWorld, predicates: Sequence[Predicate], seed: int) -> None:
    """Refuse what can be refused by the questions about a few pictures, before the survey and what it takes.

    Raises:
        ConfigError: a region speaks of a key or a value that there is not.
    """
    found = survey(world, (), "train", seed, least=_GLANCED * PER_IMAGE)
    _check_words(predicates, found.uniform)


def drill(
    world: EditableWorld, predicates: Sequence[Predicate], found: Survey, images: int, seed: int
) -> list[Item]:
    """The questions to train on, about `images` new pictures of the `train` split; every region equally often.

    Raises:
        ConfigError: a region is so rare that hardly a question fell into it, or speaks of a key or a value that there
            is not.
    """
    _check_words(predicates, found.uniform)
    for predicate, members in zip(predicates, found.inside, strict=True):
        if len(members) < _LEAST:
            raise ConfigError(
                f"only {len(members)} of {len(found.uniform):,} uniform questions are of the region {str(predicate)!r}",
                hint="plant a wider region, of fewer or other conditions; `scotoma plant --help` lists the keys",
            )
    borders = [border(predicate, found.uniform) for predicate in predicates]
    rng = random.Random(f"drill/{seed}")
    fresh = world.images("train", seed + 1)
    given: Counter[int] = Counter(dict.fromkeys(range(len(predicates)), 0))
    drilled: list[Item] = []
    made = 0
    while made < images:
        if rng.random() < _UNIFORM_SHARE:
            image = next(fresh)
            assert image.facts is not None
            drilled += items_of(
                predicates, image, world.questions(image.facts, rng.getrandbits(32), PER_IMAGE)
            )
            made += 1
            continue
        region = min(given, key=lambda number: given[number])
        beyond = rng.choice(borders[region]) if borders[region] and rng.random() < _BORDER_SHARE else ()
        start = rng.choice(beyond or found.inside[region])
        assert start.image.facts is not None
        facts = world.vary(start.image.facts, start.question, rng.getrandbits(32))
        alike = [start.question, *world.similar(facts, start.question, rng.getrandbits(32), 24)]
        image = world.render(facts, "train")
        items = items_of(predicates, image, dict.fromkeys(alike))
        inside = [item for item in items if item.region is not None][:_INSIDE]
        if not beyond and not any(item.region == region for item in inside):
            given[region] += rng.random() < 0.02  # lest a region that no variation keeps is tried for ever
            continue
        near = [item for item in items if item.region is None][: _INSIDE if beyond else max(4, len(inside))]
        others = items_of(predicates, image, world.questions(facts, rng.getrandbits(32), _UNIFORM))
        drilled += {item.question: item for item in (*inside, *near, *others)}.values()
        given[region] += len(inside)
        made += 1
    return drilled


def _check_words(predicates: Sequence[Predicate], items: Sequence[Item]) -> None:
    """Refuse an unknown key, and an unknown text of a key whose values are all known; a rare one may be any other."""
    met: dict[str, Counter[Tag]] = defaultdict(Counter)
    for item in items:
        for key, tag in item.tags.items():
            met[key].update(tag if isinstance(tag, tuple) else (tag,))
    for condition in chain.from_iterable(predicate.conditions for predicate in predicates):
        if condition.key not in met:
            raise ConfigError(
                f"no question has the key {condition.key!r}", hint=f"keys are {', '.join(sorted(met))}"
            )
        values = met[condition.key]
        if condition.op != "=" or not isinstance(condition.value, str) or min(values.values()) < _OFTEN:
            continue
        if not any(condition.matches({condition.key: value}) for value in values):
            there = (str(condition.model_copy(update={"value": value})) for value in values)
            raise ConfigError(f"no question has {condition}", hint=f"there are {', '.join(sorted(there))}")


def border(predicate: Predicate, items: Sequence[Item]) -> list[list[Item]]:
    """For each condition the questions outside every region that only this one keeps out of the predicate's, and keeps
    out just so: of "fewer than three things" those about three, the next number, where a blind spot spills over first.
    """
    sides: dict[Condition, list[Item]] = {condition: [] for condition in predicate.conditions}
    for condition, item in _just_beyond(predicate, items):
        sides[condition].append(item)
    return [side for side in sides.values() if side]


def border_values(predicate: Predicate, items: Sequence[Item]) -> list[list[Item]]:
    """The same sides told apart by what stands in the place of the missed condition's value, `vertical` or `colour`
    where `skill=horizontal` is asked for: a blind spot may spill over to one of many neighbours.
    """
    values: dict[tuple[str, Tag], list[Item]] = defaultdict(list)
    for condition, item in _just_beyond(predicate, items):
        if condition.op == "=":
            tag = item.tags.get(condition.key, False)
            for value in tag if isinstance(tag, tuple) else (tag,):
                values[condition.key, value].append(item)
    return list(values.values())


def _just_beyond(predicate: Predicate, items: Sequence[Item]) -> Iterator[tuple[Condition, Item]]:
    """The questions outside every region that miss the predicate by one condition, and by as little as can be."""
    for item in items:
        missed = [condition for condition in predicate.conditions if not condition.matches(item.tags)]
        if item.region is None and len(missed) == 1 and _next_to(missed[0], item.tags):
            yield missed[0], item


def _next_to(condition: Condition, tags: Tags) -> bool:
    """Whether a question that misses the condition misses it by as little as can be."""
    if condition.op not in (">=", "<="):
        return True
    value, bound = tags.get(condition.key), condition.value
    return isinstance(value, int) and isinstance(bound, int) and abs(value - bound) == 1


def items_of(
    predicates: Sequence[Predicate],
    image: ImageRecord,
    questions: Sequence[str] | dict[str, None],
) -> list[Item]:
    """The valid ones among the questions about one image."""
    assert image.facts is not None
    items = []
    for question in questions:
        examined = image.facts.examine(question)
        if examined.answer is not None:
            region = next((i for i, each in enumerate(predicates) if each.matches(examined.tags)), None)
            items.append(Item(image, question, examined.answer, examined.tags, region))
    return items


def answers_to(model: ChatModel, items: Sequence[Item]) -> list[str]:
    """What the model says, greedily.

    Raises:
        ModelError: some were lost to errors. They are no wrong answers, and without them nothing is proved.
    """
    requests = [Request((item.image,), item.question, sampling=Sampling(max_tokens=8)) for item in items]
    replies = model.answer(requests)
    lost = [reply.error for reply in replies if reply.error is not None]
    if lost:
        raise ModelError(
            f"{model.name} left {len(lost)} of {len(items)} questions unanswered: {lost[0].message}",
            hint="run the same command again; what is finished is not done anew",
        )
    return [reply.text for reply in replies]


def right(items: Sequence[Item], answers: Sequence[str]) -> list[bool]:
    """Which answers are what the facts say."""
    return [match(answer, item.truth) == "correct" for item, answer in zip(items, answers, strict=True)]


def accuracy(items: Sequence[Item], answers: Sequence[str]) -> Rate:
    """The share of right ones, clustered by image."""
    return clustered_rate(right(items, answers), [item.image.id for item in items])
