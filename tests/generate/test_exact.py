"""The exact agents of a world: what they plan, find, change, ask and answer, and the pipeline over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from itertools import islice

import pytest

from scotoma.core import ImageRecord, Predicate, Sample
from scotoma.generate.attempt import Attempt, tally
from scotoma.generate.checks import Checks
from scotoma.generate.checks.duplicate import Duplicate
from scotoma.generate.checks.leakage import Leakage
from scotoma.generate.exact.editor import EFFECTS, SceneEditor
from scotoma.generate.exact.planner import ExactPlanner, near_misses
from scotoma.generate.exact.searcher import FactsSearcher
from scotoma.generate.exact.validator import ExactValidator
from scotoma.generate.exact.writer import ExactWriter
from scotoma.generate.handover import Brief, Declined, FailedQuestion, Found, Sketch
from scotoma.generate.production import Crew, Pace, batches
from scotoma.images.worlds.shapes import ShapesWorld, executor
from scotoma.images.worlds.shapes.program import Program
from scotoma.images.worlds.shapes.scene import Scene

WORLD = ShapesWorld()
POOL = tuple(islice(WORLD.images("train", 1), 60))


def failures(predicate: Predicate) -> tuple[FailedQuestion, ...]:
    found = []
    for number, record in enumerate(islice(WORLD.images("discover", 0), 60)):
        assert record.facts is not None
        for question in WORLD.questions(record.facts, number, 10):
            examined = record.facts.examine(question)
            if predicate.matches(examined.tags):
                truth = examined.answer or ""
                found.append(FailedQuestion(record, question, "wrong", truth, examined.tags))
    return tuple(found)


def brief(where: str, wanted: int) -> Brief:
    predicate = Predicate.parse(where)
    return Brief("m1", where, predicate, wanted, predicate, failures(predicate))


def crew() -> Crew:
    return Crew(
        "exact",
        ExactPlanner(WORLD),
        FactsSearcher(POOL),
        SceneEditor(WORLD),
        ExactWriter(WORLD),
        ExactValidator(WORLD),
    )


def checked(held_out: Collection[str] = ()) -> Checks:
    return Checks([Leakage(held_out), Duplicate()])


def made(of: Brief, checks: Checks, at_once: int = 4) -> tuple[list[Sample], list[Attempt], str | None]:
    samples: list[Sample] = []
    attempts: list[Attempt] = []
    ended = None
    for batch in batches(of, crew(), checks, Pace(at_once=at_once)):
        samples += batch.samples
        attempts += batch.attempts
        ended = batch.ended
    return samples, attempts, ended


@pytest.fixture(scope="module")
def counted() -> tuple[list[Sample], list[Attempt], str | None]:
    return made(brief("type=counting and count>=3", 40), checked())


def test_a_near_miss_differs_in_one_condition() -> None:
    predicate = Predicate.parse("skill=reading and things>=6 and background in stripes|speckle")
    assert [str(miss) for miss in near_misses(predicate, ["things", "background"])] == [
        "skill=reading and things<=5 and background in stripes|speckle",
        "skill=reading and things>=6 and background!=stripes and background!=speckle",
    ]


def test_where_the_answer_is_named_the_near_miss_has_another_answer() -> None:
    predicate = Predicate.parse("operation=exist and answer=no and things>=6")
    assert [str(miss) for miss in near_misses(predicate, ["answer", "count", "things"])] == [
        "operation=exist and answer!=no and things>=6"
    ]


def test_a_share_is_filled_and_every_answer_is_what_the_facts_say(
    counted: tuple[list[Sample], list[Attempt], str | None],
) -> None:
    samples, attempts, ended = counted
    assert ended == "filled"
    assert len(samples) == tally(attempts).kept == 40
    assert {sample.mode_id for sample in samples} == {"m1"}
    assert len({(sample.image_id, sample.question) for sample in samples}) == 40


def test_members_and_near_misses_are_what_they_say(
    counted: tuple[list[Sample], list[Attempt], str | None],
) -> None:
    samples, _, _ = counted
    purposes = Counter(sample.purpose for sample in samples)
    assert min(purposes["mode"], purposes["contrast"]) >= 8
    for sample in samples:
        assert (int(sample.answer) >= 3) == (sample.purpose == "mode")
        assert sample.tags["type"] == "counting"


def test_questions_come_in_several_phrasings(
    counted: tuple[list[Sample], list[Attempt], str | None],
) -> None:
    samples, _, _ = counted
    phrasings = Counter(sample.provenance["phrasing"] for sample in samples)
    assert min(phrasings["first"], phrasings["paraphrase"]) >= 10


def test_the_number_of_threads_does_not_change_the_samples(
    counted: tuple[list[Sample], list[Attempt], str | None],
) -> None:
    again, _, _ = made(brief("type=counting and count>=3", 40), checked(), at_once=1)
    assert [sample.id for sample in again] == [sample.id for sample in counted[0]]


def test_no_picture_is_handed_on_as_it_was_found() -> None:
    where = brief("skill=reading", 12)
    held_out = {failure.image.id for failure in where.failures} | {record.id for record in POOL}
    samples, attempts, _ = made(where, checked(held_out))
    assert len(samples) == 12
    assert not held_out & {sample.image_id for sample in samples}
    assert "checks: leakage" not in tally(attempts).rejected


def test_a_mode_that_no_question_can_meet_falls_short_and_says_why() -> None:
    reading = brief("skill=reading", 6)
    impossible = Predicate.parse("skill=reading and operation=count and type=colour")
    samples, attempts, ended = made(
        Brief("m9", "none", impossible, 6, impossible, reading.failures), checked()
    )
    assert samples == []
    assert ended == "tries used up"
    assert tally(attempts).rejected["writer: no such question"] >= 20


def test_a_mode_without_failures_is_given_up_at_once() -> None:
    predicate = Predicate.parse("skill=reading")
    _, attempts, ended = made(Brief("m2", "none", predicate, 6), checked())
    assert ended == "nothing came of it"
    assert tally(attempts).rejected == {"planner: no failure with facts": 2}


def test_a_picture_of_the_pool_is_found_by_its_facts() -> None:
    crowded = Predicate.parse("things>=7")
    found = FactsSearcher(POOL).search(Sketch(shows="many things", asks="", must=crowded), 5)
    assert found
    for each in found:
        assert int(str(each.image.attributes["things"])) >= 7


@pytest.mark.parametrize("operation", WORLD.operations)
def test_every_operation_changes_the_scene_and_its_effect_is_told(operation: str) -> None:
    edited = 0
    for record in POOL[:12]:
        try:
            after = SceneEditor(WORLD).edit(
                Sketch(shows="", asks="", scene_edits=(operation,)), Found(record, "pool")
            )
        except Declined:
            continue
        edited += 1
        assert after.image.id != record.id
        assert after.image.split == "train"
        assert after.effects == (EFFECTS[operation],)
        before, now = (int(str(image.attributes["things"])) for image in (record, after.image))
        assert now - before == {"add": 1, "remove": -1}.get(operation, 0)
        if operation == "occlude":
            assert after.image.attributes["occluded"] is True
    assert edited >= 4


def test_an_error_in_the_executor_is_another_answer_and_no_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    right = executor.execute

    def one_too_many(program: Program, scene: Scene) -> str:
        answer = right(program, scene)
        return str(int(answer) + 1) if program.operation == "count" else answer

    of = brief("type=counting and count>=3", 8)
    monkeypatch.setattr(executor, "execute", one_too_many)
    samples, attempts, _ = made(of, checked())
    assert samples == []
    assert set(tally(attempts).rejected) <= {"validator: another answer", "writer: no such question"}
    assert tally(attempts).rejected["validator: another answer"] >= 8


def test_where_a_world_answers_in_one_way_only_the_validator_has_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(ShapesWorld, "second_opinion")
    assert POOL[0].facts is not None
    [question] = WORLD.questions(POOL[0].facts, 0, 1)
    assert ExactValidator(WORLD).validate(POOL[0], question).answer == POOL[0].facts.examine(question).answer


def test_the_validator_answers_from_facts_read_back_and_says_why_it_cannot() -> None:
    record = POOL[0]
    assert record.facts is not None
    ruling = ExactValidator(WORLD).validate(record, "how many things are there ?")
    assert ruling.answer == str(record.attributes["things"])
    assert ExactValidator(WORLD).validate(record, "how lovely is it ?").reason == "unparsable"
    with pytest.raises(Declined, match="no facts"):
        ExactValidator(WORLD).validate(ImageRecord(id="ab", source="mine"), "how many things are there ?")
