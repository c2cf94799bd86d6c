"""One row per prompt, for stock forward passes: what the family's own processor makes of it, nothing spliced.

Families differ in what stands around an image (PaliGemma's processor adds the start of text after it, Gemma's
newlines melt into their neighbours), so every distinct prompt goes through the processor whole. Rows are then padded
here: on the left to generate from, on the right to score completions.

    encoder = RowEncoder(model, processor)
    rows = encoder.encode(requests)  # in order; what cannot be encoded is a ReplyError
    model.generate(**prompt_batch([row for row in rows if isinstance(row, Row)], pad_id, device))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from scotoma.core import ImageError, ImageRecord, ReplyError, Request, Turn
from scotoma.core.chat import FaultKind
from scotoma.models.families import Pixels, unwrapped
from scotoma.models.prompts import adds_special_tokens, render, stack

Tokens = tuple[int, ...]

_PER_TOKEN = ("token_type_ids", "mm_token_type_ids")
_COMPLETION_TYPE = {"paligemma": 1}
"""The type of a completion's tokens, where it is not 0: PaliGemma sees tokens of type 0 from both sides."""


@dataclass(frozen=True)
class Row:
    """One prompt: its tokens (placeholders expanded), their types where the family has them, and its images.

    `completion_type` is the type of the tokens that are generated after it.
    """

    ids: Tokens
    types: Mapping[str, Tokens]
    images: tuple[str, ...]
    pixels: Pixels
    completion_type: int = 0


class RowEncoder:
    """Encodes requests for one model and its processor; keeps some of the last rows, pixels included."""

    def __init__(self, model: nn.Module, processor: Any, kept: int = 256) -> None:
        config = unwrapped(model).config
        self.processor = processor
        self.image_token_id = int(config.image_token_id)
        self._completion_type = _COMPLETION_TYPE.get(config.model_type, 0)
        placeholder = processor.tokenizer.convert_ids_to_tokens(self.image_token_id)
        self._placeholders = tuple({processor.image_token, placeholder})
        self._row = lru_cache(maxsize=kept)(self._process)

    def encode(self, requests: Sequence[Request]) -> list[Row | ReplyError]:
        """One entry per request, in order; an unreadable image or an unusable text gives its `ReplyError`.

        Raises:
            ModelError: the checkpoint's chat template cannot take the conversation.
        """
        return [self._encode(request) for request in requests]

    def _encode(self, request: Request) -> Row | ReplyError:
        for turn in (*request.history, Turn("user", request.text)):
            if any(placeholder in turn.text for placeholder in self._placeholders):
                return ReplyError(
                    "unparsable", f"the text holds the image placeholder {self.processor.image_token}"
                )
        try:
            return self._row(request.images, request.text, request.history)
        except ImageError as error:
            return ReplyError("bad_image", str(error))
        except (ValueError, TypeError, ZeroDivisionError) as error:
            # An image of one pixel's height, an odd mode, a family that cannot answer without an image …
            kind: FaultKind = "bad_image" if request.images else "unparsable"
            return ReplyError(kind, f"the processor cannot use the prompt: {error}")

    def _process(self, records: tuple[ImageRecord, ...], text: str, history: tuple[Turn, ...]) -> Row:
        images = [record.open() for record in records]
        rendered = render(self.processor, text, history, len(images))
        output = self.processor(
            text=[rendered],
            images=[images] if images else None,
            add_special_tokens=adds_special_tokens(self.processor, rendered),
            return_tensors="pt",
        )
        ids, per_token = output["input_ids"][0], [key for key in _PER_TOKEN if key in output]
        known = {"input_ids", "attention_mask", "labels", *per_token}
        return Row(
            ids=tuple(ids.tolist()),
            types={key: tuple(output[key][0].tolist()) for key in per_token},
            images=tuple(record.id for record in records),
            pixels={k: v for k, v in output.items() if k not in known and isinstance(v, Tensor)},
            completion_type=self._completion_type,
        )


def prompt_batch(rows: Sequence[Row], pad_id: int, device: torch.device | str) -> dict[str, Tensor]:
    """The model's inputs for generation: padded on the left, so that every row ends where its completion begins."""
    return _batch(rows, [()] * len(rows), pad_id, device, left=True)


def completion_batch(
    rows: Sequence[Row], completions: Sequence[Tokens], pad_id: int, device: torch.device | str
) -> dict[str, Tensor]:
    """The model's inputs for scoring: each prompt followed by its completion, padded on the right."""
    return _batch(rows, completions, pad_id, device, left=False)


def _batch(
    rows: Sequence[Row],
    completions: Sequence[Tokens],
    pad_id: int,
    device: torch.device | str,
    *,
    left: bool,
) -> dict[str, Tensor]:
    def table(lines: Sequence[Tokens], fill: int) -> Tensor:
        width = max(map(len, lines))
        blank = [(fill,) * (width - len(line)) for line in lines]
        both = zip(blank, lines, strict=True)
        return torch.tensor([b + line if left else line + b for b, line in both], device=device)

    pairs = list(zip(rows, completions, strict=True))
    whole = [row.ids + tokens for row, tokens in pairs]
    batch = {
        "input_ids": table(whole, pad_id),
        "attention_mask": table([(1,) * len(line) for line in whole], 0),
    }
    for key in rows[0].types:
        batch[key] = table([row.types[key] + (row.completion_type,) * len(t) for row, t in pairs], 0)
    images = stack([row.pixels for row in rows if row.pixels], device)
    return {**batch, **(images or {})}
