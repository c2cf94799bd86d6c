"""Every question of the uniform questioner parses, means what was meant, and is answered as a bystander would."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scotoma.images.worlds.shapes import ShapesWorld, bystander, templates
from scotoma.images.worlds.shapes.executor import examine, matching
from scotoma.images.worlds.shapes.language import (
    WORDINGS,
    normalise,
    parse,
    realise,
    vocabulary,
)
from scotoma.images.worlds.shapes.program import Phrase
from scotoma.images.worlds.shapes.scene import EXAM, TRAINING, Scene, Thing, sample_scene
from scotoma.images.worlds.shapes.world import ShapesFacts
from tests.images.shapes.strategies import SCENES, SEEDS, Asked, asked


@pytest.mark.parametrize("type_", templates.TYPES)
def test_every_type_of_question_is_valid_and_answered_as_a_bystander_would(type_: str) -> None:
    rng = random.Random(f"bystander/{type_}")
    answered = 0
    while answered < 120:
        scene = sample_scene(rng, EXAM)
        question = templates.ask(scene, rng, type_)
        if question is None:
            continue
        parsed, examination = parse(question), examine(scene, question)
        assert parsed is not None
        assert examination.valid, (question, examination.reason)
        assert examination.answer == bystander.reply(parsed.program, scene), (question, scene)
        assert parsed.program.type == type_, question
        answered += 1


def test_a_bystander_has_no_opinion_of_what_is_not_there() -> None:
    one, two = Thing("star", "red", "large", 20, 32, 7), Thing("star", "blue", "large", 44, 32, 7)
    for question, things, opinion in (
        ("what colour is the circle ?", (one,), None),
        ("what colour is the star ?", (one, two), None),
        ("what colour is the star ?", (one,), "red"),
        ("how lovely is it ?", (one,), None),
    ):
        assert ShapesWorld().second_opinion(ShapesFacts(Scene(things)), question) == opinion


def test_every_kind_of_composition_is_answered_as_a_bystander_would() -> None:
    rng = random.Random("bystander/compositions")
    kinds: Counter[tuple[str, int, bool]] = Counter()
    for _ in range(600):
        scene = sample_scene(rng, EXAM)
        question = templates.ask(scene, rng, "composition")
        parsed = parse(question) if question else None
        if question and parsed:
            program = parsed.program
            assert examine(scene, question).answer == bystander.reply(program, scene), (question, scene)
            kinds[program.operation, len(program.places), program.without is not None] += 1
    assert len(kinds) == len(templates.COMPOSITIONS)


@settings(max_examples=200)
@given(SCENES, st.sampled_from(("", "shape", "colour", "size")), SEEDS)
def test_a_description_fits_its_thing_alone_and_is_found_where_there_is_one(
    scene: Scene, hidden: str, seed: int
) -> None:
    rng = random.Random(seed)
    thing = rng.choice(scene.things)
    full = {"noun": thing.shape, "colour": thing.colour, "size": thing.size}
    secret = {"shape": "noun"}.get(hidden, hidden)
    described = templates.describe(thing, scene, rng, hidden)
    fullest = Phrase(**{**full, secret: "thing" if secret == "noun" else None} if hidden else full)
    if described is None:
        assert len(matching(fullest, scene)) > 1
    else:
        assert matching(described, scene) == [thing]
        assert not hidden or getattr(described, secret) == getattr(fullest, secret)


@settings(max_examples=200)
@given(SEEDS)
def test_a_program_written_in_any_wording_reads_back_the_same(seed: int) -> None:
    rng = random.Random(seed)
    program = templates.propose(sample_scene(rng, EXAM), rng, rng.choice(templates.TYPES))
    if program is None:
        return
    for _ in range(4):
        question = realise(program, rng)
        parsed = parse(question)
        assert parsed is not None, question
        assert parsed.program == program, question
        assert question == normalise(question)
        assert set(question.split()) <= set(vocabulary())


def test_every_wording_is_used() -> None:
    rng = random.Random(0)
    used: Counter[str] = Counter()
    for _ in range(250):
        scene = sample_scene(rng, EXAM)
        for type_ in (*templates.TYPES, "composition", "composition"):
            question = templates.ask(scene, rng, type_)
            parsed = parse(question) if question else None
            if parsed:
                used[parsed.wording] += 1
    assert {wording.lstrip("*") for group in WORDINGS.values() for wording in group} == set(used)


@given(asked())
def test_the_same_words_in_another_dress_are_the_same_question(item: Asked) -> None:
    plain = examine(item.scene, item.question)
    body = item.question.rstrip(" ?.")
    assert examine(item.scene, f"  {item.question.upper()} ") == plain
    assert examine(item.scene, body + ("." if item.question.endswith(".") else "?")) == plain


@given(asked())
def test_answers_are_words_of_the_vocabulary(item: Asked) -> None:
    answer = examine(item.scene, item.question).answer
    assert answer in vocabulary()


@given(asked())
def test_phrases_stand_where_the_parser_says(item: Asked) -> None:
    parsed = parse(item.question)
    assert parsed is not None
    words = item.question.split()
    for mention in parsed.mentions:
        inside = " ".join(words[mention.start : mention.end + 1])
        if mention.role == "excluded":
            assert parsed.program.without is not None
            assert inside.startswith(parsed.program.without)
        else:
            named = (getattr(mention.phrase, key, None) for key in ("size", "colour", "text"))
            assert {word for word in named if word} <= set(inside.split())
        if mention.role == "landmark":
            naming = {
                "left": "left",
                "right": "right",
                "above": "above",
                "higher": "above",
                "below": "below",
                "lower": "below",
            }
            assert naming[words[mention.relation]] in {place.relation for place in parsed.program.places}
            assert mention.relation < mention.start


@given(SEEDS)
def test_taught_questions_use_only_taught_wordings(seed: int) -> None:
    rng = random.Random(seed)
    question = templates.ask(sample_scene(rng, TRAINING), rng, taught_only=True)
    if question is not None:
        parsed = parse(question)
        assert parsed is not None
        assert not parsed.untrained
        assert "wording" not in templates.untaught(parsed)


@pytest.mark.parametrize("operation", ["exist", "none", "relate"])
def test_yes_and_no_are_balanced_where_the_answer_says_nothing_else(operation: str) -> None:
    rng = random.Random(f"balance/{operation}")
    types = {"exist": ("existence",), "none": ("negation",), "relate": ("horizontal", "vertical")}[operation]
    answers: Counter[str | None] = Counter()
    while answers.total() < 600:
        scene = sample_scene(rng, EXAM)
        question = templates.ask(scene, rng, rng.choice(types))
        parsed = parse(question) if question else None
        if question and parsed and parsed.program.operation == operation:
            answers[examine(scene, question).answer] += 1
    assert 0.4 < answers["yes"] / answers.total() < 0.6


@given(SCENES, SEEDS)
def test_the_same_seed_asks_the_same_question(scene: Scene, seed: int) -> None:
    assert templates.ask(scene, random.Random(seed)) == templates.ask(scene, random.Random(seed))


def test_articles_and_plurals_are_english() -> None:
    rng = random.Random(0)
    for _ in range(800):
        question = templates.ask(sample_scene(rng, EXAM), rng) or ""
        words = question.split()
        for article, noun in pairwise(words):
            assert article not in ("a", "an") or (article == "an") == (noun[0] in "aeiou"), question
        assert not {"crosss", "objectes", "starss"} & set(words), question


def test_the_bystander_tells_every_outline_and_size_apart() -> None:
    for shape in ("circle", "square", "triangle", "star", "cross"):
        for size, radius in (("small", 4), ("small", 5), ("large", 7), ("large", 8)):
            (seen,) = bystander.look(Scene(things=(Thing(shape, "cyan", size, 30, 30, radius),), shade=180))
            assert (seen.shape, seen.colour, seen.size) == (shape, "cyan", size)
