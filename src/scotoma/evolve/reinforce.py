"""Training the candidate on samples: a supervised warm start where it is needed, then GRPO with a rule-based reward.

R = 0.9 · accuracy + 0.1 · format (DPE, arXiv 2602.22859): accuracy by rules against the exact answer; format 1 for a
short answer or, where thinking was asked for, for thinking that ends and an answer in a box.

    trained = reinforce(RepairJob("pupil", samples, images, settings, seed=0, out=run.path / "work"), on_step=…)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from scotoma.evolve.repair_job import RepairJob
from scotoma.evolve.warm_start import opened_after_warm_start
from scotoma.grpo.engine import Look, train
from scotoma.grpo.launch import launch
from scotoma.grpo.report import StepReport, TrainingReport
from scotoma.grpo.rollout import Rollout
from scotoma.models.checkpoint import Checkpoint, release
from scotoma.verify.rules import match

ACCURACY, FORMAT = 0.9, 0.1
_LONGEST_ANSWER = 40
_SAVE_EVERY = 20
"""Steps after which what a resume needs is saved."""
_THOUGHT_AND_BOXED = re.compile(r"\s*(?:<think>)?.*</think>[^<]*\\boxed\{[^{}]+\}\W*", re.DOTALL)


def reward(rollouts: Sequence[Rollout]) -> list[float | None]:
    """0.9 · accuracy + 0.1 · format per rollout, in [0, 1]; None, so that nothing is learnt of it, where rules cannot
    decide: of a picture without facts "sofa" may be as right as "couch".
    """
    return [_reward(rollout) for rollout in rollouts]


def _reward(rollout: Rollout) -> float | None:
    closed = rollout.prompt.image.facts is not None
    found = match(rollout.text, rollout.prompt.meta["answer"], closed=closed)
    if found == "undecided" and not closed:
        return None
    return ACCURACY * (found == "correct") + FORMAT * _well_formed(rollout)


def _well_formed(rollout: Rollout) -> bool:
    """Thinking, closed, and then one box; or a short answer, where no thinking was asked for."""
    if rollout.prompt.meta.get("boxed"):
        return _THOUGHT_AND_BOXED.fullmatch(rollout.text) is not None
    return 0 < len(rollout.text) <= _LONGEST_ANSWER


def reinforce(
    job: RepairJob,
    on_step: Callable[[StepReport], None] | None = None,
    keep_going: Callable[[Path], bool] | None = None,
) -> TrainingReport:
    """Train a copy of the policy and write it to `out/policy`; the same call resumes.

    Args:
        job: what to train, on what, and how.
        on_step: hears of every finished step.
        keep_going: whether a checkpoint of the training may go on, asked every `settings.look_every` steps.

    Raises:
        ConfigError: a training that one engine began is to go on by another.
    """
    settings, config, prompts = job.settings, job.config(), job.prompts()
    start = opened_after_warm_start(job, config)
    # Where other processes train, they are given a spec: nothing is left open here.
    if settings.accelerate is None or isinstance(start, Checkpoint):
        return train(
            start,
            prompts,
            reward,
            config,
            out=job.out,
            engine=settings.engine,
            save_every=_SAVE_EVERY,
            on_step=on_step,
            look=Look(settings.look_every, keep_going) if keep_going and settings.look_every else None,
        )
    release()
    return launch(
        settings.accelerate,
        start,
        prompts,
        reward,
        config,
        out=job.out,
        save_every=_SAVE_EVERY,
        on_step=on_step,
    )
