"""What a training step did, and what a whole run of them did: the same figures from either engine.

>>> StepReport(step=0, reward_mean=0.5, reward_std=0.5, zero_variance_share=0.25).reward_mean
0.5
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, pstdev

from pydantic import BaseModel, ConfigDict, Field

from scotoma.grpo.advantage import zero_variance_share
from scotoma.grpo.rollout import Rollout, groups


@dataclass(frozen=True)
class Update:
    """What one pass of gradient descent over a step's rollouts did; all None or 0 where nothing could be learned."""

    loss: float | None = None
    grad_norm: float | None = None
    kl: float = 0.0
    clip_share: float = 0.0
    skipped: bool = False


class StepReport(BaseModel):
    """One rollout batch and its updates.

    Attributes:
        step: number of the step, from 0.
        reward_mean, reward_std: over unmasked completions; None where every one was masked.
        zero_variance_share: share of groups, [0, 1], whose rewards are all equal: they teach nothing.
        kl: k3 estimate of the divergence to the reference, nats per token (0 where `beta` is 0).
        entropy: Monte-Carlo estimate of the policy's entropy, nats per token.
        clip_share: share of tokens, [0, 1], whose ratio was clipped.
        loss, grad_norm: of the last update; the norm is before clipping. None where nothing was updated.
        learning_rate: of this step.
        completions, masked: how many were sampled, and how many of them infrastructure failed to score.
        tokens: sampled tokens.
        skipped_updates: updates left out because loss or gradient was not finite.
        seconds: wall time by phase (`rollout`, `reward`, `update`).
    """

    model_config = ConfigDict(frozen=True)

    step: int
    reward_mean: float | None = None
    reward_std: float | None = None
    zero_variance_share: float = 0.0
    kl: float = 0.0
    entropy: float = 0.0
    clip_share: float = 0.0
    loss: float | None = None
    grad_norm: float | None = None
    learning_rate: float = 0.0
    completions: int = 0
    masked: int = 0
    tokens: int = 0
    skipped_updates: int = 0
    seconds: dict[str, float] = Field(default_factory=dict)

    @classmethod
    def of(
        cls,
        step: int,
        rollouts: Sequence[Rollout],
        updates: Sequence[Update],
        *,
        learning_rate: float = 0.0,
        seconds: dict[str, float] | None = None,
    ) -> StepReport:
        """What scored rollouts, and the updates on them, came to; of several updates the last is told."""
        rewards = [rollout.reward for rollout in rollouts if rollout.reward is not None]
        tokens = [value for rollout in rollouts for value in rollout.log_probs]
        by_group = [[rollouts[i].reward for i in members] for members in groups(rollouts).values()]
        last = updates[-1] if updates else Update()
        return cls(
            step=step,
            reward_mean=fmean(rewards) if rewards else None,
            reward_std=pstdev(rewards) if rewards else None,
            zero_variance_share=zero_variance_share(by_group),
            kl=last.kl,
            entropy=-fmean(tokens) if tokens else 0.0,
            clip_share=last.clip_share,
            loss=last.loss,
            grad_norm=last.grad_norm,
            learning_rate=learning_rate,
            completions=len(rollouts),
            masked=len(rollouts) - len(rewards),
            tokens=len(tokens),
            skipped_updates=sum(update.skipped for update in updates),
            seconds=seconds or {},
        )

    @property
    def diagnostics(self) -> dict[str, float]:
        """What tells a training that collapses, stalls or explodes, by name, for learning curves; no gradient's norm
        where nothing was updated.
        """
        figures = {
            "zero_variance_share": self.zero_variance_share,
            "entropy": self.entropy,
            "clip_share": self.clip_share,
        }
        return figures if self.grad_norm is None else {**figures, "grad_norm": self.grad_norm}


class TrainingReport(BaseModel):
    """A finished run: which engine ran, where the policy lies, and every step (after a resume: of all processes).
    `stopped`: a look at the policy ended it, and the policy is an earlier one, of `steps_kept` steps.
    """

    model_config = ConfigDict(frozen=True)

    engine: str
    checkpoint: Path
    steps: tuple[StepReport, ...]
    seconds: float
    stopped: bool = False
    steps_kept: int

    @property
    def skipped_updates(self) -> int:
        """Updates that were left out in all its steps."""
        return sum(step.skipped_updates for step in self.steps)
