"""The exact executor: a program on a scene gives the answer, or the named reason why the question is invalid.

Reasons: `unparsable`; `several_questions` (each of which could be asked alone); `no_referent` (it presupposes something
that is not there); `ambiguous` (a definite phrase fits several things); `borderline` (too near to call: under MARGIN
pixels); `trivial` (it answers itself).

>>> scene = Scene((Thing("star", "red", "large", 20, 32, 7), Thing("circle", "blue", "large", 44, 32, 7)))
>>> examine(scene, "how many stars are there ?").answer
'1'
>>> examine(scene, "what colour is the square ?").reason
'no_referent'
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from scotoma.core import Examination, Tag
from scotoma.images.worlds.shapes.language import Parsed, parse, several
from scotoma.images.worlds.shapes.program import HORIZONTAL, Phrase, Place, Program, SignPhrase
from scotoma.images.worlds.shapes.scene import COLOURS, SHAPES, SIZES, Scene, Sign, Thing

_Item = TypeVar("_Item")
_Placed = TypeVar("_Placed", Thing, Sign)

MARGIN = 4
"""Centres that differ by fewer pixels along an axis are neither left nor right (above nor below)."""

_ANSWERS = {"colour": tuple(COLOURS), "shape": tuple(SHAPES), "size": tuple(SIZES)}
"""Operations that ask for one of a few words, and the words."""


class Invalid(Exception):
    """Carries the reason why a question has no answer on this scene."""


def examine(scene: Scene, question: str, attributes: dict[str, Tag] | None = None) -> Examination:
    """Validity, answer and tags of a question. `attributes` are the image's tags, added to the question's."""
    parsed = parse(question)
    if parsed is None or parsed.program.operation == "unparsable":
        return Examination(valid=False, reason="several_questions" if several(question) else "unparsable")
    tags = {**question_tags(parsed), **(attributes or {})}
    try:
        answer = execute(parsed.program, scene)
    except Invalid as invalid:
        return Examination(valid=False, reason=str(invalid), tags=tags)
    tags["answer"] = answer
    if parsed.program.operation == "count":
        tags["count"] = int(answer)
    answers = _ANSWERS.get(parsed.program.operation, ())
    return Examination(valid=True, answer=answer, tags=tags, answers=answers)


def execute(program: Program, scene: Scene) -> str:
    """The answer, one lower-case word.

    Raises:
        Invalid: with the reason, when the question has no single answer on this scene.
    """
    operation, subject = program.operation, program.subject
    if isinstance(subject, SignPhrase):
        signs = [s for s in scene.signs if subject.kind in ("sign", s.kind)]
        for place in program.places:
            signs = _placed(signs, place, scene)
        return _only(signs).text
    if operation == "relate":
        thing = _only(_matching(subject, scene))
        # A list: every place must have a referent, even after one that already says no.
        found = [_placed([thing], place, scene) for place in program.places]
        return _yes(all(found))
    if operation in ("same_colour", "same_shape"):
        assert program.other is not None
        first, second = _only(_matching(subject, scene)), _only(_matching(program.other, scene))
        _refuse(first is second, "trivial")
        if operation == "same_colour":
            _refuse(bool(subject.colour or program.other.colour), "trivial")
            return _yes(first.colour == second.colour)
        _refuse(subject.noun != "thing" or program.other.noun != "thing", "trivial")
        return _yes(first.shape == second.shape)
    if operation == "sides":
        place = program.places[0]
        mark = landmark(place.landmark, scene)
        things = [t for t in _matching(subject, scene) if t is not mark]
        near = len(_placed(things, place, scene))
        return _yes(near > len(things) - near)
    things = _matching(subject, scene)
    for place in program.places:
        things = _placed(things, place, scene)
    if program.without is not None:
        _refuse(program.without in (subject.noun, subject.colour, subject.size), "trivial")
        _refuse(program.without in COLOURS and subject.colour is not None, "trivial")
        _refuse(program.without in SIZES and subject.size is not None, "trivial")
        _refuse(
            program.without not in COLOURS and program.without not in SIZES and subject.noun != "thing",
            "trivial",
        )
        things = [t for t in things if program.without not in (t.shape, t.colour, t.size)]
    if operation == "exist":
        return _yes(bool(things))
    if operation == "none":
        return _yes(not things)
    if operation == "count":
        return str(len(things))
    if operation in ("more", "fewer", "equal"):
        assert program.other is not None
        _refuse(program.other == subject, "trivial")
        mine, theirs = len(things), len(_matching(program.other, scene))
        return _yes({"more": mine > theirs, "fewer": mine < theirs, "equal": mine == theirs}[operation])
    if operation == "colour":
        _refuse(subject.colour is not None, "trivial")
        return _only(things).colour
    if operation == "shape":
        _refuse(subject.noun != "thing", "trivial")
        return _only(things).shape
    if operation == "size":
        _refuse(subject.size is not None, "trivial")
        return _only(things).size
    raise Invalid("unparsable")


def matching(phrase: Phrase, scene: Scene) -> list[Thing]:
    """The things that a noun phrase fits, in drawing order."""
    return _matching(phrase, scene)


def landmark(phrase: Phrase | SignPhrase, scene: Scene) -> Thing | Sign:
    """The one thing or sign that a definite phrase means.

    Raises:
        Invalid: `no_referent` or `ambiguous`.
    """
    if isinstance(phrase, SignPhrase):
        return _only([s for s in scene.signs if s.kind == phrase.kind and phrase.text in (None, s.text)])
    return _only(_matching(phrase, scene))


def offset(item: Thing | Sign, mark: Thing | Sign, relation: str) -> int:
    """How many pixels `item` lies in the relation's direction from `mark`; negative on the other side."""
    if relation in HORIZONTAL:
        return mark.x - item.x if relation == "left" else item.x - mark.x
    return mark.y - item.y if relation == "above" else item.y - mark.y


