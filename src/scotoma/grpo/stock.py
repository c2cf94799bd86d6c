"""The `stock` engine: GRPO on plain padded forward passes, for every family that stock transformers can run.

Sampling is stock `generate`, scoring one row per completion (its image is encoded anew each time): slower than packed
trees, but nothing about the architecture has to be known. Same doors, same draws from the same seeds, same loss as
`SharedTrainer` (`tests/grpo/test_stock.py`). With `lora_rank` only adapters are trained, and the reference policy is
the model with its adapters switched off.

    trainer = StockTrainer(model, processor, GRPOConfig(lora_rank=8, beta=0.04))
    rollouts = trainer.sample(prompts, n=8)
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, ProcessorMixin

from scotoma.grpo.adapters import lora
from scotoma.grpo.budget import fits, positions_of
from scotoma.grpo.checkpoint import save_checkpoint
from scotoma.grpo.config import GRPOConfig
from scotoma.grpo.encoding import Tokens, encode_prompts
from scotoma.grpo.rollout import Prompt, Rollout
from scotoma.grpo.trainer import Trainer, seed_of
from scotoma.models.batching import within_budget
from scotoma.models.growth import Decoding
from scotoma.models.quiet import quiet
from scotoma.models.rows import Row, RowEncoder, completion_batch
from scotoma.models.stock import complete

_ALL_BUT_LORA = r"^(?!.*lora_)"
"""A `frozen` pattern: every parameter that is no adapter's."""


@dataclass(frozen=True)
class Rows:
    """One minibatch: prompts with their completions; `order` says which of those asked for each row is."""

    rows: tuple[Row, ...]
    completions: tuple[Tokens, ...]
    order: Tokens

    @property
    def lengths(self) -> Tokens:
        """How many tokens each completion has."""
        return tuple(map(len, self.completions))


