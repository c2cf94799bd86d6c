"""Does it fit? Token budget and image tokens, checked before training; the error says what to change.

Image-token mismatches between processor and model are the most reported fault of VLM trainers: they surface
deep in a forward pass, or silently train on the wrong features.

    check_budget(model, processor, prompts, config)  # raises BudgetError, or all is well
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from transformers import ProcessorMixin

from scotoma.core import BudgetError, ImageError, ReplyError, Request
from scotoma.grpo.config import GRPOConfig
from scotoma.grpo.rollout import Prompt
from scotoma.models.families import Pixels, family_of, unwrapped
from scotoma.models.rows import Row, RowEncoder

SAMPLE = 32
"""How many prompts with the longest texts, and how many about the largest pictures, are looked at ahead; every step
checks its own again."""


def check_budget(
    model: nn.Module, processor: ProcessorMixin, prompts: Sequence[Prompt], config: GRPOConfig
) -> None:
    """Look at the longest prompts (`longest`), and at one image of each shape that they hold.

    Raises:
        BudgetError: prompt and completion exceed the model's positions; or the processor writes another
            number of image placeholders than the model makes features; or a text holds the placeholder
            itself.
        ImageError: an image cannot be read or used.
    """
    encoder = RowEncoder(model, processor)
    seen: set[tuple[torch.Size, ...]] = set()
    for prompt, row in longest(encoder, prompts):
        fits(positions_of(model), prompt, len(row.ids), config.max_new_tokens)
        shape = tuple(value.shape for value in row.pixels.values())
        if shape not in seen:
            seen.add(shape)
            _features_match(model, row.ids.count(encoder.image_token_id), row.pixels)


def longest(encoder: RowEncoder, prompts: Sequence[Prompt]) -> Iterator[tuple[Prompt, Row]]:
    """The prompts among which the one with the most tokens is, and their rows: those with the longest texts, and of
    each size that pictures have, the largest first, the one with the longest text.

    Raises:
        BudgetError: the processor cannot take a prompt.
        ImageError: an image cannot be read or used.
    """
    by_text = sorted(prompts, key=lambda prompt: sum(map(len, _texts(prompt))), reverse=True)
    pictures = {prompt.image.id: prompt.image for prompt in prompts}
    sizes = {image_id: picture.size() for image_id, picture in pictures.items()}
    by_size = {sizes[prompt.image.id]: prompt for prompt in reversed(by_text)}
    largest = [by_size[size] for size in sorted(by_size, key=math.prod, reverse=True)[:SAMPLE]]
    for prompt in dict.fromkeys([*by_text[:SAMPLE], *largest]):
        [row] = encoder.encode([Request((prompt.image,), prompt.text, prompt.history)])
        if isinstance(row, ReplyError):
            refused(prompt, row)
        yield prompt, row


def _texts(prompt: Prompt) -> Iterator[str]:
    yield prompt.text
    for turn in prompt.history:
        yield turn.text


def positions_of(model: nn.Module) -> int | None:
    """How many positions the model has; None where it sets no limit."""
    limit: int | None = getattr(unwrapped(model).config.get_text_config(), "max_position_embeddings", None)
    return limit


def fits(positions: int | None, prompt: Prompt, tokens: int, room: int) -> None:
    """Whether a prompt of `tokens` tokens leaves `room` for its completion.

    Raises:
        BudgetError: it does not.
    """
    if positions is not None and tokens + room > positions:
        raise BudgetError(
            f"the prompt {prompt.id!r} has {tokens} tokens and its completion up to {room}, "
            f"but the model has {positions} positions",
            hint=f"lower max_new_tokens to at most {max(0, positions - tokens)}, shorten the text or the "
            "history, or have the processor make images smaller",
        )


def refused(prompt: Prompt, error: ReplyError) -> NoReturn:
    """Turn the encoder's reply error, which would only skip a request, into an exception that stops training."""
    if error.kind == "bad_image":
        raise ImageError(error.message)
    raise BudgetError(
        f"the prompt {prompt.id!r} cannot be encoded: {error.message}",
        hint="the image is given apart from the text; leave its placeholder out",
    )


@torch.no_grad()
def _features_match(model: nn.Module, placeholders: int, pixels: Pixels) -> None:
    device = next(model.parameters()).device
    on_device = {key: value.to(device) for key, value in pixels.items()}
    features = _feature_count(model, on_device)
    if features != placeholders:
        raise BudgetError(
            f"the processor writes {placeholders} image tokens where the model makes {features} features",
            hint="the processor's image_seq_len (or patch_size), image size and splitting must match the "
            "model's vision config and scale_factor",
        )


def _feature_count(model: nn.Module, pixels: dict[str, Tensor]) -> int:
    family = family_of(model)
    if family is not None:
        return family.image_features(model, pixels).shape[0]
    output: Any = unwrapped(model).get_image_features(**pixels, return_dict=True)
    pooled = output.pooler_output
    parts = pooled if isinstance(pooled, list | tuple) else [pooled]
    return sum(part.numel() // part.shape[-1] for part in parts)
