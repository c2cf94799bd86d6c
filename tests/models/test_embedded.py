"""The embedded models: stock checkpoints, small, and as good as their cards say (on small samples, with slack)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from transformers import AutoModelForImageTextToText, AutoProcessor

from scotoma.core import Request, Sampling
from scotoma.evolve.settings import EvolveSettings
from scotoma.images.worlds.shapes import ShapesWorld, templates
from scotoma.images.worlds.shapes.language import parse
from scotoma.images.worlds.shapes.scene import TRAINING
from scotoma.models.spec import checkpoint_path, load_model
from scotoma.store.configuration import load_settings

CONFIG = Path(__file__).parents[2] / "configs/pupil.yaml"


@pytest.mark.parametrize("name", ["pupil", "questioner"])
def test_it_is_a_small_stock_checkpoint(name: str) -> None:
    folder = Path(checkpoint_path(name))
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 16 * 2**20
    AutoProcessor.from_pretrained(folder)
    assert AutoModelForImageTextToText.from_pretrained(folder).num_parameters() <= 5_000_000
    assert (folder / "README.md").is_file(), "python recipes/card.py writes the model cards"


def taught(n: int) -> list[Request]:
    """Questions of the training range about fresh scenes."""
    world, rng, found = ShapesWorld(TRAINING), random.Random(7), []
    for index in range(n):
        record = world.image("test", 99, index)
        for kind in templates.TYPES:
            text = templates.ask(record.facts.scene, rng, kind, taught_only=True)  # type: ignore[union-attr]
            parsed = parse(text) if text else None
            if text is not None and parsed is not None and not templates.untaught(parsed):
                found.append(Request((record,), text, sampling=Sampling(max_tokens=4)))
    return found


def test_the_pupil_answers_what_it_was_taught() -> None:
    requests = taught(60)
    replies = load_model("pupil").answer(requests)
    right = [
        reply.text == request.images[0].facts.examine(request.text).answer  # type: ignore[union-attr]
        for request, reply in zip(requests, replies, strict=True)
    ]
    assert sum(right) / len(right) >= 0.95


def test_packing_changes_none_of_its_answers() -> None:
    requests = taught(4)
    together = load_model("pupil").answer(requests)
    alone = load_model("pupil")
    assert [alone.answer([request])[0].text for request in requests] == [reply.text for reply in together]


def test_the_questioner_asks_about_every_skill_and_nine_times_in_ten_validly() -> None:
    """At the temperature that discovery samples it with; .90 less three standard errors of so small a sample."""
    world = ShapesWorld()
    temperature = load_settings(EvolveSettings, CONFIG).discover.temperature
    requests = [
        Request(
            (world.image("discover", 5, i),),
            f"ask about {kind}",
            sampling=Sampling(temperature, max_tokens=32, seed=i),
        )
        for i in range(80)
        for kind in templates.TYPES
    ]
    replies = load_model("questioner").answer(requests)
    examined = [
        request.images[0].facts.examine(reply.text)  # type: ignore[union-attr]
        for request, reply in zip(requests, replies, strict=True)
    ]
    valid = [e for e in examined if e.valid]
    assert len(valid) / len(examined) >= 0.87
    assert {str(e.tags["type"]) for e in valid} == set(templates.TYPES)
