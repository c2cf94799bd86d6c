"""Scripted judges of `worlds:shapes`: they know a picture by its bytes, since a judge is never shown its facts.

Plug-ins like any user's own: `tests.judges:Reliable`, `tests.judges:Careless`, `tests.judges:Silent`.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence

from scotoma.core import Facts, Reply, ReplyError, Request
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.verify.calibration import picture_stream


class Reliable:
    """Right about everything."""

    name = "reliable"
    wrong = 0.0
    unreadable = 0.0

    def __init__(self) -> None:
        self._stream = picture_stream(ShapesWorld(), seed=0)
        self._facts: dict[str, Facts] = {}

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        return [Reply(self._rule(request)) for request in requests]

    def _rule(self, request: Request) -> str:
        [image] = request.images
        assert image.facts is None, "a judge is shown no facts"
        assert not image.attributes
        while image.id not in self._facts:
            record = next(self._stream)
            assert record.facts is not None
            self._facts[record.id] = record.facts
        match = re.search(r"^Question: (.*)$", request.text, re.MULTILINE)
        assert match is not None
        question = json.loads(match[1])
        examined = self._facts[image.id].examine(question)
        rng = random.Random(f"{image.id}{question}")
        if rng.random() < self.unreadable:
            return "The question is fine by me."
        if rng.random() < self.wrong:
            return json.dumps({"valid": not examined.valid, "reason": "ambiguous", "answer": "2"})
        if "Right answer:" in request.text:
            right, given = (
                re.search(rf"^{label} answer: (.*)$", request.text, re.MULTILINE)
                for label in ("Right", "Given")
            )
            assert right is not None
            assert given is not None
            return json.dumps({"correct": right[1] == given[1], "reason": "the same"})
        answer = "unheard of" if rng.random() < self.wrong else examined.answer
        return json.dumps({"valid": examined.valid, "reason": "not_grounded", "answer": answer})


class Careless(Reliable):
    """Takes one question in ten for what it is not, gives one wrong reference in ten, and mumbles now and then."""

    name = "careless"
    wrong = 0.1
    unreadable = 0.05


class Contrary(Reliable):
    """Takes every question for what it is not."""

    name = "contrary"
    wrong = 1.0


class Silent:
    """Never replies in time."""

    name = "silent"

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        return [Reply(error=ReplyError("timeout", "no reply in 120 s")) for _ in requests]


class Namer:
    """A tagger that calls every question one about a red circle."""

    name = "namer"

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        return [
            Reply('{"skills": ["counting"], "objects": ["circle"], "attributes": ["red"]}') for _ in requests
        ]
