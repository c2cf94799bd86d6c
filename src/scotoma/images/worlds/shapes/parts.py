"""What a question is made of: the simpler questions that one must be able to answer to answer it.

To compare two counts one must count, to relate two things one must find both, and to leave something out one must see
the rest. Asked too, they tell whether a wrong answer comes from a part or from joining the parts.

>>> from scotoma.images.worlds.shapes.language import parse
>>> [terse(part) for part in parts(parse("are there more stars than circles ?").program)]
['count the stars .', 'count the circles .']
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from scotoma.images.worlds.shapes.language import realise, wordings
from scotoma.images.worlds.shapes.program import Program, SignPhrase


def parts(program: Program) -> Iterator[Program]:
    """The parts of a question, none of them composed itself unless it has places or an exclusion less."""
    operation = program.operation
    if operation in ("same_colour", "same_shape"):
        yield from (Program(operation.removeprefix("same_"), phrase) for phrase in program.phrases)
    elif operation in ("more", "fewer", "equal"):
        yield from (Program("count", phrase) for phrase in program.phrases)
    elif operation == "none":
        yield replace(program, operation="exist")
    elif not isinstance(program.subject, SignPhrase):
        if operation == "sides":
            yield Program("count", program.subject)
        elif operation in ("colour", "shape", "size", "relate"):
            yield Program("exist", program.subject)
    if program.without is not None:
        yield replace(program, without=None)
    if program.places and operation not in ("relate", "sides"):
        yield replace(program, places=())
    for place in program.places:
        if isinstance(place.landmark, SignPhrase):
            yield Program("read", replace(place.landmark, text=None))
        else:
            yield Program("exist", place.landmark)


def terse(program: Program) -> str:
    """The program in its shortest usual wording."""
    usual = [realise(program, random.Random(0), wording=wording) for wording in wordings(program, usual=True)]
    return min(usual, key=lambda text: len(text.split()))
