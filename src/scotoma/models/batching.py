"""What goes through a model at once: batches within a token budget, and what fits no batch.

Packed trees and padded rows are cut alike. No answer depends on how: each is drawn from its own seed, and a batch that
fails costs only the item that is to blame.

    for batch in within_budget(rows, [len(row.ids) for row in rows], budget=16_384):
        replies += one_by_one_if_it_fails(run, batch, lambda row, error: Reply(error=error))
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from scotoma.core import ReplyError, Sampling

Item = TypeVar("Item")
Result = TypeVar("Result")


def within_budget(items: Sequence[Item], sizes: Sequence[int], budget: int) -> Iterator[list[Item]]:
    """Consecutive items whose padded size (their number × the longest) is at most `budget`; a larger one goes alone."""
    batch: list[Item] = []
    longest = 0
    for item, size in zip(items, sizes, strict=True):
        if batch and max(longest, size) * (len(batch) + 1) > budget:
            yield batch
            batch, longest = [], 0
        batch.append(item)
        longest = max(longest, size)
    if batch:
        yield batch


def one_by_one_if_it_fails(
    run: Callable[[Sequence[Item]], list[Result]],
    items: Sequence[Item],
    crashed: Callable[[Item, ReplyError], Result],
) -> list[Result]:
    """Run a batch; when torch fails (out of memory, say), its halves, down to the single items that are to blame."""
    try:
        return run(items)
    except RuntimeError as error:
        if len(items) == 1:
            return [crashed(items[0], ReplyError("crashed", f"the forward pass failed: {error}"))]
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    half = len(items) // 2
    return [r for part in (items[:half], items[half:]) for r in one_by_one_if_it_fails(run, part, crashed)]


def too_long(prompt: int, sampling: Sampling, context: int) -> ReplyError | None:
    """The error of a prompt that does not fit the context together with its completion."""
    if prompt + sampling.max_tokens <= context:
        return None
    needed = f"{prompt} prompt tokens and {sampling.max_tokens} to answer"
    return ReplyError("too_long", f"{needed} exceed the model's context of {context} tokens")


def own_seed(seed: int, images: tuple[str, ...], ids: tuple[int, ...]) -> int:
    """A completion's own random stream: fixed by seed, images and tokens, whatever else is in the batch."""
    return int.from_bytes(hashlib.sha256(repr((seed, images, ids)).encode()).digest()[:8], "big")
