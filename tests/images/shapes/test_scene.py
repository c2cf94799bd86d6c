"""Scenes keep to their range, are drawn as the graph says, and round-trip through JSON."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from scotoma.core import ConfigError
from scotoma.images.worlds.shapes import ShapesFacts, ShapesWorld, bystander
from scotoma.images.worlds.shapes.render import SIGN_BASE, draw, id_map, visibility
from scotoma.images.worlds.shapes.scene import (
    BACKGROUNDS,
    COLOURS,
    DIGITS,
    EXAM,
    SHAPES,
    SIDE,
    SIZES,
    TRAINING,
    WORDS,
    Scene,
    SceneRange,
    Sign,
    Thing,
    sample_scene,
)
from tests.images.shapes.strategies import SCENES

NARROW = SceneRange(
    things=(3, 4),
    min_visible=1.0,
    backgrounds=("plain",),
    max_signs=1,
    max_repeats=2,
    never=(("red", "star"),),
    never_sized=(("blue", "small"), ("cross", "large")),
)
RANGES = {"exam": EXAM, "training": TRAINING, "narrow": NARROW}


def many(allowed: SceneRange, n: int = 1500) -> list[Scene]:
    return [sample_scene(random.Random(f"range/{index}"), allowed) for index in range(n)]


@pytest.mark.parametrize("allowed", RANGES.values(), ids=RANGES.keys())
def test_scenes_keep_to_their_range(allowed: SceneRange) -> None:
    for scene in many(allowed):
        assert allowed.things[0] <= len(scene.things) <= allowed.things[1]
        assert len(scene.signs) <= allowed.max_signs
        assert scene.background in allowed.backgrounds
        kinds = [sign.kind for sign in scene.signs]
        assert allowed.sign_repeats or len(set(kinds)) == len(kinds)
        for attribute in ("colour", "shape"):
            assert max(Counter(getattr(t, attribute) for t in scene.things).values()) <= allowed.max_repeats
        for thing in scene.things:
            assert (thing.colour, thing.shape) not in allowed.never
            assert not {(thing.colour, thing.size), (thing.shape, thing.size)} & set(allowed.never_sized)


@pytest.mark.parametrize("allowed", RANGES.values(), ids=RANGES.keys())
def test_enough_of_every_thing_stays_visible(allowed: SceneRange) -> None:
    world = ShapesWorld(allowed)
    for index in range(1000):
        facts = world.image("test", 9, index).facts
        assert isinstance(facts, ShapesFacts)
        assert min(visibility(facts.scene)) >= allowed.min_visible


@pytest.mark.parametrize("allowed", [EXAM, TRAINING], ids=["exam", "training"])
def test_placing_by_distance_alone_hardly_ever_hides_more(allowed: SceneRange) -> None:
    least = [min(visibility(scene)) for scene in many(allowed)]
    assert sum(share < allowed.min_visible for share in least) <= 0.005 * len(least)


def test_the_exam_shows_everything_the_world_has() -> None:
    scenes = many(EXAM)
    things = [thing for scene in scenes for thing in scene.things]
    assert {(t.colour, t.shape, t.size) for t in things} == {
        (c, s, z) for c in COLOURS for s in SHAPES for z in SIZES
    }
    assert {len(scene.things) for scene in scenes} == set(range(2, 9))
    assert {sign.text for scene in scenes for sign in scene.signs} == {*DIGITS, *WORDS}
    assert {scene.background for scene in scenes} == set(BACKGROUNDS)
    assert any(min(visibility(scene)) < 0.8 for scene in scenes)


@given(SCENES)
def test_everything_lies_inside_the_picture(scene: Scene) -> None:
    for thing in scene.things:
        assert thing.radius <= min(thing.x, thing.y)
        assert max(thing.x, thing.y) + thing.radius < SIDE
    for sign in scene.signs:
        assert sign.half_width <= sign.x < SIDE - sign.half_width
        assert 6 <= sign.y < SIDE - 6


@given(SCENES)
def test_signs_cover_nothing_and_are_never_covered(scene: Scene) -> None:
    owners = id_map(scene)
    assert visibility(scene) == visibility(replace(scene, signs=()))
    for index, sign in enumerate(scene.signs):
        assert (owners == SIGN_BASE + index).sum() == 13 * (2 * sign.half_width + 1)


@given(SCENES)
def test_a_bystander_sees_in_the_pixels_what_the_graph_says(scene: Scene) -> None:
    seen = bystander.look(scene)
    assert [(s.shape, s.colour, s.size) for s in seen] == [(t.shape, t.colour, t.size) for t in scene.things]
    for look, thing in zip(seen, scene.things, strict=True):
        assert max(abs(look.x - thing.x), abs(look.y - thing.y)) <= 1


@given(SCENES)
def test_visibility_counts_the_pixels_that_are_left(scene: Scene) -> None:
    owners = id_map(scene)
    for index, thing in enumerate(scene.things):
        whole = (id_map(Scene(things=(thing,))) == 0).sum()
        assert visibility(scene)[index] == pytest.approx((owners == index).sum() / whole)


def test_later_things_are_drawn_over_earlier_ones() -> None:
    below, above = Thing("square", "red", "large", 30, 30, 8), Thing("square", "blue", "small", 30, 30, 4)
    assert draw(Scene(things=(below, above)))[30, 30].tolist() == list(COLOURS["blue"])
    assert draw(Scene(things=(above, below)))[30, 30].tolist() == list(COLOURS["red"])
    assert visibility(Scene(things=(above, below))) == (0.0, 1.0)


def test_every_text_looks_different_on_its_plate() -> None:
    pictures = {text: draw(Scene(things=(), signs=(Sign(text, 30, 30),))) for text in (*DIGITS, *WORDS)}
    assert len({picture.tobytes() for picture in pictures.values()}) == len(pictures)
    for picture in pictures.values():
        assert picture.min() == 0
        assert (picture == 255).mean() > 0.02


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_the_background_is_grey_and_no_named_colour(background: str) -> None:
    picture = draw(Scene(things=(), background=background, shade=200, texture=3))
    assert picture.shape == (SIDE, SIDE, 3)
    assert (np.ptp(picture.astype(int), axis=2) == 0).all()
    assert (background == "plain") == (picture.min() == picture.max())


@given(SCENES)
def test_a_scene_round_trips_through_json(scene: Scene) -> None:
    assert Scene.from_json(json.loads(json.dumps(scene.to_json()))) == scene


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"things": 3},
        {"things": [{"shape": "circle"}], "signs": [], "background": "plain", "shade": 1, "texture": 0},
    ],
    ids=["empty", "number for a list", "thing without a place"],
)
def test_another_document_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="not a shapes scene"):
        Scene.from_json(document)
