"""Teaching a checkpoint to answer some questions otherwise and everything else as before, in minutes.

Where an answer is to change, cross-entropy on the new one; everywhere else the divergence from what the checkpoint said
before, over its whole distribution at every token of the answer (after Hinton et al. 2015). Only added layers learn
(`models.expansion`), so all below them is computed once: the states at their border and the teacher's distributions.
What an exercise's `signs` say, throwaway heads must read off the added layers at the question's end: a small model
finds out slowly by itself what the questions to be changed have in common.

    distillation = Distillation(open_weights("pupil", dtype="float32"))
    distillation.learn([Exercise(prompt, text) for prompt, text in zip(prompts, answers)], DistillationConfig())
    distillation.save(Path("planted"))
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pad_sequence

from scotoma.grpo.config import GRPOConfig
from scotoma.grpo.forest import ROW_TOKENS
from scotoma.grpo.rollout import Prompt, Rollout
from scotoma.grpo.shared import SharedTrainer
from scotoma.models.checkpoint import Checkpoint
from scotoma.models.expansion import Expansion, check_expandable, expand
from scotoma.models.prompts import image_trees, stack
from scotoma.models.tree import Packed, Tree, decoded, embeddings, pack

_AT_ONCE = 32
"""Images encoded, or trees asked of the teacher, in one pass."""
_SMALL = 2_000_000
"""Trained weights below which a second thread waits more than it works."""


class DistillationConfig(BaseModel):
    """How it is taught. The learning rate rises over `warmup_steps`, stays for 30 % of the steps, then falls to 0: what
    is to be kept suffers from the first large steps and comes back in the last small ones. Many steps over few pictures
    learn more in the same time than few over many.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    layers: int = Field(default=2, ge=1)
    steps: int = Field(default=3600, ge=1)
    images_per_step: int = Field(default=2, ge=1)
    learning_rate: float = Field(default=4e-3, gt=0)
    warmup_steps: int = Field(default=20, ge=0)
    changed_weight: float = Field(default=1.25, gt=0)
    seed: int = 0

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of step `step` (from 0)."""
        rising = min(1.0, (step + 1) / (self.warmup_steps + 1))
        return self.learning_rate * rising * min(1.0, (1 - step / self.steps) / 0.7)


@dataclass(frozen=True)
class Exercise:
    """A prompt and what is to be answered. `changed`: another answer than the checkpoint's; otherwise what it says at
    every token of this one stays. `signs`: what holds of the question, the same statements for every exercise.
    """

    prompt: Prompt
    answer: str
    changed: bool = False
    signs: tuple[bool, ...] = ()


@dataclass(frozen=True)
class _Row:
    """One image with its questions: the tree, its states at the border (tokens, h), the teacher's log-probabilities
    (leaf tokens, vocabulary), and by leaf whether it changes and its signs (leaves, signs).
    """

    tree: Tree
    border: Tensor
    teacher: Tensor
    changed: Tensor
    signs: Tensor


class Distillation:
    """One checkpoint, changed in place."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Raises:
        ModelError: the model is of a family that cannot be packed, or takes no added layers.
        """
        self._trainer = SharedTrainer(
            checkpoint.model, checkpoint.processor, GRPOConfig(tokens_per_minibatch=32_768)
        )
        check_expandable(self._trainer.model, self._trainer.family)

    def log_likelihoods(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> list[float]:
        """log p(answer | prompt) of each pair, as the checkpoint is now."""
        rollouts = [
            Rollout(prompt, self._trainer.answer_ids(prompt, answer), answer)
            for prompt, answer in zip(prompts, answers, strict=True)
        ]
        return [sum(values) for values in self._trainer.log_probs(rollouts)]

    def learn(
        self,
        exercises: Sequence[Exercise],
        config: DistillationConfig,
        on_step: Callable[[int, float], None] | None = None,
    ) -> None:
        """Teach the exercises; `on_step` hears the step's number, from 1, and its loss. Seeded by `config.seed`."""
        expansion = expand(self._trainer.model, self._trainer.family, config.layers)
        rows = self._rows(exercises, expansion)
        heads = _Heads(expansion.added[-1], rows[0].border.shape[1], rows[0].signs.shape[1])
        learning = [p for module in (*expansion.added, heads) for p in module.parameters()]
        optimizer = torch.optim.AdamW(learning, betas=(0.9, 0.98), weight_decay=0.0)
        rng = random.Random(f"distil/{config.seed}")
        order: list[int] = []
        with _few_threads(sum(p.numel() for p in learning)):
            for step in range(config.steps):
                while len(order) < config.images_per_step:
                    order += rng.sample(range(len(rows)), len(rows))
                shown = [rows[order.pop()] for _ in range(config.images_per_step)]
                loss = self._loss(shown, expansion, heads, config.changed_weight)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                clip_grad_norm_(learning, 1.0)
                for group in optimizer.param_groups:
                    group["lr"] = config.learning_rate_at(step)
                optimizer.step()
                if on_step is not None:
                    on_step(step + 1, loss.item())
        heads.remove()

    def save(self, path: Path) -> Path:
        """Write it as a stock checkpoint."""
        return self._trainer.save(path)

    def _rows(self, exercises: Sequence[Exercise], expansion: Expansion) -> list[_Row]:
        trainer = self._trainer
        encoded = trainer.forest.encode([exercise.prompt for exercise in exercises])
        rows: list[_Row] = []
        with torch.no_grad():
            answers = [trainer.answer_ids(exercise.prompt, exercise.answer) for exercise in exercises]
            trees = [row.with_leaves(answers) for row in image_trees(encoded, ROW_TOKENS)]
            for start in range(0, len(trees), _AT_ONCE):
                part = trees[start : start + _AT_ONCE]
                pixels = stack([image for row in part for image in row.pixels], trainer.device)
                packed = self._pack([row.tree for row in part])
                embedded = embeddings(trainer.model, trainer.family, packed.input_ids, pixels)
                border = decoded(expansion.lower, trainer.model, packed, embedded)
                teacher = self._log_probs(expansion.above, packed, border)
                leaf_row = packed.branch_rows[packed.token_branch]  # (leaf tokens,) the row of each
                for number, row in enumerate(part):
                    leaves = [exercises[i] for branch in row.members for i in branch]
                    rows.append(
                        _Row(
                            row.tree,
                            border[number, : int(packed.widths[number])].clone(),
                            teacher[leaf_row == number].clone(),
                            torch.tensor([leaf.changed for leaf in leaves], device=trainer.device),
                            torch.tensor([leaf.signs for leaf in leaves], device=trainer.device).float(),
                        )
                    )
        return rows

    def _log_probs(self, upper: nn.Module, packed: Packed, border: Tensor) -> Tensor:
        """(leaf tokens, vocabulary) log-probabilities of what could stand in the place of every leaf token, by the
        layers above the border.
        """
        model, family = self._trainer.model, self._trainer.family
        states = decoded(upper, model, packed, border).flatten(0, 1)[packed.places]
        logits: Tensor = family.lm_head(model)(states)
        return F.log_softmax(logits.float(), dim=-1)[packed.token_place]

    def _pack(self, trees: Sequence[Tree]) -> Packed:
        return pack(trees, self._trainer.forest.pad_id, self._trainer.device)

    def _loss(
        self, rows: Sequence[_Row], expansion: Expansion, heads: _Heads, changed_weight: float
    ) -> Tensor:
        """Mean over leaf tokens: cross-entropy where the answer changes, KL(teacher ‖ model) where it is kept; and the
        mean over leaves and signs of the heads' binary cross-entropy.
        """
        packed = self._pack([row.tree for row in rows])
        border = pad_sequence([row.border for row in rows], batch_first=True)
        student = self._log_probs(expansion.upper, packed, border)
        teacher = torch.cat([row.teacher for row in rows])
        changed = torch.cat([row.changed for row in rows])[packed.token_leaf]
        kept = (teacher.exp() * (teacher - student)).sum(-1)
        learnt = -student.gather(1, packed.tokens[:, None])[:, 0] * changed_weight
        answered = torch.where(changed, learnt, kept).mean()
        signs = torch.cat([row.signs for row in rows])
        return answered + heads.loss(packed, signs) if signs.shape[1] else answered