def question_tags(parsed: Parsed) -> dict[str, Tag]:
    """What a question is about, from its words alone; keys as in `scotoma.core.Predicate`'s examples."""
    program = parsed.program
    phrases = program.phrases
    marks = [place.landmark for place in program.places if isinstance(place.landmark, SignPhrase)]
    excluded = {program.without} if program.without else set()
    return {
        "skill": program.skills,
        "skills": "+".join(program.skills),
        "type": program.type,
        "complexity": len(program.skills),
        "composed": len(program.skills) > 1,
        "operation": program.operation,
        "wording": parsed.wording,
        "colour": tuple(sorted({p.colour for p in phrases if p.colour} | (excluded & set(COLOURS)))),
        "shape": tuple(
            sorted({p.noun for p in phrases if p.noun != "thing"} | (excluded - set(COLOURS) - set(SIZES)))
        ),
        "size": tuple(sorted({p.size for p in phrases if p.size} | (excluded & set(SIZES)))),
        "relation": tuple(sorted({place.relation for place in program.places})),
        "attributes": max((p.attributes for p in phrases), default=0),
        "negated": program.operation == "none" or program.without is not None,
        "digit": tuple(mark.text for mark in marks if mark.text is not None),
        "landmark": "sign" if marks else "thing" if program.places else "none",
    }


def _matching(phrase: Phrase, scene: Scene) -> list[Thing]:
    return [
        t
        for t in scene.things
        if phrase.noun in ("thing", t.shape)
        and phrase.colour in (None, t.colour)
        and phrase.size in (None, t.size)
    ]


def _only(items: Sequence[_Item]) -> _Item:
    _refuse(not items, "no_referent")
    _refuse(len(items) > 1, "ambiguous")
    return items[0]


def _placed(items: list[_Placed], place: Place, scene: Scene) -> list[_Placed]:
    """Those of the items that lie where the place says; the landmark itself never does."""
    mark = landmark(place.landmark, scene)
    others = [item for item in items if item is not mark]
    _refuse(len(items) == 1 and not others, "trivial")
    distances = [offset(item, mark, place.relation) for item in others]
    _refuse(any(abs(distance) < MARGIN for distance in distances), "borderline")
    return [item for item, distance in zip(others, distances, strict=True) if distance > 0]


def _refuse(condition: bool, reason: str) -> None:
    if condition:
        raise Invalid(reason)


def _yes(condition: bool) -> str:
    return "yes" if condition else "no"
