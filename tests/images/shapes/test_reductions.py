"""What a shrinker is offered: strictly smaller scenes and questions, nothing invented."""

from __future__ import annotations

from hypothesis import given

from scotoma.core import ContrastWorld, ReducibleWorld
from scotoma.images.worlds.shapes import ShapesFacts, ShapesWorld
from scotoma.images.worlds.shapes.executor import examine
from scotoma.images.worlds.shapes.language import parse
from scotoma.images.worlds.shapes.reductions import cost, reductions
from scotoma.images.worlds.shapes.scene import EXAM, Scene, Sign, Thing
from tests.images.shapes.strategies import Asked, asked

RED_CIRCLE = Thing("circle", "red", "small", 10, 10, 4)
BLUE_STAR = Thing("star", "blue", "large", 40, 12, 8)
GREEN_STAR = Thing("star", "green", "small", 12, 44, 5)
SCENE = Scene((RED_CIRCLE, BLUE_STAR, GREEN_STAR), (Sign("4", 50, 50),), "stripes")


def offered(question: str, scene: Scene = SCENE) -> list[tuple[Scene, str]]:
    return [(found.scene, found.question) for found in reductions(scene, question)]


@given(asked())
def test_every_step_is_smaller_and_the_smallest_come_first(case: Asked) -> None:
    before = cost(case.scene, case.question)
    costs = [cost(*pair) for pair in offered(case.question, case.scene)]
    assert costs == sorted(costs)
    assert all(after < before for after in costs)


@given(asked())
def test_scenes_only_lose_things_and_stay_in_the_worlds_range(case: Asked) -> None:
    for scene, _ in offered(case.question, case.scene):
        assert set(scene.things) <= set(case.scene.things)
        assert set(scene.signs) <= set(case.scene.signs)
        assert len(scene.things) >= EXAM.things[0]
        assert scene.background in ("plain", case.scene.background)


@given(asked())
def test_every_question_is_in_the_language_and_in_no_wording_that_is_new_to_the_pupil(case: Asked) -> None:
    whole = parse(case.question)
    assert whole is not None
    for _, question in offered(case.question, case.scene):
        parsed = parse(question)
        assert parsed is not None
        assert not parsed.untrained or parsed.wording == whole.wording


def test_a_phrase_that_would_become_ambiguous_takes_the_rivals_with_it() -> None:
    found = offered("what size is the blue star ?")
    pair = (Scene((RED_CIRCLE, BLUE_STAR), SCENE.signs, "stripes"), "what size is the star ?")
    assert pair in found
    assert examine(*pair).answer == "large"


def test_places_exclusions_and_long_wordings_fall_away() -> None:
    placed = {question for _, question in offered("what number of red circles are to the left of the star ?")}
    assert {"count the red circles .", "count the circles left of the star ."} <= placed
    excluded = {question for _, question in offered("how many stars are not small ?")}
    assert "count the stars ." in excluded


def test_a_comparison_comes_down_to_what_is_compared() -> None:
    found = {question for _, question in offered("do you see more red circles than stars ?")}
    assert {"count the red circles .", "count the stars .", "are there more circles than stars ?"} <= found
    same = {question for _, question in offered("is the circle the same colour as the blue star ?")}
    assert "what colour is the circle ?" in same


def test_nothing_is_offered_for_what_is_no_question() -> None:
    assert offered("purple of the ?") == []


def test_the_world_offers_it_all() -> None:
    world = ShapesWorld()
    assert isinstance(world, ReducibleWorld)
    assert isinstance(world, ContrastWorld)
    assert world.things(ShapesFacts(SCENE)) == 4
    variants = list(world.reductions(ShapesFacts(SCENE), "how many stars are there ?"))
    assert variants
    assert all(isinstance(variant.facts, ShapesFacts) for variant in variants)


@given(asked())
def test_a_paraphrase_means_the_same_in_other_words(case: Asked) -> None:
    world, facts = ShapesWorld(), ShapesFacts(case.scene)
    found = world.paraphrases(facts, case.question, seed=1, n=3)
    assert len(set(found)) == len(found) <= 3
    for question in found:
        parsed = parse(question)
        assert parsed is not None
        assert question != case.question
        assert parsed.program == case.program
        assert facts.examine(question).answer == facts.examine(case.question).answer
