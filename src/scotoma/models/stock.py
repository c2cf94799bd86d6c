"""Stock `generate`, for the families that cannot be packed: batched, padded on the left, one row per request.

StockGeneration(checkpoint).answer(requests)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch

from scotoma.core import ImageError, Reply, ReplyError, Request, Sampling
from scotoma.models.checkpoint import Checkpoint
from scotoma.models.prompts import adds_special_tokens, render

Item = TypeVar("Item")
Result = TypeVar("Result")


class StockGeneration:
    """Answers requests with `model.generate`, `batch_size` at a time."""

    def __init__(self, checkpoint: Checkpoint, batch_size: int = 16) -> None:
        self._checkpoint = checkpoint
        self._batch_size = batch_size

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request, in order; see `TransformersModel.answer`."""
        replies: dict[int, Reply] = {}
        alike: dict[tuple[Any, ...], list[tuple[int, Request, list[Any]]]] = {}
        for position, request in enumerate(requests):
            try:
                images = [record.open() for record in request.images]
            except ImageError as error:
                replies[position] = Reply(error=ReplyError("bad_image", str(error)))
                continue
            sampling = request.sampling
            # Sampled rows of one batch share a random stream, so that a seed only holds for requests of that seed.
            seed = sampling.seed if sampling.temperature > 0 else 0
            key = (len(images), sampling.temperature, sampling.top_p, sampling.max_tokens, seed)
            alike.setdefault(key, []).append((position, request, images))
        for asked in alike.values():
            for start in range(0, len(asked), self._batch_size):
                batch = asked[start : start + self._batch_size]
                answered = one_by_one_if_it_fails(self._run, batch, lambda _, error: Reply(error=error))
                replies.update(
                    {position: reply for (position, _, _), reply in zip(batch, answered, strict=True)}
                )
        return [replies[position] for position in range(len(requests))]

    @torch.no_grad()
    def _run(self, batch: Sequence[tuple[int, Request, list[Any]]]) -> list[Reply]:
        started = time.perf_counter()
        model: Any = self._checkpoint.model
        processor: Any = self._checkpoint.processor
        texts = [render(processor, r.text, r.history, len(images)) for _, r, images in batch]
        inputs = processor(
            text=texts,
            images=[images for _, _, images in batch] if batch[0][2] else None,
            padding=True,
            add_special_tokens=adds_special_tokens(processor, texts[0]),
            return_tensors="pt",
        ).to(model.device)
        lengths = inputs["attention_mask"].sum(-1).tolist()
        sampling = batch[0][1].sampling
        errors = [too_long(length, sampling, self._checkpoint.context) for length in lengths]
        if any(errors):
            # Padding follows the longest, so the others are prepared again without it.
            fitting = iter(
                self._run([b for b, e in zip(batch, errors, strict=True) if e is None])
                if not all(errors)
                else []
            )
            return [
                next(fitting) if e is None else Reply(tokens_in=n, error=e)
                for n, e in zip(lengths, errors, strict=True)
            ]
        decoding: dict[str, Any] = {"do_sample": False}
        if sampling.temperature > 0:
            decoding = {
                "do_sample": True,
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "top_k": 0,
            }
        with torch.random.fork_rng():
            torch.manual_seed(sampling.seed)
            output = model.generate(
                **inputs,
                **decoding,
                max_new_tokens=sampling.max_tokens,
                repetition_penalty=1.0,
                eos_token_id=list(self._checkpoint.eos_ids) or None,
                pad_token_id=self._checkpoint.pad_id,
            )
        fresh = output[:, inputs["input_ids"].shape[1] :].tolist()
        latency = time.perf_counter() - started
        decoded = processor.tokenizer.batch_decode(fresh, skip_special_tokens=True)
        return [
            Reply(text.strip(), length, self._length(tokens), latency)
            for text, length, tokens in zip(decoded, lengths, fresh, strict=True)
        ]

    def _length(self, tokens: list[int]) -> int:
        """Tokens up to the first that ends the completion."""
        return next((i + 1 for i, t in enumerate(tokens) if t in self._checkpoint.eos_ids), len(tokens))


def too_long(prompt: int, sampling: Sampling, context: int) -> ReplyError | None:
    """The error of a prompt that does not fit the context together with its completion."""
    if prompt + sampling.max_tokens <= context:
        return None
    needed = f"{prompt} prompt tokens and {sampling.max_tokens} to answer"
    return ReplyError("too_long", f"{needed} exceed the model's context of {context} tokens")


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
