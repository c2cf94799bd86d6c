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
