"""Which prompts make up which step: a pure function of the seed, so that a resumed run sees the same ones.

Images are shuffled once per epoch and taken `images_per_step` at a time, each with all of its prompts, so
that an engine that shares the image pays for it once.

    for step in range(config.steps):
        trainer.step(prompts_of_step(prompts, config, step), reward)
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from scotoma.core import ConfigError
from scotoma.grpo.config import GRPOConfig
from scotoma.grpo.rollout import Prompt


def prompts_of_step(prompts: Sequence[Prompt], config: GRPOConfig, step: int) -> list[Prompt]:
    """The prompts of step `step` (from 0). Fewer images than `images_per_step` in all: every step sees all of
    them.

    Raises:
        ConfigError: there are no prompts, or two share an id.
    """
    by_image = _by_image(prompts)
    images = list(by_image)
    per_step = min(config.images_per_step, len(images))
    first = step * per_step
    chosen = [_image_at(images, position, config.seed) for position in range(first, first + per_step)]
    # An epoch's end and the next one's beginning may hold the same image: once is enough.
    return [prompt for image in dict.fromkeys(chosen) for prompt in by_image[image]]


def _by_image(prompts: Sequence[Prompt]) -> dict[str, list[Prompt]]:
    if not prompts:
        raise ConfigError("there is nothing to train on", hint="give at least one prompt")
    if len({prompt.id for prompt in prompts}) < len(prompts):
        raise ConfigError("two prompts have the same id", hint="prompt ids name groups and must be unique")
    found: dict[str, list[Prompt]] = {}
    for prompt in prompts:
        found.setdefault(prompt.image.id, []).append(prompt)
    return found


def _image_at(images: Sequence[str], position: int, seed: int) -> str:
    epoch, index = divmod(position, len(images))
    order = list(range(len(images)))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return images[order[index]]
