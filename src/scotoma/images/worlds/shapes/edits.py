"""Editing scenes: new pictures that keep the structure in which a question failed.

Every edit works on the scene graph and is drawn again, so its consequences are known exactly.

>>> scene = Scene((Thing("star", "red", "large", 20, 32, 7), Thing("circle", "blue", "large", 44, 32, 7)))
>>> varied = vary(scene, "how many blue circles are there ?", random.Random(0))
>>> [(thing.colour, thing.shape, thing.x) for thing in varied.things]
[('red', 'star', 40), ('blue', 'circle', 16), ('green', 'triangle', 14)]
"""

from __future__ import annotations

import random
from dataclasses import replace

from scotoma.images.worlds.shapes.language import parse
from scotoma.images.worlds.shapes.program import Phrase
from scotoma.images.worlds.shapes.scene import (
    BACKGROUNDS,
    COLOURS,
    EXAM,
    RADII,
    SHAPES,
    SIDE,
    Scene,
    Sign,
    Thing,
    place,
    place_sign,
    random_kind,
)


def vary(scene: Scene, question: str, rng: random.Random) -> Scene:
    """A new scene of the same structure: everything moves a little, and one or two edits change what is there.

    Edits: add a thing, remove one, recolour or reshape one, mirror the picture, change a sign's text, change the
    background's shade. Things that the question speaks of are edited half of the time, so that answers change too.
    """
    named = named_things(scene, question)
    varied = jitter(scene, rng)
    if rng.random() < 0.5:
        varied = mirror(varied)
    for _ in range(rng.choice((0, 1, 1, 2))):
        varied = _edit(varied, named, rng)
    return replace(varied, shade=rng.randint(150, 235), texture=rng.getrandbits(16))


def jitter(scene: Scene, rng: random.Random, reach: int = 3) -> Scene:
    """Every thing moved by up to `reach` pixels and kept inside the picture; signs stay."""
    things: list[Thing] = []
    for thing in scene.things:
        low, high = thing.radius + 1, SIDE - thing.radius - 2
        x = min(max(thing.x + rng.randint(-reach, reach), low), high)
        y = min(max(thing.y + rng.randint(-reach, reach), low), high)
        moved = replace(thing, x=x, y=y)
        things.append(moved if clear(moved, things, scene.signs) else thing)
    return replace(scene, things=tuple(things))


def mirror(scene: Scene) -> Scene:
    """Left and right exchanged."""
    return replace(
        scene,
        things=tuple(replace(thing, x=SIDE - 1 - thing.x) for thing in scene.things),
        signs=tuple(replace(sign, x=SIDE - 1 - sign.x) for sign in scene.signs),
    )


def add(scene: Scene, kind: Thing, rng: random.Random) -> Scene:
    """One more thing where there is room, else the same scene."""
    placed = place(rng, kind, list(scene.things), EXAM.min_visible)
    if placed is None or not clear(placed, [], scene.signs) or len(scene.things) >= EXAM.things[1]:
        return scene
    return replace(scene, things=(*scene.things, placed))


def remove(scene: Scene, index: int) -> Scene:
    """One thing less; a scene keeps at least two."""
    if len(scene.things) <= EXAM.things[0]:
        return scene
    return replace(scene, things=scene.things[:index] + scene.things[index + 1 :])


def recolour(scene: Scene, index: int, colour: str) -> Scene:
    """One thing in another colour."""
    return _with(scene, index, replace(scene.things[index], colour=colour))


def reshape(scene: Scene, index: int, shape: str) -> Scene:
    """One thing in another shape."""
    return _with(scene, index, replace(scene.things[index], shape=shape))


def resize(scene: Scene, index: int, size: str, rng: random.Random) -> Scene:
    """One thing in another size, where it does not leave the picture."""
    thing = replace(scene.things[index], size=size, radius=rng.choice(RADII[size]))
    low, high = thing.radius + 1, SIDE - thing.radius - 2
    return _with(scene, index, thing) if low <= thing.x <= high and low <= thing.y <= high else scene


def relabel(scene: Scene, index: int, text: str, rng: random.Random) -> Scene:
    """One sign with another text; it moves where the new plate needs more room."""
    old = scene.signs[index]
    others = [sign for i, sign in enumerate(scene.signs) if i != index]
    if Sign(text, 0, 0).kind == old.kind:
        new: Sign | None = replace(old, text=text)
    else:
        new = place_sign(rng, text, list(scene.things), others)
    if new is None:
        return scene
    return replace(scene, signs=(*scene.signs[:index], new, *scene.signs[index + 1 :]))


def repaint(scene: Scene, background: str) -> Scene:
    """The same things before another background."""
    return replace(scene, background=background)


def _edit(scene: Scene, named: list[int], rng: random.Random) -> Scene:
    everyone = range(len(scene.things))
    named = [i for i in named if i in everyone]
    index = rng.choice(named) if named and rng.random() < 0.5 else rng.choice(everyone)
    twin = scene.things[rng.choice(named)] if named and rng.random() < 0.6 else random_kind(rng)
    draw = rng.random()
    if draw < 0.35:
        return add(scene, twin, rng)
    if draw < 0.6:
        return remove(scene, index)
    if draw < 0.75:
        return recolour(scene, index, rng.choice(list(COLOURS)))
    if draw < 0.9:
        return reshape(scene, index, rng.choice(SHAPES))
    if draw < 0.95:
        return repaint(scene, rng.choice(list(BACKGROUNDS)))
    return resize(scene, index, rng.choice(list(RADII)), rng)


def named_things(scene: Scene, question: str) -> list[int]:
    """The things that a phrase of the question fits."""
    parsed = parse(question)
    phrases = parsed.program.phrases if parsed else ()
    return [i for i, thing in enumerate(scene.things) if any(_fits(phrase, thing) for phrase in phrases)]


def _fits(phrase: Phrase, thing: Thing) -> bool:
    return (
        phrase.noun in ("thing", thing.shape)
        and phrase.colour in (None, thing.colour)
        and phrase.size in (None, thing.size)
    )


def _with(scene: Scene, index: int, thing: Thing) -> Scene:
    return replace(scene, things=(*scene.things[:index], thing, *scene.things[index + 1 :]))


def clear(thing: Thing, others: list[Thing], signs: tuple[Sign, ...]) -> bool:
    """Whether a thing keeps the distance of `EXAM` from these others, and covers no sign."""
    gap = 0.35 + 0.75 * EXAM.min_visible
    return all(
        (thing.x - o.x) ** 2 + (thing.y - o.y) ** 2 >= (gap * (thing.radius + o.radius)) ** 2 for o in others
    ) and all(
        abs(thing.x - s.x) > s.half_width + thing.radius or abs(thing.y - s.y) > 6 + thing.radius
        for s in signs
    )
