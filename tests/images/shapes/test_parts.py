"""The parts of a question: what one must be able to answer to answer it, about the same picture."""

from __future__ import annotations

from itertools import islice

import pytest

from scotoma.core import ComposedWorld
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.images.worlds.shapes.language import parse
from scotoma.images.worlds.shapes.parts import parts, terse

WORLD = ShapesWorld()


@pytest.mark.parametrize(
    ("question", "made_of"),
    [
        ("are there more stars than circles ?", ["count the stars .", "count the circles ."]),
        ("is there no red star ?", ["is there a red star ?"]),
        ("how many stars are left of the digit ?", ["count the stars .", "what digit is there ?"]),
        ("is there a star ?", []),
    ],
)
def test_a_question_is_made_of_simpler_ones(question: str, made_of: list[str]) -> None:
    parsed = parse(question)
    assert parsed is not None
    assert [terse(part) for part in parts(parsed.program)] == made_of


def test_every_part_is_valid_about_the_picture_and_differs_from_the_whole() -> None:
    assert isinstance(WORLD, ComposedWorld)
    found = 0
    for number, record in enumerate(islice(WORLD.images("discover", 0), 60)):
        assert record.facts is not None
        for question in WORLD.questions(record.facts, number, 8):
            for part in WORLD.parts(record.facts, question):
                assert part != question
                assert record.facts.examine(part).valid
                found += 1
    assert found > 300
