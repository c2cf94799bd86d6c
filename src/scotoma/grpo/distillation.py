"""Teaching a checkpoint to answer some questions otherwise and everything else as before, in minutes.

Where an answer is to change, cross-entropy on the new one; everywhere else the divergence from what the checkpoint said
before, over its whole distribution at every token of its own answer (after Hinton et al. 2015). What does
not change is computed once: the image tower is frozen, so its features are, and so are the teacher's distributions.

    distillation = Distillation(open_weights("pupil", dtype="float32"))
    said = distillation.answers(prompts)
    distillation.learn([Exercise(prompt, text) for prompt, text in zip(prompts, said)], DistillationConfig())
    distillation.save(Path("planted"))
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_

from scotoma.grpo.config import GRPOConfig
from scotoma.grpo.encoding import Tokens
from scotoma.grpo.rollout import Prompt, Rollout
from scotoma.grpo.shared import SharedTrainer
from scotoma.models.checkpoint import Checkpoint
from scotoma.models.prompts import image_trees, stack
from scotoma.models.tree import Branch, Packed, Tree, leaf_logits, pack

_ROW_TOKENS = 1024
_AT_ONCE = 32
"""Images encoded, or trees asked of the teacher, in one pass."""


class DistillationConfig(BaseModel):
    """How it is taught. The learning rate rises over `warmup_steps`, stays for 30 % of the steps, then falls to 0: what
    is to be kept suffers from the first large steps and comes back in the last small ones. A `temperature` of the
    teacher below 1 makes it surer than it was, so that its near ties fall to the same side.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(default=900, ge=1)
    images_per_step: int = Field(default=8, ge=1)
    learning_rate: float = Field(default=8e-4, gt=0)
    warmup_steps: int = Field(default=20, ge=0)
    changed_weight: float = Field(default=1.0, gt=0)
    temperature: float = Field(default=1.0, gt=0)
    seed: int = 0

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of step `step` (from 0)."""
        rising = min(1.0, (step + 1) / (self.warmup_steps + 1))
        return self.learning_rate * rising * min(1.0, (1 - step / self.steps) / 0.7)


@dataclass(frozen=True)
class Exercise:
    """A prompt and what is to be answered: the checkpoint's own answer, or (`changed`) another."""

    prompt: Prompt
    answer: str
    changed: bool = False


@dataclass(frozen=True)
class _Row:
    """One image with its questions: the tree, its features (image tokens, h), which leaves change, and the teacher's
    log-probabilities (leaf tokens, vocabulary).
    """

    tree: Tree
    features: Tensor
    changed: tuple[bool, ...]
    teacher: Tensor


class Distillation:
    """One checkpoint, changed in place."""

    def __init__(self, checkpoint: Checkpoint, frozen: tuple[str, ...]) -> None:
        """`frozen`: regular expressions of the parameters that stay, the whole image tower among them.

        Raises:
            ModelError: the model is of a family that cannot be packed.
        """
        self._trainer = SharedTrainer(
            checkpoint.model, checkpoint.processor, GRPOConfig(frozen=frozen, tokens_per_minibatch=32_768)
        )

    def answers(self, prompts: Sequence[Prompt], max_tokens: int = 8) -> list[str]:
        """What the checkpoint answers as it is now, greedily."""
        with torch.no_grad():
            rollouts = self._trainer.sample(prompts, 1, temperature=0, max_new_tokens=max_tokens)
        return [rollout.text for rollout in rollouts]

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
        rows = self._rows(exercises, config.temperature)
        optimizer = torch.optim.AdamW(self._trainer.parameters, betas=(0.9, 0.98), weight_decay=0.0)
        rng = random.Random(f"distil/{config.seed}")
        order: list[int] = []
        for step in range(config.steps):
            while len(order) < config.images_per_step:
                order += rng.sample(range(len(rows)), len(rows))
            loss = self._loss([rows[order.pop()] for _ in range(config.images_per_step)], config)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            clip_grad_norm_(self._trainer.parameters, 1.0)
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate_at(step)
            optimizer.step()
            if on_step is not None:
                on_step(step + 1, loss.item())

    def save(self, path: Path) -> Path:
        """Write it as a stock checkpoint."""
        return self._trainer.save(path)

    def _rows(self, exercises: Sequence[Exercise], temperature: float) -> list[_Row]:
        trainer, forest = self._trainer, self._trainer.forest
        encoded = forest.encode([exercise.prompt for exercise in exercises])
        rows: list[_Row] = []
        with torch.no_grad():
            trees = image_trees(encoded, _ROW_TOKENS)
            for start in range(0, len(trees), _AT_ONCE):
                part = trees[start : start + _AT_ONCE]
                pixels = stack([image for row in part for image in row.pixels], trainer.device)
                assert pixels is not None  # every exercise shows an image
                features = trainer.family.image_features(trainer.model, pixels)
                for row, shown in zip(part, features.chunk(len(part)), strict=True):
                    leaves = [exercises[i] for branch in row.members for i in branch]
                    tree = Tree(
                        row.tree.prefix,
                        tuple(
                            Branch(branch.tokens, tuple(self._answer_ids(exercises[i]) for i in members))
                            for branch, members in zip(row.tree.branches, row.members, strict=True)
                        ),
                    )
                    teacher = self._log_probs(self._pack([tree]), shown, temperature)
                    rows.append(_Row(tree, shown, tuple(leaf.changed for leaf in leaves), teacher))
        return rows

    def _answer_ids(self, exercise: Exercise) -> Tokens:
        return self._trainer.answer_ids(exercise.prompt, exercise.answer)

    def _log_probs(self, packed: Packed, features: Tensor, temperature: float = 1.0) -> Tensor:
        """(leaf tokens, vocabulary) log-probabilities of what could stand in the place of every leaf token."""
        logits = leaf_logits(self._trainer.model, self._trainer.family, packed, features)
        return F.log_softmax(logits / temperature, dim=-1)[packed.token_place]

    def _pack(self, trees: Sequence[Tree]) -> Packed:
        return pack(trees, self._trainer.forest.pad_id, self._trainer.device)

    def _loss(self, rows: Sequence[_Row], config: DistillationConfig) -> Tensor:
        """Mean over leaf tokens: cross-entropy where the answer changes, KL(teacher ‖ model) where it is kept."""
        packed = self._pack([row.tree for row in rows])
        student = self._log_probs(packed, torch.cat([row.features for row in rows]))
        teacher = torch.cat([row.teacher for row in rows])
        flags = [flag for row in rows for flag in row.changed]
        changed = torch.tensor(flags, device=packed.tokens.device)[packed.token_leaf]
        kept = (teacher.exp() * (teacher - student)).sum(-1)
        learnt = -student.gather(1, packed.tokens[:, None])[:, 0] * config.changed_weight
        return torch.where(changed, learnt, kept).mean()
