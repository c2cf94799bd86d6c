"""A scene: the coloured things and written signs of one picture, as data; the scene graph is the ground truth.

*Things* are the coloured shapes; *signs* are small white plates with a digit or a short word. A `SceneRange` says how
rich scenes may be: the embedded Pupil is trained on `TRAINING`, a narrower range than the `EXAM` it is examined on.

>>> scene = sample_scene(random.Random(0), EXAM)
>>> 2 <= len(scene.things) <= 8
True
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from scotoma.core import ConfigError

SIDE = 64
"""Pictures are SIDE × SIDE pixels; x grows to the right, y downwards, both in pixels from the top-left corner."""

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 40, 40),
    "green": (46, 160, 67),
    "blue": (45, 91, 214),
    "yellow": (240, 204, 36),
    "purple": (141, 60, 190),
    "cyan": (64, 202, 214),
}
SHAPES = ("circle", "square", "triangle", "star", "cross")
SIZES = ("small", "large")
RADII = {"small": (4, 5), "large": (7, 8)}
DIGITS = tuple("0123456789")
WORDS = ("go", "hi", "me", "ok", "up", "us")
BACKGROUNDS = {"plain": 4, "gradient": 4, "stripes": 1, "speckle": 1}
"""How often each background is drawn, relative to the others that a range allows."""


@dataclass(frozen=True)
class Thing:
    """One coloured shape with its centre and radius in pixels. Later things are drawn over earlier ones."""

    shape: str
    colour: str
    size: str
    x: int
    y: int
    radius: int


@dataclass(frozen=True)
class Sign:
    """A white plate with one digit or one short word in black, centred at (x, y)."""

    text: str
    x: int
    y: int

    @property
    def kind(self) -> str:
        """`digit` or `word`."""
        return "digit" if self.text.isdigit() else "word"

    @property
    def half_width(self) -> int:
        """Half the plate's width in pixels."""
        return 5 if self.kind == "digit" else 8


@dataclass(frozen=True)
class Scene:
    """Everything that is drawn, and so everything that can be asked. `texture` seeds the background's noise."""

    things: tuple[Thing, ...]
    signs: tuple[Sign, ...] = ()
    background: str = "plain"
    shade: int = 200
    texture: int = 0

    def to_json(self) -> dict[str, Any]:
        """A plain mapping that `from_json` reads back unchanged."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Scene:
        """Read what `to_json` wrote.

        Raises:
            ConfigError: when the document is no scene.
        """
        try:
            return cls(
                things=tuple(Thing(**thing) for thing in document["things"]),
                signs=tuple(Sign(**sign) for sign in document["signs"]),
                background=document["background"],
                shade=document["shade"],
                texture=document["texture"],
            )
        except (KeyError, TypeError) as error:
            raise ConfigError(f"not a shapes scene: {error}") from error


@dataclass(frozen=True)
class SceneRange:
    """How rich scenes may be.

    `min_visible` is the least share of a thing's pixels that stays uncovered; `max_repeats` the most things of one
    colour, or of one shape, in a scene; `never` lists (colour, shape) pairs and `never_sized` (colour-or-shape, size)
    pairs that do not occur; `max_signs` bounds the plates, `sign_repeats` allows two of one kind.
    """

    things: tuple[int, int] = (2, 8)
    min_visible: float = 0.5
    backgrounds: tuple[str, ...] = tuple(BACKGROUNDS)
    max_signs: int = 2
    sign_repeats: bool = True
    max_repeats: int = 8
    never: tuple[tuple[str, str], ...] = field(default=())
    never_sized: tuple[tuple[str, str], ...] = field(default=())


EXAM = SceneRange()
TRAINING = SceneRange(
    things=(2, 6),
    min_visible=0.9,
    backgrounds=("plain", "gradient"),
    max_signs=2,
    sign_repeats=False,
    max_repeats=4,
    never=(("purple", "star"), ("cyan", "cross"), ("yellow", "triangle")),
    never_sized=(("purple", "large"), ("star", "small")),
)


RARITY = 0.35
"""How often a kind of thing that the training range lacks is kept when it is drawn: the world's long tail."""


