"""The benchmark of discovery, whole: plant, let every method look, and put the figures together.

Every planted candidate and every outcome is a file, so a study that was stopped goes on where it was.

    result = measure(Path("runs/bench/discovery"), sets=5, seeds=3, queries=5000)
    result.methods["scotoma"].recall
"""

from __future__ import annotations

import multiprocessing
import platform
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from scotoma.bench.discovery import Case, Outcome, open_case, run
from scotoma.bench.draw import draw_regions
from scotoma.bench.drill import answers_to, right, survey
from scotoma.bench.methods import METHODS
from scotoma.bench.plant import plant
from scotoma.bench.truth import Truth
from scotoma.core import ConfigError, EditableWorld, Predicate, Rate
from scotoma.diagnose.average import geometric_mean, mean, mean_share
from scotoma.images.spec import open_images
from scotoma.models.spec import load_model
from scotoma.store.durable import write_durably

Watch = Callable[[str, int, int], None]

CURVE = (250, 500, 1000, 2000, 3500, 5000)
"""Candidate queries after which the curve of a method says what share of the regions it had named."""


class MethodResult(BaseModel):
    """One method over all planted sets and seeds; every figure is a mean over runs with Student's t interval.

    Attributes:
        recall: share of the planted regions with a sharp border that are named at the end; `queries_to_80` likewise.
        recall_all: the same of all regions, also of those whose blind spot spilled over their border.
        precision: share of the named modes that are planted, or confirmed weaknesses of the candidate's own.
        queries_to_80: candidate queries until 80 % of the regions had been named (geometric mean); a run that never
            got there counts with its whole budget, so the figure is too low.
        reached_80: share of the runs that got there.
        curve: by candidate queries, the share of the sharp regions that had been named once by then. It never falls,
            and may end above `recall`: a name can be lost again to a wider or a narrower one.
        failure_rate: valid questions answered wrongly, of those put.
        failing_skills: skills with a failure; `failing_combinations` of skills likewise, and `effective_combinations`
            as if all were equally frequent (Hill number of order 1).
        seconds: of asking and naming.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recall: Rate
    recall_all: Rate
    precision: Rate
    queries_to_80: Rate
    reached_80: Rate
    curve: dict[int, Rate]
    failure_rate: Rate
    failing_skills: Rate
    failing_combinations: Rate
    effective_combinations: Rate
    seconds: Rate


class Effect(BaseModel):
    """What a method changes, paired run by run on the same candidates with the same seeds: its figure less that of the
    method `against` which it is held. Of one that leaves out a part of that, the part's effect with its sign turned.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    against: str
    failure_rate: Rate
    effective_combinations: Rate
    recall: Rate


class PlantedRegion(BaseModel):
    """A region, its prevalence among uniform questions in [0, 1], whether its blind spot ends where it does, and the
    share of its runs in which a method named it at the end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    planted_set: int
    predicate: str
    prevalence: float
    accuracy: float
    sharp: bool
    found_by: dict[str, float]


class DiscoveryBenchmark(BaseModel):
    """What was measured. `queries_ratio` is another method's queries to 80 % over ours, run by run (geometric mean),
    `recall_gain` our recall less the other's. `effects` hold every method against the one that it leaves something out
    of, or the paper's, where that was run. `left_out`: further sets, none of whose regions took with a sharp border.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    methods: dict[str, MethodResult]
    queries_ratio: dict[str, Rate]
    recall_gain: dict[str, Rate]
    effects: dict[str, Effect] = {}
    planted: tuple[PlantedRegion, ...]
    queries: int
    sets: int
    left_out: int = 0
    seeds: int
    machine: str


def measure(
    out: Path,
    *,
    candidate: str = "pupil",
    images: str = "worlds:shapes",
    sets: int = 5,
    seeds: int = 3,
    queries: int = 5000,
    methods: Sequence[str] = ("scotoma", "uniform", "paper"),
    watch: Watch = lambda phase, done, total: None,
) -> DiscoveryBenchmark:
    """Plant `sets` times 3 to 5 regions and let every method look, `seeds` times; resumes from the files in `out`.

    Raises:
        ConfigError: there is no such method.
    """
    _check(methods)  # before minutes are spent on planting
    planted = []
    for number in range(sets):
        folder = out / f"set{number}"
        if not (folder / "truth.json").is_file():
            predicates = regions(candidate, images, number)
            plant(candidate, predicates, folder, images=images, seed=number, watch=watch)
        planted.append(folder)
    return examine(
        [(f"hf:{folder}", planted_in(folder, candidate, images)) for folder in planted],
        out, seeds=seeds, queries=queries, methods=methods, watch=watch,
    )  # fmt: skip


def examine(
    planted: Sequence[tuple[str, Truth]],
    out: Path,
    *,
    seeds: int,
    queries: int,
    methods: Sequence[str],
    watch: Watch = lambda phase, done, total: None,
) -> DiscoveryBenchmark:
    """Let every method look at candidates that were planted already (model specs and their truths). One of which no
    region took with a sharp border is left out: there is nothing to find.

    Raises:
        ConfigError: there is no such method, or nothing to find in any of them.
    """
    _check(methods)
    usable = [(spec, truth) for spec, truth in planted if any(region.sharp for region in truth.regions)]
    if not usable:
        raise ConfigError(
            f"no region of {', '.join(spec for spec, _ in planted)} took with a sharp border: there is nothing to find",
            hint="plant other regions, or more sets",
        )
    outcomes: list[Outcome] = []
    total = len(usable) * seeds * len(methods)
    for number, (spec, truth) in enumerate(planted):
        case: Case | None = None
        if (spec, truth) not in usable:
            continue
        for seed in range(seeds):
            for method in methods:
                watch("bench discovery", len(outcomes), total)
                file = out / "outcomes" / f"{number}-{method}-{seed}-{queries}.json"
                known = _read(file, truth)
                if known is None:
                    case = case or open_case(spec, truth)
                    known = run(case, method, seed, queries, number)
                    write_durably(file, known.model_dump_json().encode())
                outcomes.append(known)
    watch("bench discovery", total, total)
    return summarise([truth for _, truth in planted], outcomes, methods, queries)


