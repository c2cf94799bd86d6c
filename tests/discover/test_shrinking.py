"""Shrinking a failure: it stays a failure at every step, inside its mode, and ends where nothing smaller fails."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from scotoma.core import ImageRecord, Observation, Predicate, Reply, ReplyError, Request
from scotoma.discover.interview import Asked, Interview
from scotoma.discover.shrinking import Failing, Shrinkage, Shrinker, words
from scotoma.images.worlds.shapes import ShapesFacts, ShapesWorld
from scotoma.models.scripted import ScriptedModel
from scotoma.models.spec import load_model
from scotoma.verify.facts import FactsVerifier

WORLD = ShapesWorld()


def wrong_when(where: str) -> ScriptedModel:
    """A candidate that is wrong on the questions of a predicate, and nowhere else."""
    spot = Predicate.parse(where)

    def answer(request: Request) -> str:
        facts = request.images[0].facts
        assert facts is not None
        examined = facts.examine(request.text)
        assert examined.answer is not None
        if not spot.matches(examined.tags):
            return examined.answer
        return "no" if examined.answer == "yes" else "yes" if examined.answer == "no" else "9"

    return ScriptedModel(answer)


def failures(interview: Interview, images: int, within: Predicate | None = None) -> list[Failing]:
    """Uniform template questions of the `discover` split that the candidate answers wrongly."""
    found: list[tuple[ImageRecord, Observation]] = []
    for number, record in enumerate(islice(WORLD.images("discover", 0), images)):
        assert record.facts is not None
        questions = WORLD.questions(record.facts, number, 10)
        asked = [Asked(f"d/{number}/{i}", record, text) for i, text in enumerate(questions)]
        found += [(record, item) for item in interview.ask(asked, "discover") if item.outcome == "failure"]
    return [
        Failing(record, item, within) for record, item in found if within is None or within.matches(item.tags)
    ]


def shrunk(where: str, images: int = 30, **settings: int) -> list[Shrinkage]:
    interview = Interview(wrong_when(where), FactsVerifier())
    return Shrinker(WORLD, interview, **settings).shrink(failures(interview, images, Predicate.parse(where)))


def test_what_is_left_is_what_the_failure_needs() -> None:
    found = shrunk("operation=count and count>=3")
    assert len(found) > 5
    for item in found:
        assert item.example.smallest.question in ("count the things .", "count the objects .")
        assert item.example.smallest.truth == "3"
        assert item.example.smallest.things == 3
        assert item.example.still_failing
        assert item.example.minimal


def test_a_failure_of_two_modes_leaves_two_observations() -> None:
    interview = Interview(wrong_when("operation=count and count>=3"), FactsVerifier())
    [one] = failures(interview, 30, Predicate.parse("operation=count and count>=3"))[:1]
    found = Shrinker(WORLD, interview).shrink([one, replace(one, within=None)])
    assert len({item.observation.key for item in found}) == 2


def test_the_smallest_is_inside_the_mode_by_facts_and_answered_wrongly() -> None:
    where = "relation=left and landmark=thing"
    for item in shrunk(where):
        facts = item.image.facts
        assert isinstance(facts, ShapesFacts)
        examined = facts.examine(item.example.smallest.question)
        assert Predicate.parse(where).matches(examined.tags)
        assert examined.answer == item.example.smallest.truth != item.example.smallest.answer
        assert item.image.id == item.example.smallest.image_id
        assert item.image.split == "discover"
        assert item.observation.outcome == "failure"


def test_without_a_mode_a_failure_may_shrink_to_any_other() -> None:
    interview = Interview(wrong_when("complexity>=1"), FactsVerifier())
    for item in Shrinker(WORLD, interview).shrink(failures(interview, 2)):
        assert item.example.smallest.things <= max(2, item.example.original.things)
        assert item.example.smallest.words <= item.example.original.words


def test_how_many_are_asked_at_once_changes_no_result() -> None:
    alone, together = (shrunk("operation=more", together=n) for n in (1, 7))
    assert [a.example.smallest for a in alone] == [b.example.smallest for b in together]
    assert sum(a.example.queries for a in alone) <= sum(b.example.queries for b in together)


def test_queries_are_counted_and_bounded() -> None:
    interview = Interview(model := wrong_when("operation=count"), FactsVerifier())
    found = failures(interview, 20)
    before = len(model.requests)
    few = Shrinker(WORLD, interview, most=5).shrink(found)
    assert sum(item.example.queries for item in few) == len(model.requests) - before
    assert all(item.example.queries <= 6 for item in few)
    assert not all(item.example.minimal for item in few)


def test_an_infrastructure_error_is_no_failure() -> None:
    spotty = wrong_when("operation=count")
    interview = Interview(spotty, FactsVerifier())
    found = failures(interview, 10)

    def answer(request: Request) -> Reply:
        if len(request.text.split()) < 5:
            return Reply(error=ReplyError("timeout", "too short to hear"))
        return spotty.answer([request])[0]

    spoilt = Interview(ScriptedModel(answer), FactsVerifier())
    shrunk = Shrinker(WORLD, spoilt).shrink(found)
    for failing, item in zip(found, shrunk, strict=True):
        if len(failing.observation.question.split()) >= 5:
            assert len(item.example.smallest.question.split()) >= 5
            assert item.example.still_failing
    assert not all(item.example.minimal for item in shrunk)  # a shorter one may fail: nobody knows


def test_what_an_error_kept_from_being_asked_at_the_end_neither_fails_nor_holds() -> None:
    found = failures(Interview(wrong_when("operation=count"), FactsVerifier()), 3)
    down = ScriptedModel(lambda request: Reply(error=ReplyError("timeout", "gone")))
    for item in Shrinker(WORLD, Interview(down, FactsVerifier()), most=4).shrink(found):
        assert item.example.still_failing is None
        assert not item.example.minimal


def test_a_failure_that_is_gone_at_the_end_is_told() -> None:
    interview = Interview(wrong_when("operation=count"), FactsVerifier())
    found = failures(interview, 3)
    moody = wrong_when("operation=read")  # now it can count
    for item in Shrinker(WORLD, Interview(moody, FactsVerifier())).shrink(found):
        assert not item.example.still_failing
        assert item.example.smallest == item.example.original


def test_nothing_to_shrink_asks_nothing() -> None:
    model = wrong_when("operation=count")
    assert Shrinker(WORLD, Interview(model, FactsVerifier())).shrink([]) == []
    assert model.requests == []


def test_the_pupils_failures_halve_and_still_fail() -> None:
    interview = Interview(load_model("pupil"), FactsVerifier())
    found = [item.example for item in Shrinker(WORLD, interview).shrink(failures(interview, 12)[:12])]
    assert len(found) >= 8
    assert all(item.still_failing for item in found)
    shares = sorted(item.smallest.things / item.original.things for item in found)
    assert shares[len(shares) // 2] <= 0.5
    shorter = sorted(item.smallest.words / item.original.words for item in found)
    assert shorter[len(shorter) // 2] <= 0.75


def test_words_are_counted_without_punctuation() -> None:
    assert words("How many red circles, or stars?") == 6
