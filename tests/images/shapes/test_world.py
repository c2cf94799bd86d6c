"""`worlds:shapes` as an image source: seeded, disjoint by split, with facts that survive the ledger."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.core import SPLITS, Claim, ConfigError, Facts, ImageRecord, Split, World
from scotoma.images.worlds.shapes import ShapesFacts, ShapesWorld, templates
from scotoma.images.worlds.shapes.language import parse
from scotoma.images.worlds.shapes.render import draw
from scotoma.images.worlds.shapes.scene import TRAINING, Scene, Thing
from scotoma.store.rows import image_entry, image_row
from scotoma.verify.facts import FactsVerifier

WORLD = ShapesWorld()


def test_it_keeps_the_contracts() -> None:
    record = WORLD.image("discover", 0, 0)
    assert isinstance(WORLD, World)
    assert isinstance(record.facts, Facts)
    assert (record.split, record.source) == ("discover", "worlds:shapes")


@given(st.sampled_from(SPLITS), st.integers(0, 99), st.integers(0, 9999))
def test_the_same_split_seed_and_index_give_the_same_bytes(split: Split, seed: int, index: int) -> None:
    one, two = WORLD.image(split, seed, index), ShapesWorld().image(split, seed, index)
    assert (one.id, one.read(), one.attributes) == (two.id, two.read(), two.attributes)
    assert one.id == ImageRecord.hash(one.read())


@pytest.mark.parametrize("split", SPLITS)
def test_a_stream_is_its_numbered_pictures_in_order(split: Split) -> None:
    stream = [record.id for record in islice(WORLD.images(split, seed=5), 6)]
    assert stream == [WORLD.image(split, 5, index).id for index in range(6)]


def test_another_process_draws_the_same_pictures_and_asks_the_same_questions() -> None:
    program = (
        "from scotoma.images.worlds.shapes import ShapesWorld; w = ShapesWorld(); r = w.image('test', 3, 7); "
        "print(r.id, *w.questions(r.facts, 4, 6), sep='|')"
    )
    environment = {"PYTHONPATH": str(Path(__file__).parents[3] / "src"), "PYTHONHASHSEED": "77"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    record = WORLD.image("test", 3, 7)
    assert record.facts is not None
    assert done.stdout.strip().split("|") == [record.id, *WORLD.questions(record.facts, 4, 6)]


def test_no_picture_is_in_two_splits_or_twice_in_one() -> None:
    owners = Counter(
        record.id for split in SPLITS for seed in (0, 1) for record in islice(WORLD.images(split, seed), 250)
    )
    assert len(owners) == len(SPLITS) * 2 * 250


def test_the_bytes_are_the_drawing() -> None:
    record = WORLD.image("train", 0, 1)
    assert isinstance(record.facts, ShapesFacts)
    picture = record.open()
    assert picture.size == (64, 64)
    assert picture.tobytes() == draw(record.facts.scene).tobytes()


@given(st.integers(0, 9999))
def test_facts_survive_the_ledger_and_draw_the_same_picture(index: int) -> None:
    record = WORLD.image("confirm", 1, index)
    assert isinstance(record.facts, ShapesFacts)
    entry = image_entry(image_row("stage", record))
    assert entry.facts is not None
    again = WORLD.facts(entry.facts)
    assert again.scene == record.facts.scene
    assert WORLD.render(again, "confirm").id == record.id
    assert dict(entry.attributes) == dict(record.attributes) == again.attributes
    for question in WORLD.questions(record.facts, index, 3):
        assert again.examine(question) == record.facts.examine(question)


def test_a_document_that_is_no_scene_is_refused() -> None:
    with pytest.raises(ConfigError, match="not a shapes scene"):
        WORLD.facts({"bars": [1, 2]})


@given(st.integers(0, 9999))
def test_template_questions_are_valid_and_as_many_as_asked_for(index: int) -> None:
    record = WORLD.image("test", 2, index)
    assert record.facts is not None
    questions = WORLD.questions(record.facts, index, 5)
    assert len(questions) == 5
    assert all(record.facts.examine(question).valid for question in questions)
    assert questions == WORLD.questions(record.facts, index, 5)


def test_template_questions_ask_every_type_about_equally_often() -> None:
    types: Counter[str] = Counter()
    for record in islice(WORLD.images("test", 3), 250):
        assert record.facts is not None
        if record.attributes["signs"]:
            programs = [parse(question) for question in WORLD.questions(record.facts, 0, 8)]
            types.update(parsed.program.type for parsed in programs if parsed)
    assert set(types) == set(templates.TYPES)
    shares = [types[type_] / types.total() for type_ in templates.TYPES]
    assert 0.5 / len(shares) < min(shares) <= max(shares) < 1.5 / len(shares)


def test_a_scene_without_things_offers_no_questions() -> None:
    with pytest.raises(ConfigError, match="no questions"):
        WORLD.questions(ShapesFacts(Scene(things=())), 0, 1)


def test_a_narrower_world_stays_in_its_range() -> None:
    for record in islice(ShapesWorld(TRAINING).images("train", 0), 50):
        assert record.attributes["background"] in TRAINING.backgrounds
        assert 2 <= int(str(record.attributes["things"])) <= 6


def test_facts_are_plain_json() -> None:
    record = WORLD.image("train", 0, 0)
    assert record.facts is not None
    assert json.loads(json.dumps(record.facts.to_json()))["things"]


def test_wordy_answers_to_what_has_few_answers_are_judged_by_rules() -> None:
    thing = Thing(shape="star", colour="purple", size="large", x=30, y=30, radius=9)
    picture = ShapesWorld().render(ShapesFacts(Scene(things=(thing,))), "discover")
    said = {
        ("what colour is the large star ?", "The large star is purple."): 1.0,
        ("what colour is the large star ?", "The large star is clearly green."): 0.0,
        ("what shape is the large purple thing ?", "The shape of the large purple thing is a circle."): 0.0,
        ("what shape is the large purple thing ?", "I think that it must be a star."): 1.0,
        ("what size is the star ?", "The purple star is rather large."): 1.0,
    }
    claims = [Claim(image=picture, question=question, answer=answer) for question, answer in said]
    assert [verdict.correct for verdict in FactsVerifier().judge(claims)] == list(said.values())
