"""Stock `generate`, for the families that cannot be packed: batched, padded on the left, one row per request.

Every row is drawn from its own random numbers, so that neither the batch nor its size changes an answer; the
checkpoint's own generation settings (temperature, penalties …) are out of force while it generates.

    StockGeneration(checkpoint).answer(requests)
    complete(model, rows, Decoding(eos_ids=(2,), temperature=1.0), seeds=[0, 1], pad_id=0)
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from scotoma.core import Reply, ReplyError, Request, Sampling
from scotoma.models.batching import one_by_one_if_it_fails, own_seed, too_long, within_budget
from scotoma.models.checkpoint import Checkpoint
from scotoma.models.families import unwrapped
from scotoma.models.growth import Completion, Decoding, Indices, Scores, draw, uniforms
from scotoma.models.rows import Row, RowEncoder, prompt_batch


class StockGeneration:
    """Answers requests with `model.generate`; `token_budget` bounds a batch's tokens, padding and answers included."""

    def __init__(self, checkpoint: Checkpoint, token_budget: int = 16384) -> None:
        self._checkpoint = checkpoint
        self._token_budget = token_budget
        self._encoder = RowEncoder(checkpoint.model, checkpoint.processor)

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request, in order; see `TransformersModel.answer`."""
        replies: dict[int, Reply] = {}
        alike: dict[tuple[Any, ...], list[tuple[int, Row]]] = {}
        for position, (request, row) in enumerate(zip(requests, self._encoder.encode(requests), strict=True)):
            sampling = request.sampling
            if isinstance(row, ReplyError):
                replies[position] = Reply(error=row)
            elif (error := too_long(len(row.ids), sampling, self._checkpoint.context)) is not None:
                replies[position] = Reply(tokens_in=len(row.ids), error=error)
            else:
                key = (len(row.images), sampling.temperature, sampling.top_p, sampling.max_tokens)
                alike.setdefault(key, []).append((position, row))

        def run(batch: Sequence[tuple[int, Row]]) -> list[Reply]:
            return self._run(
                [row for _, row in batch], [requests[position].sampling for position, _ in batch]
            )

        for asked in alike.values():
            room = requests[asked[0][0]].sampling.max_tokens
            # Rows of like length together: little padding.
            asked.sort(key=lambda item: len(item[1].ids))
            sizes = [len(row.ids) + room for _, row in asked]
            for batch in within_budget(asked, sizes, self._token_budget):
                answered = one_by_one_if_it_fails(run, batch, lambda _, error: Reply(error=error))
                replies.update(
                    (position, reply) for (position, _), reply in zip(batch, answered, strict=True)
                )
        return [replies[position] for position in range(len(requests))]

    def _run(self, rows: Sequence[Row], samplings: Sequence[Sampling]) -> list[Reply]:
        started = time.perf_counter()
        checkpoint, sampling = self._checkpoint, samplings[0]
        decoding = Decoding(
            eos_ids=checkpoint.eos_ids,
            max_new_tokens=sampling.max_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            suppressed=(self._encoder.image_token_id,),
        )
        seeds = [own_seed(s.seed, row.images, row.ids) for row, s in zip(rows, samplings, strict=True)]
        completions = complete(checkpoint.model, rows, decoding, seeds, checkpoint.pad_id)
        latency = time.perf_counter() - started
        texts = checkpoint.processor.tokenizer.batch_decode(
            [list(completion.tokens) for completion in completions], skip_special_tokens=True
        )
        return [
            Reply(text.strip(), len(row.ids), len(completion.tokens), latency)
            for row, completion, text in zip(rows, completions, texts, strict=True)
        ]


@torch.no_grad()
def complete(
    model: nn.Module, rows: Sequence[Row], decoding: Decoding, seeds: Sequence[int], pad_id: int
) -> list[Completion]:
    """One completion per row by stock `generate`, drawn as `growth.grow` draws: from the row's own seed.

    `rows` are one batch. The model is put in evaluation mode while it generates.
    """
    stock = unwrapped(model)
    numbers = None if decoding.temperature == 0 else uniforms(list(seeds), len(rows), decoding.max_new_tokens)
    drawn = _Draw(decoding, numbers)
    training = model.training
    model.eval()
    try:
        with _neutral_generation(stock, decoding, pad_id):
            stock.generate(
                **prompt_batch(rows, pad_id, stock.device), logits_processor=LogitsProcessorList([drawn])
            )
    finally:
        model.train(training)
    tokens, scores = np.stack(drawn.tokens, axis=1), np.stack(drawn.scores, axis=1)
    return [_until_end(t, s, decoding.eos_ids) for t, s in zip(tokens, scores, strict=True)]


class _Draw(LogitsProcessor):  # type: ignore[misc]  # transformers is untyped
    """Draws the next token of every row itself and leaves `generate` no other choice; keeps tokens and scores."""

    def __init__(self, decoding: Decoding, numbers: Tensor | None) -> None:
        self._decoding, self._numbers = decoding, numbers
        self.tokens: list[Indices] = []
        self.scores: list[Scores] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        every = torch.arange(len(scores), device=scores.device)
        now = None if self._numbers is None else self._numbers[:, len(self.tokens)].to(scores.device)
        tokens, log_probs = draw(scores.float(), every, self._decoding, now)
        self.tokens.append(tokens)
        self.scores.append(log_probs)
        forced = torch.full_like(scores, -torch.inf)
        forced[every, torch.from_numpy(tokens).to(scores.device)] = 0.0
        return forced


@contextmanager
def _neutral_generation(model: Any, decoding: Decoding, pad_id: int) -> Iterator[None]:
    """Nothing but greedy search up to the end token: what the checkpoint prefers would be merged in otherwise."""
    kept = model.generation_config
    model.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=decoding.max_new_tokens,
        eos_token_id=list(decoding.eos_ids) or None,
        pad_token_id=pad_id,
        disable_compile=True,
    )
    try:
        yield
    finally:
        model.generation_config = kept


def _until_end(tokens: Indices, scores: Scores, eos_ids: tuple[int, ...]) -> Completion:
    """A row of drawn tokens, cut after the first that ends it (`generate` goes on while other rows do)."""
    ends = np.flatnonzero(np.isin(tokens, eos_ids))
    length = int(ends[0]) + 1 if ends.size else len(tokens)
    return Completion(tuple(tokens[:length].tolist()), tuple(scores[:length].tolist()), bool(ends.size))
