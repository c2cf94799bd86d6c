"""The bystander: a second, deliberately plain way of answering, to hold the executor against.

He looks at the picture: which things there are and their colours come from the drawn pixels, shape and size from the
outline wherever a thing is wholly visible. What signs say, and how questions are read, he takes over. Then nested loops
answer. Nothing of the executor is used, and nothing about validity: of an invalid question he may say anything.

>>> from scotoma.images.worlds.shapes.scene import Thing
>>> scene = Scene((Thing("star", "red", "large", 20, 32, 7), Thing("circle", "blue", "large", 44, 32, 7)))
>>> opinion(Program("count", Phrase("star")), scene)
'1'
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from scotoma.images.worlds.shapes.program import Phrase, Place, Program, SignPhrase
from scotoma.images.worlds.shapes.render import SIGN_BASE, draw, id_map
from scotoma.images.worlds.shapes.scene import COLOURS, SHAPES, Scene, Sign


@dataclass(frozen=True)
class Seen:
    """One thing as it appears: its own centre in pixels, and what it looks like."""

    shape: str
    colour: str
    size: str
    x: float
    y: float


@lru_cache(maxsize=16)
def look(scene: Scene) -> tuple[Seen, ...]:
    """Everything that owns a pixel of the picture."""
    picture, owners = draw(scene), id_map(scene)
    alone = [id_map(Scene(things=(thing,))) == 0 for thing in scene.things]
    seen = []
    for index in sorted(set(owners[(owners >= 0) & (owners < SIGN_BASE)].tolist())):
        thing, mask = scene.things[index], owners == index
        whole = bool((mask == alone[index]).all())
        rows, columns = np.nonzero(alone[index])
        seen.append(
            Seen(
                shape=outline(mask) if whole else thing.shape,
                colour=nearest_colour(picture[mask]),
                size=("small" if np.ptp(rows) < 12 else "large") if whole else thing.size,
                x=(columns.min() + columns.max()) / 2,
                y=(rows.min() + rows.max()) / 2,
            )
        )
    return tuple(seen)


def nearest_colour(pixels: NDArray[np.uint8]) -> str:
    """The named colour that most of the pixels are nearest to; (n, 3) RGB."""
    names = list(COLOURS)
    palette = np.array([COLOURS[name] for name in names], dtype=float)
    distances = np.linalg.norm(pixels[:, None, :].astype(float) - palette[None], axis=2)
    return names[int(np.bincount(distances.argmin(axis=1), minlength=len(names)).argmax())]


def outline(mask: NDArray[np.bool_]) -> str:
    """The shape whose formula overlaps best with a wholly visible thing's pixels."""
    rows, columns = np.nonzero(mask)
    here = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return _outline(here.tobytes(), *here.shape)


@lru_cache(maxsize=512)
def _outline(pixels: bytes, height: int, width: int) -> str:
    """Of pixels that reach to all four edges: the same few come again in every picture."""
    here = np.frombuffer(pixels, dtype=np.bool_).reshape(height, width)
    y, x = np.mgrid[:height, :width]
    u = (x - (width - 1) / 2) / (width / 2)
    v = (y - (height - 1) / 2) / (height / 2)

    def overlap(shape: str) -> float:
        ideal = formula(shape, u, v)
        return float((here & ideal).sum() / (here | ideal).sum())

    return max(SHAPES, key=overlap)


