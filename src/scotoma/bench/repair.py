"""Does repair mend blind spots that are known to be there, does nothing else break, and did the targeting do it?

Candidates with planted blind spots go through the whole spiral, which is told nothing of them; then every arm's last
weights are asked about the planted regions, on the `test` split. Every planted candidate and every spiral is a folder,
so a study that was stopped goes on where it was.

    result = measure(Path("runs/bench/repair"), sets=3, seeds=3)
    Console().print(table(result))
"""

from __future__ import annotations

import hashlib
import multiprocessing
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from scotoma.bench.drill import accuracy, answers_to, survey
from scotoma.bench.plant import plant
from scotoma.bench.study import planted_in, regions
from scotoma.bench.truth import Truth
from scotoma.bench.volume import ARM, CONTROL, Needs, course_of, needs, saved
from scotoma.core import ConfigError, EditableWorld, Predicate, Rate
from scotoma.diagnose.average import geometric_mean, mean, mean_share
from scotoma.diagnose.mixture import TargetedMixture
from scotoma.diagnose.subgroups import ModeSearch
from scotoma.discover.settings import ConfirmSettings, DiscoverSettings
from scotoma.evolve.settings import Arm, EvolveSettings, RepairSettings, TestSettings
from scotoma.evolve.spiral import evolve
from scotoma.images.spec import open_images
from scotoma.models.spec import load_model
from scotoma.store.durable import write_durably
from scotoma.store.run import Run
from scotoma.store.summary import Summary

Watch = Callable[[str, int, int], None]

ARMS: tuple[Arm, ...] = ("targeted", "uniform", "random", "targeted-frozen")
BASE = "base"

UNPLANTED = "unplanted"
"""The model that the regions were planted in: what it never knew no repair gives back."""

ROWS = (UNPLANTED, BASE, *ARMS)

MENDED = 0.85
"""A region is mended when at least this share of its questions is answered rightly."""

RARE, COMMON = 0.003, 0.05
"""Planted regions are at least, and at most, this share of uniform questions."""

RARE_MODE = 0.005
"""Uniform training shows a mode that is rarer than this one sample in two hundred."""

_LEAST = 0.01
"""No ratio is taken for less, or its logarithm would outweigh all others."""

VOLUME = 6000
"""Samples a round."""

PER_REGION = 150
"""Questions of each region that every arm is asked."""


class RepairOutcome(BaseModel):
    """One spiral on one planted candidate with one seed.

    Attributes:
        fingerprint: of the candidate's truth and the spiral's settings.
        regions: accuracy inside each planted region (its predicate), by arm, `base` before any repair, `unplanted` of
            the model before planting.
        summary: the spiral's own.
        volumes: by samples a round, accuracy on the modes of both arms that were trained on other volumes too: of the
            base and after every round.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fingerprint: str
    planted_set: int
    seed: int
    regions: dict[str, dict[str, Rate]]
    summary: Summary
    volumes: dict[int, dict[str, tuple[float, ...]]] = {}

    @property
    def minutes(self) -> float:
        """Of the whole spiral."""
        return self.summary.wall_seconds / 60


class RepairBenchmark(BaseModel):
    """What was measured. Figures are means over the spirals that confirmed a mode (of regions: over all regions and
    spirals) with Student's interval; each says its n.

    Attributes:
        regions: accuracy inside the planted regions on the `test` split, by arm, `base` before any repair,
            `unplanted` of the models before planting.
        mended: share of the regions that are answered rightly at least 85 % of the time after repair, by arm.
        retained_change: change of accuracy outside every mode by the targeted arm, in [-1, 1].
        gain: of the targeted arm on the confirmed modes.
        gain_ratio: that gain over each control's (geometric mean).
        curve: accuracy on the confirmed modes by arm, of the base and after every round (a refused round changes
            nothing); every arm has then been given as many samples as any other.
        gains: `rare` and `common` modes' gain in accuracy by each arm, mode by mode (its mean over all modes of all
            spirals): rare are those of which uniform training sees less than one sample in two hundred.
        efficiency: samples for 80 % of the gain over each control's for as much (geometric mean, where there was one).
        volumes: by samples a round, the same curve of the targeted and the uniform arm; empty where there was one
            volume only.
        samples_ratio: the fewest samples, over all volumes, with which the targeted arm reached 80 % of its gain, over
            the fewest with which the uniform arm gained as much, or all that it was given (geometric mean).
        difference: accuracy on the confirmed modes, targeted − control.
        significant_drops: rounds of the targeted arm with a significant fall, in all spirals.
        rediscovery: a fresh questioner's failure rate on the repaired model over the first one's (geometric mean).
        bias: the largest shift of any answer's share, without its sign.
        minutes: of a spiral.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    regions: dict[str, Rate]
    mended: dict[str, Rate]
    retained_change: Rate
    gain: Rate
    gain_ratio: dict[str, Rate]
    curve: dict[str, tuple[Rate, ...]]
    gains: dict[str, dict[str, Rate]]
    efficiency: dict[str, Rate]
    volumes: dict[int, dict[str, tuple[Rate, ...]]] = {}
    samples_ratio: Rate | None = None
    difference: dict[str, Rate]
    significant_drops: int
    rediscovery: Rate | None
    bias: Rate
    minutes: Rate
    spirals: int
    rounds: int
    outcomes: tuple[RepairOutcome, ...]
    machine: str


