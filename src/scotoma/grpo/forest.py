"""From a step's prompts and completions to packed trees, in minibatches that fit the token budget.

A grove is one minibatch: trees whose leaves are completions, and which rollout each leaf is. Prompts that
share an image share a tree, equal prompts a branch, and equal completions their columns.

    for grove in forest.groves([(prompt, (7, 2)), (prompt, (9, 2))], budget=16_384):
        log_probs(model, family, grove.packed(), grove.pixels)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from transformers import ProcessorMixin

from scotoma.grpo.budget import fits, positions_of
from scotoma.grpo.encoding import Tokens, encode_prompts
from scotoma.grpo.rollout import Prompt
from scotoma.models.batching import within_budget
from scotoma.models.families import Pixels
from scotoma.models.prompts import Encoded, ImageTree, PromptEncoder, image_trees, stack
from scotoma.models.tree import Packed, Tree, pack

ROW_TOKENS = 1024
"""Question tokens in one tree; an image with more of them gives several trees, so that the mask stays small."""


@dataclass(frozen=True)
class Grove:
    """One minibatch. `members[b]` are the positions, in what was asked for, of what branch b holds; `order`
    is the same flat, which is the order of the leaves; `lengths[k]` is how many tokens leaf k has.
    """

    trees: tuple[Tree, ...]
    pixels: Pixels | None
    members: tuple[tuple[int, ...], ...]
    order: tuple[int, ...]
    lengths: tuple[int, ...]
    pad_id: int
    device: torch.device

    def packed(self) -> Packed:
        """The trees as one batch."""
        return pack(self.trees, self.pad_id, self.device)


class Forest:
    """Grows trees for one model and processor."""

    def __init__(self, model: nn.Module, processor: ProcessorMixin) -> None:
        self.model, self.processor = model, processor
        self.encoder = PromptEncoder(processor)
        self.positions = positions_of(model)
        self.pad_id: int = processor.tokenizer.pad_token_id or 0

    def encode(self, prompts: Sequence[Prompt]) -> list[Encoded]:
        """The prompts' tokens and pixels, in order.

        Raises:
            ImageError: an image cannot be read or used.
            BudgetError: a text holds the image placeholder.
        """
        return encode_prompts(self.encoder, prompts)

    def groves(self, completions: Sequence[tuple[Prompt, Tokens]], budget: int) -> Iterator[Grove]:
        """Minibatches of at most `budget` tokens (a tree that is larger goes alone), with a leaf per
        completion.

        Raises:
            BudgetError: a prompt and its completion exceed the positions the model has.
        """
        encoded = self.encode([prompt for prompt, _ in completions])
        for (prompt, tokens), entry in zip(completions, encoded, strict=True):
            fits(self.positions, prompt, len(entry.ids), len(tokens))
        answers = [tokens for _, tokens in completions]
        rows = [row.with_leaves(answers) for row in image_trees(encoded, ROW_TOKENS)]
        return self._minibatches(rows, budget, list(map(len, answers)))

    def bare_groves(self, prompts: Sequence[Prompt], budget: int, room: int) -> Iterator[Grove]:
        """Minibatches to sample from: no leaves, and `members` says which prompts each branch asks.

        `room` is how many tokens a completion may add; it counts towards the positions the model has.
        """
        encoded = self.encode(prompts)
        for prompt, entry in zip(prompts, encoded, strict=True):
            fits(self.positions, prompt, len(entry.ids), room)
        return self._minibatches(image_trees(encoded, ROW_TOKENS), budget, [0] * len(prompts))

    def decode(self, completions: Sequence[Tokens]) -> list[str]:
        """What was said, without special tokens and surrounding space."""
        texts = self.processor.tokenizer.batch_decode(completions, skip_special_tokens=True)
        return [text.strip() for text in texts]

    def _minibatches(self, rows: Sequence[ImageTree], budget: int, lengths: Sequence[int]) -> Iterator[Grove]:
        """`lengths` are how many tokens the leaf of each prompt has."""
        device = next(self.model.parameters()).device
        for batch in within_budget(rows, [_size(row.tree) for row in rows], budget):
            members = tuple(branch for row in batch for branch in row.members)
            order = tuple(i for branch in members for i in branch)
            yield Grove(
                trees=tuple(row.tree for row in batch),
                pixels=stack([image for row in batch for image in row.pixels], device),
                members=members,
                order=order,
                lengths=tuple(lengths[i] for i in order),
                pad_id=self.pad_id,
                device=device,
            )


def _size(tree: Tree) -> int:
    """Columns of a tree's row."""
    fed = (sum(map(len, {leaf[:-1] for leaf in branch.leaves})) for branch in tree.branches)
    return len(tree.prefix) + sum(len(branch.tokens) for branch in tree.branches) + sum(fed)
