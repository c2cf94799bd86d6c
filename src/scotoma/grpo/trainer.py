"""What a step of GRPO is, whatever engine runs the model: sample, score, advantages, clipped surrogate, AdamW.

An engine says how to sample completions and how to run the model over rollouts in minibatches (`SharedTrainer` as
packed trees, `StockTrainer` row by row); everything else is here, once.

    trainer = trainer_for(model, processor, GRPOConfig(steps=50))  # scotoma.grpo.engine
    for step in range(50):
        report = trainer.step(prompts_of_step(prompts, trainer.config, step), reward)
    trainer.save(Path("checkpoints/repaired"))
"""

from __future__ import annotations

import copy
import hashlib
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, ProcessorMixin

from scotoma.core import ConfigError
from scotoma.grpo.advantage import group_advantages
from scotoma.grpo.checkpoint import save_checkpoint
from scotoma.grpo.config import GRPOConfig
from scotoma.grpo.encoding import Tokens, answer_tokens
from scotoma.grpo.loss import SurrogateLoss, surrogate_loss, token_weights
from scotoma.grpo.report import StepReport, Update
from scotoma.grpo.rollout import Completion, Prompt, RewardFunction, Rollout, groups, scored
from scotoma.models.checkpoint import eos_ids
from scotoma.models.growth import Decoding


class Minibatch(Protocol):
    """Part of a step that goes through the model at once.

    `order` are the positions, in what was asked for, of the completions; `lengths` their token counts.
    """

    @property
    def order(self) -> Tokens:
        """Positions of the completions."""
        ...

    @property
    def lengths(self) -> Tokens:
        """How many tokens each of them has."""
        ...