def settings_for(
    candidate: str, images: str, out: Path, seed: int, rounds: int, volume: int = VOLUME
) -> EvolveSettings:
    """The spiral that is measured: half of the questions explore, for what was planted is small. At another volume than
    `VOLUME` only the targeted arm and its first control go through it, on fewer samples in as many steps.
    """
    return EvolveSettings(
        candidate=candidate,
        images=images,
        out=out,
        seed=seed,
        rounds=rounds,
        arms=ARMS if volume == VOLUME else (ARM, CONTROL),
        rediscover=volume == VOLUME,
        discover=DiscoverSettings(
            questioner="questioner",
            steps=48,
            wishes_per_image=3,
            group_size=6,
            queries=96,
            explore=0.5,
            temperature=0.5,
            learning_rate=2e-4,
            beta=0.05,
            max_new_tokens=24,
            curriculum="off",
            search=ModeSearch(max_modes=12, most_trust=3),
        ),
        confirm=ConfirmSettings(pool=32_000, checks=0, shrink=0),
        # What was planted is answered rightly next to never: GRPO has no signal before a supervised start. And where it
        # has some, its few steps teach the Pupil less than supervised ones do: so every mode takes part.
        repair=RepairSettings(
            engine="shared",
            samples=volume,
            steps=60,
            learning_rate=5e-5,
            warm_start_steps=80,
            warm_start_rate=5e-4,
            warm_start_once=False,
            rehearsal=4000,
            frozen=("vision_model",),
            mixture=TargetedMixture(retention=0.6, warm_start_below=0.9),
        ),
        test=TestSettings(mode_questions=1500, retained_questions=4000, pool=32_000),
    )


def measure(
    out: Path,
    *,
    candidate: str = "pupil",
    images: str = "worlds:shapes",
    sets: int = 3,
    seeds: int = 3,
    rounds: int = 3,
    planted: Sequence[Path] = (),
    volumes: Sequence[int] = (),
    watch: Watch = lambda phase, done, total: None,
) -> RepairBenchmark:
    """Plant `sets` candidates with 3 regions each, or take those that were `planted`, and mend each `seeds` times; with
    further `volumes` (samples a round) once more at each of them.

    Raises:
        ConfigError: no region of a candidate took.
        ModelError, StorageError: see `scotoma.core.errors`.
    """
    folders = list(planted)
    for number in range(0 if planted else sets):
        folder = out / f"set{number}"
        if not (folder / "truth.json").is_file():
            where = regions(candidate, images, number, n=3, prevalence=(RARE, COMMON))
            plant(candidate, where, folder, images=images, seed=number, watch=watch)
        folders.append(folder)
    truths = [
        Truth.load(folder / "truth.json") if planted else planted_in(folder, candidate, images)
        for folder in folders
    ]
    for folder, truth in zip(folders, truths, strict=True):
        if not any(region.planted for region in truth.regions):
            raise ConfigError(f"no region of {folder} took: there is nothing to mend", hint="plant it anew")
    outcomes = []
    for seed in range(seeds):
        for number, (folder, truth) in enumerate(zip(folders, truths, strict=True)):
            run = out / f"set{number}-seed{seed}"
            spec = f"hf:{folder.resolve()}"
            whole = _mend(spec, truth, run, number, seed, rounds, watch)
            others = {v: _courses(spec, truth, run, seed, rounds, v, watch) for v in volumes if v != VOLUME}
            outcomes.append(whole.model_copy(update={"volumes": others}))
    return summarise(outcomes, rounds)


