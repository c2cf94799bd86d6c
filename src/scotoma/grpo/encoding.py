"""Prompts and given answers as a policy's tokens, alike for every engine.

entries = encode_prompts(encoder, prompts)      # `PromptEncoder` or `RowEncoder`
answer_tokens(processor, eos_ids(model, processor), "what colour is it ?", (), "red")
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from scotoma.core import ReplyError, Request, Turn
from scotoma.grpo.budget import refused
from scotoma.grpo.rollout import Prompt
from scotoma.models.prompts import conversation, render

Tokens = tuple[int, ...]

Entry = TypeVar("Entry", covariant=True)


class Encoder(Protocol[Entry]):
    """Encodes requests; what cannot be encoded is a `ReplyError`."""

    def encode(self, requests: Sequence[Request]) -> Sequence[Entry | ReplyError]:
        """One entry per request, in order."""
        ...


def encode_prompts(encoder: Encoder[Entry], prompts: Sequence[Prompt]) -> list[Entry]:
    """The prompts' entries, in order; the prompt that a group of rollouts shares is encoded once.

    Raises:
        ImageError: an image cannot be read or used.
        BudgetError: a text holds the image placeholder.
    """
    distinct = {id(prompt): prompt for prompt in prompts}
    requests = [Request((p.image,), p.text, p.history) for p in distinct.values()]
    entries = {
        id(prompt): refused(prompt, entry) if isinstance(entry, ReplyError) else entry
        for prompt, entry in zip(distinct.values(), encoder.encode(requests), strict=True)
    }
    return [entries[id(prompt)] for prompt in prompts]


def answer_tokens(
    processor: Any, ends_at: Tokens, question: str, history: tuple[Turn, ...], text: str
) -> Tokens:
    """The tokens of a given answer, end of turn included, as the chat template writes them after the prompt."""
    before = render(processor, question, history, images=1)
    answer = {"role": "assistant", "content": [{"type": "text", "text": text}]}
    after = processor.apply_chat_template([*conversation(question, history, images=1), answer])
    # Templates that rewrite earlier turns cannot be cut at the answer; the bare text is the next best thing.
    said = after[len(before) :] if after.startswith(before) else text
    ids: list[int] = processor.tokenizer(said, add_special_tokens=False)["input_ids"]
    ends = [place for place, token in enumerate(ids) if token in ends_at]
    return tuple(ids[: ends[0] + 1] if ends else [*ids, ends_at[0]])
