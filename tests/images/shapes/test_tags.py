"""The tags of a question say what it is about, so that predicates name sets of questions."""

from __future__ import annotations

import pytest
from hypothesis import given

from scotoma.core import Condition, Predicate, Tags
from scotoma.images.worlds.shapes import ShapesFacts
from scotoma.images.worlds.shapes.program import SKILLS, SignPhrase
from scotoma.images.worlds.shapes.scene import COLOURS, SHAPES, SIZES
from tests.images.shapes.strategies import Asked, asked
from tests.images.shapes.test_validity import SCENE


def tags(question: str) -> Tags:
    return ShapesFacts(SCENE).examine(question).tags


@pytest.mark.parametrize(
    ("question", "predicate"),
    [
        ("how many red circles are there ?", "skill=counting and colour=red and shape=circle and count=1"),
        ("how many red circles are there ?", "type=counting and attributes=2 and composed=false"),
        (
            "how many things are not circles ?",
            "skill=negation and negated=true and shape=circle and count<=2",
        ),
        ("how many things are not large ?", "size=large and complexity=2 and type=negation"),
        (
            "is there a circle left of the star ?",
            "skills=existence+horizontal and relation=left and landmark=thing",
        ),
        ("is the star lower than the digit 4 ?", "skill in reading|colour and digit=4 and landmark=sign"),
        (
            "is the star left of the blue circle ?",
            "type=horizontal and answer=yes and colour=blue and size!=large",
        ),
        (
            "what colour is the star ?",
            "skill=colour and answer=green and relation!=left and things>=4 and signs=2",
        ),
        ("what digit is there ?", "operation=read and answer=4 and background=plain and occluded=false"),
        (
            "do the red thing and the blue thing have the same shape ?",
            'wording="do {the} and {that} have the same shape ?" and operation=same_shape',
        ),
        ("what colour is the cross ?", "shape=cross and count!=1 and answer!=green"),
    ],
)
def test_predicates_name_what_questions_are_about(question: str, predicate: str) -> None:
    assert Predicate.parse(predicate).matches(tags(question))


@pytest.mark.parametrize(
    ("question", "predicate"),
    [
        ("how many red circles are there ?", "colour=blue"),
        ("how many red circles are there ?", "count>=2"),
        ("what colour is the star ?", "colour=green"),  # the answer's colour is not named by the question
        ("is there a circle left of the star ?", "relation=right"),
        ("what colour is the cross ?", "answer=green"),
    ],
)
def test_predicates_leave_out_what_questions_are_not_about(question: str, predicate: str) -> None:
    assert not Predicate.parse(predicate).matches(tags(question))


@given(asked())
def test_every_tag_of_a_question_is_a_condition_that_it_meets_and_that_reads_back(item: Asked) -> None:
    found = ShapesFacts(item.scene).examine(item.question).tags
    for key, value in found.items():
        for each in value if isinstance(value, tuple) else (value,):
            predicate = Predicate(conditions=(Condition(key=key, op="=", value=each),))
            assert predicate.matches(found)
            assert Predicate.parse(str(predicate)) == predicate


@given(asked())
def test_named_attributes_are_the_words_of_the_question(item: Asked) -> None:
    found = ShapesFacts(item.scene).examine(item.question).tags
    words = set(item.question.split())
    assert found["colour"] == tuple(sorted(words & set(COLOURS)))
    if found["operation"] != "size":  # "is it small or large ?" names both without meaning either
        assert found["size"] == tuple(sorted(words & set(SIZES)))
    plurals = {shape: {shape, shape + "s", shape + "es"} for shape in SHAPES}
    assert found["shape"] == tuple(sorted(shape for shape in SHAPES if plurals[shape] & words))


@given(asked())
def test_skills_relations_and_numbers_follow_from_the_program(item: Asked) -> None:
    found = ShapesFacts(item.scene).examine(item.question).tags
    skills = found["skill"]
    assert isinstance(skills, tuple)
    assert set(skills) <= set(SKILLS)
    assert found["skills"] == "+".join(skills)
    assert found["complexity"] == len(skills)
    assert found["composed"] == (len(skills) > 1)
    assert found["relation"] == tuple(sorted({place.relation for place in item.program.places}))
    assert ("count" in found) == (item.program.operation == "count")
    if "count" in found:
        assert str(found["count"]) == found["answer"]
    read = any(
        isinstance(place.landmark, SignPhrase) and place.landmark.text for place in item.program.places
    )
    assert bool(found["digit"]) == read


@given(asked())
def test_image_tags_describe_the_scene(item: Asked) -> None:
    facts = ShapesFacts(item.scene)
    found = facts.examine(item.question).tags
    assert (found["things"], found["signs"]) == (len(item.scene.things), len(item.scene.signs))
    assert found["background"] == item.scene.background
    assert {key: found[key] for key in facts.attributes} == facts.attributes
