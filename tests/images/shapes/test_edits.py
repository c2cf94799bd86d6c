"""What an edit of the scene does to the answers: add, remove, recolour, resize, move, mirror, reorder."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import assume, given

from scotoma.images.worlds.shapes.executor import examine
from scotoma.images.worlds.shapes.language import OPPOSITE, realise
from scotoma.images.worlds.shapes.program import HORIZONTAL, VERTICAL, Phrase, Program
from scotoma.images.worlds.shapes.scene import COLOURS, SIDE, SIZES, Scene, Thing
from scotoma.images.worlds.shapes.templates import describe, present_phrase
from tests.images.shapes.strategies import SCENES, SEEDS, Asked, asked, newcomer


def answer(scene: Scene, program: Program) -> str | None:
    return examine(scene, realise(program, random.Random(0))).answer


def whole_phrase(thing: Thing) -> Phrase:
    return Phrase(thing.shape, thing.colour, thing.size)


def mirrored(scene: Scene, axis: str) -> Scene:
    """The scene seen in a mirror; `axis` x swaps left and right, y swaps above and below."""

    def flip(position: int) -> int:
        return SIDE - 1 - position

    return replace(
        scene,
        things=tuple(replace(thing, **{axis: flip(getattr(thing, axis))}) for thing in scene.things),
        signs=tuple(replace(sign, **{axis: flip(getattr(sign, axis))}) for sign in scene.signs),
    )


def swapped(program: Program, relations: tuple[str, ...]) -> Program:
    """The program with these relations replaced by their opposites."""
    return replace(
        program,
        places=tuple(
            replace(place, relation=OPPOSITE[place.relation]) if place.relation in relations else place
            for place in program.places
        ),
    )


@given(SCENES, SEEDS)
def test_a_matching_thing_more_is_one_more_in_the_count_and_none_elsewhere(scene: Scene, seed: int) -> None:
    rng = random.Random(seed)
    added = newcomer(scene, rng)
    assume(added is not None)
    assert added is not None
    after = replace(scene, things=(*scene.things, added))
    for thing in (*scene.things, added):
        count = Program("count", whole_phrase(thing))
        gained = int(answer(after, count) or -1) - int(answer(scene, count) or -1)
        assert gained == (whole_phrase(thing) == whole_phrase(added))
    assert answer(after, Program("exist", whole_phrase(added))) == "yes"
    assert answer(after, Program("count", Phrase("thing"))) == str(len(scene.things) + 1)


@given(SCENES, SEEDS)
def test_a_matching_thing_less_is_one_less_and_the_last_one_takes_existence_with_it(
    scene: Scene, seed: int
) -> None:
    phrase = present_phrase(scene, random.Random(seed))
    things = list(scene.things)
    while (count := answer(replace(scene, things=tuple(things)), Program("count", phrase))) != "0":
        here = replace(scene, things=tuple(things))
        assert answer(here, Program("exist", phrase)) == "yes"
        assert answer(here, Program("none", phrase)) == "no"
        gone = next(
            thing
            for thing in things
            if phrase.noun in ("thing", thing.shape)
            and phrase.colour in (None, thing.colour)
            and phrase.size in (None, thing.size)
        )
        things.remove(gone)
        assert answer(replace(scene, things=tuple(things)), Program("count", phrase)) == str(
            int(count or -1) - 1
        )
    bare = replace(scene, things=tuple(things))
    assert answer(bare, Program("exist", phrase)) == "no"
    assert answer(bare, Program("none", phrase)) == "yes"


@given(SCENES, SEEDS)
def test_a_thing_painted_over_changes_the_colour_answer_and_the_counts_of_both_colours(
    scene: Scene, seed: int
) -> None:
    rng = random.Random(seed)
    index = rng.randrange(len(scene.things))
    old = scene.things[index]
    phrase = describe(old, scene, rng, hidden="colour")
    assume(phrase is not None)
    assert phrase is not None
    colour = rng.choice([name for name in COLOURS if name != old.colour])
    after = _with(scene, index, replace(old, colour=colour))
    assert answer(scene, Program("colour", phrase)) == old.colour
    assert answer(after, Program("colour", phrase)) == colour
    for name, step in ((old.colour, -1), (colour, 1)):
        count = Program("count", Phrase("thing", name))
        assert int(answer(after, count) or -1) - int(answer(scene, count) or -1) == step


@given(SCENES, SEEDS)
def test_a_thing_resized_changes_the_size_answer(scene: Scene, seed: int) -> None:
    rng = random.Random(seed)
    index = rng.randrange(len(scene.things))
    phrase = describe(scene.things[index], scene, rng, hidden="size")
    assume(phrase is not None)
    assert phrase is not None
    for size in SIZES:
        after = _with(scene, index, replace(scene.things[index], size=size))
        assert answer(after, Program("size", phrase)) == size


@given(asked("horizontal", "vertical"))
def test_a_thing_moved_to_the_other_side_of_its_landmark_turns_the_answer(item: Asked) -> None:
    (place,) = item.program.places
    axis = "x" if place.relation in HORIZONTAL else "y"
    mark = _index(item.scene, place.landmark)
    subject = _index(item.scene, item.program.subject)
    here = getattr(item.scene.things[subject], axis)
    there = 2 * getattr(item.scene.things[mark], axis) - here
    after = _with(item.scene, subject, replace(item.scene.things[subject], **{axis: there}))
    before = examine(item.scene, item.question).answer
    assert {before, examine(after, item.question).answer} == {"yes", "no"}
    across = {"x": "y", "y": "x"}[axis]
    moved = replace(item.scene.things[subject], **{across: getattr(item.scene.things[subject], across) + 9})
    assert examine(_with(item.scene, subject, moved), item.question).answer == before


@given(asked("horizontal", "vertical"))
def test_opposite_relations_have_opposite_answers(item: Asked) -> None:
    (place,) = item.program.places
    other = swapped(item.program, (*HORIZONTAL, *VERTICAL))
    assert {answer(item.scene, item.program), answer(item.scene, other)} == {"yes", "no"}
    converse = replace(
        item.program, subject=place.landmark, places=(replace(place, landmark=item.program.subject),)
    )
    assert answer(item.scene, converse) == answer(item.scene, other)


@given(asked())
def test_in_a_mirror_left_and_right_swap_and_nothing_else_changes(item: Asked) -> None:
    for axis, relations in (("x", HORIZONTAL), ("y", VERTICAL)):
        mirror = mirrored(item.scene, axis)
        assert answer(mirror, swapped(item.program, relations)) == answer(item.scene, item.program)


@given(asked())
def test_the_order_of_drawing_says_nothing(item: Asked) -> None:
    turned = replace(item.scene, things=item.scene.things[::-1], signs=item.scene.signs[::-1])
    assert examine(turned, item.question) == examine(item.scene, item.question)


@given(asked("reading"))
def test_a_sign_written_over_changes_the_reading(item: Asked) -> None:
    before = examine(item.scene, item.question).answer
    others = {"digit": ("8", "9"), "word": ("go", "hi")}
    changed = {s.text: next(text for text in others[s.kind] if text != s.text) for s in item.scene.signs}
    after = replace(
        item.scene, signs=tuple(replace(sign, text=changed[sign.text]) for sign in item.scene.signs)
    )
    assert examine(after, item.question).answer == changed[before or ""]


@given(asked("comparison"))
def test_more_fewer_and_equal_exclude_one_another(item: Asked) -> None:
    verdicts = {
        operation: answer(item.scene, replace(item.program, operation=operation))
        for operation in ("more", "fewer", "equal")
    }
    assert sorted(str(verdict) for verdict in verdicts.values()) == ["no", "no", "yes"]
    turned = replace(item.program, subject=item.program.other, other=item.program.subject)
    assert answer(item.scene, replace(turned, operation="fewer")) == verdicts["more"]
    assert answer(item.scene, replace(turned, operation="equal")) == verdicts["equal"]


@given(SCENES, SEEDS)
def test_those_with_and_those_without_add_up(scene: Scene, seed: int) -> None:
    rng = random.Random(seed)
    subject = Phrase("thing")
    without = rng.choice([*COLOURS, *SIZES, "circle", "square", "triangle", "star", "cross"])
    inside = Phrase(
        without if without not in COLOURS and without not in SIZES else "thing",
        without if without in COLOURS else None,
        without if without in SIZES else None,
    )
    rest = int(answer(scene, Program("count", subject, without=without)) or -1)
    assert rest + int(answer(scene, Program("count", inside)) or -1) == len(scene.things)


def _with(scene: Scene, index: int, thing: Thing) -> Scene:
    return replace(scene, things=(*scene.things[:index], thing, *scene.things[index + 1 :]))


def _index(scene: Scene, phrase: object) -> int:
    """Which thing a definite phrase means: counted off by hand."""
    assert isinstance(phrase, Phrase)
    (index,) = [
        number
        for number, thing in enumerate(scene.things)
        if {phrase.noun, phrase.colour, phrase.size} - {"thing", None}
        <= {thing.shape, thing.colour, thing.size}
    ]
    return index
