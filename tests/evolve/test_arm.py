"""What an arm's training leaves in the ledger."""

from __future__ import annotations

from pathlib import Path

from scotoma.core import Sample
from scotoma.evolve.arm import note_training
from scotoma.evolve.lesson import Examined, Learnt
from scotoma.evolve.repair_job import RepairJob
from scotoma.evolve.settings import RepairSettings
from scotoma.grpo.report import StepReport, TrainingReport
from scotoma.store import Run

SAMPLES = [
    Sample(id=str(i), image_id="i", question="?", answer="a", purpose="mode", mode_id=f"m{i}") for i in (1, 2)
]


def test_a_training_s_diagnostics_are_curves_and_its_skipped_updates_are_counted(tmp_path: Path) -> None:
    steps = (
        StepReport(step=0, reward_mean=0.5, kl=0.1, zero_variance_share=0.25, entropy=2.0, grad_norm=3.0),
        StepReport(step=1, entropy=1.0, clip_share=0.125, skipped_updates=1),  # masked, and not finite
    )
    report = TrainingReport(
        engine="trl", checkpoint=tmp_path / "policy", steps=steps, seconds=1.0, steps_kept=2
    )
    job = RepairJob("pupil", SAMPLES, {}, RepairSettings(), 0, tmp_path, warm_start=SAMPLES[:1])
    with Run.open(tmp_path / "run", command="evolve", config={}) as run:
        note_training(run.ledger, "round1/targeted", job, Learnt(report, Examined([], []), seconds=7.0))
        done = run.ledger.done("round1/targeted/reinforce")
        curve = {(point.name, point.step): point.value for point in run.ledger.curve("round1/targeted")}
    assert done == {
        "engine": "trl",
        "steps": 2,
        "stopped": False,
        "skipped_updates": 1,
        "samples": 2,
        "warm_start_steps": 24,
        "taught_first": ["m1"],
        "rehearsed": 0,
        "seconds": 7.0,
    }
    assert curve == {
        ("reward", 0): 0.5,
        ("kl", 0): 0.1,
        ("kl", 1): 0.0,
        ("zero_variance_share", 0): 0.25,
        ("zero_variance_share", 1): 0.0,
        ("entropy", 0): 2.0,
        ("entropy", 1): 1.0,
        ("clip_share", 0): 0.0,
        ("clip_share", 1): 0.125,
        ("grad_norm", 0): 3.0,
    }
