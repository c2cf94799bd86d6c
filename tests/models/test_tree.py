"""Packing an image, its questions and their completions into one row changes nothing but the cost."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scotoma.core import BudgetError, ModelError, Request
from scotoma.models.checkpoint import Checkpoint
from scotoma.models.families import family_of
from scotoma.models.prompts import Encoded, PromptEncoder, image_trees, stack
from scotoma.models.tree import Branch, Tree, log_probs, pack
from tests.models import plain
from tests.models.conftest import requests

PAD = 0


def _words(low: int, high: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(st.integers(1, 5), min_size=low, max_size=high).map(tuple)


BRANCHES = st.builds(Branch, _words(0, 3), st.lists(_words(1, 3), max_size=4).map(tuple))
TREES = st.lists(
    st.builds(Tree, _words(1, 4), st.lists(BRANCHES, max_size=3).map(tuple)), min_size=1, max_size=3
)


def test_a_small_tree_is_laid_out_as_drawn() -> None:
    tree = Tree(
        prefix=(1, 2),
        branches=(Branch((3,), leaves=((7, 8), (7, 9), (6,))), Branch((4, 5), leaves=((6, 6),))),
    )
    packed = pack([tree], PAD)
    # Two leaves of the first branch begin alike and share a column; last tokens are predicted, never fed.
    assert packed.input_ids.tolist() == [[1, 2, 3, 7, 4, 5, 6]]
    assert packed.position_ids.tolist() == [[0, 1, 2, 3, 2, 3, 4]]
    assert packed.mask[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0],
        [1, 1, 0, 0, 1, 0, 0],
        [1, 1, 0, 0, 1, 1, 0],
        [1, 1, 0, 0, 1, 1, 1],
    ]
    assert packed.tokens.tolist() == [7, 8, 7, 9, 6, 6, 6]
    assert packed.token_leaf.tolist() == [0, 0, 1, 1, 2, 3, 3]
    assert packed.token_branch.tolist() == [0, 0, 0, 0, 0, 1, 1]
    assert packed.columns.tolist() == [2, 3, 2, 3, 2, 5, 6]
    assert packed.branch_columns.tolist() == [2, 5]


@settings(max_examples=50)
@given(TREES)
def test_every_leaf_token_is_predicted_after_exactly_its_own_path(trees: list[Tree]) -> None:
    packed = pack(trees, PAD)
    paths = [
        (row, tree.prefix + branch.tokens + leaf[:end], leaf[end])
        for row, tree in enumerate(trees)
        for branch in tree.branches
        for leaf in branch.leaves
        for end in range(len(leaf))
    ]
    assert packed.tokens.tolist() == [token for _, _, token in paths]
    for (row, path, _), at_row, column in zip(
        paths, packed.rows.tolist(), packed.columns.tolist(), strict=True
    ):
        seen = packed.mask[at_row, 0, column]
        assert at_row == row
        assert packed.input_ids[row][seen].tolist() == list(path)
        assert packed.position_ids[row][seen].tolist() == list(range(len(path)))


@settings(max_examples=50)
@given(TREES)
def test_padding_sees_itself_only_and_nobody_sees_padding(trees: list[Tree]) -> None:
    packed = pack(trees, PAD)
    for row in range(len(trees)):
        padding = packed.input_ids[row] == PAD
        mask = packed.mask[row, 0].int()
        assert torch.equal(mask[padding], torch.eye(len(padding), dtype=torch.int)[padding])
        assert mask[~padding][:, padding].sum() == 0


def test_a_tree_needs_a_prefix_and_its_leaves_need_tokens() -> None:
    with pytest.raises(ValueError, match="prefix"):
        pack([Tree((), ())], PAD)
    with pytest.raises(ValueError, match="leaf"):
        pack([Tree((1,), (Branch((2,), leaves=((),)),))], PAD)


class Forest:
    """Questions about images, each with random completions, packed."""

    def __init__(self, checkpoint: Checkpoint, images: int = 3, questions: int = 4, leaves: int = 3) -> None:
        rng = np.random.default_rng(0)
        words = len(checkpoint.processor.tokenizer)
        self.asked: list[Request] = requests(images, questions)
        encoded = [
            e for e in PromptEncoder(checkpoint.processor).encode(self.asked) if isinstance(e, Encoded)
        ]
        self.rows = image_trees(encoded)
        self.completions = [
            [tuple(rng.integers(7, words, rng.integers(1, 5)).tolist()) for _ in range(leaves)]
            for _ in self.asked
        ]
        leaves_of = iter(self.completions)
        self.trees = [
            Tree(r.tree.prefix, tuple(Branch(b.tokens, tuple(next(leaves_of))) for b in r.tree.branches))
            for r in self.rows
        ]
        self.packed = pack(self.trees, PAD)
        self.pixels = stack(list(chain(*(row.pixels for row in self.rows))))
        found = family_of(checkpoint.model)
        assert found is not None
        self.family = found
        self.checkpoint = checkpoint

    def log_probs(self, temperature: float = 1.0) -> torch.Tensor:
        return log_probs(self.checkpoint.model, self.family, self.packed, self.pixels, temperature)

    def plain_log_probs(self) -> torch.Tensor:
        return torch.cat(
            [
                plain.log_probs(self.checkpoint, request, completion)
                for request, completions in zip(self.asked, self.completions, strict=True)
                for completion in completions
            ]
        )


def test_packed_log_probs_are_those_of_single_sequences(checkpoint: Checkpoint) -> None:
    forest = Forest(checkpoint)
    with torch.no_grad():
        torch.testing.assert_close(forest.log_probs(), forest.plain_log_probs(), rtol=0, atol=1e-5)


def test_packed_gradients_are_those_of_single_sequences(checkpoint: Checkpoint) -> None:
    # In double: in single precision sums of thousands of products differ by more from one processor to the next.
    exact = replace(checkpoint, model=copy.deepcopy(checkpoint.model).double())
    forest = Forest(exact, images=2, questions=3, leaves=2)
    forest.pixels = {name: t.double() if t.is_floating_point() else t for name, t in forest.pixels.items()}
    gradients = []
    for values in (forest.log_probs(), forest.plain_log_probs()):
        exact.model.zero_grad()
        (values * torch.linspace(-1, 1, len(values))).sum().backward()
        gradients.append({n: p.grad.clone() for n, p in exact.model.named_parameters() if p.grad is not None})
    packed, single = gradients
    assert packed.keys() == single.keys()
    assert any("vision" in name for name in packed)
    for name in packed:
        torch.testing.assert_close(packed[name], single[name], rtol=1e-4, atol=1e-5, msg=name)


def test_eager_attention_gives_the_same_log_probs(idefics3: Checkpoint) -> None:
    forest = Forest(idefics3, images=2, questions=2)
    with torch.no_grad():
        sdpa = forest.log_probs()
        idefics3.model.set_attn_implementation("eager")
        try:
            eager = forest.log_probs()
        finally:
            idefics3.model.set_attn_implementation("sdpa")
    torch.testing.assert_close(eager, sdpa, rtol=0, atol=1e-5)


def test_temperature_flattens_before_the_softmax(idefics3: Checkpoint) -> None:
    forest = Forest(idefics3, images=1, questions=1, leaves=1)
    every_word = tuple((word,) for word in range(len(idefics3.processor.tokenizer)))
    tree = forest.trees[0]
    forest.packed = pack([Tree(tree.prefix, (Branch(tree.branches[0].tokens, every_word),))], PAD)
    with torch.no_grad():
        one, two = forest.log_probs(), forest.log_probs(temperature=2.0)
    torch.testing.assert_close(two, torch.log_softmax(one / 2, -1), rtol=0, atol=1e-4)


def test_a_wrong_number_of_image_tokens_is_said_before_the_pass(idefics3: Checkpoint) -> None:
    forest = Forest(idefics3, images=1, questions=1)
    tree = forest.trees[0]
    short = Tree(tuple(t for i, t in enumerate(tree.prefix) if i != 5), tree.branches)
    with pytest.raises(BudgetError, match=r"15 image tokens but the images give 16 features .*image_seq_len"):
        log_probs(idefics3.model, forest.family, pack([short], PAD), forest.pixels)


def test_an_attention_without_masks_is_refused(idefics3: Checkpoint) -> None:
    forest = Forest(idefics3, images=1, questions=1)
    text = idefics3.model.config.get_text_config()
    text._attn_implementation = "flash_attention_2"
    try:
        with pytest.raises(ModelError, match="sdpa"):
            forest.log_probs()
    finally:
        text._attn_implementation = "sdpa"


def test_a_decoder_that_looks_through_a_window_cannot_be_packed(idefics3: Checkpoint) -> None:
    text = idefics3.model.config.get_text_config()
    text.sliding_window = 8
    try:
        assert family_of(idefics3.model) is None
    finally:
        del text.sliding_window
    assert family_of(idefics3.model) is not None