def _mend(
    candidate: str, truth: Truth, out: Path, number: int, seed: int, rounds: int, watch: Watch
) -> RepairOutcome:
    """One spiral and the examination of its arms in the planted regions, or what was kept of them."""
    kept = out / "outcome.json"
    settings = settings_for(candidate, truth.images, out, seed, rounds)
    told = settings.model_dump_json(exclude={"candidate", "out"})
    fingerprint = f"{truth.digest}/{hashlib.sha256(told.encode()).hexdigest()[:16]}"
    try:
        known = RepairOutcome.model_validate_json(kept.read_text())
        if known.fingerprint == fingerprint:
            return known
    except (OSError, ValidationError):
        pass  # not there yet, or of another version: the run below resumes, and is asked again
    with Run.open(out, command="evolve", config=settings.model_dump(mode="json")) as run:
        summary = evolve(run, settings, watch)
        weights = {UNPLANTED: truth.candidate, BASE: candidate} | {
            arm: f"hf:{run.checkpoint(name) / 'policy'}" if name else candidate
            for arm in ARMS
            for name in [_ending(summary, arm)]
        }
    predicates = [region.predicate for region in truth.regions if region.planted]
    outcome = RepairOutcome(
        fingerprint=fingerprint,
        planted_set=number,
        seed=seed,
        regions=_examined(weights, predicates, truth.images),
        summary=summary,
    )
    write_durably(kept, outcome.model_dump_json(by_alias=True).encode())
    return outcome


def _courses(
    candidate: str, truth: Truth, whole: Path, seed: int, rounds: int, volume: int, watch: Watch
) -> dict[str, tuple[float, ...]]:
    """How both arms fare at another volume, in a spiral of its own beside the whole one."""
    out = whole.with_name(f"{whole.name}-{volume}")
    settings = settings_for(candidate, truth.images, out, seed, rounds, volume)
    with Run.open(out, command="evolve", config=settings.model_dump(mode="json")) as run:
        summary = evolve(run, settings, watch)
    return {arm: tuple(course_of(summary, arm)) for arm in settings.arms}


def _ending(summary: Summary, arm: str) -> str | None:
    """The last checkpoint of an arm that no gate refused."""
    accepted = [t.round for t in summary.rounds if arm in t.arms and t.arms[arm].gate == "accepted"]
    return f"round{max(accepted)}/{arm}" if accepted else None


def _examined(
    weights: Mapping[str, str], predicates: Sequence[Predicate], images: str
) -> dict[str, dict[str, Rate]]:
    world = open_images(images)
    assert isinstance(world, EditableWorld)
    found = survey(world, predicates, "test", 3_000_003, enough=PER_REGION, least=1_000)
    inside = {
        str(predicate): members[:PER_REGION]
        for predicate, members in zip(predicates, found.inside, strict=True)
    }
    models = {arm: load_model(spec) for arm, spec in weights.items()}
    return {
        region: {arm: accuracy(members, answers_to(model, members)) for arm, model in models.items()}
        for region, members in inside.items()
    }


