"""Random scenes and questions for hypothesis: a seed is all that varies, so that a failure names it."""

from __future__ import annotations

import random
from dataclasses import dataclass

from hypothesis import strategies as st

from scotoma.images.worlds.shapes import templates
from scotoma.images.worlds.shapes.language import parse
from scotoma.images.worlds.shapes.program import Program
from scotoma.images.worlds.shapes.scene import EXAM, Scene, Thing, place, random_kind, sample_scene

SEEDS = st.integers(0, 2**32 - 1)
SCENES = SEEDS.map(lambda seed: sample_scene(random.Random(seed), EXAM))


@dataclass(frozen=True)
class Asked:
    """A valid question about a scene."""

    scene: Scene
    question: str
    type: str

    @property
    def program(self) -> Program:
        """What the question means."""
        parsed = parse(self.question)
        assert parsed is not None
        return parsed.program


def asked(*types: str) -> st.SearchStrategy[Asked]:
    """Questions of these types (any by default) about random scenes; scenes that offer none are passed over."""

    def ask(seed: int) -> Asked | None:
        rng = random.Random(seed)
        scene, type_ = sample_scene(rng, EXAM), rng.choice(types or templates.TYPES)
        question = templates.ask(scene, rng, type_)
        return Asked(scene, question, type_) if question is not None else None

    return SEEDS.map(ask).filter(lambda found: found is not None)  # type: ignore[return-value]


def newcomer(scene: Scene, rng: random.Random) -> Thing | None:
    """A random thing that finds room in the scene without covering what is there."""
    return place(rng, random_kind(rng), list(scene.things), min_visible=0.9, tries=200)