class Trainer(ABC):
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
            ConfigError: the config freezes everything.
        """
        self.model, self.processor, self.config = model, processor, config
        self.device = next(model.parameters()).device
        self.eos_ids = eos_ids(model, processor)
        self._answer_ids = lru_cache(maxsize=65_536)(partial(answer_tokens, processor, self.eos_ids))
        self.steps_done = 0
        self.skipped_updates = 0
        self.reference = self.make_reference(reference) if config.beta else None
        self.parameters = _freeze(model, self.frozen_patterns())
        self.optimizer = torch.optim.AdamW(
            _decay_groups(self.parameters, config.weight_decay), config.learning_rate
        )
        model.eval()  # no dropout: the ratio of the first update must be exactly 1

    @property
    @abstractmethod
    def suppressed(self) -> Tokens:
        """Tokens never to be sampled: an image's placeholder without an image breaks the next pass."""

    @abstractmethod
    def draw(self, prompts: Sequence[Prompt], n: int, decoding: Decoding, key: str) -> list[Rollout]:
        """`n` completions of each prompt, prompt after prompt; number k of prompt p draws from `seed_of(key/p/k)`."""

    @abstractmethod
    def minibatches(self, completions: Sequence[tuple[Prompt, Tokens]]) -> Iterator[Any]:
        """`Minibatch`es of at most `config.tokens_per_minibatch` tokens that hold every completion once."""

    @abstractmethod
    def minibatch_log_probs(self, model: nn.Module, minibatch: Any) -> Tensor:
        """(tokens,) the log-probability of every token, completion after completion in the minibatch's order."""

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
        decoding = Decoding(
            eos_ids=self.eos_ids,
            max_new_tokens=max_new_tokens or self.config.max_new_tokens,
            temperature=self.config.temperature if temperature is None else temperature,
            suppressed=self.suppressed,
        )
        key = f"{self.config.seed}/{self.steps_done}" if seed is None else str(seed)
        return self.draw(prompts, n, decoding, key)

    def answer_ids(self, prompt: Prompt, text: str) -> Tokens:
        """The tokens of a given answer to a prompt, end of turn included, as the chat template writes them."""
        return self._answer_ids(prompt.text, prompt.history, text)

    def step(self, prompts: Sequence[Prompt], reward: RewardFunction) -> StepReport:
        """Sample G completions of every prompt, score them, and update the policy `config.num_iterations` times."""
        config, started = self.config, time.perf_counter()
        rollouts = self.sample(prompts, config.group_size)
        sampled = time.perf_counter()
        rollouts = scored(rollouts, reward)
        rewarded = time.perf_counter()
        step, learning_rate = self.steps_done, config.learning_rate_at(self.steps_done)
        updates = self.update(rollouts)
        return StepReport.of(
            step,
            rollouts,
            updates,
            learning_rate=learning_rate,
            seconds={
                "rollout": sampled - started,
                "reward": rewarded - sampled,
                "update": time.perf_counter() - rewarded,
            },
        )

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
        active = [i for i in counted if advantages[i] != 0 or self.config.beta]
        rate = self.config.learning_rate_at(self.steps_done)
        self.steps_done += 1
        if not any(advantages[i] != 0 for i in active):
            return []
        chosen = [rollouts[i] for i in active]
        old, reference = self._old_log_probs(chosen), self.reference_log_probs(chosen)
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
        """One gradient step of cross-entropy on given answers, through the same forward pass.

        For a warm start where the pass rate is near 0 and GRPO has no signal. The loss is the mean over all
        tokens, end of turn included. It does not advance the schedule of `step`; `learning_rate` is used as
        it is.
        """
        pairs = [(each.prompt, self.answer_ids(each.prompt, each.text)) for each in completions]
        total = sum(len(ids) for _, ids in pairs)

        def losses() -> Iterator[SurrogateLoss]:
            for part in self.minibatches(pairs):
                loss = -self.minibatch_log_probs(self.model, part).sum() / total
                yield SurrogateLoss(loss, kl=loss.new_zeros(()), clipped=loss.new_zeros(()))

        return self._descend(learning_rate or self.config.learning_rate, losses())

    def log_probs(
        self, rollouts: Sequence[Rollout], model: nn.Module | None = None
    ) -> list[tuple[float, ...]]:
        """The log-probability of every token of every rollout under the policy (or another `model`) as it is now."""
        found: dict[int, tuple[float, ...]] = {}
        with torch.no_grad():
            for part in self._parts(rollouts):
                values = torch.split(self.minibatch_log_probs(model or self.model, part), list(part.lengths))
                found.update((i, tuple(value.tolist())) for i, value in zip(part.order, values, strict=True))
        return [found[i] for i in range(len(rollouts))]

    def state(self) -> dict[str, Any]:
        """All that a resumed run needs: weights, reference, optimizer, counters. Tensors and plain values
        only.

        It shares memory with the trainer: save it (`checkpoint.save_state`) or copy it before the next step.
        """
        return {
            "config": self.config.model_dump(mode="json"),
            "model": self.weights(),
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
        # How much goes through at once is for the memory to say: where it ran out, training goes on with less.
        saved = {**state["config"], "tokens_per_minibatch": self.config.tokens_per_minibatch}
        if saved != self.config.model_dump(mode="json"):
            raise ConfigError(
                "the saved training state belongs to another GRPO config",
                hint="resume with the config it was started with, or start in a new folder",
            )
        self.load_weights(state["model"])
        if self.reference is not None:
            self.reference.load_state_dict(state["reference"])
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self.steps_done, self.skipped_updates = state["steps_done"], state["skipped_updates"]

    def save(self, path: Path) -> Path:
        """Write the policy as a stock checkpoint (see `checkpoint.save_checkpoint`)."""
        return save_checkpoint(self.model, self.processor, path)

    def weights(self) -> dict[str, Tensor]:
        """What a resume needs of the policy."""
        weights: dict[str, Tensor] = self.model.state_dict()
        return weights

    def load_weights(self, weights: dict[str, Tensor]) -> None:
        """The other way round."""
        self.model.load_state_dict(weights)

    def frozen_patterns(self) -> tuple[str, ...]:
        """Regular expressions of the names of parameters that are not trained."""
        return self.config.frozen

    def make_reference(self, given: PreTrainedModel | None) -> nn.Module | None:
        """What the KL term holds the policy to: what was given, or a frozen copy of the policy as it is now."""
        reference: nn.Module = given or copy.deepcopy(self.model)
        return reference.requires_grad_(False).eval()

    def reference_log_probs(self, rollouts: Sequence[Rollout]) -> list[tuple[float, ...]] | None:
        """The reference's log-probability of every token; None where nothing holds the policy."""
        return None if self.reference is None else self.log_probs(rollouts, self.reference)

    def _surrogate_losses(
        self,
        rollouts: Sequence[Rollout],
        advantages: Sequence[float],
        weights: Sequence[float],
        old: Sequence[tuple[float, ...]],
        reference: Sequence[tuple[float, ...]] | None,
    ) -> Iterator[SurrogateLoss]:
        for part in self._parts(rollouts):
            current = self.minibatch_log_probs(self.model, part)

            def flat(values: Sequence[Sequence[float]], part: Minibatch = part) -> Tensor:
                joined = [value for i in part.order for value in values[i]]
                return torch.tensor(joined, dtype=torch.float32, device=self.device)

            def spread(values: Sequence[float], part: Minibatch = part) -> Tensor:
                lengths = torch.tensor(part.lengths, device=self.device)
                picked = torch.tensor(
                    [values[i] for i in part.order], dtype=torch.float32, device=self.device
                )
                return picked.repeat_interleave(lengths)

            yield surrogate_loss(
                current,
                flat(old),
                spread(advantages),
                spread(weights),
                self.config,
                flat(reference) if reference is not None else None,
            )

    def _descend(self, learning_rate: float, losses: Iterator[SurrogateLoss]) -> Update:
        """One optimizer step on the sum of the losses; none at all if loss or gradient is not finite."""
        self.optimizer.zero_grad(set_to_none=True)
        total = kl = clipped = 0.0
        for part in losses:
            part.loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            total += part.loss.item()
            kl += part.kl.item()
            clipped += part.clipped.item()
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

    def _parts(self, rollouts: Sequence[Rollout]) -> Iterator[Any]:
        return self.minibatches([(rollout.prompt, rollout.completion_ids) for rollout in rollouts])

    def autocast(self) -> AbstractContextManager[Any]:
        """bfloat16 arithmetic over float32 weights on a GPU that has it; on a CPU it is slower, and left off."""
        if self.device.type == "cuda" and torch.cuda.is_bf16_supported():
            return torch.autocast("cuda", torch.bfloat16)
        return nullcontext()


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


def seed_of(key: str) -> int:
    """A number of 64 bits that follows from the key."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
