"""The clipped surrogate loss on flat tokens: what every engine minimises, written once.

With ratio ρ = exp(log π - log π_old) and advantage Â, a token's loss is

    -min(ρ Â, clip(ρ, 1 - ε_low, 1 + ε_high) Â) + β ρ k3,    k3 = exp(d) - d - 1,  d = log π_ref - log π

(PPO's clip as in GRPO, arXiv 2402.03300, Eq. 3, with DAPO's separate bounds, arXiv 2503.14476, Eq. 10; k3 is
the unbiased KL estimate of the same paper, Eq. 4, weighted by ρ as TRL does by default). The loss is the sum
over tokens of weight × token loss; the weights (`token_weights`) carry the averaging, so that a step can be
cut into minibatches of any shape without changing its gradient.

    loss = surrogate_loss(log_probs, old, advantages, weights, config).loss
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from scotoma.grpo.config import GRPOConfig


@dataclass(frozen=True)
class SurrogateLoss:
    """`loss` carries the gradient (a scalar); `kl` and `clipped` are weighted sums over tokens, without gradient."""

    loss: Tensor
    kl: Tensor
    clipped: Tensor


def token_weights(lengths: Sequence[int], config: GRPOConfig) -> list[float]:
    """The weight of each token of each of a step's completions, by completion.

    `lengths` are the token counts (≥ 1) of the unmasked completions of the whole step. With N completions and
    T tokens: `dapo` 1 / T, `grpo` 1 / (N · length), `dr_grpo` 1 / (N · max_new_tokens). An empty step has no
    weights.
    """
    number, total = len(lengths), sum(lengths)
    if config.loss_type == "dapo":
        return [1.0 / total] * number if number else []
    if config.loss_type == "grpo":
        return [1.0 / (number * length) for length in lengths]
    return [1.0 / (number * config.max_new_tokens)] * number


def surrogate_loss(
    log_probs: Tensor,
    old_log_probs: Tensor,
    advantages: Tensor,
    weights: Tensor,
    config: GRPOConfig,
    reference_log_probs: Tensor | None = None,
) -> SurrogateLoss:
    """The loss of some tokens of a step; losses of disjoint parts of the step add up to the step's loss.

    All tensors are flat, `[tokens]`: `log_probs` with gradient, the others without. `reference_log_probs` is
    needed where `config.beta` > 0.
    """
    ratio = torch.exp(log_probs - old_log_probs)
    clipped_ratio = ratio.clamp(1 - config.epsilon_low, 1 + config.epsilon_high)
    per_token = -torch.min(ratio * advantages, clipped_ratio * advantages)
    kl = torch.zeros((), device=log_probs.device)
    if reference_log_probs is not None:
        distance = reference_log_probs - log_probs
        divergence = torch.exp(distance) - distance - 1
        per_token = per_token + config.beta * ratio * divergence
        kl = (divergence.detach() * weights).sum()
    is_clipped = ((ratio < 1 - config.epsilon_low) & (advantages < 0)) | (
        (ratio > 1 + config.epsilon_high) & (advantages > 0)
    )
    return SurrogateLoss((per_token * weights).sum(), kl, (is_clipped * weights).sum())
