"""Batches: within the budget, in order, and only the item to blame pays for a pass that fails."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.core import ReplyError, Sampling
from scotoma.models.batching import one_by_one_if_it_fails, own_seed, too_long, within_budget


@given(st.lists(st.integers(0, 40)), st.integers(1, 100))
def test_batches_hold_everything_in_order_and_only_a_large_item_goes_over_the_budget(
    sizes: list[int], budget: int
) -> None:
    batches = list(within_budget(range(len(sizes)), sizes, budget))
    assert list(chain(*batches)) == list(range(len(sizes)))
    assert all(len(batch) == 1 or max(sizes[i] for i in batch) * len(batch) <= budget for batch in batches)
    # None could have taken the first of the next.
    for batch, following in pairwise(batches):
        more = [*batch, following[0]]
        assert max(sizes[i] for i in more) * len(more) > budget


def test_a_pass_that_fails_costs_only_the_item_to_blame() -> None:
    def run(items: Sequence[int]) -> list[str]:
        if 5 in items:
            raise RuntimeError("out of memory")
        return [str(item) for item in items]

    found = one_by_one_if_it_fails(run, list(range(8)), lambda item, error: f"{error.kind} {item}")
    assert found == ["0", "1", "2", "3", "4", "crashed 5", "6", "7"]


def test_other_errors_than_torch_s_are_not_hidden() -> None:
    def run(items: Sequence[int]) -> list[int]:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        one_by_one_if_it_fails(run, [1, 2], lambda item, error: item)


def test_a_prompt_must_fit_the_context_with_its_answer() -> None:
    assert too_long(60, Sampling(max_tokens=4), context=64) is None
    error = too_long(61, Sampling(max_tokens=4), context=64)
    assert isinstance(error, ReplyError)
    assert error.kind == "too_long"
    assert "61 prompt tokens and 4 to answer" in error.message


def test_an_own_seed_follows_from_seed_images_and_tokens_alone() -> None:
    given = {
        own_seed(seed, images, ids) for seed in (0, 1) for images in ((), ("a",)) for ids in ((1,), (2,))
    }
    assert len(given) == 8
    assert own_seed(1, ("a",), (2,)) == own_seed(1, ("a",), (2,))
