"""A report says what the summary says; while a run has not come to one, what the ledger says of the discovery."""

from __future__ import annotations

from pathlib import Path

import pytest

from scotoma.core import Rate
from scotoma.report import build
from scotoma.report.page import Page
from scotoma.report.progress import Mark
from scotoma.store import ArmSummary, ModeAccuracy, ModeSummary, RoundSummary, Run, Summary
from tests.report.exam import exam
from tests.report.test_build import words

NOBODY = Rate(value=0.0, low=-1.0, high=1.0, n=0)


def page_of(path: Path) -> Page:
    with Run.read(path) as run:
        return Page.of(run)


def summary_of(path: Path) -> Summary:
    with Run.read(path) as run:
        summary = run.summary()
    assert summary is not None
    return summary


def write(path: Path, summary: Summary) -> None:
    with Run.open(path, command="evolve", config=None) as run:
        run.write_summary(summary)


def marks(page: Page, kind: str) -> dict[str, Mark]:
    [row] = [row for row in page.changes if row.kind == kind]
    return {mark.arm: mark for mark in row.marks}


def test_the_report_is_in_the_words_of_the_summary(tmp_path: Path) -> None:
    path = exam(tmp_path / "run", images=6)
    said = summary_of(path)
    assert said.comparison is not None
    told = Rate(value=0.07, low=0.01, high=0.13, n=123)
    comparison = said.comparison.model_copy(update={"targeted_minus_uniform": told})
    said = said.model_copy(update={"wall_seconds": 5.0, "comparison": comparison})
    write(path, said)
    summary = page_of(path).summary
    assert (summary.wall_seconds, summary.comparison) == (5.0, comparison)
    assert (summary.discovery, summary.rounds, summary.stability) == (
        said.discovery,
        said.rounds,
        said.stability,
    )
    assert "+7.0 points [+1.0, +13.0]" in words(build(path), ".//header")


def test_a_figure_that_rests_on_no_question_is_none(tmp_path: Path) -> None:
    path = exam(tmp_path / "run", images=6)
    said = summary_of(path)
    assert said.comparison is not None
    pair = ModeAccuracy(before=NOBODY, after=NOBODY, change=NOBODY)
    comparison = said.comparison.model_copy(update={"targeted_minus_base": NOBODY})
    first, *others = said.rounds
    arm = first.arms["targeted"]
    arm = arm.model_copy(update={"per_mode": arm.per_mode | {"none": pair}})
    first = first.model_copy(update={"arms": first.arms | {"targeted": arm}})
    write(path, said.model_copy(update={"comparison": comparison, "rounds": [first, *others]}))
    summary = page_of(path).summary
    assert summary.comparison is not None
    assert summary.comparison.targeted_minus_base is None
    assert summary.comparison.targeted_minus_uniform == said.comparison.targeted_minus_uniform
    assert set(summary.rounds[0].arms["targeted"].per_mode) == {"m1", "m2", "m3", "m4"}
    assert "n=0" not in words(build(path))


def test_a_run_that_was_killed_in_discovery_tells_what_its_ledger_holds(tmp_path: Path) -> None:
    path = exam(tmp_path / "run", until="discover", images=6)
    page = page_of(path)
    with Run.read(path) as run:
        assert run.summary() is None
        failures = run.ledger.counts("discover").failure
    assert page.summary.discovery is not None
    assert page.summary.discovery.failures == failures
    assert page.summary.proof_finished is False
    assert {card.mode.id for card in page.suspects} == {"m1", "m2", "m3", "m4", "m5"}
    assert (page.summary.rounds, page.summary.comparison, page.changes) == ([], None, ())
    text = words(build(path))
    assert f"failure {failures}" in text
    assert "discovery: done baseline: not yet confirmation: not yet round 1: not yet" in text


