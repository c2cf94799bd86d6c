"""One training interface for questioner and candidate: prompts and a reward function → a better policy.

Rewards arrive as plain functions; the engines obey one interface and give the same loss on the same rollouts.
`shared` packs image → questions → completions as one tree (one process, CPU or one GPU); `trl` is TRL's
GRPOTrainer (LoRA, Accelerate, many processes); `stock` runs any family row by row in this process, LoRA too.

>>> from scotoma.grpo import GRPOConfig, Prompt, Rollout
"""

from scotoma.grpo.config import GRPOConfig, LossType, Schedule
from scotoma.grpo.report import StepReport, TrainingReport
from scotoma.grpo.rollout import Completion, Prompt, RewardFunction, Rollout

__all__ = [
    "Completion",
    "GRPOConfig",
    "LossType",
    "Prompt",
    "RewardFunction",
    "Rollout",
    "Schedule",
    "StepReport",
    "TrainingReport",
]
