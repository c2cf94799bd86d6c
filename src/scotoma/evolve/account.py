"""The account of a run: everything in `summary.json`, computed from the ledger and nothing else.

run.write_summary(summarise(run, settings))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scotoma.core import FailureMode, Observation, Rate, skills_of
from scotoma.diagnose.change import accuracy, change
from scotoma.diagnose.mixture import Mixture
from scotoma.diagnose.statistics import noninferiority
from scotoma.discover.account import account_of_discovery, account_of_shrinking, proof_finished
from scotoma.evolve.diagnosis import Diagnosis
from scotoma.evolve.examination import members_of, part
from scotoma.evolve.proof import Course
from scotoma.evolve.rediscovery import account_of_rediscovery
from scotoma.evolve.settings import Arm, EvolveSettings
from scotoma.generate.unaimed import UNAIMED
from scotoma.store.run import Run
from scotoma.store.summary import (
    RETAINED_MARGIN,
    AgainstSummary,
    ArmSummary,
    ComparisonSummary,
    Gate,
    ModeAccuracy,
    ModeSummary,
    RoundSummary,
    ShareSummary,
    StabilitySummary,
    Summary,
)

BASE = "base"
"""The name under which the untrained candidate is examined."""


def summarise(run: Run, settings: EvolveSettings) -> Summary:
    """The summary of a run as far as it has come."""
    ledger = run.ledger
    tests: dict[str, list[Observation]] = {}
    for stage in ledger.stages("examine/"):
        name = stage.removeprefix("examine/")
        tests[name] = ledger.observations(phase_prefix=f"test/{name}/")
    each = (ledger.done("draw") or {}).get("each")
    modes = ledger.modes()
    proven = [mode for mode in modes if mode.status not in ("suspected", "rejected")]
    stations = _stations(run, settings, tests)
    last = {arm: names[-1] for arm, names in stations.items()}
    course = Course(tests, _abreast(stations, settings.arms), settings.repair.samples)
    ours = course if "targeted" in course.stations else None
    return Summary(
        command="evolve",
        seed=settings.seed,
        wall_seconds=run.wall_seconds,
        candidate=settings.candidate,
        discovery=account_of_discovery(ledger),
        proof_finished=proof_finished(ledger),
        modes=[ModeSummary.of(mode, test_accuracy=_by_arm(mode, tests, last, each)) for mode in modes],
        shrunk=account_of_shrinking(modes),
        rounds=_rounds(run, settings, tests, proven, each),
        comparison=_comparison(course),
        efficiency={
            f"targeted_vs_{arm}": found
            for arm in course.stations
            if ours and arm != "targeted" and (found := ours.efficiency("targeted", arm))
        },
        stability=_stability(course) if ours else None,
        bias=ours.bias("targeted") if ours else None,
        rediscovery=account_of_rediscovery(run, last.get("targeted")),
    )


def _stations(run: Run, settings: EvolveSettings, tests: dict[str, Any]) -> dict[str, list[str]]:
    """Per arm, the checkpoint that it stood at from the base on, one more after each finished round."""
    found: dict[str, list[str]] = {}
    for arm in settings.arms:
        for number in range(1, settings.rounds + 1):
            name = f"round{number}/{arm}"
            gate = run.ledger.done(f"{name}/gate")
            if gate is not None and name in tests:
                names = found.setdefault(arm, [BASE])
                names.append(name if gate["accepted"] else names[-1])
    return found


def _abreast(stations: dict[str, list[str]], arms: Sequence[Arm]) -> dict[str, list[str]]:
    """The rounds that every arm has ended: what an arm that is a round ahead has learnt there would pass for a lead."""
    ended = min(len(stations.get(arm, ())) for arm in arms)
    return {arm: names[:ended] for arm, names in stations.items()} if ended else {}


def _stability(course: Course) -> StabilitySummary:
    drops = [drop for arm in course.stations for drop in course.drops(arm)]
    return StabilitySummary(significant_drops=sum(drop.arm == "targeted" for drop in drops), drops=drops)


def _by_arm(
    mode: FailureMode, tests: dict[str, list[Observation]], last: dict[str, str], each: int | None
) -> dict[str, ModeAccuracy]:
    if BASE not in tests:
        return {}
    before = members_of(mode, tests[BASE], each)
    if not before:
        return {}
    return {arm: _pair(before, members_of(mode, tests[name], each)) for arm, name in last.items()}


def _pair(before: Sequence[Observation], after: Sequence[Observation]) -> ModeAccuracy:
    return ModeAccuracy(before=accuracy(before), after=accuracy(after), change=change(after, before))


def _rounds(
    run: Run,
    settings: EvolveSettings,
    tests: dict[str, list[Observation]],
    proven: Sequence[FailureMode],
    each: int | None,
) -> list[RoundSummary]:
    rounds: list[RoundSummary] = []
    before = dict.fromkeys(settings.arms, BASE)
    for number in range(1, settings.rounds + 1):
        arms: dict[str, ArmSummary] = {}
        for arm in settings.arms:
            name = f"round{number}/{arm}"
            gate = run.ledger.done(f"{name}/gate")
            if gate is None or name not in tests:
                continue
            arms[arm] = _arm(run, tests[before[arm]], tests[name], name, gate, proven, each)
            if gate["accepted"]:
                before[arm] = name
        if arms:
            rounds.append(RoundSummary(round=number, arms=arms))
    return rounds


def _arm(
    run: Run,
    before: Sequence[Observation],
    after: Sequence[Observation],
    name: str,
    gate: dict[str, Any],
    proven: Sequence[FailureMode],
    each: int | None,
) -> ArmSummary:
    trained = run.ledger.done(f"{name}/reinforce") or {}
    made = run.ledger.done(f"{name}/generate") or {}
    diagnosis = Diagnosis.model_validate(run.ledger.done(f"{name}/diagnose"))
    old_modes, new_modes = part(before, "modes"), part(after, "modes")
    old_kept, new_kept = part(before, "retained"), part(after, "retained")
    kind: Gate = "accepted" if gate["accepted"] else "kept_old"
    return ArmSummary(
        samples=trained.get("samples", made.get("samples", 0)),
        steps=trained.get("steps", 0),
        stopped_early=trained.get("stopped", False),
        warm_start_steps=trained.get("warm_start_steps", 0),
        taught_first=trained.get("taught_first", []),
        rehearsed=trained.get("rehearsed", 0),
        skipped_updates=trained.get("skipped_updates", 0),
        modes_accuracy_before=accuracy(old_modes),
        modes_accuracy_after=accuracy(new_modes),
        retained_accuracy_before=accuracy(old_kept),
        retained_accuracy_after=accuracy(new_kept),
        modes_change=change(new_modes, old_modes),
        retained_change=change(new_kept, old_kept),
        gate=kind,
        gate_reason=gate["reason"],
        diagnosis=list(diagnosis.modes),
        mixture=_shares(diagnosis.mixture, made.get("shortfalls", {})),
        unmade=made.get("shortfalls", {}).get(UNAIMED, 0),
        retention=diagnosis.mixture.retention,
        retention_made=_retention_made(diagnosis.mixture, made.get("shortfalls", {})),
        rejected=made.get("rejected", {}),
        infrastructure=made.get("infrastructure", {}),
        per_mode={
            mode.id: _pair(old, members_of(mode, after, each))
            for mode in proven
            if (old := members_of(mode, before, each))
        },
        per_skill={
            skill: _pair(_with_skill(before, skill), _with_skill(after, skill)) for skill in _skills(after)
        },
        seconds=trained.get("seconds", 0.0),
    )


def _shares(mixture: Mixture, shortfalls: dict[str, int]) -> list[ShareSummary]:
    return [
        ShareSummary(
            name=share.name,
            samples=share.samples,
            weight=share.weight,
            warm_start=share.warm_start,
            reason=share.reason,
            shortfall=shortfalls.get(share.name, 0),
        )
        for share in mixture.shares
    ]


def _retention_made(mixture: Mixture, shortfalls: dict[str, int]) -> int:
    """The volume is made up whatever falls short, so that this follows from the shortfalls, in older runs too."""
    if mixture.uniform:
        return 0
    short = sum(shortfalls.get(share.name, 0) for share in mixture.shares)
    return mixture.retention + short - shortfalls.get(UNAIMED, 0)


def _with_skill(observations: Sequence[Observation], skill: str) -> list[Observation]:
    return [o for o in part(observations, "retained") if skill in skills_of(o.tags)]


def _skills(observations: Sequence[Observation]) -> list[str]:
    return sorted({skill for o in part(observations, "retained") for skill in skills_of(o.tags)})


def _comparison(course: Course) -> ComparisonSummary | None:
    """Arm against arm and against the base, on the same questions, with the weights each arm ended with."""
    last = {arm: names[-1] for arm, names in course.stations.items()}
    if not last:
        return None

    def difference(one: str, other: str, which: str) -> Rate:
        return change(part(course.tests[one], which), part(course.tests[other], which))

    ours = last.get("targeted")
    if ours is None:
        return ComparisonSummary()
    against = {
        arm: AgainstSummary(
            difference=difference(ours, name, "modes"),
            gain_ratio=course.gain_ratio("targeted", arm),
            retained_difference=difference(ours, name, "retained"),
        )
        for arm, name in last.items()
        if arm != "targeted"
    }
    retained = difference(ours, BASE, "retained")
    return ComparisonSummary(
        targeted_minus_uniform=against["uniform"].difference if "uniform" in against else None,
        targeted_minus_base=difference(ours, BASE, "modes"),
        retained_change=retained,
        retained_held=noninferiority(retained, RETAINED_MARGIN) if retained.n else None,
        against=against,
    )