def summarise(outcomes: Sequence[RepairOutcome], rounds: int) -> RepairBenchmark:
    """Figures over all spirals."""
    inside = [accuracy for outcome in outcomes for accuracy in outcome.regions.values()]
    compared = [(o.summary, o.summary.comparison) for o in outcomes if o.summary.comparison is not None]
    controls = [arm for arm in ARMS if arm != "targeted"]
    if not compared:
        raise ConfigError(
            "no spiral confirmed a failure mode: there is nothing to compare", hint="plant others"
        )
    again = [
        max(ratio.value, _LEAST) for s, _ in compared if s.rediscovery and (ratio := s.rediscovery.ratio)
    ]
    return RepairBenchmark(
        regions={arm: mean_share([accuracy[arm].value for accuracy in inside]) for arm in ROWS},
        mended={arm: mean_share([float(a[arm].value >= MENDED) for a in inside]) for arm in ROWS},
        retained_change=mean([c.retained_change.value for _, c in compared if c.retained_change]),
        gain=mean([c.targeted_minus_base.value for _, c in compared if c.targeted_minus_base]),
        gain_ratio={
            arm: geometric_mean(
                [max(r.value, _LEAST) for _, c in compared if (r := c.against[arm].gain_ratio)]
            )
            for arm in controls
        },
        curve={arm: _curve([s for s, _ in compared], arm) for arm in ARMS},
        gains={
            name: {arm: mean(values) for arm, values in gained.items()}
            for name, rare in (("rare", True), ("common", False))
            if (gained := _gains([s for s, _ in compared], rare))
        },
        efficiency={
            arm: geometric_mean(ratios)
            for arm in controls
            if (
                ratios := [
                    e.ratio.value for s, _ in compared if (e := s.efficiency.get(f"targeted_vs_{arm}"))
                ]
            )
        },
        difference={
            arm: mean([d.value for _, c in compared if (d := c.against[arm].difference)]) for arm in controls
        },
        volumes=_volumes(outcomes),
        samples_ratio=saved([found for outcome in outcomes if (found := _needs(outcome))]),
        significant_drops=sum(s.stability.significant_drops for s, _ in compared if s.stability),
        rediscovery=geometric_mean(again) if again else None,
        bias=mean([abs(s.bias.shift.value) for s, _ in compared if s.bias]),
        minutes=mean([outcome.minutes for outcome in outcomes]),
        spirals=len(outcomes),
        rounds=rounds,
        outcomes=tuple(outcomes),
        machine=f"{platform.machine()}, {multiprocessing.cpu_count()} cores",
    )


def _curve(summaries: Sequence[Summary], arm: str) -> tuple[Rate, ...]:
    """Mean accuracy on the modes of the base and after each round, over the spirals that got so far."""
    return _mean_course([course_of(summary, arm) for summary in summaries])


def _mean_course(courses: Sequence[Sequence[float]]) -> tuple[Rate, ...]:
    longest = max(map(len, courses))
    return tuple(mean_share([c[i] for c in courses if i < len(c)]) for i in range(longest))


def _at_all_volumes(outcome: RepairOutcome, arm: str) -> dict[int, Sequence[float]]:
    """An arm's courses that were measured, the whole spiral's among them."""
    found = {volume: by_arm[arm] for volume, by_arm in outcome.volumes.items()}
    whole = course_of(outcome.summary, arm)
    return {volume: course for volume, course in {**found, VOLUME: whole}.items() if len(course) > 1}


def _needs(outcome: RepairOutcome) -> Needs | None:
    if not outcome.volumes:
        return None
    ours, theirs = (_at_all_volumes(outcome, arm) for arm in (ARM, CONTROL))
    return needs(ours, theirs) if VOLUME in ours and theirs else None


def _volumes(outcomes: Sequence[RepairOutcome]) -> dict[int, dict[str, tuple[Rate, ...]]]:
    """Mean courses by volume; empty where there was one only."""
    told = [outcome for outcome in outcomes if outcome.volumes]
    by_arm = {arm: [_at_all_volumes(outcome, arm) for outcome in told] for arm in (ARM, CONTROL)}
    every = sorted({volume for courses in by_arm.values() for each in courses for volume in each})
    return {
        volume: {
            arm: _mean_course([each[volume] for each in courses if volume in each])
            for arm, courses in by_arm.items()
        }
        for volume in every
    }


def _gains(summaries: Sequence[Summary], rare: bool) -> dict[str, list[float]]:
    """By arm the gains on all rare modes, or on all others; empty where there are none."""
    gained: dict[str, list[float]] = {}
    for summary in summaries:
        for mode in summary.modes:
            if mode.proved and mode.prevalence is not None and (mode.prevalence < RARE_MODE) is rare:
                for arm, pair in mode.test_accuracy.items():
                    gained.setdefault(arm, []).append(pair.after.value - pair.before.value)
    return gained
