"""Editing a scene on order: one named operation at a thing that a question speaks of.

`edits.vary` draws its edits at random; here somebody has decided what is to happen. The edit works on the scene graph,
so that `examine` knows what it does to any answer.

>>> from scotoma.images.worlds.shapes.executor import examine
>>> scene = Scene((Thing("star", "red", "large", 20, 32, 7), Thing("circle", "blue", "large", 44, 32, 7)))
>>> question = "is the red star left of the circle ?"
>>> mirrored = retouch(scene, question, "mirror", random.Random(0))
>>> examine(scene, question).answer, examine(mirrored, question).answer
('yes', 'no')
"""

from __future__ import annotations

import random
from dataclasses import replace

from scotoma.images.worlds.shapes import edits
from scotoma.images.worlds.shapes.render import visibility
from scotoma.images.worlds.shapes.scene import (
    COLOURS,
    DIGITS,
    EXAM,
    SHAPES,
    SIDE,
    SIZES,
    WORDS,
    Scene,
    Thing,
    place,
    random_kind,
)

OPERATIONS = (
    "add",
    "remove",
    "move",
    "recolour",
    "reshape",
    "resize",
    "occlude",
    "relabel",
    "mirror",
    "shift",
)
"""`add`: one more thing, mostly like one that the question names. `move`: to another place. `occlude`: another thing is
drawn over it, half of it at most. `relabel`: a sign's text. `shift`: everything moves by up to 3 pixels.
"""

_COVERED = (EXAM.min_visible, 0.85)
"""The share of an occluded thing that stays visible: enough to be seen, little enough to be tagged `occluded`."""

_TRIES = 40


def retouch(scene: Scene, question: str, operation: str, rng: random.Random) -> Scene | None:
    """The scene after the operation; None where there is no room, or nothing to do it to. In what is returned every
    thing can be seen, by half at least.

    Raises:
        ValueError: there is no such operation.
    """
    if operation not in OPERATIONS:
        raise ValueError(f"there is no operation {operation!r}")
    named = edits.named_things(scene, question)
    index = rng.choice(named or list(range(len(scene.things)))) if scene.things else None
    changed = _changed(scene, operation, index, bool(named), rng)
    if changed is None or changed == scene or min(visibility(changed), default=1.0) < EXAM.min_visible:
        return None
    return changed


def _changed(
    scene: Scene, operation: str, index: int | None, named: bool, rng: random.Random
) -> Scene | None:
    if operation == "relabel":
        return _relabelled(scene, rng)
    if operation == "mirror":
        return edits.mirror(scene)
    if operation == "shift":
        return edits.jitter(scene, rng)
    if index is None:
        return None
    thing = scene.things[index]
    match operation:
        case "add":
            return edits.add(scene, thing if named and rng.random() < 0.6 else random_kind(rng), rng)
        case "remove":
            return edits.remove(scene, index)
        case "recolour":
            return edits.recolour(scene, index, rng.choice([c for c in COLOURS if c != thing.colour]))
        case "reshape":
            return edits.reshape(scene, index, rng.choice([s for s in SHAPES if s != thing.shape]))
        case "resize":
            return edits.resize(scene, index, rng.choice([s for s in SIZES if s != thing.size]), rng)
        case "move":
            return _moved(scene, index, rng)
    return _occluded(scene, index, rng)


def _relabelled(scene: Scene, rng: random.Random) -> Scene | None:
    if not scene.signs:
        return None
    index = rng.randrange(len(scene.signs))
    sign = scene.signs[index]
    texts = [text for text in (DIGITS if sign.kind == "digit" else WORDS) if text != sign.text]
    return edits.relabel(scene, index, rng.choice(texts), rng)


def _moved(scene: Scene, index: int, rng: random.Random) -> Scene | None:
    """One thing at another place, where it hides nothing more than scenes allow."""
    others = [*scene.things[:index], *scene.things[index + 1 :]]
    for _ in range(_TRIES):
        moved = place(rng, scene.things[index], others, EXAM.min_visible)
        if moved is not None and edits.clear(moved, [], scene.signs):
            return replace(scene, things=(*scene.things[:index], moved, *scene.things[index + 1 :]))
    return None


def _occluded(scene: Scene, index: int, rng: random.Random) -> Scene | None:
    """Another thing of the scene, in front of this one: how many there are stays the same."""
    hidden = scene.things[index]
    fronts = [i for i in range(len(scene.things)) if i != index]
    for _ in range(_TRIES if fronts else 0):
        front = rng.choice(fronts)
        reach = hidden.radius + scene.things[front].radius
        moved = replace(
            scene.things[front],
            x=hidden.x + rng.randint(-reach, reach),
            y=hidden.y + rng.randint(-reach, reach),
        )
        if not _inside(moved) or not edits.clear(moved, [], scene.signs):
            continue
        rest = [thing for i, thing in enumerate(scene.things) if i != front]
        changed = replace(scene, things=(*rest, moved))
        seen = visibility(changed)
        if min(seen) >= _COVERED[0] and seen[rest.index(hidden)] <= _COVERED[1]:
            return changed
    return None


def _inside(thing: Thing) -> bool:
    low, high = thing.radius + 1, SIDE - thing.radius - 2
    return low <= thing.x <= high and low <= thing.y <= high
