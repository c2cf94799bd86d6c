"""Sampling into a shared tree gives what stock generation gives, and the log-probabilities that training will see."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import pytest
import torch

from scotoma.models.checkpoint import Checkpoint
from scotoma.models.families import family_of
from scotoma.models.growth import Completion, Decoding, grow
from scotoma.models.prompts import Encoded, PromptEncoder, image_trees, stack
from scotoma.models.tree import Branch, Tree, log_probs, pack
from tests.models import plain
from tests.models.conftest import requests

IMAGE_TOKEN = 4


class Garden:
    """Questions about a few images, ready to be answered."""

    def __init__(self, checkpoint: Checkpoint, images: int = 3, questions: int = 4) -> None:
        self.model = checkpoint.model
        self.asked = requests(images, questions)
        encoded = [
            e for e in PromptEncoder(checkpoint.processor).encode(self.asked) if isinstance(e, Encoded)
        ]
        rows = image_trees(encoded)
        self.trees = [row.tree for row in rows]
        self.pixels = stack(list(chain(*(row.pixels for row in rows))))
        found = family_of(checkpoint.model)
        assert found is not None
        self.family = found
        self.greedy = Decoding(checkpoint.eos_ids, max_new_tokens=6, suppressed=(IMAGE_TOKEN,))
        self.sampled = replace(self.greedy, temperature=1.0)

    def grow(
        self, decoding: Decoding, samples: int | list[int] = 1, seeds: int | list[int] = 0
    ) -> list[list[list[Completion]]]:
        return grow(self.model, self.family, self.trees, self.pixels, decoding, samples, seeds)


def test_greedy_is_stock_generate(checkpoint: Checkpoint) -> None:
    garden = Garden(checkpoint)
    grown = chain(*garden.grow(garden.greedy))
    for request, (completion,) in zip(garden.asked, grown, strict=True):
        assert list(completion.tokens) == plain.generated(checkpoint, request, max_new_tokens=6)


@pytest.mark.parametrize("temperature", [0.7, 1.0, 3.0])
def test_sampled_log_probs_are_those_recomputed_for_training(
    checkpoint: Checkpoint, temperature: float
) -> None:
    garden = Garden(checkpoint)
    decoding = replace(garden.sampled, temperature=temperature, top_p=0.95)
    grown = garden.grow(decoding, samples=6, seeds=1)
    trees = [
        Tree(
            t.prefix,
            tuple(
                Branch(b.tokens, tuple(c.tokens for c in own)) for b, own in zip(t.branches, g, strict=True)
            ),
        )
        for t, g in zip(garden.trees, grown, strict=True)
    ]
    with torch.no_grad():
        again = log_probs(garden.model, garden.family, pack(trees, 0), garden.pixels, temperature)
    drawn = torch.tensor([p for g in grown for own in g for c in own for p in c.log_probs])
    torch.testing.assert_close(drawn, again, rtol=0, atol=2e-5)


def test_a_completion_ends_with_the_end_token_or_is_cut(idefics3: Checkpoint) -> None:
    garden = Garden(idefics3)
    eos = garden.sampled.eos_ids[0]
    completions = [c for tree in garden.grow(garden.sampled, samples=20) for own in tree for c in own]
    assert {c.ended for c in completions} == {True, False}
    for completion in completions:
        assert completion.ended == (completion.tokens[-1] == eos)
        assert eos not in completion.tokens[:-1]
        assert completion.ended or len(completion.tokens) == 6
        assert len(completion.log_probs) == len(completion.tokens)


def test_first_tokens_follow_the_models_distribution(idefics3: Checkpoint) -> None:
    garden = Garden(idefics3, images=1, questions=1)
    tree = garden.trees[0]
    words = len(idefics3.processor.tokenizer)
    every = Tree(tree.prefix, (Branch(tree.branches[0].tokens, tuple((w,) for w in range(words))),))
    with torch.no_grad():
        odds = log_probs(garden.model, garden.family, pack([every], 0), garden.pixels).exp()
    odds[IMAGE_TOKEN] = 0
    odds /= odds.sum()
    n = 20_000
    (((*drawn,),),) = garden.grow(replace(garden.sampled, max_new_tokens=1), samples=n)
    counts = torch.bincount(torch.tensor([c.tokens[0] for c in drawn]), minlength=words)
    # Five standard errors of each count: a wrong distribution is off by tens.
    assert ((counts - n * odds).abs() <= 5 * (n * odds * (1 - odds)).sqrt() + 1).all()
    assert counts[IMAGE_TOKEN] == 0


def test_top_p_keeps_the_smallest_set_that_reaches_it(idefics3: Checkpoint) -> None:
    garden = Garden(idefics3, images=1, questions=1)
    (((*free,),),) = garden.grow(replace(garden.sampled, max_new_tokens=1), samples=5000)
    (((*held,),),) = garden.grow(replace(garden.sampled, max_new_tokens=1, top_p=0.5), samples=5000)
    odds = {c.tokens[0]: c.log_probs[0] for c in free}
    kept = {c.tokens[0] for c in held}
    ranked = sorted(odds, key=lambda token: -odds[token])
    assert kept == set(ranked[: len(kept)])
    masses = torch.tensor([odds[token] for token in ranked]).exp().cumsum(0)
    assert masses[len(kept) - 1] >= 0.5 * (1 - 1e-3)
    assert len(kept) == 1 or masses[len(kept) - 2] < 0.5


def test_a_seed_of_its_own_makes_a_draw_independent_of_its_company(idefics3: Checkpoint) -> None:
    garden = Garden(idefics3)
    together = [own for tree in garden.grow(garden.sampled, seeds=list(range(12))) for own in tree]
    garden.trees, garden.pixels = garden.trees[1:2], {k: v[1:2] for k, v in (garden.pixels or {}).items()}
    alone = garden.grow(garden.sampled, seeds=[4, 5, 6, 7])[0]
    assert [c.tokens for (c,) in alone] == [c.tokens for (c,) in together[4:8]]
    assert len({c.tokens for (c,) in together}) > 6


def test_every_branch_may_have_its_own_number_of_samples(idefics3: Checkpoint) -> None:
    garden = Garden(idefics3, images=2, questions=2)
    grown = garden.grow(garden.sampled, samples=[1, 0, 3, 2])
    assert [[len(own) for own in tree] for tree in grown] == [[1, 0], [3, 2]]


def test_sampling_leaves_the_model_in_its_mode(idefics3: Checkpoint) -> None:
    garden = Garden(idefics3, images=1, questions=1)
    garden.model.train()
    try:
        garden.grow(garden.greedy)
        assert garden.model.training
    finally:
        garden.model.eval()