def formula(shape: str, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points of the square [-1, 1]² a shape that fills it covers; v grows downwards."""
    if shape == "circle":
        return u**2 + v**2 <= 1
    if shape == "square":
        return np.maximum(abs(u), abs(v)) <= 1
    if shape == "triangle":
        return abs(u) <= (v + 1) / 2
    if shape == "cross":
        return np.minimum(abs(u), abs(v)) <= 0.36
    # A star is a little wider than high. In polar form, folded into one of its ten half-points, its edge is straight.
    u, v = u * math.sin(2 * math.pi / 5), (v + 1) / 2 * (1 + math.cos(math.pi / 5)) - 1
    angle = np.abs((np.arctan2(u, -v) + math.pi / 5) % (2 * math.pi / 5) - math.pi / 5)
    inner = 0.42 * np.array([math.cos(math.pi / 5), math.sin(math.pi / 5)])
    edge = inner[1] / (np.cos(angle) * inner[1] + np.sin(angle) * (1 - inner[0]))
    inside: NDArray[np.bool_] = np.hypot(u, v) <= edge
    return inside


def opinion(program: Program, scene: Scene) -> str | None:
    """The answer as far as there is one; None where what the question speaks of is not there, or not once."""
    try:
        return reply(program, scene)
    except (ValueError, IndexError):
        return None


def reply(program: Program, scene: Scene) -> str:
    """The answer to a valid question, by looking at everything in turn.

    Raises:
        ValueError, IndexError: what the question speaks of is not there, or not once.
    """
    things = look(scene)
    if isinstance(program.subject, SignPhrase):
        signs = [sign for sign in scene.signs if program.subject.kind in (sign.kind, "sign")]
        (text,) = [s.text for s in signs if all(lies(s, place, things, scene) for place in program.places)]
        return text
    members = [thing for thing in things if fits(thing, program.subject)]
    match program.operation:
        case "relate":
            (member,) = members
            return yes(all(lies(member, place, things, scene) for place in program.places))
        case "same_colour":
            return yes(members[0].colour == the_thing(program.other, things).colour)
        case "same_shape":
            return yes(members[0].shape == the_thing(program.other, things).shape)
        case "sides":
            mark = the(program.places[0].landmark, things, scene)
            here = there = 0
            for member in members:
                if member is not mark:
                    if lies(member, program.places[0], things, scene):
                        here += 1
                    else:
                        there += 1
            return yes(here > there)
        case "more" | "fewer" | "equal":
            assert program.other is not None
            balance = len(members) - sum(fits(thing, program.other) for thing in things)
            return yes({"more": balance > 0, "fewer": balance < 0, "equal": balance == 0}[program.operation])
    chosen = []
    for member in members:
        excluded = program.without in (member.colour, member.shape, member.size)
        if not excluded and all(lies(member, place, things, scene) for place in program.places):
            chosen.append(member)
    match program.operation:
        case "exist":
            return yes(len(chosen) > 0)
        case "none":
            return yes(len(chosen) == 0)
        case "count":
            return str(len(chosen))
    (only,) = chosen
    return {"colour": only.colour, "shape": only.shape, "size": only.size}[program.operation]


def fits(thing: Seen, phrase: Phrase) -> bool:
    """Whether everything that the phrase says is true of the thing."""
    said = {phrase.noun, phrase.colour, phrase.size} - {"thing", None}
    return said <= {thing.shape, thing.colour, thing.size}


def the(phrase: Phrase | SignPhrase | None, things: tuple[Seen, ...], scene: Scene) -> Seen | Sign:
    """What a definite phrase means."""
    assert phrase is not None
    if isinstance(phrase, SignPhrase):
        (sign,) = [s for s in scene.signs if s.kind == phrase.kind and phrase.text in (None, s.text)]
        return sign
    return the_thing(phrase, things)


def the_thing(phrase: Phrase | SignPhrase | None, things: tuple[Seen, ...]) -> Seen:
    """The one thing that a definite phrase means."""
    assert isinstance(phrase, Phrase)
    (thing,) = [t for t in things if fits(t, phrase)]
    return thing


def lies(item: Seen | Sign, place: Place, things: tuple[Seen, ...], scene: Scene) -> bool:
    """Whether the item's centre is on the place's side of the landmark's; nothing is on a side of itself."""
    mark = the(place.landmark, things, scene)
    return {
        "left": item.x < mark.x,
        "right": item.x > mark.x,
        "above": item.y < mark.y,
        "below": item.y > mark.y,
    }[place.relation]


def yes(condition: bool) -> str:
    """The two answers of a closed question."""
    return "yes" if condition else "no"
