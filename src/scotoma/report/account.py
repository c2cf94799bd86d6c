"""What a run can tell so far: its `summary.json`, completed from the ledger where the summary is silent or not written.

A finished run is reported in the words of its summary, so that the two can never disagree; one that was stopped, or is
still at work, is reported from what its ledger holds.

    account(run, Measurements.read(run.ledger, predicates)).discovery.failure_rate
"""

from __future__ import annotations

from typing import Any

from scotoma.core import Rate
from scotoma.diagnose.statistics import noninferiority
from scotoma.discover.account import account_of_discovery, account_of_shrinking, proof_finished
from scotoma.report.measurement import Checkpoint, Measurements
from scotoma.store import (
    ArmSummary,
    ComparisonSummary,
    ModeAccuracy,
    ModeSummary,
    RoundSummary,
    Run,
    Summary,
)
from scotoma.store.summary import RETAINED_MARGIN


def account(run: Run, measured: Measurements) -> Summary:
    """The fullest summary that the run supports.

    Raises:
        RunVersion: `summary.json` was written by another version.
    """
    told, found = run.summary(), _from_ledger(run, measured)
    if told is None:
        return found
    said = _without_unknown(told.model_dump(by_alias=True))
    return Summary.model_validate(_merge(said, found.model_dump(by_alias=True)))


def _from_ledger(run: Run, measured: Measurements) -> Summary:
    candidate = run.config.get("candidate")
    rounds = _rounds(run, measured)
    return Summary(
        command=run.header.command,
        seed=run.header.seed or 0,
        wall_seconds=run.wall_seconds,
        candidate=candidate if isinstance(candidate, str) else "candidate",
        discovery=account_of_discovery(run.ledger),
        proof_finished=proof_finished(run.ledger),
        modes=[ModeSummary.of(mode) for mode in run.ledger.modes()],
        shrunk=account_of_shrinking(run.ledger.modes()),
        rounds=rounds,
        comparison=_comparison(run, measured),
    )


def _rounds(run: Run, measured: Measurements) -> list[RoundSummary]:
    trained = [checkpoint for checkpoint in measured.checkpoints if checkpoint.round > 0]
    return [
        RoundSummary(
            round=number,
            arms={after.arm: _arm(run, measured, after) for after in trained if after.round == number},
        )
        for number in sorted({checkpoint.round for checkpoint in trained})
    ]


def _arm(run: Run, measured: Measurements, after: Checkpoint) -> ArmSummary:
    name = f"round{after.round}/{after.arm}"
    gate = run.ledger.done(f"{name}/gate")
    made, trained = (run.ledger.done(f"{name}/{stage}") or {} for stage in ("generate", "reinforce"))
    before = _ending(run, measured, after.arm, before=after.round)
    modes = [mode for mode in run.ledger.modes() if mode.proved]
    per_mode = {
        mode.id: _pair(
            measured.mode_accuracy(before, mode.predicate),
            measured.mode_accuracy(after, mode.predicate),
            measured.change(after, before, part="modes", predicate=mode.predicate),
        )
        for mode in modes
    }
    per_skill = {
        skill: _pair(measured.skill_accuracy(before, skill), measured.skill_accuracy(after, skill))
        for skill in measured.skills()
    }
    return ArmSummary(
        samples=trained.get("samples", made.get("samples", 0)),
        steps=trained.get("steps", 0),
        warm_start_steps=trained.get("warm_start_steps", 0),
        taught_first=trained.get("taught_first", []),
        rehearsed=trained.get("rehearsed", 0),
        skipped_updates=trained.get("skipped_updates", 0),
        modes_accuracy_before=measured.accuracy(before, part="modes"),
        modes_accuracy_after=measured.accuracy(after, part="modes"),
        retained_accuracy_before=measured.accuracy(before, part="retained"),
        retained_accuracy_after=measured.accuracy(after, part="retained"),
        modes_change=measured.change(after, before, part="modes"),
        retained_change=measured.change(after, before, part="retained"),
        gate="not_run" if gate is None else "accepted" if gate.get("accepted") else "kept_old",
        gate_reason=(gate or {}).get("reason", ""),
        per_mode={name: pair for name, pair in per_mode.items() if pair is not None},
        per_skill={name: pair for name, pair in per_skill.items() if pair is not None},
    )


def _ending(run: Run, measured: Measurements, arm: str, *, before: int) -> Checkpoint:
    """The checkpoint that an arm goes on with after the rounds before `before`: the last that no gate refused."""
    for checkpoint in reversed(measured.checkpoints):
        if checkpoint.arm == arm and checkpoint.round < before:
            gate = run.ledger.done(f"round{checkpoint.round}/{arm}/gate")
            if gate is None or gate.get("accepted"):
                return checkpoint
    return Checkpoint()


def _pair(before: Rate | None, after: Rate | None, change: Rate | None = None) -> ModeAccuracy | None:
    if before is None or after is None:
        return None
    return ModeAccuracy(before=before, after=after, change=change)


def _comparison(run: Run, measured: Measurements) -> ComparisonSummary | None:
    """The targeted arm's last checkpoint against the base model and against the uniform arm's."""
    arms = {checkpoint.arm for checkpoint in measured.checkpoints}
    if "targeted" not in arms:
        return None
    end = measured.checkpoints[-1].round + 1
    targeted, uniform = (_ending(run, measured, arm, before=end) for arm in ("targeted", "uniform"))
    retained = measured.change(targeted, Checkpoint(), part="retained")
    return ComparisonSummary(
        targeted_minus_uniform=measured.change(targeted, uniform, part="modes")
        if "uniform" in arms
        else None,
        targeted_minus_base=measured.change(targeted, Checkpoint(), part="modes"),
        retained_change=retained,
        retained_held=noninferiority(retained, RETAINED_MARGIN) if retained is not None else None,
    )


def _merge(told: Any, found: Any) -> Any:
    """`told` where it says something, `found` where it does not; lists of records are matched by id or round."""
    if isinstance(told, dict) and isinstance(found, dict):
        return {key: _merge(told.get(key), found.get(key)) for key in {**told, **found}}
    if isinstance(told, list) and isinstance(found, list) and told and isinstance(told[0], dict):
        name = next((key for key in ("id", "round") if key in told[0]), None)
        if name is None:
            return told
        others = {record[name]: record for record in found}
        merged = [_merge(record, others.pop(record[name], None)) for record in told]
        return [*merged, *others.values()]
    return found if told is None or told in ("", [], {}, ()) else told


def _without_unknown(document: Any) -> Any:
    """The document without the rates that rest on no observation, and the pairs that hold one."""
    if isinstance(document, list):
        return [_without_unknown(item) for item in document]
    if not isinstance(document, dict):
        return document
    if document.get("n") == 0 and "low" in document:
        return None
    known = {key: _without_unknown(value) for key, value in document.items()}
    if {"before", "after"} <= known.keys() and None in (known["before"], known["after"]):
        return None
    return {key: value for key, value in known.items() if value is not None or document[key] is None}
