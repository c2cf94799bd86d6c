"""What goes into training and what the policy did with it: prompts, and one rollout per sampled completion.

A reward function is plain: rollouts in, one number each out. `None` says that infrastructure failed (a judge
timed out, an endpoint refused): such a rollout is masked, it gives no gradient and does not enter its group's
mean.

    def says_red(rollouts):
        return [1.0 if rollout.text == "red" else 0.0 for rollout in rollouts]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scotoma.core import ConfigError, ImageRecord, Turn


@dataclass(frozen=True)
class Prompt:
    """What the policy is asked: one image, a text, and what was said before.

    `id` is unique within a step and names the group of completions; prompts whose images share an
    `ImageRecord.id` share one encoding of it. `meta` is the caller's own (the true answer, the wanted skill
    …) and is never read here.
    """

    id: str
    image: ImageRecord
    text: str
    history: tuple[Turn, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Rollout:
    """One sampled completion.

    `completion_ids` end with the end-of-turn token unless the completion was cut at `max_new_tokens`; `text`
    leaves special tokens out. `log_probs` are those of the policy that sampled it, one per token, at the
    training temperature. `reward` is None until it was scored, and stays None when infrastructure failed.
    """

    prompt: Prompt
    completion_ids: tuple[int, ...]
    text: str
    log_probs: tuple[float, ...] = ()
    reward: float | None = None


@dataclass(frozen=True)
class Completion:
    """One given answer to a prompt: what a supervised step trains on."""

    prompt: Prompt
    text: str


RewardFunction = Callable[[Sequence[Rollout]], Sequence[float | None]]
"""Scores a step's rollouts, in order. May look at all of them at once (novelty within the batch)."""


def scored(rollouts: Sequence[Rollout], reward: RewardFunction) -> list[Rollout]:
    """The rollouts with their rewards; a reward that is no finite number masks its rollout, as None does.

    Raises:
        ConfigError: the reward function gave another number of rewards than there are rollouts.
    """
    rewards = list(reward(rollouts))
    if len(rewards) != len(rollouts):
        raise ConfigError(
            f"the reward function gave {len(rewards)} rewards for {len(rollouts)} completions",
            hint="return one number (or None) per rollout, in order",
        )
    return [
        replace(rollout, reward=value if value is not None and math.isfinite(value) else None)
        for rollout, value in zip(rollouts, rewards, strict=True)
    ]


def groups(rollouts: Sequence[Rollout]) -> dict[str, list[int]]:
    """The positions of each prompt's rollouts, by prompt id, in order of first appearance."""
    found: dict[str, list[int]] = {}
    for position, rollout in enumerate(rollouts):
        found.setdefault(rollout.prompt.id, []).append(position)
    return found
