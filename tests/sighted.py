"""Pictures of the shapes world as plain files, and models that see them perfectly: a questioner and a judge (in this
process, `tests.sighted:Questioner`, or behind a server), a planner, a writer and a validator (behind a server).

To Scotoma the pictures are photos: no sidecar, no world, nothing but pixels and models that look at them. What they
show stands in a text chunk of the PNG, which only the server's models read. The embedded Pupil can answer about them,
and be mended: what no real photo allows here, where no other vision-language model is to be had.

    write(folder, 400)
    with HostileServer(look) as server:
        spec("judge", server)
"""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from scotoma.core import Facts, Reply, Request
from scotoma.images.worlds.shapes.templates import TYPES, ask
from scotoma.images.worlds.shapes.world import ShapesFacts, ShapesWorld
from tests.generate.agents import said, seen
from tests.models.servers import Act, Call

WORLD = ShapesWorld()


def write(folder: Path, n: int, seed: int = 0) -> None:
    """`n` pictures, no two alike."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, record in enumerate(islice(WORLD.images("discover", seed), n)):
        assert record.facts is not None
        text = PngImagePlugin.PngInfo()
        text.add_text("seen", json.dumps(record.facts.to_json()))
        Image.open(io.BytesIO(record.read())).save(folder / f"{number:04}.png", pnginfo=text)


def look(call: Call) -> Act:
    """What the model that is asked says."""
    facts = WORLD.facts(seen(call)) if "image_url" in json.dumps(call.body["messages"]) else None
    found = _MODELS[call.body["model"]](call, facts)
    return said(found if isinstance(found, str) else json.dumps(found))


class Questioner:
    """Asks what the world's templates ask, of the wished type if there is one."""

    name = "sighted-questioner"

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        return [Reply(_ask(r.text, r.sampling.seed, _shown(r))) for r in requests]


class Judge:
    """Rules as the facts do."""

    name = "sighted-judge"

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        return [Reply(json.dumps(_judge(r.text, _shown(r)))) for r in requests]


def _shown(request: Request) -> Facts:
    picture = Image.open(io.BytesIO(request.images[0].read()))
    return WORLD.facts(json.loads(picture.info["seen"]))


def _ask(text: str, seed: int | None, facts: Facts) -> str:
    assert isinstance(facts, ShapesFacts)
    wish = next((kind for kind in TYPES if f"Ask about {kind}" in text), None)
    asked = ask(facts.scene, random.Random(json.dumps([seed, text])), wish)
    return asked or "is there a star ?"


def _judge(text: str, facts: Facts) -> dict[str, Any]:
    lines = dict(re.findall(r"^(Question|Right answer|Given answer): (.*)$", text, re.MULTILINE))
    if "Given answer" in lines:
        given, right = (json.loads(lines[name]).strip().lower() for name in ("Given answer", "Right answer"))
        return {"correct": given == right, "reason": "looked"}
    examined = facts.examine(json.loads(lines["Question"]))
    reason = None if examined.valid else "not_answerable"
    return {"valid": examined.valid, "reason": reason, "answer": examined.answer}


def _plan(call: Call) -> dict[str, Any]:
    """Sketches after the examples that the planner is shown, one example after the other."""
    wanted = int(call.text.rsplit("Make ", 1)[1].split()[0])
    examples = [json.loads(found) for found in re.findall(r'question ("(?:[^"\\]|\\.)*");', call.text)]
    chosen = [examples[i % len(examples)] for i in range(wanted)] if examples else [""] * wanted
    return {
        "sketches": [{"shows": "shapes", "asks": f"like {question}", "search": ""} for question in chosen]
    }


def _write(call: Call, facts: Facts) -> dict[str, Any]:
    [quoted] = re.findall(r"^The question must be about: (.*)$", call.text, re.MULTILINE)
    asks = json.loads(quoted)
    wanted = int(call.text.rsplit("Write ", 1)[1].split()[0])
    seed = random.Random(call.text + json.dumps(facts.to_json())).getrandbits(32)
    if asks.startswith("like "):
        asked = WORLD.similar(facts, asks.removeprefix("like "), seed, wanted)
    else:
        asked = WORLD.questions(facts, seed, wanted)
    answered = [(question, facts.examine(question).answer) for question in asked]
    return {"questions": [{"question": q, "answer": a} for q, a in answered if a is not None]}


def _validate(call: Call, facts: Facts) -> dict[str, Any]:
    examined = facts.examine(json.loads(call.text.strip().splitlines()[-1]))
    return {"answer": examined.answer, "reason": None if examined.valid else "not_answerable"}


def _known(facts: Facts | None) -> Facts:
    assert facts is not None
    return facts


_MODELS: dict[str, Callable[[Call, Facts | None], str | dict[str, Any]]] = {
    "questioner": lambda call, facts: _ask(call.text, call.body.get("seed"), _known(facts)),
    "judge": lambda call, facts: _judge(call.text, _known(facts)),
    "planner": lambda call, facts: _plan(call),
    "writer": lambda call, facts: _write(call, _known(facts)),
    "validator": lambda call, facts: _validate(call, _known(facts)),
}
