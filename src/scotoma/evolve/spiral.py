"""The spiral, from the top: discover, confirm, then rounds × arms, and what came of it.

    with Run.open(settings.out, command="evolve", config=settings.model_dump(mode="json")) as run:
        summary = evolve(run, settings, progress, open_resources(settings))

Read `evolve` first: it is the picture at the top of docs/concepts.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scotoma.core import FailureMode, ImageSource, World
from scotoma.discover.calibration import adopt_calibration
from scotoma.discover.confirm import confirm
from scotoma.discover.loop import discover
from scotoma.discover.pool import Pool, open_source
from scotoma.discover.preflight import preflight
from scotoma.discover.progress import Progress, silent
from scotoma.discover.tagging import Tagger
from scotoma.discover.topics import adopt_topics
from scotoma.discover.verification import open_tagger
from scotoma.evolve.account import BASE, summarise
from scotoma.evolve.arm import examine_base, turn
from scotoma.evolve.examination import Examination
from scotoma.evolve.lesson import interview, verifier_of
from scotoma.evolve.plan import check_training
from scotoma.evolve.proof import outcome_of
from scotoma.evolve.rediscovery import rediscover
from scotoma.evolve.settings import Arm, EvolveSettings
from scotoma.evolve.supply import check_makers
from scotoma.evolve.workshop import Policy, Workshop
from scotoma.generate.crew import open_crew, pool_of
from scotoma.generate.production import Crew
from scotoma.generate.standards import leakage_of
from scotoma.store.run import Run
from scotoma.store.summary import Summary


@dataclass(frozen=True)
class Resources:
    """The pictures, and who makes samples of them (None: failing scenes are varied)."""

    source: ImageSource
    crew: Crew | None


def open_resources(settings: EvolveSettings) -> Resources:
    """Open them, and refuse what could not be mended: before an hour's work, and before any run is begun.

    Raises:
        ConfigError: nobody could make samples of these images, ask about them or judge them; or the candidate, or a
            questioner that is to learn, cannot be trained.
        ModelError, ImageError, SpecError: see `scotoma.core.errors`.
    """
    check_training(settings)
    source = open_source(settings)
    check_makers(source, settings)
    preflight(settings, source)
    return Resources(source, _crew(source, settings))


def evolve(
    run: Run, settings: EvolveSettings, progress: Progress = silent, resources: Resources | None = None
) -> Summary:
    """Find, prove and mend, every arm at equal volume; resumes where it was stopped.

    Raises:
        ConfigError: see `open_resources`.
        ModelError, BudgetError, StorageError: see `scotoma.core.errors`.
    """
    resources = resources or open_resources(settings)
    source, crew = resources.source, resources.crew
    tagger = open_tagger(settings.tagging)
    asking = interview(settings.candidate, settings.answers, settings.judge, tagger)
    adopt_calibration(run, settings.judge)
    discover(run, source, asking, settings.discover, settings.seed, progress)
    modes = confirm(run, source, asking, settings.discover, settings.confirm, settings.seed, progress)
    del asking  # a large candidate would keep the device's memory from the training
    run.write_summary(summarise(run, settings))

    proven = tuple(mode for mode in modes if mode.proved)
    if not proven:
        return summarise(run, settings)
    shop = _workshop(run, source, settings, proven, tagger, crew, progress)
    del tagger
    base = Policy(BASE, settings.candidate)
    examine_base(shop, base)
    policies: dict[Arm, Policy] = dict.fromkeys(settings.arms, base)
    for number in range(1, settings.rounds + 1):
        policies = turn(shop, number, policies)
    if settings.rediscover and "targeted" in policies and policies["targeted"] != base:
        rediscover(run, source, settings, policies["targeted"], progress)
    summary = summarise(run, settings)
    run.ledger.put_modes(_restated(proven, summary))
    summary = summarise(run, settings)
    run.write_summary(summary)
    return summary


def _crew(source: ImageSource, settings: EvolveSettings) -> Crew | None:
    """Who makes samples; None: failing scenes are varied."""
    if settings.generate.agents == "varied":
        return None
    return open_crew(settings.generate, source, pool_of(source, settings.generate, settings.seed))


def _workshop(
    run: Run,
    source: ImageSource,
    settings: EvolveSettings,
    proven: tuple[FailureMode, ...],
    tagger: Tagger,
    crew: Crew | None,
    progress: Progress,
) -> Workshop:
    """The held-out questions, the same in every session of the run, and their pictures in the ledger."""
    kept = (run.ledger.done("draw") or {}).get("papers")
    if kept is not None:
        held_back, final = (Examination.read(kept[name], run, source) for name in ("held_back", "test"))
    else:
        held_back, final = _drawn(run, source, settings, proven, tagger, progress)
    leakage = leakage_of(run, source, settings.generate, settings.seed) if crew is not None else None
    return Workshop(run, source, settings, proven, held_back, final, progress, crew, leakage)


def _drawn(
    run: Run,
    source: ImageSource,
    settings: EvolveSettings,
    proven: tuple[FailureMode, ...],
    tagger: Tagger,
    progress: Progress,
) -> tuple[Examination, Examination]:
    """The questions of the `confirm` and of the `test` split."""
    adopt_topics(run, tagger)
    pool = Pool(source, settings.discover, verifier_of(settings.judge), tagger=tagger)
    test = settings.test
    progress("draw", 0, 2)
    each = min(test.mode_questions, 60 * len(proven))
    held_back = Examination.draw(
        pool, "confirm", settings.seed + 77, proven, each, test.retained_questions // 4, test.pool // 4
    )
    progress("draw", 1, 2)
    final = Examination.draw(
        pool, "test", settings.seed, proven, test.mode_questions, test.retained_questions, test.pool
    )
    progress("draw", 2, 2)
    if run.ledger.done("draw") is None:
        images = [*held_back.images, *final.images]
        run.images.put_all(images)
        document: dict[str, Any] = {
            "held_back": len(held_back.modes),
            "test": len(final.modes),
            "each": final.each,
        }
        if not isinstance(source, World):
            document["unjudged"] = dict(pool.unjudged)
            document["papers"] = {"held_back": held_back.payload(), "test": final.payload()}
        run.ledger.finish("draw", document, images=images)
    return held_back, final


def _restated(proven: tuple[FailureMode, ...], summary: Summary) -> list[FailureMode]:
    """Each mode's status after repair, by the targeted arm (or the only one)."""
    arm = "targeted" if summary.rounds and "targeted" in summary.rounds[-1].arms else None
    by_id = {mode.id: mode for mode in summary.modes}
    restated = []
    for mode in proven:
        measured = by_id[mode.id].test_accuracy
        pair = measured.get(arm) if arm else next(iter(measured.values()), None)
        if pair is None:
            continue
        restated.append(mode.model_copy(update={"status": outcome_of(pair)}))
    return restated
