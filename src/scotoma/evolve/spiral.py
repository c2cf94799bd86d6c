"""The spiral, from the top: discover, confirm, then rounds × arms, and what came of it.

    with Run.open(settings.out, command="evolve", config=settings.model_dump(mode="json")) as run:
        summary = evolve(run, settings)

Read `evolve` first: it is the picture on the first page of DESIGN.md.
"""

from __future__ import annotations

from scotoma.core import ConfigError, EditableWorld, FailureMode, ImageSource
from scotoma.discover.confirm import confirm
from scotoma.discover.loop import discover
from scotoma.discover.pool import Pool, open_source
from scotoma.discover.progress import Progress, silent
from scotoma.evolve.account import BASE, summarise
from scotoma.evolve.arm import examine_base, turn
from scotoma.evolve.examination import Examination
from scotoma.evolve.lesson import interview
from scotoma.evolve.rediscovery import rediscover
from scotoma.evolve.settings import Arm, EvolveSettings
from scotoma.evolve.workshop import Policy, Workshop
from scotoma.models.spec import checkpoint_path
from scotoma.store.run import Run
from scotoma.store.summary import Summary


def evolve(run: Run, settings: EvolveSettings, progress: Progress = silent) -> Summary:
    """Find, prove and mend, every arm at equal volume; resumes where it was stopped.

    Raises:
        ConfigError: the images are not from a world, or the candidate cannot be trained.
        ModelError, BudgetError, StorageError: see `scotoma.core.errors`.
    """
    world = _world(settings)
    checkpoint_path(
        settings.candidate
    )  # a candidate without weights cannot be mended: say so before an hour's work
    asking = interview(settings.candidate, settings.answers)
    discover(run, world, asking, settings.discover, settings.seed, progress)
    modes = confirm(run, world, asking, settings.discover, settings.confirm, settings.seed, progress)
    del asking  # a large candidate would keep the device's memory from the training
    run.write_summary(summarise(run, settings))

    proven = tuple(mode for mode in modes if mode.status in ("confirmed", "repaired", "open", "regressed"))
    if not proven:
        return summarise(run, settings)
    shop = _workshop(run, world, settings, proven, progress)
    base = Policy(BASE, settings.candidate)
    examine_base(shop, base)
    policies: dict[Arm, Policy] = dict.fromkeys(settings.arms, base)
    for number in range(1, settings.rounds + 1):
        policies = turn(shop, number, policies)
        run.write_summary(summarise(run, settings))
    if settings.rediscover and "targeted" in policies and policies["targeted"] != base:
        rediscover(run, world, settings, policies["targeted"], progress)
    summary = summarise(run, settings)
    run.ledger.put_modes(_restated(proven, summary))
    summary = summarise(run, settings)
    run.write_summary(summary)
    return summary


def _world(settings: EvolveSettings) -> EditableWorld:
    source: ImageSource = open_source(settings)
    if not isinstance(source, EditableWorld):
        raise ConfigError(
            f"images: {settings.images} has no scenes that can be edited, which is how samples are made",
            hint="use worlds:shapes; editing photographs comes with a later release",
        )
    return source


def _workshop(
    run: Run,
    world: EditableWorld,
    settings: EvolveSettings,
    proven: tuple[FailureMode, ...],
    progress: Progress,
) -> Workshop:
    """The held-out questions, the same in every session of the run, and their pictures in the ledger."""
    pool, test = Pool(world, settings.discover), settings.test
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
        run.ledger.finish(
            "draw", {"held_back": len(held_back.modes), "test": len(final.modes)}, images=images
        )
    return Workshop(run, world, settings, proven, held_back, final, progress)


def _restated(proven: tuple[FailureMode, ...], summary: Summary) -> list[FailureMode]:
    """Each mode's status after repair, by the targeted arm (or the only one): `repaired`, `open` or `regressed`.

    Repaired: the change is significant and at least half of what was wrong is right now.
    """
    arm = "targeted" if summary.rounds and "targeted" in summary.rounds[-1].arms else None
    by_id = {mode.id: mode for mode in summary.modes}
    restated = []
    for mode in proven:
        measured = by_id[mode.id].test_accuracy
        pair = measured.get(arm) if arm else next(iter(measured.values()), None)
        if pair is None:
            continue
        gained = pair.after.value - pair.before.value
        if pair.after.high < pair.before.low:
            status = "regressed"
        elif pair.after.low > pair.before.high and gained >= 0.5 * (1 - pair.before.value):
            status = "repaired"
        else:
            status = "open"
        restated.append(mode.model_copy(update={"status": status}))
    return restated
