"""Pictures without facts, and scripted models: a candidate, a questioner and a judge that look at them, and a tagger.

Each picture is coloured discs on grey; how many and of which colour stands in its PNG text, which only the judge and
the candidate read (a stand-in for eyes). The candidate cannot count beyond two.
"""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin

from scotoma.core import ImageRecord, Reply, ReplyError, Request

COLOURS = ("red", "green", "blue", "yellow")
QUESTIONS = {
    "counting": "How many discs are in the photo?",
    "colour": "What colour are the discs?",
    "existence": "Is there a disc in the photo?",
    "reading": "What does the sign say?",
}


def write(folder: Path, n: int, seed: int = 0) -> None:
    """`n` pictures, no two alike."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    for number in range(n):
        count, colour = rng.randint(1, 5), rng.choice(COLOURS)
        # Not PIL's own noise, which no seed fixes: a picture's bytes decide its split.
        noise = np.random.default_rng([seed, number]).normal(128, 60, (64, 96)).clip(0, 255).astype(np.uint8)
        picture = Image.fromarray(noise).convert("RGB")
        draw = ImageDraw.Draw(picture)
        for place in rng.sample(range(12), count):
            x, y = 24 * (place % 4), 21 * (place // 4)
            draw.ellipse((x, y, x + 16, y + 16), fill=colour)
        text = PngImagePlugin.PngInfo()
        text.add_text("seen", json.dumps({"discs": count, "colour": colour}))
        picture.save(folder / f"{number:03}.png", pnginfo=text)


def _seen(record: ImageRecord) -> dict[str, object]:
    seen: dict[str, object] = json.loads(Image.open(io.BytesIO(record.read())).text["seen"])  # type: ignore[attr-defined]
    return seen


def _truth(record: ImageRecord, question: str) -> str | None:
    seen = _seen(record)
    answers = {"counting": str(seen["discs"]), "colour": str(seen["colour"]), "existence": "yes"}
    return next((answers.get(kind) for kind, text in QUESTIONS.items() if text == question), None)


class Candidate:
    """Right but for counts of three and more, which it calls 2; one call in fifty times out."""

    name = "scripted-candidate"

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Reply:
        if random.Random(f"{request.images[0].id}{request.text}").random() < 0.02:
            return Reply(error=ReplyError("timeout", "no answer in 120 s"))
        truth = _truth(request.images[0], request.text) or "?"
        return Reply("It is 2." if truth in ("3", "4", "5") else f"It is {truth}.")


class Questioner:
    """Asks what is wished, if it can; a sign that is not there, when told to read."""

    name = "scripted-questioner"

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        return [Reply(self._ask(request)) for request in requests]

    def _ask(self, request: Request) -> str:
        wished = [text for kind, text in QUESTIONS.items() if f"about {kind}" in request.text]
        return wished[0] if wished else random.Random(request.sampling.seed).choice(list(QUESTIONS.values()))


class Judge:
    """Rules by what it sees; one ruling in thirty cannot be read."""

    name = "scripted-judge"

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        return [Reply(self._rule(request)) for request in requests]

    def _rule(self, request: Request) -> str:
        if random.Random(f"{request.images[0].id}{request.text}").random() < 0.03:
            return "I would rather not say."
        match = re.search(r"^Question: (.*)$", request.text, re.MULTILINE)
        assert match is not None
        truth = _truth(request.images[0], json.loads(match[1]))
        if "Right answer:" in request.text:
            return json.dumps({"correct": f"It is {truth}." in request.text, "reason": "as seen"})
        if truth is None:
            return json.dumps({"valid": False, "reason": "not_grounded", "answer": None})
        return json.dumps({"valid": True, "reason": None, "answer": truth})


class Tagger:
    """Files questions by what they ask, and names modes; one question it cannot file."""

    name = "scripted-tagger"

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        return [Reply(self._file(request)) for request in requests]

    def _file(self, request: Request) -> str:
        assert request.images == (), "a tagger is shown no picture"
        if '{"name":' in request.text:
            return json.dumps({"name": "Discs beyond two"})
        kind = next(kind for kind, text in QUESTIONS.items() if json.dumps(text) in request.text)
        if kind == "existence":
            return "Hard to say."
        return json.dumps({"skills": [kind], "objects": ["disc"], "answer_kind": "words"})
