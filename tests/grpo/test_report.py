"""The figures of a step: from its rollouts and updates, and those that make curves."""

from __future__ import annotations

from pathlib import Path

import pytest

from scotoma.core import ImageRecord
from scotoma.grpo.report import StepReport, TrainingReport, Update
from scotoma.grpo.rollout import Prompt, Rollout

IMAGE = ImageRecord(id="0" * 64, source="test", data=b"")


def rollouts(*rewards: tuple[float | None, ...]) -> list[Rollout]:
    """A group for each tuple; every token has log-probability -0.5."""
    return [
        Rollout(Prompt(f"p{group}", IMAGE, "?"), (1, 2), "a", (-0.5, -0.5), reward)
        for group, of_group in enumerate(rewards)
        for reward in of_group
    ]


def test_a_step_is_told_by_its_rollouts_and_its_last_update() -> None:
    updates = [Update(skipped=True), Update(loss=0.1, grad_norm=2.0, kl=0.3, clip_share=0.25)]
    report = StepReport.of(4, rollouts((1.0, 0.0), (1.0, 1.0), (None, 0.0)), updates, learning_rate=0.1)
    assert (report.step, report.completions, report.masked, report.tokens) == (4, 6, 1, 12)
    assert report.reward_mean == pytest.approx(0.6)
    assert report.zero_variance_share == pytest.approx(2 / 3)
    assert report.entropy == 0.5
    assert (report.kl, report.loss, report.skipped_updates, report.learning_rate) == (0.3, 0.1, 1, 0.1)
    assert report.diagnostics == {
        "zero_variance_share": pytest.approx(2 / 3),
        "entropy": 0.5,
        "clip_share": 0.25,
        "grad_norm": 2.0,
    }


def test_where_nothing_was_updated_there_is_no_gradient_to_tell_of() -> None:
    report = StepReport.of(0, rollouts((1.0, 1.0)), [])
    assert report.diagnostics == {"zero_variance_share": 1.0, "entropy": 0.5, "clip_share": 0.0}
    assert StepReport.of(0, [], []).diagnostics["entropy"] == 0.0


def test_a_training_counts_the_updates_that_all_its_steps_left_out() -> None:
    steps = tuple(StepReport(step=step, skipped_updates=step) for step in range(3))
    report = TrainingReport(engine="trl", checkpoint=Path("p"), steps=steps, seconds=1.0, steps_kept=3)
    assert report.skipped_updates == 3