def test_a_proof_that_went_on_after_the_summary_is_told(tmp_path: Path) -> None:
    path = exam(tmp_path / "run", until="confirm", images=6)
    proved = summary_of(path)
    early = [ModeSummary(id="m1", description="counting", predicate="x=1", status="suspected")]
    write(path, proved.model_copy(update={"proof_finished": False, "modes": early, "wall_seconds": 5.0}))
    summary = page_of(path).summary
    assert [(mode.id, mode.status, mode.q_value) for mode in summary.modes] == [
        (mode.id, mode.status, mode.q_value) for mode in proved.modes
    ]
    assert summary.proof_finished
    assert summary.discovery == proved.discovery
    assert summary.wall_seconds == 5.0


def test_a_spiral_that_was_killed_after_a_round_tells_that_round_and_is_unfinished(tmp_path: Path) -> None:
    path = exam(tmp_path / "run", until="round1", images=6)
    page, said = page_of(path), summary_of(path)
    assert (page.summary.rounds, page.summary.comparison) == (said.rounds, said.comparison)
    [turn] = said.rounds
    assert {arm: mark.rate for arm, mark in marks(page, "all").items()} == {
        "base": turn.arms["targeted"].modes_accuracy_before,
        "targeted": turn.arms["targeted"].modes_accuracy_after,
        "uniform": turn.arms["uniform"].modes_accuracy_after,
    }
    assert said.comparison is not None
    assert said.comparison.targeted_minus_uniform is not None
    text = words(build(path))
    assert "This run is unfinished" in text
    assert "round 1: done round 2: not yet" in text
    assert f"{100 * abs(said.comparison.targeted_minus_uniform.value):.1f} points" in text
    assert "Round 1: 300 samples for 4 modes" in text
    assert "Was it the targeting?" in text


def test_of_a_round_that_was_stopped_the_arms_that_ended_are_told_and_none_is_compared(
    tmp_path: Path,
) -> None:
    path = exam(tmp_path / "run", until="round1/targeted", images=6)
    page = page_of(path)
    assert page.summary.comparison is None
    assert set(marks(page, "all")) == {"base", "targeted"}
    text = words(build(path))
    assert "round 1: not yet" in text
    assert "targeted: 600 samples, 60 GRPO steps, accepted by the gate" in text
    assert "Targeted against uniform training not yet" in text


def test_every_arms_row_is_its_change_since_the_base_over_all_rounds(tmp_path: Path) -> None:
    path = exam(tmp_path / "run", images=6)
    page, said = page_of(path), summary_of(path)
    assert said.comparison is not None
    for kind, gain in (
        ("all", said.comparison.targeted_minus_base),
        ("retained", said.comparison.retained_change),
    ):
        drawn = marks(page, kind)
        assert drawn["targeted"].change == gain
        for arm in ("targeted", "uniform"):
            change = drawn[arm].change
            assert change is not None
            assert change.value == pytest.approx(drawn[arm].rate.value - drawn["base"].rate.value)
    # Its second round was refused.
    assert marks(page, "all")["uniform"].rate == said.rounds[0].arms["uniform"].modes_accuracy_after


def test_an_arm_whose_checkpoints_were_all_refused_ends_where_it_began(tmp_path: Path) -> None:
    before, after = Rate(value=0.4, low=0.3, high=0.5, n=90), Rate(value=0.9, low=0.8, high=0.95, n=90)
    refused = ArmSummary(
        samples=1, steps=1, gate="kept_old", modes_accuracy_before=before, modes_accuracy_after=after
    )
    ended = {"targeted": ModeAccuracy(before=before, after=before)}
    mode = ModeSummary(
        id="m", description="a mode", predicate="x=1", status="open", failure_rate=before, test_accuracy=ended
    )
    path = exam(tmp_path / "run", until="begin")
    write(
        path,
        Summary(
            command="evolve",
            seed=0,
            wall_seconds=1.0,
            candidate="pupil",
            proof_finished=True,
            modes=[mode],
            rounds=[RoundSummary(round=1, arms={"targeted": refused})],
        ),
    )
    page = page_of(path)
    assert [row.kind for row in page.changes] == ["all", "mode"]
    assert {mark.rate for row in page.changes for mark in row.marks} == {before}
