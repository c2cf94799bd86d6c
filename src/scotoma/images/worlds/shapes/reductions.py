"""Making a scene and a question smaller, one step at a time: the moves of a shrinker.

A scene loses things, signs and its background's pattern; a question loses places, attributes and words, or gives way to
a simpler one that it is made of. Nothing is added, and no wording is taken that the Pupil never saw unless the question
had it: a shrunk example should fail for the reason for which the whole one did.

>>> from scotoma.images.worlds.shapes.scene import Thing
>>> scene = Scene((Thing("star", "red", "large", 20, 32, 7), Thing("circle", "blue", "large", 44, 32, 7)))
>>> [smaller.question for smaller in reductions(scene, "is there a red star ?")]
['is there an object ?', 'is there a star ?', 'count the red stars .', 'is there a red object ?']
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from scotoma.images.worlds.shapes.edits import repaint
from scotoma.images.worlds.shapes.executor import matching
from scotoma.images.worlds.shapes.language import PLACES, Parsed, parse, realise, wordings
from scotoma.images.worlds.shapes.program import Phrase, Place, Program, SignPhrase
from scotoma.images.worlds.shapes.scene import EXAM, Scene

WORD = 3
"""What a word weighs against a thing. Questions shrink first, as a crowded picture keeps a short question hard: on 150
failures of the Pupil the median question then ends at 50 % of its words, with equal weights at 60 %, the pictures at
40 % of their things either way."""

_PLACED = ("relate", "sides")
"""Operations that need their place."""


@dataclass(frozen=True)
class Reduced:
    """A scene and a question of which at least one is smaller; `edit` names what was taken away."""

    scene: Scene
    question: str
    edit: str


def reductions(scene: Scene, question: str) -> Iterator[Reduced]:
    """Every smaller pair, the smallest first, always in the same order; empty where the question cannot be read.

    Scenes keep the least number of things that the world has. Of the subsets of things, those with which a delta
    debugger begins are offered (Zeller & Hildebrandt 2002): only what the question names, then without a half, a
    quarter … or a single thing.
    """
    parsed = parse(question)
    if parsed is None:
        return
    found: dict[tuple[Scene, str], str] = {}
    for smaller in _scenes(scene, parsed.program):
        found.setdefault((smaller, question), "scene")
    for program in (parsed.program, *_programs(parsed.program)):
        for wording in _texts(program, parsed):
            # Whatever only the simpler phrases fit would make them ambiguous: it goes with the words.
            found.setdefault((_without_new(scene, parsed.program, program), wording), "question and scene")
            found.setdefault((scene, wording), "question")
    before = cost(scene, question)
    pairs = [(cost(*pair), pair, edit) for pair, edit in found.items()]
    for after, (smaller, text), edit in sorted(pairs, key=lambda item: item[0]):
        if after < before:
            yield Reduced(smaller, text, edit)


def cost(scene: Scene, question: str) -> int:
    """How large a pair is: things, signs, attributes named, one for a background that is not plain, and WORD a word."""
    parsed = parse(question)
    phrases = parsed.program.phrases if parsed is not None else ()
    return (
        len(scene.things)
        + len(scene.signs)
        + (scene.background != "plain")
        + WORD * len(question.split())
        + sum(phrase.attributes for phrase in phrases)
    )


# --- scenes ----------------------------------------------------------------------------------------------------------


def _scenes(scene: Scene, program: Program) -> Iterator[Scene]:
    named = [i for i, t in enumerate(scene.things) if any(t in matching(p, scene) for p in program.phrases)]
    marks = [place.landmark for place in program.places if isinstance(place.landmark, SignPhrase)]
    marks += [program.subject] if isinstance(program.subject, SignPhrase) else []
    spoken = tuple(s for s in scene.signs if any(m.kind in ("sign", s.kind) for m in marks))
    kept = _keep(scene, named)
    yield repaint(replace(kept, signs=spoken), "plain")
    yield kept
    number = len(scene.things)
    size = number // 2
    while size >= 1:
        for start in range(0, number, size):
            yield _keep(scene, [i for i in range(number) if not start <= i < start + size])
        size //= 2
    yield replace(scene, signs=())
    yield replace(scene, signs=spoken)
    for i in range(len(scene.signs)):
        yield replace(scene, signs=scene.signs[:i] + scene.signs[i + 1 :])
    yield repaint(scene, "plain")


def _keep(scene: Scene, indices: list[int]) -> Scene:
    """Only these things, and as many of the others as a scene must have."""
    others = [i for i in range(len(scene.things)) if i not in indices]
    chosen = sorted([*indices, *others[: max(0, EXAM.things[0] - len(indices))]])
    return replace(scene, things=tuple(scene.things[i] for i in chosen))


def _without_new(scene: Scene, before: Program, after: Program) -> Scene:
    """The scene without the things that the simpler question's phrases fit and the earlier one's did not."""
    spoken, speaks = (
        {i for i, t in enumerate(scene.things) if any(t in matching(p, scene) for p in program.phrases)}
        for program in (before, after)
    )
    return _keep(scene, [i for i in range(len(scene.things)) if i in spoken or i not in speaks])


# --- questions -------------------------------------------------------------------------------------------------------


def _programs(program: Program) -> Iterator[Program]:
    """One part less: all places or one, the exclusion, the attributes of one phrase or of all."""
    if program.places and program.operation not in _PLACED:
        for keep in range(len(program.places)):
            for places in combinations(program.places, keep):
                yield replace(program, places=places)
    yield from _components(program)
    if program.without is not None:
        yield replace(program, without=None)
    if isinstance(program.subject, Phrase):
        for phrase in _phrases(program.subject):
            yield replace(program, subject=phrase)
            if program.other is not None:
                for other in _phrases(program.other):
                    yield replace(program, subject=phrase, other=other)
    if program.other is not None:
        for phrase in _phrases(program.other):
            yield replace(program, other=phrase)
    for i, place in enumerate(program.places):
        for landmark in _landmarks(place.landmark):
            places = (*program.places[:i], Place(place.relation, landmark), *program.places[i + 1 :])
            yield replace(program, places=places)


def _components(program: Program) -> Iterator[Program]:
    """The simpler questions that a question is made of: to compare two counts one must count, to compare two colours
    one must see each, and whatever is asked about a thing, it must be found.
    """
    subject, operation = program.subject, program.operation
    if isinstance(subject, SignPhrase):
        return
    if operation in ("same_colour", "same_shape"):
        for phrase in program.phrases:
            yield Program(operation.removeprefix("same_"), phrase)
    for phrase in program.phrases:
        if operation != "count":
            yield Program("count", phrase)
        if operation not in ("count", "exist"):
            yield Program("exist", phrase)


def _landmarks(landmark: Phrase | SignPhrase) -> Iterator[Phrase | SignPhrase]:
    if isinstance(landmark, Phrase):
        yield from _phrases(landmark)
    elif landmark.text is not None:
        yield replace(landmark, text=None)


def _phrases(phrase: Phrase) -> Iterator[Phrase]:
    """The phrase with fewer attributes, the barest first."""
    bare = Phrase("thing")
    named = [key for key in ("noun", "colour", "size") if getattr(phrase, key) != getattr(bare, key)]
    for number in range(len(named), 0, -1):
        for dropped in combinations(named, number):
            yield Phrase(
                "thing" if "noun" in dropped else phrase.noun,
                None if "colour" in dropped else phrase.colour,
                None if "size" in dropped else phrase.size,
            )


def _texts(program: Program, parsed: Parsed) -> Iterator[str]:
    """The program in its shortest usual wording, and in the question's own where it has it."""
    usual = [_terse(program, wording) for wording in wordings(program, usual=True)]
    yield min(usual, key=lambda text: len(text.split()))
    if parsed.wording in wordings(program):
        yield _terse(program, parsed.wording)


def _terse(program: Program, wording: str) -> str:
    """The program in this wording, each relation in its shortest form ("left of", not "to the left of")."""
    text = realise(program, random.Random(0), wording=wording)
    for shortest, *others in PLACES.values():
        for other in others:
            text = text.replace(other, shortest)
    return text
