"""How TRL's trainer cuts a step so that it fits: into minibatches that train, and these into batches that are sampled.

TRL wants the same number of prompts in every step and equal minibatches, and would sample a step's completions all at
once, whatever memory that takes.

    cut = partition(prompts, length=76, config=config, processes=8)
    cut.minibatch, cut.minibatches, cut.sampled
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scotoma.grpo.config import GRPOConfig
from scotoma.grpo.rollout import Prompt

SAMPLING = 8
"""Sampling has room for so many times `tokens_per_minibatch`: it keeps keys and values, where training keeps an
activation of every layer."""


@dataclass(frozen=True)
class Partition:
    """`prompts` of a step; of each process, the rollouts in a `minibatch` and the number of `minibatches` in a step;
    and how many of these are `sampled` at once.
    """

    prompts: int
    minibatch: int
    minibatches: int
    sampled: int


def partition(prompts: Sequence[Prompt], length: int, config: GRPOConfig, processes: int) -> Partition:
    """The largest parts that stay within the budget, for prompts of at most `length` tokens. Every part has at least
    one rollout, and what is sampled at once has whole groups, though it were too much.
    """
    n = _prompts_per_step(prompts, config, processes)
    share = n * config.group_size // processes
    most = config.tokens_per_minibatch // (length + config.max_new_tokens)
    minibatch = max(size for size in _divisors(share) if size <= max(1, most))
    minibatches = share // minibatch
    if config.num_iterations > 1 or config.vllm:
        # All of a step is trained on again; vLLM keeps to its own room.
        return Partition(n, minibatch, minibatches, minibatches)
    whole = [k for k in _divisors(minibatches) if k * minibatch * processes % config.group_size == 0]
    sampled = max((k for k in whole if k * minibatch <= SAMPLING * most), default=whole[0])
    return Partition(n, minibatch, minibatches, sampled)


def _prompts_per_step(prompts: Sequence[Prompt], config: GRPOConfig, processes: int) -> int:
    """As many as are wanted, or as a step's images hold on average; rounded so that their completions can be dealt out
    evenly to the processes.
    """
    images = len({prompt.image.id for prompt in prompts})
    mean = len(prompts) * min(config.images_per_step, images) / images
    if config.prompts_per_step is not None:
        mean = min(config.prompts_per_step, len(prompts))
    even = processes // math.gcd(processes, config.group_size)
    return even * max(1, round(mean / even))


def _divisors(n: int) -> list[int]:
    return [size for size in range(1, n + 1) if n % size == 0]