def sample_scene(rng: random.Random, allowed: SceneRange = EXAM) -> Scene:
    """Draw a random scene from the range; things are spread so that the wanted share of each stays visible."""
    number = rng.randint(*allowed.things)
    # Half of the scenes repeat a few kinds, so that counts above one and comparisons are common.
    favourites = [random_kind(rng, allowed) for _ in range(rng.randint(1, 3))] if rng.random() < 0.5 else []
    things: list[Thing] = []
    colours: Counter[str] = Counter()
    shapes: Counter[str] = Counter()
    attempts = 0
    while len(things) < number and attempts < 400:
        attempts += 1
        base = rng.choice(favourites) if favourites and rng.random() < 0.7 else random_kind(rng, allowed)
        kind = _vary(rng, base, allowed) if favourites else base
        if colours[kind.colour] >= allowed.max_repeats or shapes[kind.shape] >= allowed.max_repeats:
            continue
        placed = place(rng, kind, things, allowed.min_visible)
        if placed is not None:
            things.append(placed)
            colours[placed.colour] += 1
            shapes[placed.shape] += 1
    signs: list[Sign] = []
    for _ in range(min(rng.choice((0, 1, 1, 2)), allowed.max_signs) if allowed.max_signs else 0):
        kinds = {sign.kind for sign in signs}
        text = rng.choice(DIGITS) if rng.random() < 0.5 else rng.choice(WORDS)
        sign = place_sign(rng, text, things, signs)
        if sign is not None and (allowed.sign_repeats or sign.kind not in kinds):
            signs.append(sign)
    return Scene(
        things=tuple(things),
        signs=tuple(signs),
        background=rng.choices(allowed.backgrounds, [BACKGROUNDS[name] for name in allowed.backgrounds])[0],
        shade=rng.randint(150, 235),
        texture=rng.getrandbits(16),
    )


def permitted(thing: Thing, allowed: SceneRange) -> bool:
    """Whether the range lets a thing with these attributes occur."""
    return (
        (thing.colour, thing.shape) not in allowed.never
        and (thing.colour, thing.size) not in allowed.never_sized
        and (thing.shape, thing.size) not in allowed.never_sized
    )


def random_kind(rng: random.Random, allowed: SceneRange = EXAM) -> Thing:
    """A thing with random attributes, not placed yet."""
    while True:
        size = rng.choice(SIZES)
        kind = Thing(rng.choice(SHAPES), rng.choice(list(COLOURS)), size, 0, 0, rng.choice(RADII[size]))
        if _occurs(kind, allowed, rng):
            return kind


def _vary(rng: random.Random, kind: Thing, allowed: SceneRange) -> Thing:
    """The same kind with, half of the time, one attribute changed."""
    draw = rng.random()
    size = rng.choice(SIZES)
    changed = replace(kind, radius=rng.choice(RADII[kind.size]))
    if draw < 0.17:
        changed = replace(changed, colour=rng.choice(list(COLOURS)))
    elif draw < 0.34:
        changed = replace(changed, shape=rng.choice(SHAPES))
    elif draw < 0.5:
        changed = replace(changed, size=size, radius=rng.choice(RADII[size]))
    return changed if _occurs(changed, allowed, rng) else kind


def _occurs(kind: Thing, allowed: SceneRange, rng: random.Random) -> bool:
    """Whether a drawn kind is kept: never outside the range, seldom outside the training range."""
    return permitted(kind, allowed) and (permitted(kind, TRAINING) or rng.random() < RARITY)


def place(
    rng: random.Random, kind: Thing, others: list[Thing], min_visible: float, tries: int = 30
) -> Thing | None:
    """Find a spot for a thing where it hides no more of the others than allowed; None when there is none.

    Distances stand in for exact visibility: centres keep (0.35 + 0.75 · min_visible) of the radii's sum apart.
    """
    gap = 0.35 + 0.75 * min_visible
    low, high = kind.radius + 1, SIDE - kind.radius - 2
    for _ in range(tries):
        x, y = rng.randint(low, high), rng.randint(low, high)
        near = ((x - o.x) ** 2 + (y - o.y) ** 2 - (gap * (kind.radius + o.radius)) ** 2 for o in others)
        if all(slack >= 0 for slack in near):
            return replace(kind, x=x, y=y)
    return None


def place_sign(
    rng: random.Random, text: str, things: list[Thing], signs: list[Sign], tries: int = 30
) -> Sign | None:
    """Find a spot for a plate that covers no thing and no other plate; None when there is none."""
    half = Sign(text, 0, 0).half_width
    for _ in range(tries):
        sign = Sign(text, rng.randint(half + 1, SIDE - half - 2), rng.randint(7, SIDE - 8))
        clear = all(
            abs(sign.x - t.x) > half + t.radius or abs(sign.y - t.y) > 6 + t.radius for t in things
        ) and all(abs(sign.x - s.x) > half + s.half_width + 1 or abs(sign.y - s.y) > 13 for s in signs)
        if clear:
            return sign
    return None
