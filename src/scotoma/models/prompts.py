"""From requests to token ids, pixels and trees, with the stock processor and its chat template.

Each distinct image is processed once and kept (least recently used go first); each distinct text is rendered
and tokenised once. An image's placeholder is expanded by the processor itself, and the result is spliced into
the tokens of the text: placeholders are special tokens, so a tokenizer never merges anything across their ends.

    encoder = PromptEncoder(processor)
    encoded = encoder.encode(requests)  # in order; what cannot be encoded is a ReplyError
    for row in image_trees([e for e in encoded if isinstance(e, Encoded)]):
        row.tree, row.members  # the tree, and which prompts each of its branches answers
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from typing import Any

import torch

from scotoma.core import ImageError, ImageRecord, ModelError, ReplyError, Request, Turn
from scotoma.models.families import Pixels
from scotoma.models.tree import Branch, Tree

Message = dict[str, Any]

_TEXT_KEYS = frozenset({"input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids"})


@dataclass(frozen=True)
class Encoded:
    """One prompt. `ids` are its tokens, placeholders expanded; the first `image_end` of them hold all
    placeholders (0 without an image). `images` are image ids, `pixels` what the processor made of each.
    """

    ids: tuple[int, ...]
    image_end: int
    images: tuple[str, ...]
    pixels: tuple[Pixels, ...]


@dataclass(frozen=True)
class ImageTree:
    """A tree, without leaves until it is given some. `members[b]` are the positions, among the prompts, of those that
    branch b asks.
    """

    tree: Tree
    members: tuple[tuple[int, ...], ...]
    images: tuple[str, ...]
    pixels: tuple[Pixels, ...]

    def with_leaves(self, completions: Sequence[tuple[int, ...]]) -> ImageTree:
        """The same with a leaf per prompt: `completions[i]` are the tokens that answer prompt i of all the prompts."""
        branches = tuple(
            Branch(branch.tokens, tuple(completions[i] for i in members))
            for branch, members in zip(self.tree.branches, self.members, strict=True)
        )
        return replace(self, tree=Tree(self.tree.prefix, branches))


def conversation(text: str, history: Sequence[Turn], images: int) -> list[Message]:
    """Messages for a chat template: the images stand at the beginning of the first user turn."""
    turns = [*history, Turn("user", text)]
    messages = [{"role": t.role, "content": [{"type": "text", "text": t.text}]} for t in turns]
    first = next(message for message in messages if message["role"] == "user")
    first["content"] = [*({"type": "image"} for _ in range(images)), *first["content"]]
    return messages


def render(processor: Any, text: str, history: Sequence[Turn], images: int) -> str:
    """The text of a prompt, one unexpanded placeholder per image, ready for the model to answer.

    Raises:
        ModelError: the checkpoint's chat template cannot take the conversation.
    """
    messages = conversation(text, history, images)
    try:
        rendered: str = processor.apply_chat_template(messages, add_generation_prompt=True)
    except Exception as error:  # Jinja and transformers raise what they like; all of it is the template's
        raise ModelError(f"the checkpoint's chat template failed: {error}") from error
    return rendered


def adds_special_tokens(processor: Any, rendered: str) -> bool:
    """As `apply_chat_template(tokenize=True)` has it: not when the template wrote the first token."""
    bos = processor.tokenizer.bos_token
    return not (bos is not None and rendered.startswith(bos))


class PromptEncoder:
    """Encodes requests for one processor; keeps the pixels of some images and the tokens of some texts."""

    def __init__(self, processor: Any, images_kept: int = 512, texts_kept: int = 65536) -> None:
        self.processor = processor
        self.image_token: str = processor.image_token
        self.image_token_id: int = processor.tokenizer.convert_tokens_to_ids(processor.image_token)
        self._image = lru_cache(maxsize=images_kept)(self._process)
        self._text = lru_cache(maxsize=texts_kept)(self._tokenise)

    def encode(self, requests: Sequence[Request]) -> list[Encoded | ReplyError]:
        """One entry per request, in order; an unreadable image or an unusable text gives its `ReplyError`."""
        return [self._encode(request) for request in requests]

    def render(self, text: str, history: Sequence[Turn], images: int) -> str:
        """The text of a prompt, as `render` gives it for this processor."""
        return render(self.processor, text, history, images)

    def _encode(self, request: Request) -> Encoded | ReplyError:
        try:
            processed = [self._image(record) for record in request.images]
        except ImageError as error:
            return ReplyError("bad_image", str(error))
        tokens = self._text(request.text, request.history, len(request.images))
        if tokens.count(self.image_token_id) != len(request.images):
            return ReplyError("unparsable", f"the text holds the image placeholder {self.image_token}")
        expansions = iter(expansion for expansion, _ in processed)
        ids = tuple(
            chain.from_iterable(next(expansions) if t == self.image_token_id else (t,) for t in tokens)
        )
        end = len(ids) - ids[::-1].index(self.image_token_id) if processed else 0
        return Encoded(
            ids, end, tuple(r.id for r in request.images), tuple(pixels for _, pixels in processed)
        )

    def _tokenise(self, text: str, history: tuple[Turn, ...], images: int) -> tuple[int, ...]:
        rendered = self.render(text, history, images)
        special = adds_special_tokens(self.processor, rendered)
        return tuple(self.processor.tokenizer(rendered, add_special_tokens=special)["input_ids"])

    def _process(self, record: ImageRecord) -> tuple[tuple[int, ...], Pixels]:
        """The tokens that stand for an image, and its tensors."""
        image = record.open()
        try:
            output = self.processor(
                text=[self.image_token], images=[[image]], add_special_tokens=False, return_tensors="pt"
            )
        except (ValueError, ZeroDivisionError) as error:  # an image of one pixel's height, an odd mode …
            raise ImageError(
                f"the processor cannot use the image {record.path or record.id[:12]}: {error}"
            ) from error
        pixels = {k: v for k, v in output.items() if k not in _TEXT_KEYS and isinstance(v, torch.Tensor)}
        return tuple(output["input_ids"][0].tolist()), pixels


def image_trees(prompts: Sequence[Encoded], row_tokens: int | None = None) -> list[ImageTree]:
    """Trees of the prompts that share their images, by the longest common prefix; equal prompts share a branch.

    `row_tokens` bounds the tokens after the prefix: an image with more questions gives several trees, one
    after another, so that the quadratic mask stays small.
    """
    together: dict[tuple[Any, ...], dict[tuple[int, ...], list[int]]] = {}
    for position, prompt in enumerate(prompts):
        # Texts before the image may differ; a tree needs at least one token in common.
        key = (prompt.images, prompt.ids[: max(prompt.image_end, 1)])
        together.setdefault(key, {}).setdefault(prompt.ids, []).append(position)
    rows = []
    for members in together.values():
        prefix = _common_prefix(list(members))
        first = prompts[next(iter(members.values()))[0]]
        for chunk in _chunks(list(members), len(prefix), row_tokens):
            tree = Tree(prefix, tuple(Branch(ids[len(prefix) :]) for ids in chunk))
            asked = tuple(tuple(members[ids]) for ids in chunk)
            rows.append(ImageTree(tree, asked, first.images, first.pixels))
    return rows


def _common_prefix(prompts: list[tuple[int, ...]]) -> tuple[int, ...]:
    # What the smallest and the largest have in common, all between them have.
    low, high = min(prompts), max(prompts)
    return low[: next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))]


def _chunks(
    prompts: list[tuple[int, ...]], prefix: int, row_tokens: int | None
) -> list[list[tuple[int, ...]]]:
    """Cut a group so that no chunk of several prompts has more than `row_tokens` after the prefix."""
    chunks: list[list[tuple[int, ...]]] = [[]]
    used = 0
    for ids in prompts:
        size = len(ids) - prefix
        if row_tokens is not None and chunks[-1] and used + size > row_tokens:
            chunks.append([])
            used = 0
        chunks[-1].append(ids)
        used += size
    return chunks


def stack(pixels: Sequence[Pixels], device: torch.device | str = "cpu") -> Pixels | None:
    """The images of a batch, in order, as one set of tensors; None without images.

    Smaller ones are padded with zeros: families drop a tile of zeros, and the processor's own mask hides pixels.
    """
    if not pixels:
        return None
    return {key: _concatenated([one[key] for one in pixels]).to(device) for key in pixels[0]}


def _concatenated(tensors: list[torch.Tensor]) -> torch.Tensor:
    if len({t.shape[1:] for t in tensors}) == 1:
        return torch.cat(tensors)
    shape = [max(sizes) for sizes in zip(*(t.shape[1:] for t in tensors), strict=True)]
    out = tensors[0].new_zeros(sum(len(t) for t in tensors), *shape)
    at = 0
    for tensor in tensors:
        out[(slice(at, at + len(tensor)), *(slice(0, size) for size in tensor.shape[1:]))] = tensor
        at += len(tensor)
    return out
