"""The `shared` engine: GRPO on packed trees, so that an image is encoded and read once for all its questions.

Image → questions → G completions of each: every token is computed once and sees exactly its ancestors, so
loss and gradients are those of TRL on the same rollouts (proven in `tests/grpo/test_equality.py`) at a
fraction of the cost. One process, CPU or one GPU, for the families of `scotoma.models.families`.

    trainer = SharedTrainer(model, processor, GRPOConfig(steps=50))
    for step in range(50):
        report = trainer.step(prompts_of_step(prompts, trainer.config, step), reward)
    trainer.save(Path("checkpoints/repaired"))
"""

from __future__ import annotations

import copy
import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, ProcessorMixin

from scotoma.core import ConfigError, ModelError
from scotoma.grpo.advantage import group_advantages, zero_variance_share
from scotoma.grpo.checkpoint import save_checkpoint
from scotoma.grpo.config import GRPOConfig
from scotoma.grpo.forest import Forest, Grove
from scotoma.grpo.loss import surrogate_loss, token_weights
from scotoma.grpo.report import StepReport
from scotoma.grpo.rollout import Completion, Prompt, RewardFunction, Rollout, groups, scored
from scotoma.models.families import Family, family_of
from scotoma.models.growth import Decoding, grow
from scotoma.models.tree import log_probs


@dataclass(frozen=True)
class Update:
    """What one pass of gradient descent over a step's rollouts did; all None or 0 where nothing could be learned."""

    loss: float | None = None
    grad_norm: float | None = None
    kl: float = 0.0
    clip_share: float = 0.0
    skipped: bool = False


