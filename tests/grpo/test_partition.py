"""A step of TRL's is cut into parts that fit, and nothing of it is lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.grpo import GRPOConfig, Prompt
from scotoma.grpo.partition import SAMPLING, partition
from tests.grpo.conftest import picture

PROMPTS = [Prompt(str(i), picture(i % 8), "is there a star ?") for i in range(64)]


@given(
    length=st.integers(1, 5000),
    room=st.integers(1, 64),
    group=st.sampled_from([2, 3, 4, 8]),
    images=st.integers(1, 8),
    processes=st.sampled_from([1, 2, 3, 8]),
    budget=st.integers(1, 20_000),
)
def test_parts_make_up_the_step_hold_whole_groups_and_stay_within_the_budget_if_any_can(
    length: int, room: int, group: int, images: int, processes: int, budget: int
) -> None:
    config = GRPOConfig(
        group_size=group, images_per_step=images, max_new_tokens=room, tokens_per_minibatch=budget
    )
    cut = partition(PROMPTS, length, config, processes)
    assert cut.minibatch * cut.minibatches * processes == cut.prompts * group
    assert cut.minibatches % cut.sampled == 0
    at_once = cut.minibatch * cut.sampled
    assert at_once * processes % group == 0
    assert cut.minibatch == 1 or cut.minibatch * (length + room) <= budget
    if at_once * (length + room) > SAMPLING * budget:  # then it is as little as groups allow
        assert not any(
            cut.minibatches % fewer == 0 and fewer * cut.minibatch * processes % group == 0
            for fewer in range(1, cut.sampled)
        )


def cut(**changes: Any) -> tuple[int, int, int]:
    found = partition(PROMPTS, 60, GRPOConfig(**{"images_per_step": 8, "group_size": 8, **changes}), 1)
    return found.minibatch, found.minibatches, found.sampled


def test_what_fits_is_sampled_at_once() -> None:
    assert cut() == (128, 4, 4)


@pytest.mark.parametrize(("budget", "parts"), [(4864, (64, 8, 8)), (2432, (32, 16, 8)), (152, (2, 256, 8))])
def test_what_does_not_is_sampled_in_parts(budget: int, parts: tuple[int, int, int]) -> None:
    assert cut(tokens_per_minibatch=budget) == parts


def test_where_a_step_is_trained_on_again_or_vllm_samples_it_is_sampled_at_once() -> None:
    assert cut(tokens_per_minibatch=152, num_iterations=2) == (2, 256, 256)
    assert cut(tokens_per_minibatch=152, vllm=True) == (2, 256, 256)
