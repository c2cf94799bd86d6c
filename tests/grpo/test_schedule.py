"""Which prompts make up a step, and how large its step size is, depend on the seed and the step's number only."""

from __future__ import annotations

import pytest
import torch
from transformers import get_linear_schedule_with_warmup

from scotoma.core import ConfigError, ImageRecord
from scotoma.grpo import GRPOConfig, Prompt
from scotoma.grpo.schedule import prompts_of_step


def prompts(images: int, questions: int) -> list[Prompt]:
    return [
        Prompt(f"{image}/{question}", ImageRecord(id=str(image), source="test"), "is there a star ?")
        for question in range(questions)
        for image in range(images)
    ]


def test_a_step_takes_whole_images() -> None:
    step = prompts_of_step(prompts(10, 3), GRPOConfig(images_per_step=4), 0)
    assert len(step) == 12
    assert len({prompt.image.id for prompt in step}) == 4


def test_an_epoch_sees_every_prompt_once() -> None:
    config = GRPOConfig(images_per_step=5)
    seen = [prompt.id for step in (0, 1) for prompt in prompts_of_step(prompts(10, 3), config, step)]
    assert sorted(seen) == sorted(prompt.id for prompt in prompts(10, 3))


def test_epochs_and_seeds_differ_but_a_step_is_always_the_same() -> None:
    def order(seed: int, step: int) -> list[str]:
        config = GRPOConfig(images_per_step=10, seed=seed)
        return [prompt.id for prompt in prompts_of_step(prompts(10, 1), config, step)]

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)


def test_no_step_repeats_a_prompt_where_epochs_meet() -> None:
    for step in range(20):
        chosen = [prompt.id for prompt in prompts_of_step(prompts(7, 2), GRPOConfig(images_per_step=5), step)]
        assert len(chosen) == len(set(chosen))


@pytest.mark.parametrize("questions", [1, 3, 8])
def test_as_many_prompts_as_are_wanted_whatever_images_have(questions: int) -> None:
    """Sets that differ in prompts per image are seen equally often: every prompt once in an epoch."""
    given, config = prompts(48 // questions, questions), GRPOConfig(prompts_per_step=12)
    steps = [[prompt.id for prompt in prompts_of_step(given, config, step)] for step in range(12)]
    assert [len(step) for step in steps] == [12] * 12
    for epoch in (steps[:4], steps[4:8], steps[8:]):
        assert sorted(name for step in epoch for name in step) == sorted(prompt.id for prompt in given)


def test_no_counted_step_repeats_a_prompt_where_epochs_meet() -> None:
    for step in range(20):
        chosen = [p.id for p in prompts_of_step(prompts(7, 4), GRPOConfig(prompts_per_step=10), step)]
        assert 1 <= len(chosen) == len(set(chosen)) <= 10


def test_an_image_stays_together_as_far_as_there_is_room() -> None:
    [first, second] = (
        prompts_of_step(prompts(4, 6), GRPOConfig(prompts_per_step=8), step) for step in (0, 1)
    )
    assert [len({prompt.image.id for prompt in step}) for step in (first, second)] == [2, 2]
    assert first[-1].image.id == second[0].image.id


def test_fewer_prompts_than_are_wanted_are_all_seen_in_every_step() -> None:
    for step in range(3):
        assert len(prompts_of_step(prompts(2, 3), GRPOConfig(prompts_per_step=10), step)) == 6


@pytest.mark.parametrize("broken", [[], prompts(2, 1) * 2], ids=["none", "twice the same id"])
def test_prompts_that_cannot_be_trained_on_are_refused(broken: list[Prompt]) -> None:
    with pytest.raises(ConfigError):
        prompts_of_step(broken, GRPOConfig(), 0)


def test_the_learning_rate_is_that_of_transformers() -> None:
    config = GRPOConfig(learning_rate=0.5, steps=20, warmup_steps=4)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    theirs = get_linear_schedule_with_warmup(optimizer, 4, 20)
    for step in range(20):
        assert config.learning_rate_at(step) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