class StockTrainer(Trainer):
    """Trains one policy, or adapters on it, in place; see `Trainer`. Prompts have one image each."""

    def __init__(
        self,
        model: PreTrainedModel,
        processor: ProcessorMixin,
        config: GRPOConfig,
        reference: PreTrainedModel | None = None,
    ) -> None:
        """`reference` is what `config.beta` holds the policy to; by default `model` as it is now.

        Raises:
            ConfigError: the config freezes everything.
        """
        self._encoder = RowEncoder(model, processor)
        self._positions = positions_of(model)
        self._pad_id: int = processor.tokenizer.pad_token_id or 0
        self._adapted: Any = _with_adapters(model, config) if config.lora_rank else None
        super().__init__(self._adapted or model, processor, config, reference)

    @property
    def suppressed(self) -> Tokens:
        """The placeholder."""
        return (self._encoder.image_token_id,)

    def draw(self, prompts: Sequence[Prompt], n: int, decoding: Decoding, key: str) -> list[Rollout]:
        """See `Trainer.draw`: rows of like length together."""
        rows = encode_prompts(self._encoder, prompts)
        asked = sorted(
            ((i, k) for i in range(len(prompts)) for k in range(n)), key=lambda ik: len(rows[ik[0]].ids)
        )
        sizes = [len(rows[i].ids) + decoding.max_new_tokens for i, _ in asked]
        found: dict[tuple[int, int], Rollout] = {}
        for batch in within_budget(asked, sizes, self.config.tokens_per_minibatch):
            seeds = [seed_of(f"{key}/{prompts[i].id}/{k}") for i, k in batch]
            for i, _ in batch:
                fits(self._positions, prompts[i], len(rows[i].ids), decoding.max_new_tokens)
            with self.autocast():
                grown = complete(self.model, [rows[i] for i, _ in batch], decoding, seeds, self._pad_id)
            texts = self.processor.tokenizer.batch_decode([c.tokens for c in grown], skip_special_tokens=True)
            for (i, k), completion, text in zip(batch, grown, texts, strict=True):
                found[i, k] = Rollout(prompts[i], completion.tokens, text.strip(), completion.log_probs)
        return [found[i, k] for i in range(len(prompts)) for k in range(n)]

    def minibatches(self, completions: Sequence[tuple[Prompt, Tokens]]) -> Iterator[Rows]:
        """Rows of like length together, so that there is little padding."""
        rows = encode_prompts(self._encoder, [prompt for prompt, _ in completions])
        for row, (prompt, tokens) in zip(rows, completions, strict=True):
            fits(self._positions, prompt, len(row.ids), len(tokens))
        sizes = [len(row.ids) + len(tokens) for row, (_, tokens) in zip(rows, completions, strict=True)]
        order = sorted(range(len(rows)), key=sizes.__getitem__)
        for part in within_budget(order, [sizes[i] for i in order], self.config.tokens_per_minibatch):
            yield Rows(tuple(rows[i] for i in part), tuple(completions[i][1] for i in part), tuple(part))

    def minibatch_log_probs(self, model: nn.Module, minibatch: Rows) -> Tensor:
        """(tokens,) the log-probability of every completion token at the training temperature."""
        inputs = completion_batch(minibatch.rows, minibatch.completions, self._pad_id, self.device)
        # Logits are the largest tensor of the pass: only those from the first completion on are computed.
        first = min(len(row.ids) for row in minibatch.rows) - 1
        with self.autocast():
            output = model(**inputs, use_cache=False, logits_to_keep=inputs["input_ids"].shape[1] - first)
        places = [
            (r, len(row.ids) - 1 - first + j)
            for r, (row, tokens) in enumerate(zip(minibatch.rows, minibatch.completions, strict=True))
            for j in range(len(tokens))
        ]
        at = torch.tensor(places, device=self.device)
        said = torch.tensor([t for tokens in minibatch.completions for t in tokens], device=self.device)
        logits = output.logits[at[:, 0], at[:, 1]].float() / self.config.temperature
        return torch.log_softmax(logits, -1).gather(1, said[:, None])[:, 0]

    def save(self, path: Path) -> Path:
        """Write the policy as a stock checkpoint, adapters merged into a copy: training may go on. The copy is made in
        main memory, as the device may have no room for two.
        """
        if self._adapted is None:
            return super().save(path)
        there: dict[int, Any] = {id(b): b.to("cpu", copy=True) for b in self._adapted.buffers()}
        for weight in self._adapted.parameters():
            there[id(weight)] = nn.Parameter(weight.detach().to("cpu", copy=True), requires_grad=False)
        merged = copy.deepcopy(self._adapted, there).merge_and_unload()
        return save_checkpoint(merged, self.processor, path)

    def weights(self) -> dict[str, Tensor]:
        """What a resume needs of the policy: of an adapted one the adapters."""
        everything = super().weights()
        return everything if self._adapted is None else {k: v for k, v in everything.items() if "lora_" in k}

    def load_weights(self, weights: dict[str, Tensor]) -> None:
        """The other way round."""
        self.model.load_state_dict(weights, strict=self._adapted is None)

    def frozen_patterns(self) -> tuple[str, ...]:
        """The config's, and under LoRA everything but the adapters."""
        return self.config.frozen if self._adapted is None else (*self.config.frozen, _ALL_BUT_LORA)

    def make_reference(self, given: PreTrainedModel | None) -> nn.Module | None:
        """No copy is needed where adapters can be switched off."""
        return None if self._adapted is not None and given is None else super().make_reference(given)

    def reference_log_probs(self, rollouts: Sequence[Rollout]) -> list[tuple[float, ...]] | None:
        """As `Trainer` has it, or those of the model without its adapters."""
        if self.reference is not None or not self.config.beta:
            return super().reference_log_probs(rollouts)
        with self._adapted.disable_adapter():
            return self.log_probs(rollouts)


def _with_adapters(model: PreTrainedModel, config: GRPOConfig) -> Any:
    """The model with fresh LoRA adapters on its linear layers, the same ones for the same seed."""
    from peft import get_peft_model

    with quiet(), torch.random.fork_rng():
        torch.manual_seed(config.seed)
        return get_peft_model(model, lora(config))
