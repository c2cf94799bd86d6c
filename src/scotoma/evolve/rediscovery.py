"""Rediscovery: is the repair real? A fresh questioner looks at the repaired model as the first one did at the base.

A model that was only taught the answers to the old questions fails as often on new ones; a real repair leaves less to
find. It is a run of its own, in the folder `rediscovery` of the spiral's run: `scotoma report` opens it. The questioner
begins anew from the same warm start, with another seed and the same budget. What it finds is confirmed, and the
untrained candidate is asked the same questions: what that one did not get wrong, the repair opened.

    rediscover(run, source, settings, Policy("round2/targeted", weights), progress)
    account_of_rediscovery(run, "round2/targeted").ratio
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from scotoma.core import FailureMode, ImageSource, Observation
from scotoma.diagnose.prevalence import true_rate
from scotoma.diagnose.statistics import clustered_rate, holm, paired_test
from scotoma.discover.account import failure_rate, fallible, ratio_of_failures, summarise
from scotoma.discover.calibration import adopt_calibration
from scotoma.discover.confirm import confirm, fair_sample
from scotoma.discover.interview import Asked
from scotoma.discover.loop import discover
from scotoma.discover.outage import MOST_LOST, check_answered
from scotoma.discover.pictures import pictures_of
from scotoma.discover.progress import Progress
from scotoma.discover.settings import DiscoverySettings
from scotoma.discover.verification import open_tagger
from scotoma.evolve.lesson import interview
from scotoma.evolve.settings import EvolveSettings
from scotoma.evolve.workshop import Policy
from scotoma.store.run import Run
from scotoma.store.summary import OpenedSummary, RediscoverySummary

FOLDER = "rediscovery"

SEED = 10_007
"""Added to the run's seed: other images, other questions."""

ALPHA = 0.05


def rediscover(
    run: Run, source: ImageSource, settings: EvolveSettings, policy: Policy, progress: Progress
) -> None:
    """Look at the repaired policy once more, confirm what is found and ask the untrained candidate the same; resumes.

    Raises:
        ModelError, BudgetError, StorageError: see `scotoma.core.errors`.
    """
    stage = _stage(policy.name)
    if run.ledger.done(stage) is not None:
        return
    again = _settings(settings, policy, run.path / FOLDER / policy.name)
    asking = interview(policy.weights, settings.answers, settings.judge, open_tagger(settings.tagging))
    with Run.open(
        again.out,
        command="discover",
        config=again.model_dump(mode="json"),
        # The folder says which weights these are; where they lie may be written in another way.
        may_change=("out", "candidate"),
    ) as looking:
        adopt_calibration(looking, again.judge)
        discover(looking, source, asking, again.discover, again.seed, progress)
        modes = confirm(looking, source, asking, again.discover, again.confirm, again.seed, progress)
        looking.write_summary(summarise(looking, again))
        now = looking.ledger.observations("discover")
        confirmed = [mode for mode in modes if mode.status == "confirmed"]
        drawn, uniform = (looking.ledger.observations(phase) for phase in ("confirm", "confirm-base"))
        pairs = [fair_sample(mode, drawn, uniform, again.confirm.questions) for mode in confirmed]
        asked = list({o.key: o for pair in pairs for o in pair}.values())
        images = pictures_of(looking, source, [o.image_id for o in asked])
    del asking  # the device has room for one of the two models
    base = interview(settings.candidate, settings.answers, settings.judge)
    before = base.ask(
        [
            Asked(o.key, images[o.image_id], o.question, verdict=o.verdict.of_the_question(), tags=o.tags)
            for o in asked
        ],
        "before",
    )
    check_answered(before, MOST_LOST)
    opened = _opened(confirmed, pairs, {o.key: o for o in before}, suspected=len(modes))
    first = run.ledger.observations("discover")
    judge = fallible(run.ledger, [*now, *first])
    after, once = failure_rate(now), failure_rate(first)
    found = RediscoverySummary(
        policy=policy.name,
        failure_rate=true_rate(after, judge) if judge else after,
        before=true_rate(once, judge) if judge else once,
        ratio=ratio_of_failures(now, first, judge),
        confirmed_modes=len(confirmed),
        opened=opened,
    )
    run.ledger.finish(stage, found.model_dump(mode="json"))


def account_of_rediscovery(run: Run, policy: str | None) -> RediscoverySummary | None:
    """What was found in these weights; None where nobody looked, or they are the untrained ones."""
    done = run.ledger.done(_stage(policy)) if policy is not None else None
    return RediscoverySummary.model_validate(done) if done is not None else None


def _stage(policy: str) -> str:
    return f"rediscover/{policy}"


def _settings(settings: EvolveSettings, policy: Policy, out: Path) -> DiscoverySettings:
    """The spiral's discovery, for the repaired weights; the modes are counted, not explained."""
    plain = {name: getattr(settings, name) for name in DiscoverySettings.model_fields}
    return DiscoverySettings.model_validate(
        {
            **plain,
            "candidate": policy.weights,
            "out": out,
            "seed": settings.seed + SEED,
            "confirm": settings.confirm.model_copy(update={"checks": 0, "shrink": 0}),
        }
    )


def _opened(
    modes: Sequence[FailureMode],
    pairs: Sequence[Sequence[Observation]],
    before: Mapping[str, Observation],
    suspected: int,
) -> list[OpenedSummary]:
    """The modes in which the repaired model fails significantly more than the untrained one, on the same questions.
    The answers that confirmed a mode are among them, so all that were suspected count as tests (Holm).
    """
    both = [[(o, before[o.key]) for o in pair if o.answered and before[o.key].answered] for pair in pairs]
    tests = [
        paired_test([_wrong(new) for new, _ in pair], [_wrong(old) for _, old in pair], _images(pair))
        for pair in both
    ]
    found = []
    unconfirmed = [1.0] * (suspected - len(tests))
    for mode, pair, p in zip(modes, both, holm([*tests, *unconfirmed]), strict=False):
        now, then = (clustered_rate([_wrong(side[i]) for side in pair], _images(pair)) for i in (0, 1))
        if p <= ALPHA and now.value > then.value:
            found.append(
                OpenedSummary(
                    description=mode.description,
                    predicate=str(mode.predicate),
                    failure_rate=now,
                    base_failure_rate=then,
                    p_holm=p,
                )
            )
    return found


def _images(pair: list[tuple[Observation, Observation]]) -> list[str]:
    return [new.image_id for new, _ in pair]


def _wrong(observation: Observation) -> bool:
    return observation.outcome == "failure"
