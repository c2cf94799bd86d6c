"""What the checks on made samples catch, and what they wrongly reject: known errors are put into clean samples.

Clean samples come from the shapes world: template questions with the executor's answers. Errors of many kinds
(`corruption.KINDS`) make up 5, 10, 20 and 30 % of a batch, all kinds equally often; the checks see the batch as a
pipeline would show it to them, one sample after the other.

- `chains`: what the chains catch and wrongly reject that the commands really run (`chains.CHAINS`): whoever trains,
  trains on what passes one of these.
- `quality`, `kinds`, `batches`, `false_rejections`: the same of every check that needs no model, in one chain that no
  command runs, and of each by itself. `caught`: the share of the errors of a check's kinds that the whole chain
  rejects; `caught_alone`: that the check rejects with all others off; `false_rejections`: the share of the clean
  samples that it rejects, likewise alone; `any` is the whole chain's.

The world is kind to some checks: facts decide answers and draw pictures again, and the executor that labels is the
one that checks, so its own errors go unnoticed; with a judge, `answer` is as good as the judge (`scotoma calibrate`).
Other words, saved pictures and blind questions are found by rules, and those figures are measurements. The rules for
rewording were written with the world's wordings in view.

    measure().chains["evolve"].missed           # ("reworded",)
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean

from pydantic import BaseModel, ConfigDict

from scotoma.bench.chains import CHAINS, Chain, Chains, facts_of
from scotoma.bench.corruption import KINDS, Item, Kind, clean_drafts, corrupted
from scotoma.bench.diversity import Diversity, diversity
from scotoma.core import FailureMode, ImageRecord, Predicate, Rate, Sample
from scotoma.diagnose.mixture import targeted
from scotoma.diagnose.statistics import clustered_rate
from scotoma.generate.checks.answer import Answer
from scotoma.generate.checks.balance import Balance
from scotoma.generate.checks.blind import Blind, BlindAnswerer, Elsewhere, Habits
from scotoma.generate.checks.chain import Checks
from scotoma.generate.checks.check import Check
from scotoma.generate.checks.difficulty import Difficulty
from scotoma.generate.checks.duplicate import Duplicate
from scotoma.generate.checks.form import Form
from scotoma.generate.checks.grounding import Grounding
from scotoma.generate.checks.leakage import LEVELS, Leakage
from scotoma.generate.checks.licence import Licence
from scotoma.generate.checks.opinion import Reread
from scotoma.generate.checks.single_answer import SingleAnswer
from scotoma.generate.pipeline import targeted_samples, uniform_samples
from scotoma.generate.planner import Structure, Target
from scotoma.images.duplicates import NearDuplicates
from scotoma.images.worlds.shapes.world import ShapesWorld

RATES = (0.05, 0.1, 0.2, 0.3)
"""Shares of a batch that are errors."""

RESPONSIBLE: Mapping[Kind, str] = {
    "wrong_answer": "answer",
    "wrong_image": "grounding",
    "stale": "grounding",
    "duplicate": "duplicate",
    "reworded": "duplicate",
    "resaved": "duplicate",
    "leaked": "leakage",
    "leaked_resaved": "leakage",
    "ambiguous": "single_answer",
    "blind": "blind",
    "unbalanced": "balance",
    "out_of_band": "difficulty",
    "unlicensed": "licence",
    "malformed": "form",
}
"""Which check each kind of error is for."""

_AIMED_AT = ("operation=fewer", "type=counting and count>=3", "relation=left and shape=star")
"""Failure modes of the set whose diversity is measured."""

BAR: tuple[Kind, ...] = (
    "wrong_answer", "wrong_image", "stale", "duplicate", "reworded", "resaved", "leaked", "leaked_resaved",
)  # fmt: skip
"""Kinds of which a chain is to catch 95 %, while it rejects at most 2 % of the clean samples."""

_OTHERS = 1000
"""Pictures of which a question is asked to see whether it needs any."""

_PER_IMAGE = 8


class CheckQuality(BaseModel):
    """Of one check, over all rates: see the module."""

    model_config = ConfigDict(frozen=True)

    caught: Rate
    caught_alone: Rate
    false_rejections: Rate


class KindQuality(BaseModel):
    """Of one kind of error, over all rates. `rejected_by` counts the errors that each check rejects in the chain."""

    model_config = ConfigDict(frozen=True)

    check: str
    caught: Rate
    caught_alone: Rate
    rejected_by: dict[str, int]


class BatchQuality(BaseModel):
    """Of one batch, with a share `rate` of errors: what any check rejects of them, and of the clean samples."""

    model_config = ConfigDict(frozen=True)

    rate: float
    caught: Rate
    false_rejections: Rate


class ChainQuality(BaseModel):
    """Of one chain as shipped, over all rates. `caught` and `rejected_by` are by kind of error; the latter counts who
    turned them down first, and why. `missed`: the kinds of `BAR` of which too few are caught. `bar`: whether it misses
    none, and rejects no more of the clean samples than it may.
    """

    model_config = ConfigDict(frozen=True)

    caught: dict[str, Rate]
    rejected_by: dict[str, dict[str, int]]
    false_rejections: Rate
    missed: tuple[str, ...]
    bar: bool


class QualityBenchmark(BaseModel):
    """What was measured. `chains` has the chains as shipped, and `bar` says whether they all meet it. `quality` and
    `false_rejections` have every check, the latter also `any` for all of them together. `diversity` compares, at equal
    n, what was made for failure modes (`modes`), the whole `targeted` set with its retention, and the `uniform` arm's.
    """

    model_config = ConfigDict(frozen=True)

    chains: dict[str, ChainQuality]
    quality: dict[str, CheckQuality]
    kinds: dict[str, KindQuality]
    batches: tuple[BatchQuality, ...]
    false_rejections: dict[str, Rate]
    bar: bool
    diversity: dict[str, Diversity]
    samples: int
    seconds: float


def measure(
    *,
    samples: int = 2000,
    rates: Sequence[float] = RATES,
    volume: int = 600,
    seed: int = 0,
    on_batch: Callable[[int], None] | None = None,
) -> QualityBenchmark:
    """Corrupt `samples` clean samples at every rate and check them; then compare the diversity of two sets of
    `volume`.
    """
    began = time.perf_counter()
    world = ShapesWorld()
    drafts = list(clean_drafts(world, samples + max(samples // 2, 100), seed, _PER_IMAGE))
    clean, spare = drafts[:samples], drafts[samples:]
    held_out = list(islice(world.images("test", seed), max(samples // _PER_IMAGE, 20)))
    elsewhere = list(islice(world.images("discover", seed), _OTHERS))
    answerers = (
        Elsewhere([record.facts for record in elsewhere if record.facts is not None]),
        Habits.learn(_uniform_answers(world, elsewhere)),
    )
    leakage = Leakage({record.id for record in held_out}, held_out)
    chains = Chains(world, held_out, leakage, facts_of([*held_out, *(draft.image for draft in drafts)]))
    judged: list[list[_Judged]] = []
    for number, rate in enumerate(rates):
        batch = corrupted(world, clean, spare, held_out, rate, seed)
        judged.append(_judge(batch, lambda: _every_check(world, leakage, answerers), chains))
        if on_batch is not None:
            on_batch(number + 1)
    every = [one for batch in judged for one in batch]
    kinds: dict[str, KindQuality] = {
        kind: _kind_quality(kind, [one for one in every if one.item.kind == kind]) for kind in KINDS
    }
    wrongly = _false_rejections([one for one in every if one.item.kind is None])
    shipped: dict[str, ChainQuality] = {chain: _chain_quality(chain, every) for chain in CHAINS}
    return QualityBenchmark(
        chains=shipped,
        quality={
            check: _check_quality(check, every, wrongly[check])
            for check in dict.fromkeys(RESPONSIBLE.values())
        },
        kinds=kinds,
        batches=tuple(
            BatchQuality(
                rate=rate,
                caught=_share([one for one in batch if one.item.kind is not None]),
                false_rejections=_share([one for one in batch if one.item.kind is None]),
            )
            for rate, batch in zip(rates, judged, strict=True)
        ),
        false_rejections=wrongly,
        bar=all(chain.bar for chain in shipped.values()),
        diversity=_diversities(world, volume, seed),
        samples=samples,
        seconds=time.perf_counter() - began,
    )


@dataclass(frozen=True)
class _Judged:
    """One sample of a batch. `reasons` has the checks that object together, `alone` those that do by themselves,
    `shipped` the objections of the chains as shipped.
    """

    item: Item
    reasons: Mapping[str, str]
    alone: Collection[str]
    shipped: Mapping[Chain, str | None]


def _every_check(world: ShapesWorld, leakage: Leakage, answerers: Sequence[BlindAnswerer]) -> list[Check]:
    """Every check that needs no model, cheap before dear; those that remember samples are new."""
    opinion = Reread(world)
    return [
        Form(),
        Licence(),
        Difficulty(),
        Balance(),
        leakage,
        Duplicate(reworded=True, near=NearDuplicates(levels=LEVELS)),
        Blind(*answerers),
        SingleAnswer(opinion),
        Answer(opinion),
        Grounding(world),
    ]


def _judge(batch: Sequence[Item], checks: Callable[[], list[Check]], chains: Chains) -> list[_Judged]:
    """By all checks together, by each that knows of no other, and by the chains as shipped."""
    chain, alone = Checks(checks()), [Checks([check]) for check in checks()]
    shipped = {name: chains.run(name, [item.draft for item in batch]) for name in CHAINS}
    return [
        _Judged(
            item,
            chain.reasons(item.draft),
            {name for one in alone for name in one.reasons(item.draft)},
            {name: objections[place] for name, objections in shipped.items()},
        )
        for place, item in enumerate(batch)
    ]


def _uniform_answers(world: ShapesWorld, records: Sequence[ImageRecord]) -> list[tuple[str, str]]:
    """Questions and answers of the uniform questioner about these pictures."""
    found: list[tuple[str, str]] = []
    for number, record in enumerate(records):
        assert record.facts is not None
        facts = record.facts
        asked = world.questions(facts, number, _PER_IMAGE)
        found += [(question, facts.examine(question).answer or "") for question in asked]
    return found


def _kind_quality(kind: Kind, errors: Sequence[_Judged]) -> KindQuality:
    check = RESPONSIBLE[kind]
    return KindQuality(
        check=check,
        caught=_share(errors),
        caught_alone=_share(errors, check),
        rejected_by=dict(Counter(name for one in errors for name in one.reasons)),
    )


def _chain_quality(chain: Chain, every: Sequence[_Judged]) -> ChainQuality:
    def share(kind: Kind | None) -> Rate:
        return _rate((one.item, one.shipped[chain] is not None) for one in every if one.item.kind == kind)

    caught: dict[str, Rate] = {kind: share(kind) for kind in KINDS}
    first: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for one in every:
        reason = one.shipped[chain]
        if one.item.kind is not None and reason is not None:
            first[one.item.kind][reason] += 1
    wrongly, missed = share(None), tuple(kind for kind in BAR if caught[kind].value < 0.95)
    return ChainQuality(
        caught=caught,
        rejected_by={kind: dict(found.most_common()) for kind, found in first.items()},
        false_rejections=wrongly,
        missed=missed,
        bar=not missed and wrongly.value <= 0.02,
    )


def _check_quality(check: str, every: Sequence[_Judged], wrongly: Rate) -> CheckQuality:
    errors = [one for one in every if one.item.kind is not None and RESPONSIBLE[one.item.kind] == check]
    return CheckQuality(
        caught=_share(errors),
        caught_alone=_share(errors, check),
        false_rejections=wrongly,
    )


def _false_rejections(clean: Sequence[_Judged]) -> dict[str, Rate]:
    names = dict.fromkeys(RESPONSIBLE.values())
    return {**{name: _share(clean, name) for name in names}, "any": _share(clean)}


def _share(judged: Sequence[_Judged], check: str | None = None) -> Rate:
    """How many this check rejects by itself, or any."""
    return _rate((one.item, bool(one.reasons) if check is None else check in one.alone) for one in judged)


def _rate(rejections: Iterable[tuple[Item, bool]]) -> Rate:
    """Of distinct samples. A clean one is in the batch of every rate, and several are about one picture: n counts it
    once, and the interval is clustered by picture.
    """
    rejected: dict[tuple[str, str, str | None], list[bool]] = {}
    for item, found in rejections:
        draft = item.draft
        rejected.setdefault((draft.image.id, draft.question, draft.answer), []).append(found)
    return clustered_rate([fmean(found) for found in rejected.values()], [image for image, _, _ in rejected])


def _diversities(world: ShapesWorld, volume: int, seed: int) -> dict[str, Diversity]:
    modes = [
        FailureMode(
            id=f"m{number}",
            predicate=Predicate.parse(where),
            description=where,
            failure_rate=Rate(value=0.6, low=0.5, high=0.7, n=100),
            prevalence=0.02,
        )
        for number, where in enumerate(_AIMED_AT)
    ]
    failing: list[Structure] = []
    for number, record in enumerate(islice(world.images("discover", seed), 200)):
        assert record.facts is not None
        for question in world.questions(record.facts, number, _PER_IMAGE):
            tags = record.facts.examine(question).tags
            if any(mode.predicate.matches(tags) for mode in modes):
                failing.append(Structure(record.facts, question, tags))
    targets = [Target(mode.id, mode.predicate) for mode in modes]
    aimed = targeted_samples(world, targeted(modes, volume), targets, failing, (), seed).samples
    sets: dict[str, list[Sample]] = {
        "modes": [sample for sample in aimed if sample.purpose != "retention"],
        "targeted": aimed,
        "uniform": uniform_samples(world, volume, (), seed).samples,
    }
    # Counts of different things grow with n.
    n = min(map(len, sets.values()))
    rng = random.Random(f"diversity/{seed}")
    return {name: diversity(rng.sample(samples, n)) for name, samples in sets.items()}
