"""A checkpoint in this process, answering in batches: one image encoded once, however many questions about it.

Families that we know go through trees (`scotoma.models.tree`), which changes no answer; every other family goes
through stock `generate` (`scotoma.models.stock`).

    model = TransformersModel(open_checkpoint("path/to/checkpoint"))
    model.answer([Request(images=(record,), text="what colour is the star ?")])[0].text
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import chain, compress

import torch
from torch import Tensor

from scotoma.core import Reply, ReplyError, Request, Sampling
from scotoma.models.batching import one_by_one_if_it_fails, own_seed, too_long, within_budget
from scotoma.models.checkpoint import Checkpoint
from scotoma.models.families import Family, family_of
from scotoma.models.growth import Completion, Decoding, grow
from scotoma.models.prompts import Encoded, ImageTree, PromptEncoder, image_trees, stack
from scotoma.models.stock import StockGeneration
from scotoma.models.tree import check_features


class TransformersModel:
    """Implements `core.ChatModel`.

    `token_budget` bounds the tokens in one forward pass (prompts and completions), `row_tokens` the questions'
    tokens that share one row. Neither changes an answer; a smaller budget needs less memory.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        name: str | None = None,
        token_budget: int = 16384,
        row_tokens: int = 512,
    ) -> None:
        self.name = name or f"hf:{checkpoint.source}"
        self.checkpoint = checkpoint
        self._token_budget = token_budget
        self._row_tokens = row_tokens
        self._stock = StockGeneration(checkpoint, token_budget)
        self._family = family_of(checkpoint.model)
        self._encoder = PromptEncoder(checkpoint.processor) if self._family is not None else None

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request, in order.

        An unreadable image, a prompt beyond the model's context, or a crash of the pass gives a reply with an error.

        Raises:
            ModelError: the checkpoint's chat template fails.
            BudgetError: processor and model disagree on the number of tokens per image.
        """
        model = self.checkpoint.model
        training = model.training  # a policy may be asked in the middle of its training
        model.eval()
        try:
            if self._family is None or self._encoder is None:
                return self._stock.answer(requests)
            packs = [self._family.alike_in_company or len(request.images) <= 1 for request in requests]
            packed = iter(self._packed(self._family, self._encoder, list(compress(requests, packs))))
            stock = iter(self._stock.answer([r for r, pack in zip(requests, packs, strict=True) if not pack]))
            return [next(packed if pack else stock) for pack in packs]
        finally:
            model.train(training)

    def _packed(self, family: Family, encoder: PromptEncoder, requests: Sequence[Request]) -> list[Reply]:
        replies: list[Reply | None] = [None] * len(requests)
        alike: dict[tuple[float, float, int], list[tuple[int, Encoded]]] = {}
        for position, (request, encoded) in enumerate(zip(requests, encoder.encode(requests), strict=True)):
            sampling = request.sampling
            if isinstance(encoded, ReplyError):
                replies[position] = Reply(error=encoded)
            elif (error := too_long(len(encoded.ids), sampling, self.checkpoint.context)) is not None:
                replies[position] = Reply(tokens_in=len(encoded.ids), error=error)
            else:
                key = (sampling.temperature, sampling.top_p, sampling.max_tokens)
                alike.setdefault(key, []).append((position, encoded))
        for asked in alike.values():
            positions = [position for position, _ in asked]
            prompts = [encoded for _, encoded in asked]
            samplings = [requests[position].sampling for position in positions]
            for position, reply in zip(positions, self._answer(family, prompts, samplings), strict=True):
                replies[position] = reply
        return [reply for reply in replies if reply is not None]

    def _answer(
        self, family: Family, prompts: Sequence[Encoded], samplings: Sequence[Sampling]
    ) -> list[Reply]:
        """Prompts with the same way of decoding (seeds aside)."""
        sampling = samplings[0]
        decoding = Decoding(
            eos_ids=self.checkpoint.eos_ids,
            max_new_tokens=sampling.max_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            suppressed=family.suppressed(self.checkpoint.model),
        )
        replies: dict[int, Reply] = {}
        rows = image_trees(prompts, self._row_tokens)
        features: dict[tuple[str, ...], Tensor] = {}

        def run(rows: Sequence[ImageTree]) -> list[dict[int, Reply]]:
            return self._run(family, rows, prompts, samplings, decoding, features)

        def crashed(row: ImageTree, error: ReplyError) -> dict[int, Reply]:
            return {member: Reply(error=error) for member in chain(*row.members)}

        for batch in self._batches(rows, sampling.max_tokens):
            for answered in one_by_one_if_it_fails(run, batch, crashed):
                replies.update(answered)
        return [replies[position] for position in range(len(prompts))]

    def _run(
        self,
        family: Family,
        rows: Sequence[ImageTree],
        prompts: Sequence[Encoded],
        samplings: Sequence[Sampling],
        decoding: Decoding,
        features: dict[tuple[str, ...], Tensor],
    ) -> list[dict[int, Reply]]:
        started = time.perf_counter()
        members = [list(chain(*row.members)) for row in rows]
        grown = grow(
            self.checkpoint.model,
            family,
            [row.tree for row in rows],
            self._images(family, rows, features),
            decoding,
            samples=[len(branch) for row in rows for branch in row.members],
            seeds=[own_seed(samplings[m].seed, prompts[m].images, prompts[m].ids) for m in chain(*members)],
            pad_id=self.checkpoint.pad_id,
        )
        latency = time.perf_counter() - started
        decode = self.checkpoint.processor.tokenizer.batch_decode
        answered = []
        for own, tree in zip(members, grown, strict=True):
            completions: list[Completion] = list(chain(*tree))
            texts = decode([list(c.tokens) for c in completions], skip_special_tokens=True)
            answered.append(
                {
                    m: Reply(text.strip(), len(prompts[m].ids), len(completion.tokens), latency)
                    for m, completion, text in zip(own, completions, texts, strict=True)
                }
            )
        return answered

    def _images(
        self, family: Family, rows: Sequence[ImageTree], known: dict[tuple[str, ...], Tensor]
    ) -> Tensor | None:
        """The features of the rows' images; `known` carries those of the last rows over, as their images may go on."""
        model = self.checkpoint.model
        wanted = {row.images: row for row in rows if row.images}
        new = [row for images, row in wanted.items() if images not in known]
        for gone in known.keys() - wanted.keys():
            del known[gone]
        if new:
            with torch.no_grad():
                made = family.image_features(
                    model, stack(list(chain(*(r.pixels for r in new))), model.device) or {}
                )
            counts = [row.tree.prefix.count(family.image_token_id(model)) for row in new]
            check_features(made, sum(counts))
            known.update({row.images: part for row, part in zip(new, torch.split(made, counts), strict=True)})
        return torch.cat([known[row.images] for row in rows if row.images]) if wanted else None

    def _batches(self, rows: Sequence[ImageTree], max_tokens: int) -> Iterator[list[ImageTree]]:
        """Consecutive rows whose padded size stays within the token budget (a single row may exceed it)."""
        sizes = [
            len(row.tree.prefix)
            + sum(
                len(branch.tokens) + len(members) * max_tokens
                for branch, members in zip(row.tree.branches, row.members, strict=True)
            )
            for row in rows
        ]
        return within_budget(rows, sizes, self._token_budget)
