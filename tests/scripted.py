"""Scripted models for unit tests: a candidate with known blind spots and a questioner that asks templates.

They are plug-ins like any user's own: `tests.scripted:Candidate`, `tests.scripted:Questioner`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from scotoma.core import Predicate, Reply, Request
from scotoma.images.worlds.shapes import templates
from scotoma.images.worlds.shapes.world import ShapesFacts

BLIND_SPOTS = (
    Predicate.parse("type=comparison and operation=fewer"),
    Predicate.parse("type=counting and count>=3"),
    Predicate.parse("type=horizontal and relation=left"),
)


class Candidate:
    """Right everywhere but in its blind spots, where it is wrong four times out of five."""

    name = "scripted"

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        return [Reply(self._answer(request)) for request in requests]

    def _answer(self, request: Request) -> str:
        facts = request.images[0].facts
        assert facts is not None
        examined = facts.examine(request.text)
        assert examined.answer is not None
        rng = random.Random(f"{request.images[0].id}{request.text}{request.sampling.seed}")
        if any(spot.matches(examined.tags) for spot in BLIND_SPOTS) and rng.random() < 0.8:
            return "no" if examined.answer == "yes" else "yes" if examined.answer == "no" else "0"
        return examined.answer


class Questioner:
    """Asks the template questioner's questions, of the wished type where one is wished; now and then nonsense."""

    name = "scripted-questioner"

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        return [Reply(self._ask(request)) for request in requests]

    def _ask(self, request: Request) -> str:
        facts = request.images[0].facts
        assert isinstance(facts, ShapesFacts)
        rng = random.Random(f"{request.sampling.seed}{request.text}")
        wish = next((kind for kind in templates.TYPES if kind in request.text), None)
        question = templates.ask(facts.scene, rng, wish)
        return question if question is not None and rng.random() < 0.9 else "is the purple of the ?"


class Mumbler(Questioner):
    """The same, but of two pictures in three it says nonsense throughout."""

    def _ask(self, request: Request) -> str:
        mute = int(request.images[0].id[:8], 16) % 3 > 0
        return "blah blah" if mute else super()._ask(request)