class SharedTrainer:
    """Trains one policy in place.

    Everything random in a step follows from `config.seed` and the step's number, so that a trainer whose
    state was saved and loaded goes on exactly as if it had never stopped.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        processor: ProcessorMixin,
        config: GRPOConfig,
        reference: PreTrainedModel | None = None,
    ) -> None:
        """`reference` is what `config.beta` holds the policy to; by default a copy of `model` as it is now.

        Raises:
            ModelError: the model is of a family that cannot be packed.
            ConfigError: the config asks for LoRA, or freezes everything.
        """
        self.family = packable_family(model)
        if config.lora_rank:
            raise ConfigError(
                "the engine 'shared' trains no LoRA adapters", hint="use engine: trl, or lora_rank: 0"
            )
        self.model, self.processor, self.config = model, processor, config
        self.device = next(model.parameters()).device
        self.forest = Forest(model, processor)
        self.steps_done = 0
        self.skipped_updates = 0
        self.reference = _frozen(reference or copy.deepcopy(model)) if config.beta else None
        self.parameters = _freeze(model, config.frozen)
        self.optimizer = torch.optim.AdamW(
            _decay_groups(self.parameters, config.weight_decay), config.learning_rate
        )
        model.eval()  # no dropout: the ratio of the first update must be exactly 1

    def step(self, prompts: Sequence[Prompt], reward: RewardFunction) -> StepReport:
        """Sample G completions of every prompt, score them, and update the policy `config.num_iterations` times."""
        config, started = self.config, time.perf_counter()
        rollouts = self.sample(prompts, config.group_size)
        sampled = time.perf_counter()
        rollouts = scored(rollouts, reward)
        rewarded = time.perf_counter()
        step, learning_rate = self.steps_done, config.learning_rate_at(self.steps_done)
        updates = self.update(rollouts)
        rewards = [rollout.reward for rollout in rollouts if rollout.reward is not None]
        tokens = [value for rollout in rollouts for value in rollout.log_probs]
        by_group = [[rollouts[i].reward for i in members] for members in groups(rollouts).values()]
        last = updates[-1] if updates else Update()
        return StepReport(
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
            seconds={
                "rollout": sampled - started,
                "reward": rewarded - sampled,
                "update": time.perf_counter() - rewarded,
            },
        )

    def sample(
        self,
        prompts: Sequence[Prompt],
        n: int,
        *,
        temperature: float | None = None,
        max_new_tokens: int | None = None,
        seed: int | None = None,
    ) -> list[Rollout]:
        """`n` completions of each prompt, prompt after prompt, unscored.

        A prompt's completions depend on the seed (by default that of the config and the step's number) and on
        the prompt, not on the other prompts. `temperature` 0 is greedy.
        """
        key = f"{self.config.seed}/{self.steps_done}" if seed is None else str(seed)
        decoding = Decoding(
            eos_ids=self.forest.eos_ids,
            max_new_tokens=max_new_tokens or self.config.max_new_tokens,
            temperature=self.config.temperature if temperature is None else temperature,
            suppressed=self.family.suppressed(self.model),
        )
        found: dict[int, list[Rollout]] = {}
        for grove in self.forest.bare_groves(
            prompts, self.config.tokens_per_minibatch, decoding.max_new_tokens
        ):
            seeds = [_seed(f"{key}/{prompts[i].id}/{k}") for i in grove.order for k in range(n)]
            counts = [n * len(members) for members in grove.members]
            with self._autocast():
                grown = grow(
                    self.model, self.family, grove.trees, grove.pixels, decoding, counts, seeds, grove.pad_id
                )
            flat = [completion for tree in grown for branch in tree for completion in branch]
            texts = self.forest.decode([completion.tokens for completion in flat])
            for k, i in enumerate(grove.order):
                found[i] = [
                    Rollout(prompts[i], completion.tokens, text, completion.log_probs)
                    for completion, text in zip(
                        flat[k * n : k * n + n], texts[k * n : k * n + n], strict=True
                    )
                ]
        return [rollout for i in range(len(prompts)) for rollout in found[i]]

    def update(self, rollouts: Sequence[Rollout]) -> list[Update]:
        """`config.num_iterations` gradient steps on scored rollouts, wherever they come from.

        Rollouts of one prompt id form a group. A rollout without `log_probs` counts as sampled by the policy
        as it is now. The schedule moves on by one step. Where no completion is better than another there is
        nothing to learn and the weights stay as they are.
        """
        grouped = list(groups(rollouts).values())
        by_group = group_advantages(
            [[rollouts[i].reward for i in members] for members in grouped], scale=self.config.scale_rewards
        )
        advantages = [0.0] * len(rollouts)
        for members, values in zip(grouped, by_group, strict=True):
            for i, value in zip(members, values, strict=True):
                advantages[i] = value
        counted = [i for i, rollout in enumerate(rollouts) if rollout.reward is not None]
        lengths = [len(rollouts[i].completion_ids) for i in counted]
        weights = dict(zip(counted, token_weights(lengths, self.config), strict=True))
        # Without a KL term a rollout of advantage 0 has no gradient: its weight stays in the average, and it
        # is not run.
        active = [i for i in counted if advantages[i] != 0 or self.reference is not None]
        rate = self.config.learning_rate_at(self.steps_done)
        self.steps_done += 1
        if not any(advantages[i] != 0 for i in active):
            return []
        chosen = [rollouts[i] for i in active]
        old, reference = self._old_log_probs(chosen), self._reference_log_probs(chosen)
        return [
            self._descend(
                rate,
                self._surrogate_losses(
                    chosen, [advantages[i] for i in active], [weights[i] for i in active], old, reference
                ),
            )
            for _ in range(self.config.num_iterations)
        ]

    def supervised_step(
        self, completions: Sequence[Completion], learning_rate: float | None = None
    ) -> Update:
        """One gradient step of cross-entropy on given answers, through the same packed trees.

        For a warm start where the pass rate is near 0 and GRPO has no signal. The loss is the mean over all
        tokens, end of turn included. It does not advance the schedule of `step`; `learning_rate` is used as
        it is.
        """
        pairs = [(each.prompt, self.forest.answer_ids(each.prompt, each.text)) for each in completions]
        total = sum(len(ids) for _, ids in pairs)

        def losses() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
            for grove in self._groves(pairs):
                loss = -self._log_probs(self.model, grove).sum() / total
                yield loss, loss.new_zeros(()), loss.new_zeros(())

        return self._descend(learning_rate or self.config.learning_rate, losses())

    def log_probs(
        self, rollouts: Sequence[Rollout], model: nn.Module | None = None
    ) -> list[tuple[float, ...]]:
        """The log-probability of every token of every rollout under the policy (or another `model`) as it is now."""
        found: dict[int, tuple[float, ...]] = {}
        with torch.no_grad():
            for grove in self._rollout_groves(rollouts):
                values = torch.split(self._log_probs(model or self.model, grove), list(grove.lengths))
                found.update((i, tuple(value.tolist())) for i, value in zip(grove.order, values, strict=True))
        return [found[i] for i in range(len(rollouts))]

    def state(self) -> dict[str, Any]:
        """All that a resumed run needs: weights, reference, optimizer, counters. Tensors and plain values
        only.

        It shares memory with the trainer: save it (`checkpoint.save_state`) or copy it before the next step.
        """
        return {
            "config": self.config.model_dump(mode="json"),
            "model": self.model.state_dict(),
            "reference": self.reference.state_dict() if self.reference is not None else None,
            "optimizer": self.optimizer.state_dict(),
            "steps_done": self.steps_done,
            "skipped_updates": self.skipped_updates,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on where the trainer that gave `state` stood.

        Raises:
            ConfigError: it was trained under another config, so that going on would be a third thing.
        """
        if state["config"] != self.config.model_dump(mode="json"):
            raise ConfigError(
                "the saved training state belongs to another GRPO config",
                hint="resume with the config it was started with, or start in a new folder",
            )
        self.model.load_state_dict(state["model"])
        if self.reference is not None:
            self.reference.load_state_dict(state["reference"])
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self.steps_done, self.skipped_updates = state["steps_done"], state["skipped_updates"]

    def save(self, path: Path) -> Path:
        """Write the policy as a stock checkpoint (see `checkpoint.save_checkpoint`)."""
        return save_checkpoint(self.model, self.processor, path)

    def _surrogate_losses(
        self,
        rollouts: Sequence[Rollout],
        advantages: Sequence[float],
        weights: Sequence[float],
        old: Sequence[tuple[float, ...]],
        reference: Sequence[tuple[float, ...]] | None,
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for grove in self._rollout_groves(rollouts):
            current = self._log_probs(self.model, grove)

            def flat(values: Sequence[Sequence[float]], grove: Grove = grove) -> Tensor:
                joined = [value for i in grove.order for value in values[i]]
                return torch.tensor(joined, dtype=torch.float32, device=self.device)

            def spread(values: Sequence[float], grove: Grove = grove) -> Tensor:
                lengths = torch.tensor(grove.lengths, device=self.device)
                picked = torch.tensor(
                    [values[i] for i in grove.order], dtype=torch.float32, device=self.device
                )
                return picked.repeat_interleave(lengths)

            terms = surrogate_loss(
                current,
                flat(old),
                spread(advantages),
                spread(weights),
                self.config,
                flat(reference) if reference is not None else None,
            )
            yield terms.loss, terms.kl, terms.clipped

    def _descend(self, learning_rate: float, losses: Iterator[tuple[Tensor, Tensor, Tensor]]) -> Update:
        """One optimizer step on the sum of the losses; none at all if loss or gradient is not finite."""
        self.optimizer.zero_grad(set_to_none=True)
        total = kl = clipped = 0.0
        for loss, divergence, share in losses:
            loss.backward()  # type: ignore[no-untyped-call]
            total, kl, clipped = total + loss.item(), kl + divergence.item(), clipped + share.item()
        norm = nn.utils.clip_grad_norm_(self.parameters, self.config.max_grad_norm)
        if not bool(torch.isfinite(norm + total)):
            self.optimizer.zero_grad(set_to_none=True)
            self.skipped_updates += 1
            return Update(skipped=True)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return Update(total, float(norm), kl, clipped)

    def _old_log_probs(self, rollouts: Sequence[Rollout]) -> list[tuple[float, ...]]:
        if all(rollout.log_probs for rollout in rollouts):
            return [rollout.log_probs for rollout in rollouts]
        now = self.log_probs(rollouts)
        return [rollout.log_probs or own for rollout, own in zip(rollouts, now, strict=True)]

    def _reference_log_probs(self, rollouts: Sequence[Rollout]) -> list[tuple[float, ...]] | None:
        return None if self.reference is None else self.log_probs(rollouts, self.reference)

    def _rollout_groves(self, rollouts: Sequence[Rollout]) -> Iterator[Grove]:
        return self._groves([(rollout.prompt, rollout.completion_ids) for rollout in rollouts])

    def _groves(self, completions: Sequence[tuple[Prompt, tuple[int, ...]]]) -> Iterator[Grove]:
        return self.forest.groves(completions, self.config.tokens_per_minibatch)

    def _log_probs(self, model: nn.Module, grove: Grove) -> Tensor:
        with self._autocast():
            return log_probs(model, self.family, grove.packed(), grove.pixels, self.config.temperature)

    def _autocast(self) -> AbstractContextManager[Any]:
        """bfloat16 arithmetic over float32 weights on a GPU that has it; on a CPU it is slower, and left off."""
        if self.device.type == "cuda" and torch.cuda.is_bf16_supported():
            return torch.autocast("cuda", torch.bfloat16)
        return nullcontext()


def packable_family(model: nn.Module) -> Family:
    """The model's family.

    Raises:
        ModelError: it cannot be packed as trees.
    """
    family = family_of(model)
    if family is None:
        kind = getattr(getattr(model, "config", None), "model_type", type(model).__name__)
        raise ModelError(f"the engine 'shared' cannot pack the family {kind!r}", hint="use engine: trl")
    return family


def _freeze(model: nn.Module, patterns: Sequence[str]) -> list[nn.Parameter]:
    """Turn off the gradients of the parameters whose names match; returns the others."""
    trained = []
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not any(re.search(pattern, name) for pattern in patterns))
        if parameter.requires_grad:
            trained.append(parameter)
    if not trained:
        raise ConfigError(f"frozen={list(patterns)} leaves nothing to train", hint="freeze fewer parameters")
    return trained


def _decay_groups(parameters: Sequence[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay is for matrices; biases and the gains of norms go without (as Transformers' Trainer has it)."""
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def _frozen(model: PreTrainedModel) -> PreTrainedModel:
    model.requires_grad_(False)
    model.eval()
    return model


def _seed(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
