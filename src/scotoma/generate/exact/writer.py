"""The exact writer: the failure's question, others of its kind, and both in other words.

ExactWriter(world).write(sketch, edited, 2)
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Protocol

from scotoma.core import ContrastWorld, EditableWorld, Examination, Facts
from scotoma.generate.handover import Declined, Edited, Sketch, Written

_DRAWN = 12


class Asking(EditableWorld, ContrastWorld, Protocol):
    """A world that knows similar questions and paraphrases."""


class ExactWriter:
    """Half of the questions are in the words of the world's templates, half are paraphrases of those."""

    def __init__(self, world: Asking) -> None:
        self._world = world

    def write(self, sketch: Sketch, edited: Edited, n: int) -> Sequence[Written]:
        """Up to `n` questions that satisfy `sketch.must`.

        Raises:
            Declined: the picture has no facts, or no such question can be asked about it.
        """
        facts = edited.image.facts
        if facts is None:
            raise Declined("no facts")
        question = sketch.like.question if sketch.like is not None else sketch.asks
        seed = int(sha256(f"{edited.image.id}/{question}".encode()).hexdigest()[:8], 16)
        asked: dict[str, str] = {}
        for plain in (question, *self._world.similar(facts, question, seed, _DRAWN)):
            for phrasing, text in (
                ("first", plain),
                *(("paraphrase", other) for other in self._world.paraphrases(facts, plain, seed, 1)),
            ):
                if self._belongs(sketch, facts, text):
                    asked.setdefault(text, phrasing)
            if len(asked) >= n:
                break
        if not asked:
            raise Declined("no such question", hint=str(sketch.must))
        return [Written(text, _answer(facts.examine(text)), phrasing) for text, phrasing in asked.items()][:n]

    def _belongs(self, sketch: Sketch, facts: Facts, question: str) -> bool:
        examined = facts.examine(question)
        return examined.valid and sketch.must.matches(examined.tags)


def _answer(examined: Examination) -> str:
    assert examined.answer is not None
    return examined.answer