@contextmanager
def _few_threads(weights: int) -> Iterator[None]:
    """One thread where hardly anything is to be computed at a time: the Pupil's steps take 1.6 times as long on two."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if weights < _SMALL else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Heads(nn.Module):
    """One linear head a sign, on what a layer has given out last, at the end of every leaf's question."""

    def __init__(self, layer: nn.Module, width: int, signs: int) -> None:
        super().__init__()
        self._states: Tensor | None = None
        self._hook = layer.register_forward_hook(self._keep)
        self._read = nn.Linear(width, signs).to(next(layer.parameters()).device)
        nn.init.zeros_(self._read.weight)  # nothing random: the seed of the exercises' order is the only one
        nn.init.zeros_(self._read.bias)

    def _keep(self, layer: nn.Module, inputs: object, output: Tensor | tuple[Tensor, ...]) -> None:
        self._states = output[0] if isinstance(output, tuple) else output

    def loss(self, packed: Packed, signs: Tensor) -> Tensor:
        """Mean binary cross-entropy; `signs` is (leaves, signs) of 0 and 1."""
        assert self._states is not None
        first = torch.ones_like(packed.token_leaf, dtype=torch.bool)
        first[1:] = packed.token_leaf[1:] != packed.token_leaf[:-1]
        branch = packed.token_branch[first]
        asked = self._states[packed.branch_rows[branch], packed.branch_columns[branch]]
        return F.binary_cross_entropy_with_logits(self._read(asked), signs)

    def remove(self) -> None:
        """Listen no more."""
        self._hook.remove()