def regions(
    candidate: str,
    images: str,
    seed: int,
    n: int | None = None,
    prevalence: tuple[float, float] = (0.003, 0.05),
) -> list[Predicate]:
    """`n` random regions (3 to 5, by the seed) of such a prevalence that the candidate still answers well."""
    world = open_images(images)
    assert isinstance(world, EditableWorld)
    asked = survey(world, [], "train", 2_000_003, enough=0, least=8_000).uniform
    known = right(asked, answers_to(load_model(candidate), asked))
    return draw_regions([item.tags for item in asked], known, n or 3 + seed % 3, seed, prevalence)


def planted_in(folder: Path, candidate: str, images: str) -> Truth:
    """The truth of a planting that a study made, perhaps earlier.

    Raises:
        ConfigError: it was made of another candidate or of other images.
    """
    truth = Truth.load(folder / "truth.json")
    if (truth.candidate, truth.images) != (candidate, images):
        raise ConfigError(
            f"{folder} was planted in {truth.candidate} on {truth.images}, not in {candidate} on {images}",
            hint="give another --out",
        )
    return truth


def summarise(
    truths: Sequence[Truth], outcomes: Sequence[Outcome], methods: Sequence[str], queries: int
) -> DiscoveryBenchmark:
    """Figures over runs, and ours against each other method on the same candidates with the same seeds."""
    by_method = {method: [o for o in outcomes if o.method == method] for method in methods}
    ours = by_method.get("scotoma", [])
    others = {method: own for method, own in by_method.items() if method != "scotoma" and ours}
    return DiscoveryBenchmark(
        methods={method: _result(own, queries) for method, own in by_method.items()},
        queries_ratio={
            method: geometric_mean(
                [_to_80(b, queries) / _to_80(a, queries) for a, b in zip(ours, own, strict=True)]
            )
            for method, own in others.items()
        },
        recall_gain={
            method: mean([a.recall - b.recall for a, b in zip(ours, own, strict=True)])
            for method, own in others.items()
        },
        effects={
            method: _effect(own, whole, by_method[whole])
            for method, own in by_method.items()
            if (whole := METHODS[method].against) != method and whole in by_method
        },
        planted=tuple(
            PlantedRegion(
                planted_set=number,
                predicate=str(region.predicate),
                prevalence=region.prevalence.value,
                accuracy=region.after.value,
                sharp=region.sharp,
                found_by={
                    method: float(np.mean([str(region.predicate) in o.named for o in looked]))
                    for method, own in by_method.items()
                    if (looked := [o for o in own if o.planted_set == number])
                },
            )
            for number, truth in enumerate(truths)
            for region in truth.regions
            if region.planted
        ),
        queries=queries,
        sets=len({o.planted_set for o in outcomes}),
        left_out=len(truths) - len({o.planted_set for o in outcomes}),
        seeds=len({o.seed for o in outcomes}),
        machine=f"{platform.machine()}, {multiprocessing.cpu_count()} cores",
    )


def _check(methods: Sequence[str]) -> None:
    for method in methods:
        if method not in METHODS:
            raise ConfigError(f"there is no method {method!r}", hint=f"choose among {', '.join(METHODS)}")


def _read(file: Path, truth: Truth) -> Outcome | None:
    """A finished run; None where there is none, or where the candidate was planted anew since."""
    try:
        outcome = Outcome.model_validate_json(file.read_text())
    except (OSError, ValidationError):
        return None
    return outcome if outcome.planting == truth.digest else None


def _result(outcomes: Sequence[Outcome], queries: int) -> MethodResult:
    return MethodResult(
        recall=mean_share([o.recall for o in outcomes]),
        recall_all=mean_share([o.recall_all for o in outcomes]),
        precision=mean_share([o.precision for o in outcomes]),
        queries_to_80=geometric_mean([_to_80(o, queries) for o in outcomes]),
        reached_80=mean_share([float(o.queries_to(0.8) is not None) for o in outcomes]),
        curve={
            count: mean_share([o.named_by(count) for o in outcomes])
            for count in sorted({*(c for c in CURVE if c < queries), queries})
        },
        failure_rate=mean_share([_failing(o) for o in outcomes]),
        failing_skills=mean([o.failing_skills for o in outcomes]),
        failing_combinations=mean([o.failing_combinations for o in outcomes]),
        effective_combinations=mean([o.effective_combinations for o in outcomes]),
        seconds=mean([o.seconds for o in outcomes]),
    )


def _effect(outcomes: Sequence[Outcome], against: str, whole: Sequence[Outcome]) -> Effect:
    pairs = list(zip(outcomes, whole, strict=True))
    return Effect(
        against=against,
        failure_rate=mean([_failing(own) - _failing(theirs) for own, theirs in pairs]),
        effective_combinations=mean(
            [own.effective_combinations - theirs.effective_combinations for own, theirs in pairs]
        ),
        recall=mean([own.recall - theirs.recall for own, theirs in pairs]),
    )


def _failing(outcome: Outcome) -> float:
    return outcome.failures / max(outcome.queries, 1)


def _to_80(outcome: Outcome, queries: int) -> float:
    """The whole budget where it never got there, also where it had run out of questions before."""
    return float(outcome.queries_to(0.8) or queries)
