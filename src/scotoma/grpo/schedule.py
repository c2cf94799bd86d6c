"""Which prompts make up which step: a pure function of the seed, so that a resumed run sees the same ones.

Images are shuffled once per epoch and taken `images_per_step` at a time, each with all of its prompts, so
that an engine that shares the image pays for it once. With `prompts_per_step` they are taken until there are so
many prompts, and what is left of the last image's begins the next step.

    for step in range(config.steps):
        trainer.step(prompts_of_step(prompts, config, step), reward)
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from scotoma.core import ConfigError
from scotoma.grpo.config import GRPOConfig
from scotoma.grpo.rollout import Prompt


def prompts_of_step(prompts: Sequence[Prompt], config: GRPOConfig, step: int) -> list[Prompt]:
    """The prompts of step `step` (from 0). Fewer images than `images_per_step` in all (or fewer prompts than
    `prompts_per_step`): every step sees all of them.

    Raises:
        ConfigError: there are no prompts, or two share an id.
    """
    by_image = _by_image(prompts)
    if config.prompts_per_step is not None:
        return _counted(by_image, min(config.prompts_per_step, len(prompts)), config.seed, step)
    images = list(by_image)
    per_step = min(config.images_per_step, len(images))
    first = step * per_step
    chosen = [_image_at(images, position, config.seed) for position in range(first, first + per_step)]
    # An epoch's end and the next one's beginning may hold the same image: once is enough.
    return [prompt for image in dict.fromkeys(chosen) for prompt in by_image[image]]


def _counted(by_image: Mapping[str, list[Prompt]], n: int, seed: int, step: int) -> list[Prompt]:
    """`n` prompts in the images' order; fewer only where an epoch's end and the next one's beginning share some."""
    images, total = list(by_image), sum(map(len, by_image.values()))
    chosen: list[Prompt] = []
    for epoch in range(step * n // total, ((step + 1) * n - 1) // total + 1):
        row = [prompt for image in _order(images, seed, epoch) for prompt in by_image[image]]
        first = max(step * n - epoch * total, 0)
        chosen += row[first : (step + 1) * n - epoch * total]
    return list({prompt.id: prompt for prompt in chosen}.values())


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
    return _order(images, seed, epoch)[index]


def _order(images: Sequence[str], seed: int, epoch: int) -> list[str]:
    order = list(images)
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return order
