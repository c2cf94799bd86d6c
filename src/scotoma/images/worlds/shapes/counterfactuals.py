"""One thing changed: scenes that differ from another in a single thing or sign, everything else as it was.

Asked about both, a candidate that sees the thing changes its answer where the truth changes, and only there.

>>> scene = Scene((Thing("star", "red", "large", 20, 32, 7), Thing("circle", "blue", "large", 44, 32, 7)))
>>> sorted({changed.edit for changed in single_edits(scene, random.Random(0))})  # neither of two can be spared
['double', 'exchange', 'recolour', 'reshape', 'resize']
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from scotoma.images.worlds.shapes import edits
from scotoma.images.worlds.shapes.render import visibility
from scotoma.images.worlds.shapes.scene import COLOURS, DIGITS, EXAM, SHAPES, SIDE, SIZES, WORDS, Scene, Thing


@dataclass(frozen=True)
class Changed:
    """The scene after the edit, and what kind of edit it was."""

    scene: Scene
    edit: str


def single_edits(scene: Scene, rng: random.Random) -> Iterator[Changed]:
    """A thing recoloured, reshaped, resized, removed, doubled, or exchanged with another; a sign with another text.

    Each kind of edit comes up as often as the others, in random order; only scenes in which everything can still be
    seen, and every one once.
    """
    number = range(len(scene.things))
    kinds: dict[str, list[tuple[int, str]]] = {
        "recolour": [(i, name) for i in number for name in COLOURS if name != scene.things[i].colour],
        "reshape": [(i, name) for i in number for name in SHAPES if name != scene.things[i].shape],
        "resize": [(i, name) for i in number for name in SIZES if name != scene.things[i].size],
        "remove": [(i, "") for i in number],
        "double": [(i, "") for i in number],
        "exchange": [
            (i, str(j)) for i in number for j in number if i < j and _unlike(scene.things[i], scene.things[j])
        ],
        "relabel": [
            (i, text)
            for i, sign in enumerate(scene.signs)
            for text in (DIGITS if sign.kind == "digit" else WORDS)
            if text != sign.text
        ],
    }
    for options in kinds.values():
        rng.shuffle(options)
    seen = {scene}
    while any(kinds.values()):
        edit = rng.choice([kind for kind, options in kinds.items() if options])
        changed = _apply(scene, edit, *kinds[edit].pop(), rng)
        if changed not in seen and min(visibility(changed), default=1.0) >= EXAM.min_visible:
            seen.add(changed)
            yield Changed(changed, edit)


def _apply(scene: Scene, edit: str, index: int, value: str, rng: random.Random) -> Scene:
    """The edited scene; the same one where there is no room."""
    if edit == "recolour":
        return edits.recolour(scene, index, value)
    if edit == "reshape":
        return edits.reshape(scene, index, value)
    if edit == "resize":
        return edits.resize(scene, index, value, rng)
    if edit == "remove":
        return edits.remove(scene, index)
    if edit == "double":
        return edits.add(scene, scene.things[index], rng)
    if edit == "relabel":
        return edits.relabel(scene, index, value, rng)
    return _exchange(scene, index, int(value))


def _unlike(one: Thing, other: Thing) -> bool:
    return (one.shape, one.colour, one.size) != (other.shape, other.colour, other.size)


def _exchange(scene: Scene, first: int, second: int) -> Scene:
    """Two things in each other's place, where neither then leaves the picture."""
    one, other = scene.things[first], scene.things[second]
    moved = {first: replace(one, x=other.x, y=other.y), second: replace(other, x=one.x, y=one.y)}
    for thing in moved.values():
        low, high = thing.radius + 1, SIDE - thing.radius - 2
        if not (low <= thing.x <= high and low <= thing.y <= high):
            return scene
    return replace(scene, things=tuple(moved.get(i, thing) for i, thing in enumerate(scene.things)))
