"""The supervised steps before GRPO, for what the policy never gets right: there GRPO has no signal.

Most of every step is retention, so that nothing else is unlearnt. They are taken once: a training that has begun, or
that finds their result in `out/warm`, goes on from there.

    start = opened_after_warm_start(job, job.config())  # a spec, or the warm checkpoint itself
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from scotoma.core import Sample
from scotoma.discover.interview import put
from scotoma.discover.settings import AnswerSettings
from scotoma.evolve.repair_job import RepairJob
from scotoma.grpo.checkpoint import whole_checkpoints
from scotoma.grpo.config import GRPOConfig
from scotoma.grpo.engine import open_policy, trainer_for
from scotoma.grpo.rollout import Completion, Prompt
from scotoma.grpo.trainer import Trainer
from scotoma.models.checkpoint import Checkpoint
from scotoma.models.spec import trained


def opened_after_warm_start(job: RepairJob, config: GRPOConfig) -> str | Checkpoint:
    """What GRPO begins from: the policy's spec; or, where there is a warm start, the spec of what that wrote to
    `out/warm`, which other processes can open, or its checkpoint as it lies in memory.
    """
    settings, warm = job.settings, job.out / "warm"
    begun = (job.out / "state.pt").is_file() or any(whole_checkpoints(job.out / "trl"))
    if job.warm_start and settings.warm_start_steps and not begun and not warm.is_dir():
        checkpoint = open_policy(job.policy, config)
        trainer = _taught(checkpoint, job, config)
        if not settings.lora_rank and settings.accelerate is None:
            return checkpoint  # trained in place; the optimizer's state goes with the trainer
        # With its adapters merged, and where other processes find it. Neither trainer nor checkpoint outlives this
        # call: the device's memory is for the training then.
        trainer.save(warm)
    return trained(job.policy, warm) if warm.is_dir() else job.policy


def _taught(checkpoint: Checkpoint, job: RepairJob, config: GRPOConfig) -> Trainer:
    """The trainer that took the supervised steps.

    Half of a step's questions are about pictures that hold samples of the warm start, the others about any of what is
    kept, samples and rehearsal, and a picture comes with all of its questions, as far as there is room: it is encoded
    once. A step has as many questions in every arm.
    The rate rises over the first steps and falls to 0: a cold optimizer's first full steps do the most harm.
    """
    by_image: dict[str, list[Sample]] = {}
    for sample in (*job.samples, *job.rehearsal):
        by_image.setdefault(sample.image_id, []).append(sample)
    holding = list(dict.fromkeys(sample.image_id for sample in job.warm_start))
    # Without a reference, which only GRPO holds to.
    config = config.model_copy(update={"beta": 0.0})
    trainer = trainer_for(checkpoint.model, checkpoint.processor, config)
    rng, steps = Random(f"warm/{config.seed}"), job.settings.warm_start_steps
    room = job.settings.questions_per_step
    for step in range(steps):
        shown: dict[str, list[Sample]] = {}
        for pictures, full in ((holding, room // 2), (list(by_image), room)):
            _show(shown, rng.sample(pictures, len(pictures)), by_image, full)
        completions = [
            Completion(
                Prompt(f"{step}/{s.id}", job.images[s.image_id], put(s.question, job.answers)),
                _said(s.answer, job.answers),
            )
            for _, shown_of in sorted(shown.items())
            for s in shown_of
        ]
        ramp = min(1.0, (step + 1) / 5, (steps - step) / steps * 1.5)
        trainer.supervised_step(completions, job.settings.warm_start_rate * ramp)
    return trainer


def _show(
    shown: dict[str, list[Sample]], pictures: Sequence[str], by_image: Mapping[str, list[Sample]], full: int
) -> None:
    """Add pictures that are not shown yet, each with its samples, until there are `full` of these."""
    left = full - sum(map(len, shown.values()))
    for image_id in pictures:
        if left <= 0:
            return
        if image_id not in shown:
            shown[image_id] = by_image[image_id][:left]
            left -= len(shown[image_id])


def _said(answer: str, answers: AnswerSettings) -> str:
    """A right answer in the form that was asked for; there is no thinking to imitate."""
    return rf"\boxed{{{answer}}}" if answers.prompt == "boxed" else answer
