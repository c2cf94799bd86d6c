"""A report says what the summary says, and what the ledger says where the summary is silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from scotoma.core import Rate
from scotoma.report.account import account
from scotoma.report.measurement import Checkpoint, Measurements
from scotoma.report.page import Page
from scotoma.report.progress import changes
from scotoma.store import ArmSummary, ComparisonSummary, ModeAccuracy, ModeSummary, RoundSummary, Run, Summary
from tests.report.exam import exam

NOTHING = Measurements({})


def test_what_the_summary_says_wins_and_the_ledger_fills_the_rest(tmp_path: Path) -> None:
    told = Rate(value=0.07, low=0.01, high=0.13, n=123)
    silent = Rate(value=0.0, low=-1.0, high=1.0, n=0)
    path = exam(tmp_path / "run", until="round2", images=6)
    with Run.open(path, command="evolve", config=None) as run:
        comparison = ComparisonSummary(targeted_minus_uniform=told, targeted_minus_base=silent)
        run.write_summary(
            Summary(command="evolve", seed=7, wall_seconds=5.0, candidate="pupil", comparison=comparison)
        )
    with Run.read(path) as run:
        summary = Page.of(run).summary
    assert summary.wall_seconds == 5.0
    assert summary.comparison is not None
    assert summary.comparison.targeted_minus_uniform == told
    assert summary.comparison.targeted_minus_base is not None
    assert summary.comparison.targeted_minus_base.n > 0
    assert summary.discovery is not None
    assert {mode.id for mode in summary.modes} == {"m1", "m2", "m3", "m4", "m5"}
    assert [turn.round for turn in summary.rounds] == [1, 2]


def test_a_mode_without_a_question_in_the_test_split_has_no_accuracy(tmp_path: Path) -> None:
    nobody = Rate(value=0.0, low=0.0, high=1.0, n=0)
    pair = ModeAccuracy(before=nobody, after=nobody, change=nobody.model_copy(update={"low": -1.0}))
    path = exam(tmp_path / "run", until="round1", images=6)
    with Run.open(path, command="evolve", config=None) as run:
        arm = ArmSummary(samples=600, steps=60, per_mode={"none": pair}, gate="accepted")
        run.write_summary(
            Summary(
                command="evolve", seed=7, wall_seconds=5.0, candidate="pupil",
                rounds=[RoundSummary(round=1, arms={"targeted": arm})],
            )
        )  # fmt: skip
    with Run.read(path) as run:
        summary = Page.of(run).summary
    assert "none" not in summary.rounds[0].arms["targeted"].per_mode
    assert summary.rounds[0].arms["targeted"].per_mode  # what the ledger knows of the others


def test_an_unfinished_run_is_accounted_for_from_its_ledger(tmp_path: Path) -> None:
    with Run.read(exam(tmp_path / "run", until="round1", images=6)) as run:
        predicates = [mode.predicate for mode in run.ledger.modes() if mode.status == "confirmed"]
        measured = Measurements.read(run.ledger, predicates)
        summary = account(run, measured)
        asked = run.ledger.observations("test/round1/targeted/modes")
    [turn] = summary.rounds
    targeted = turn.arms["targeted"]
    assert targeted.skipped_updates == 0
    assert (targeted.samples, targeted.steps, targeted.gate) == (600, 60, "accepted")
    assert targeted.modes_accuracy_after is not None
    right = sum(item.outcome == "correct" for item in asked)
    assert targeted.modes_accuracy_after.value == pytest.approx(right / len(asked))
    assert targeted.modes_accuracy_after.n == len(asked)
    assert targeted.modes_change is not None
    assert targeted.modes_accuracy_before is not None
    assert targeted.modes_change.value == pytest.approx(
        targeted.modes_accuracy_after.value - targeted.modes_accuracy_before.value
    )
    assert summary.comparison is not None
    assert summary.comparison.targeted_minus_uniform is not None


def test_an_arm_whose_checkpoints_were_all_refused_ends_where_it_began() -> None:
    before, after = Rate(value=0.4, low=0.3, high=0.5, n=90), Rate(value=0.9, low=0.8, high=0.95, n=90)
    refused = ArmSummary(
        samples=1,
        steps=1,
        gate="kept_old",
        modes_accuracy_before=before,
        modes_accuracy_after=after,
        per_mode={"m": ModeAccuracy(before=before, after=after)},
    )
    mode = ModeSummary(id="m", description="a mode", predicate="x=1", status="open", failure_rate=before)
    summary = Summary(
        command="evolve",
        seed=0,
        wall_seconds=1.0,
        candidate="pupil",
        modes=[mode],
        rounds=[RoundSummary(round=1, arms={"targeted": refused})],
    )
    rows = changes(summary, NOTHING, {})
    assert [row.kind for row in rows] == ["all", "mode"]
    assert {mark.rate for row in rows for mark in row.marks} == {before}


def test_a_question_is_paired_with_itself_at_another_checkpoint(tmp_path: Path) -> None:
    with Run.read(exam(tmp_path / "run", until="round1", images=4)) as run:
        measured = Measurements.read(run.ledger, [])
    assert measured.checkpoints == [Checkpoint(), Checkpoint(1, "targeted"), Checkpoint(1, "uniform")]
    same = measured.change(Checkpoint(), Checkpoint())
    assert same is not None
    assert same.value == 0
    assert same.low < 0 < same.high  # another picture might have changed
    assert measured.change(Checkpoint(2, "targeted"), Checkpoint()) is None
