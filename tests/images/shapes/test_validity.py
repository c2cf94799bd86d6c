"""A question without exactly one answer is recognised, and the reason has a name."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.core import Examination
from scotoma.images.worlds.shapes import bystander, templates
from scotoma.images.worlds.shapes.executor import examine
from scotoma.images.worlds.shapes.language import parse, realise, vocabulary
from scotoma.images.worlds.shapes.program import Phrase, SignPhrase
from scotoma.images.worlds.shapes.scene import Scene, Sign, Thing, sample_scene
from tests.images.shapes.strategies import SCENES, SEEDS, Asked, asked

# Two circles (small red, large blue), a large green star, and a small yellow square hardly right of the star.
SCENE = Scene(
    things=(
        Thing("circle", "red", "small", 10, 12, 4),
        Thing("circle", "blue", "large", 50, 14, 8),
        Thing("star", "green", "large", 28, 34, 8),
        Thing("square", "yellow", "small", 30, 54, 5),
    ),
    signs=(Sign("4", 9, 50), Sign("go", 52, 50)),
)


def ask(question: str) -> Examination:
    return examine(SCENE, question)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("is there a red circle ?", "yes"),
        ("is there an object ?", "yes"),
        ("is there a large red circle ?", "no"),
        ("is there no cross ?", "yes"),
        ("is there a circle left of the star ?", "yes"),
        ("how many things are there ?", "4"),
        ("how many crosses are there ?", "0"),
        ("how many things are left of the blue circle ?", "3"),
        ("how many objects to the left of the blue circle are not red ?", "2"),
        ("how many things are there without the circle ones ?", "2"),
        ("how many things are not circles ?", "2"),
        ("count the things that are not large .", "2"),
        ("how many circles are above the star and right of the red thing ?", "1"),
        ("how many circles are left of the red circle ?", "0"),
        ("what colour is the star ?", "green"),
        ("what colour is the circle right of the star ?", "blue"),
        ("what shape is the yellow object ?", "square"),
        ("is the star small or large ?", "large"),
        ("is the star left of the blue circle ?", "yes"),
        ("is the star lower than the digit 4 ?", "no"),
        ("is the red circle the same shape as the star ?", None),
        ("do the red thing and the blue thing have the same shape ?", "yes"),
        ("is the star the same colour as the square ?", "no"),
        ("are there more circles than stars ?", "yes"),
        ("are there fewer crosses than stars ?", "yes"),
        ("are there as many stars as squares ?", "yes"),
        ("are there more circles left of than right of the star ?", "no"),
        ("what digit is there ?", "4"),
        ("what word is right of the star ?", "go"),
    ],
)
def test_what_a_person_would_answer(question: str, answer: str | None) -> None:
    assert ask(question).answer == answer


@pytest.mark.parametrize(
    "question",
    [
        "",
        "?",
        "hello",
        "how many",
        "is there",
        "is there a pink circle ?",
        "is there a circle red ?",
        "what colour is star ?",
        "how many circle are there ?",
        "are there more circles left of than above the star ?",
        "is the star the same colour as the digit 4 ?",
        "is the star near the circle ?",
        "how many things are left of the circle and right of the star and above the square ?",
        "¿ cuántos círculos hay ?",
    ],
)
def test_what_is_not_in_the_language_is_unparsable_and_has_no_tags(question: str) -> None:
    assert ask(question) == Examination(valid=False, reason="unparsable")


@pytest.mark.parametrize(
    "question",
    [
        "how many circles are there ? how many stars are there ?",
        "how many circles are there and what colour is the star ?",
        "what colour is the star, and is there a cross ?",
        "is there a star ? is there a cross ? is there a circle ?",
        "how many things are left of the circle and right of the star and is there a star ?",
    ],
)
def test_several_questions_at_once_are_called_so(question: str) -> None:
    assert ask(question) == Examination(valid=False, reason="several_questions")


@pytest.mark.parametrize(
    "question",
    [
        "what colour is the cross ?",
        "what shape is the purple thing ?",
        "is the purple circle small or large ?",
        "is the cross left of the star ?",
        "is the star left of the cross ?",
        "how many things are above the cyan object ?",
        "is there a star below the digit 7 ?",
        "what colour is the circle below the star ?",
        "do the cross and the star have the same colour ?",
        "what digit is right of the star ?",
        "are there more things above than below the cross ?",
    ],
)
def test_a_false_presupposition_is_no_referent(question: str) -> None:
    assert (ask(question).valid, ask(question).reason) == (False, "no_referent")


@pytest.mark.parametrize(
    "question",
    [
        "what colour is the circle ?",
        "what shape is the large thing ?",
        "what colour is the small object ?",
        "is the circle left of the star ?",
        "is the star left of the circle ?",
        "how many things are right of the small thing ?",
        "what colour is the circle above the star ?",
        "is the circle the same colour as the star ?",
        "what sign is there ?",
        "are there more things left of than right of the circle ?",
    ],
)
def test_a_definite_phrase_that_fits_several_is_ambiguous(question: str) -> None:
    assert (ask(question).valid, ask(question).reason) == (False, "ambiguous")


@pytest.mark.parametrize(
    "question",
    [
        "is the star left of the square ?",
        "is the square to the right of the star ?",
        "is the red circle above the blue circle ?",
        "how many things are right of the star ?",
        "are there any squares left of the star ?",
        "what shape is the small thing left of the star ?",
        "are there more things left of than right of the square ?",
    ],
)
def test_too_near_to_call_is_borderline(question: str) -> None:
    assert (ask(question).valid, ask(question).reason) == (False, "borderline")


@pytest.mark.parametrize(
    "question",
    [
        "what colour is the green star ?",
        "what shape is the star ?",
        "is the large star small or large ?",
        "how many red circles are not red ?",
        "how many red things are not blue ?",
        "how many circles are not stars ?",
        "how many small things are not large ?",
        "are there more circles than circles ?",
        "are there as many things as objects ?",
        "is the star left of the star ?",
        "is the green thing above the star ?",
        "is there a star left of the star ?",
        "is the star the same colour as the green thing ?",
        "is the red circle the same colour as the star ?",
        "is the star the same shape as the square ?",
    ],
)
def test_a_question_that_answers_itself_is_trivial(question: str) -> None:
    assert (ask(question).valid, ask(question).reason) == (False, "trivial")


@pytest.mark.parametrize(
    ("distance", "reason"), [(0, "borderline"), (3, "borderline"), (4, None), (20, None)]
)
def test_the_margin_is_four_pixels_between_centres(distance: int, reason: str | None) -> None:
    pair = Scene(
        things=(
            Thing("circle", "red", "small", 20, 20, 4),
            Thing("star", "red", "small", 20 + distance, 40, 4),
        )
    )
    assert examine(pair, "is the circle left of the star ?").reason == reason


def test_an_empty_scene_still_answers_what_it_can() -> None:
    empty = Scene(things=())
    assert examine(empty, "how many things are there ?").answer == "0"
    assert examine(empty, "is there no star ?").answer == "yes"
    assert examine(empty, "what colour is the star ?").reason == "no_referent"
    assert examine(empty, "what digit is there ?").reason == "no_referent"


WORDS = st.one_of(st.sampled_from(vocabulary()), st.text(max_size=6))
REASONS = ("no_referent", "ambiguous", "borderline", "trivial")


@given(SCENES, st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=14).map(" ".join)))
def test_word_salad_is_examined_without_a_fall(scene: Scene, question: str) -> None:
    examination = examine(scene, question)
    assert examination.valid == (examination.reason is None) == (examination.answer is not None)


@given(asked(), SEEDS)
def test_a_question_with_one_word_changed_is_answered_as_a_bystander_would_or_refused(
    item: Asked, seed: int
) -> None:
    rng = random.Random(seed)
    words = item.question.split()
    words[rng.randrange(len(words))] = rng.choice(vocabulary())
    question = " ".join(words)
    examination = examine(item.scene, question)
    assert examination.reason in (None, "unparsable", *REASONS)
    if examination.valid:
        parsed = parse(question)
        assert parsed is not None
        assert examination.answer == bystander.reply(parsed.program, item.scene)


@given(asked(), SEEDS)
def test_a_question_put_to_another_scene_is_answered_as_a_bystander_would_or_refused(
    item: Asked, seed: int
) -> None:
    other = sample_scene(random.Random(seed))
    examination = examine(other, item.question)
    if examination.valid:
        assert examination.answer == bystander.reply(item.program, other)
    else:
        assert examination.reason in REASONS
        assert examination.answer is None


@given(SCENES, SEEDS)
def test_the_reason_says_how_many_a_definite_phrase_fits(scene: Scene, seed: int) -> None:
    rng = random.Random(seed)
    phrase = templates.random_phrase(rng)
    if phrase.colour is not None:
        return
    number = sum(bystander.fits(thing, phrase) for thing in bystander.look(scene))
    program = templates.Program("colour", phrase)
    expected = {0: "no_referent", 1: None}.get(number, "ambiguous")
    assert examine(scene, realise(program, rng)).reason == expected


@given(SCENES)
def test_a_sign_is_referred_to_by_kind_or_text(scene: Scene) -> None:
    for kind in ("digit", "word", "sign"):
        texts = [sign.text for sign in scene.signs if kind in ("sign", sign.kind)]
        expected = {0: "no_referent", 1: None}.get(len(texts), "ambiguous")
        examination = examine(scene, f"what {kind} is there ?")
        assert examination.reason == expected
        assert examination.valid == (examination.answer in texts)


def test_the_fixture_has_what_the_examples_speak_of() -> None:
    seen = bystander.look(SCENE)
    assert [bystander.fits(thing, Phrase("circle")) for thing in seen] == [True, True, False, False]
    assert isinstance(bystander.the(SignPhrase("digit", "4"), seen, SCENE), Sign)
