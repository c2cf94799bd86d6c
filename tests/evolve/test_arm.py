"""What an arm leaves in the ledger; a round that is stopped has told, in the summary, of all that had ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from scotoma.core import FailureMode, Predicate, Sample
from scotoma.diagnose import mixture as mixtures
from scotoma.discover.progress import Progress, silent
from scotoma.evolve import arm as arms
from scotoma.evolve.arm import note_training
from scotoma.evolve.diagnosis import Diagnosis
from scotoma.evolve.examination import Examination
from scotoma.evolve.lesson import Examined, Learnt, Lesson
from scotoma.evolve.repair_job import RepairJob
from scotoma.evolve.settings import Arm, EvolveSettings, RepairSettings
from scotoma.evolve.workshop import Policy, Workshop
from scotoma.grpo.report import StepReport, TrainingReport
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.store.run import Run
from tests.evolve.test_proof import answers

SETTINGS = EvolveSettings(rounds=1, repair=RepairSettings(samples=24))
MODE = FailureMode(id="m", predicate=Predicate(), description="anything", status="confirmed")
UNIFORM = Diagnosis(mixture=mixtures.uniform(24))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    """A round whose arms were diagnosed; both train on uniform questions."""
    with Run.open(tmp_path / "run", command="evolve", config={}) as run:
        run.ledger.finish("confirm", modes=[MODE])
        run.ledger.finish("examine/base", observations=answers("base", 0.2))
        for arm in SETTINGS.arms:
            run.ledger.finish(f"round1/{arm}/diagnose", UNIFORM.model_dump(mode="json"))
        nothing = Examination((), ())
        yield Workshop(run, ShapesWorld(), SETTINGS, (MODE,), nothing, nothing, silent)


def taught(name: str) -> Learnt:
    report = TrainingReport(engine="shared", checkpoint=Path("policy"), steps=(), seconds=1.0, steps_kept=2)
    return Learnt(report, Examined([], answers(name, 0.6)), 1.0)


def test_the_summary_is_one_arm_old_at_the_most(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(lessons: Mapping[str, Lesson], at_once: int, progress: Progress) -> Iterator[tuple[str, Any]]:
        first = next(iter(lessons))
        yield first, taught(first)
        raise KeyboardInterrupt

    def going_on(
        lessons: Mapping[str, Lesson], at_once: int, progress: Progress
    ) -> Iterator[tuple[str, Any]]:
        yield from ((name, taught(name)) for name in lessons)

    policies: dict[Arm, Policy] = dict.fromkeys(SETTINGS.arms, Policy("base", "pupil"))
    monkeypatch.setattr(arms, "side_by_side", stopped)
    with pytest.raises(KeyboardInterrupt):
        arms.turn(shop, 1, policies)
    told = shop.run.summary()
    assert told is not None
    assert [set(turn.arms) for turn in told.rounds] == [{"targeted"}]
    gain = told.rounds[0].arms["targeted"].modes_change
    assert gain is not None
    assert gain.value == pytest.approx(0.4)
    monkeypatch.setattr(arms, "side_by_side", going_on)
    after = arms.turn(shop, 1, policies)
    assert {arm: policy.name for arm, policy in after.items()} == {
        "targeted": "round1/targeted",
        "uniform": "round1/uniform",
    }
    told = shop.run.summary()
    assert told is not None
    assert [set(turn.arms) for turn in told.rounds] == [{"targeted", "uniform"}]
    assert told.comparison is not None


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


@pytest.mark.parametrize("accepted", [True, False])
def test_a_mode_gets_another_warm_start_if_the_gate_threw_away_the_first(
    shop: Workshop, accepted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = shop.run.ledger
    share = mixtures.Share(name=MODE.id, samples=1, weight=1.0, warm_start=True)
    mixture = mixtures.Mixture(kind="targeted", volume=2, shares=(share,), retention=1)
    record = next(ShapesWorld().images("train", 0))
    aimed, kept = (
        Sample(id=name, image_id=record.id, question="?", answer="a", purpose=purpose, mode_id=mode)
        for name, purpose, mode in (("aimed", "mode", MODE.id), ("kept", "retention", None))
    )
    ledger.finish("round2/targeted/diagnose", Diagnosis(mixture=mixture).model_dump(mode="json"))
    for arm in SETTINGS.arms:
        ledger.finish(f"round2/{arm}/gate", {"accepted": accepted, "reason": ""})
        drawn = Diagnosis(mixture=mixture) if arm == "targeted" else UNIFORM
        ledger.finish(f"round3/{arm}/diagnose", drawn.model_dump(mode="json"))
        shop.run.images.put_all([record])
        ledger.finish(f"round3/{arm}/generate", {"samples": 2}, samples=[aimed, kept], images=[record])
    begun: dict[str, Lesson] = {}

    def taken(lessons: Mapping[str, Lesson], at_once: int, progress: Progress) -> Iterator[tuple[str, Any]]:
        begun.update(lessons)
        yield from ((name, taught(name)) for name in lessons)

    monkeypatch.setattr(arms, "side_by_side", taken)
    monkeypatch.setattr(arms, "rehearsal", lambda _: [])
    arms.turn(shop, 3, dict.fromkeys(SETTINGS.arms, Policy("base", "pupil")))
    started = [sample.id for sample in begun["round3/targeted"].repair.warm_start]
    assert started == ([] if accepted else ["aimed"])
