"""The uniform template questioner: valid questions about a scene, every question type equally often.

It is the baseline that discovery must beat, the source of base rates, and (with `taught_only`) what the Pupil was
trained on. Yes/no answers are balanced, counts are drawn evenly over those that the scene offers.

>>> scene = Scene((Thing("star", "red", "large", 20, 32, 7), Thing("circle", "blue", "large", 44, 32, 7)))
>>> ask(scene, random.Random(0), "colour")
'what colour is the circle ?'
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import product

from scotoma.images.worlds.shapes.executor import Invalid, execute, matching
from scotoma.images.worlds.shapes.language import Parsed, realise
from scotoma.images.worlds.shapes.program import HORIZONTAL, VERTICAL, Phrase, Place, Program, SignPhrase
from scotoma.images.worlds.shapes.scene import COLOURS, SHAPES, SIZES, Scene, Sign, Thing

TYPES = (
    "existence", "counting", "colour", "shape", "size", "horizontal", "vertical",
    "comparison", "reading", "negation", "composition",
)  # fmt: skip
COMPOSITIONS = (
    "exist@", "count@", "colour@", "shape@", "size@", "read@", "relate_sign",
    "same_colour", "same_shape", "sides", "exist@@", "count@@", "count-@",
)  # fmt: skip


def untaught(parsed: Parsed) -> tuple[str, ...]:
    """Why the Pupil never saw a question like this in training; empty when it did. The model card lists these."""
    program, reasons = parsed.program, []
    if parsed.untrained:
        reasons.append("wording")
    if program.operation in ("exist", "none", "more", "fewer", "equal") and any(
        phrase.attributes == 3 for phrase in program.phrases
    ):
        reasons.append("three attributes in a phrase about sets")
    if program.operation == "fewer" and any(phrase.size for phrase in program.phrases):
        reasons.append("fewer by size")
    if program.without in SIZES:
        reasons.append("excluded size")
    if any(isinstance(p.landmark, SignPhrase) and p.landmark.kind == "word" for p in program.places):
        reasons.append("word as landmark")
    vertical = any(place.relation in VERTICAL for place in program.places)
    if program.operation == "sides" and vertical:
        reasons.append("more above than below")
    if program.without is not None and program.places and vertical:
        reasons.append("negation with above or below")
    if program.operation == "same_shape":
        reasons.append("same shape")
    return tuple(reasons)


def ask(
    scene: Scene,
    rng: random.Random,
    type_: str | None = None,
    *,
    taught_only: bool = False,
    wording: str | None = None,
    tries: int = 40,
) -> str | None:
    """One valid question of a type (a random one by default); None where the scene offers none.

    With `taught_only`, only wordings that the Pupil was trained on; `untaught` says what else was left out. A given
    `wording` is used where it fits.
    """
    wanted = type_ or rng.choice(TYPES)
    for _ in range(tries):
        program = propose(scene, rng, wanted)
        if program is None:
            continue
        try:
            execute(program, scene)
        except Invalid:
            continue
        return realise(program, rng, trained_only=taught_only, wording=wording)
    return None


def propose(scene: Scene, rng: random.Random, type_: str) -> Program | None:
    """A program of the wanted type (or composition) that probably has an answer here, or None."""
    if not scene.things:
        return None
    if type_ in _COMPOSERS:
        return _COMPOSERS[type_](scene, rng)
    if type_ == "composition":
        return _COMPOSERS[rng.choice(COMPOSITIONS)](scene, rng)
    return _PROPOSERS[type_](scene, rng)


def kind_of(program: Program) -> str:
    """What to hand to `ask` for more questions of the same kind: a type, or for compositions the exact pattern."""
    if program.type != "composition":
        return program.type
    if program.operation == "relate":
        return "relate_sign"
    if program.operation in _COMPOSERS:
        return program.operation
    return program.operation + ("-" if program.without else "") + "@" * len(program.places)


def random_phrase(rng: random.Random) -> Phrase:
    """Any noun phrase, whether the scene has such things or not; one to three attributes."""
    while True:
        phrase = Phrase(
            rng.choice(SHAPES) if rng.random() < 0.65 else "thing",
            rng.choice(list(COLOURS)) if rng.random() < 0.6 else None,
            rng.choice(SIZES) if rng.random() < 0.4 else None,
        )
        if phrase.attributes:
            return phrase


def present_phrase(scene: Scene, rng: random.Random) -> Phrase:
    """A noun phrase that at least one thing fits."""
    return _restrict(rng.choice(scene.things), random_phrase(rng))


def describe(thing: Thing, scene: Scene, rng: random.Random, hidden: str = "") -> Phrase | None:
    """A definite phrase that fits this thing alone, not naming the `hidden` attribute; None when there is none."""
    shared = {_shared(thing, other) for other in scene.things if other is not thing}
    options = []
    for shaped, coloured, sized in product((True, False), repeat=3):
        if (
            (shaped and hidden == "shape")
            or (coloured and hidden == "colour")
            or (sized and hidden == "size")
        ):
            continue
        named = 4 * shaped + 2 * coloured + sized
        if named and all(common & named != named for common in shared):
            options.append((shaped, coloured, sized))
    if not options:
        return None
    shaped, coloured, sized = rng.choice(options)
    return Phrase(
        thing.shape if shaped else "thing", thing.colour if coloured else None, thing.size if sized else None
    )


def _shared(thing: Thing, other: Thing) -> int:
    """What two things have in common: a bit each for shape, colour and size."""
    return 4 * (thing.shape == other.shape) + 2 * (thing.colour == other.colour) + (thing.size == other.size)


# --- one proposer per question type ----------------------------------------------------------------------------------


def _existence(scene: Scene, rng: random.Random) -> Program:
    return Program("exist", _balanced_phrase(scene, rng))


def _counting(scene: Scene, rng: random.Random) -> Program:
    return Program("count", _counted_phrase(scene, rng))


def _colour(scene: Scene, rng: random.Random) -> Program | None:
    return _about("colour", scene, rng)


def _shape(scene: Scene, rng: random.Random) -> Program | None:
    return _about("shape", scene, rng)


def _size(scene: Scene, rng: random.Random) -> Program | None:
    return _about("size", scene, rng)


def _horizontal(scene: Scene, rng: random.Random) -> Program | None:
    return _relate(scene, rng, HORIZONTAL)


def _vertical(scene: Scene, rng: random.Random) -> Program | None:
    return _relate(scene, rng, VERTICAL)


def _comparison(scene: Scene, rng: random.Random) -> Program:
    operation = rng.choice(("more", "fewer", "equal"))
    wanted = rng.choice(("yes", "no"))
    program = Program(operation, _counted_phrase(scene, rng), _counted_phrase(scene, rng))
    for _ in range(6):
        if program.other != program.subject and execute(program, scene) == wanted:
            break
        program = Program(operation, _counted_phrase(scene, rng), _counted_phrase(scene, rng))
    return program


def _reading(scene: Scene, rng: random.Random) -> Program | None:
    if not scene.signs:
        return None
    return Program("read", SignPhrase(rng.choice((rng.choice(scene.signs).kind, "sign"))))


def _negation(scene: Scene, rng: random.Random) -> Program:
    if rng.random() < 0.4:
        return Program("none", _balanced_phrase(scene, rng))
    subject = rng.choice((Phrase("thing"), present_phrase(scene, rng)))
    options: list[str] = []
    options += list(COLOURS) * (subject.colour is None)
    options += list(SHAPES) * (subject.noun == "thing")
    options += list(SIZES) * 2 * (subject.size is None)
    members = matching(subject, scene)
    seen = [o for o in options if any(o in (t.colour, t.shape, t.size) for t in members)]
    if not options:
        return Program("none", _balanced_phrase(scene, rng))
    return Program("count", subject, without=rng.choice(seen if seen and rng.random() < 0.8 else options))


def _about(attribute: str, scene: Scene, rng: random.Random, place: Place | None = None) -> Program | None:
    thing = rng.choice(scene.things)
    if place is None:
        phrase = describe(thing, scene, rng, hidden=attribute)
        return Program(attribute, phrase) if phrase else None
    phrase = _restrict(thing, random_phrase(rng), hidden=attribute)
    return Program(attribute, phrase, places=(place,))


def _relate(
    scene: Scene, rng: random.Random, relations: tuple[str, ...], sign: bool = False
) -> Program | None:
    if len(scene.things) < 2:
        return None
    first, second = rng.sample(scene.things, 2)
    subject = describe(first, scene, rng)
    mark: Phrase | SignPhrase | None
    mark = _sign_landmark(scene, rng, named=True) if sign else describe(second, scene, rng)
    if subject is None or mark is None:
        return None
    return Program("relate", subject, places=(Place(rng.choice(relations), mark),))


def _composed(operation: str, places: int) -> Callable[[Scene, random.Random], Program | None]:
    def propose_composed(scene: Scene, rng: random.Random) -> Program | None:
        found = [_place(scene, rng) for _ in range(places)]
        if any(place is None for place in found):
            return None
        spots = tuple(place for place in found if place is not None)
        if places == 2 and (spots[0].relation in HORIZONTAL) == (spots[1].relation in HORIZONTAL):
            return None
        if operation in ("colour", "shape", "size"):
            return _about(operation, scene, rng, spots[0])
        if operation == "read":
            return Program("read", SignPhrase(rng.choice(("digit", "word"))), places=spots)
        if operation == "count-":
            subject = rng.choice((Phrase("thing"), Phrase(rng.choice(scene.things).shape)))
            return Program("count", subject, places=spots, without=rng.choice(list(COLOURS)))
        wanted = rng.choice(("yes", "no"))
        for _ in range(6):
            subject = (
                Phrase("thing") if operation == "count" and rng.random() < 0.4 else present_phrase(scene, rng)
            )
            program = Program(operation, subject, places=spots)
            if operation == "count" or _answer(program, scene) == wanted:
                return program
        return None

    return propose_composed


def _relate_sign(scene: Scene, rng: random.Random) -> Program | None:
    return _relate(scene, rng, (*HORIZONTAL, *VERTICAL), sign=True)


def _same(operation: str) -> Callable[[Scene, random.Random], Program | None]:
    attribute = operation.removeprefix("same_")

    def propose_same(scene: Scene, rng: random.Random) -> Program | None:
        wanted = rng.random() < 0.5
        pairs = [
            (a, b)
            for a in scene.things
            for b in scene.things
            if a is not b and (getattr(a, attribute) == getattr(b, attribute)) == wanted
        ]
        if not pairs:
            return None
        first, second = rng.choice(pairs)
        subject = describe(first, scene, rng, hidden=attribute)
        other = describe(second, scene, rng, hidden=attribute)
        return Program(operation, subject, other) if subject and other else None

    return propose_same


def _sides(scene: Scene, rng: random.Random) -> Program | None:
    place = _place(scene, rng, things_only=True)
    subject = Phrase("thing") if rng.random() < 0.4 else _counted_phrase(scene, rng)
    return Program("sides", subject, places=(place,)) if place else None


_PROPOSERS: dict[str, Callable[[Scene, random.Random], Program | None]] = {
    "existence": _existence, "counting": _counting, "colour": _colour, "shape": _shape, "size": _size,
    "horizontal": _horizontal, "vertical": _vertical, "comparison": _comparison, "reading": _reading,
    "negation": _negation,
}  # fmt: skip
_COMPOSERS: dict[str, Callable[[Scene, random.Random], Program | None]] = {
    "exist@": _composed("exist", 1), "count@": _composed("count", 1), "colour@": _composed("colour", 1),
    "shape@": _composed("shape", 1), "size@": _composed("size", 1), "read@": _composed("read", 1),
    "relate_sign": _relate_sign, "same_colour": _same("same_colour"), "same_shape": _same("same_shape"),
    "sides": _sides, "exist@@": _composed("exist", 2), "count@@": _composed("count", 2),
    "count-@": _composed("count-", 1),
}  # fmt: skip


# --- parts -----------------------------------------------------------------------------------------------------------


def _restrict(thing: Thing, like: Phrase, hidden: str = "") -> Phrase:
    """The phrase with the thing's own attributes in place of the pattern's."""
    return Phrase(
        thing.shape if like.noun != "thing" and hidden != "shape" else "thing",
        thing.colour if like.colour is not None and hidden != "colour" else None,
        thing.size if like.size is not None and hidden != "size" else None,
    )


def _balanced_phrase(scene: Scene, rng: random.Random) -> Phrase:
    """Present half of the time; an absent phrase is, half of the time, one attribute away from a thing that is."""
    if rng.random() < 0.5:
        return present_phrase(scene, rng)
    phrase = random_phrase(rng)
    for _ in range(12):
        phrase = random_phrase(rng)
        if phrase.attributes > 1 and rng.random() < 0.5:
            near = _restrict(rng.choice(scene.things), phrase)
            colour = rng.choice(list(COLOURS)) if near.colour and rng.random() < 0.5 else near.colour
            noun = rng.choice(SHAPES) if near.noun != "thing" and colour == near.colour else near.noun
            phrase = Phrase(noun, colour, near.size)
        if not matching(phrase, scene):
            break
    return phrase


def _counted_phrase(scene: Scene, rng: random.Random) -> Phrase:
    """A phrase whose count is drawn evenly over the counts that the scene offers (0 included)."""
    options = [present_phrase(scene, rng) for _ in range(4)]
    options += [
        Phrase("thing"),
        Phrase(rng.choice(scene.things).shape),
        Phrase("thing", rng.choice(scene.things).colour),
    ]
    options += [Phrase("thing", None, rng.choice(SIZES)), random_phrase(rng)]
    counts: dict[int, list[Phrase]] = {}
    for phrase in options:
        counts.setdefault(len(matching(phrase, scene)), []).append(phrase)
    return rng.choice(counts[rng.choice(sorted(counts))])


def _place(scene: Scene, rng: random.Random, things_only: bool = False) -> Place | None:
    mark: Phrase | SignPhrase | None
    if scene.signs and not things_only and rng.random() < 0.25:
        mark = _sign_landmark(scene, rng, named=rng.random() < 0.5)
    else:
        mark = describe(rng.choice(scene.things), scene, rng)
    return Place(rng.choice((*HORIZONTAL, *VERTICAL)), mark) if mark is not None else None


def _sign_landmark(scene: Scene, rng: random.Random, named: bool) -> SignPhrase | None:
    if not scene.signs:
        return None
    sign: Sign = rng.choice(scene.signs)
    return SignPhrase(sign.kind, sign.text if named else None)


def _answer(program: Program, scene: Scene) -> str | None:
    try:
        return execute(program, scene)
    except Invalid:
        return None
