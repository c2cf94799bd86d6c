"""The examination: held-out questions from the modes and from outside, the same for every checkpoint."""

from __future__ import annotations

import pytest

from scotoma.core import FailureMode, ModelError, Predicate, Reply, ReplyError
from scotoma.diagnose.change import accuracy, change
from scotoma.discover.interview import Interview
from scotoma.discover.pool import Pool
from scotoma.discover.settings import DiscoverSettings
from scotoma.evolve.examination import Examination, members_of, part
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.models.scripted import ScriptedModel
from scotoma.verify.facts import FactsVerifier
from tests.scripted import Candidate

MODE = FailureMode(id="m", predicate=Predicate.parse("operation=fewer"), description="fewer")


@pytest.fixture(scope="module")
def examination() -> Examination:
    pool = Pool(ShapesWorld(), DiscoverSettings())
    return Examination.draw(pool, "test", 0, [MODE], in_modes=50, retained=300, limit=4000)


def test_mode_questions_are_in_the_mode_and_retained_ones_outside(examination: Examination) -> None:
    assert len(examination.modes) == 50
    assert len(examination.retained) == 300
    assert all(MODE.predicate.matches(item.tags) for item in examination.modes)
    assert not any(MODE.predicate.matches(item.tags) for item in examination.retained)
    assert {item.image.split for item in (*examination.modes, *examination.retained)} == {"test"}


def test_an_outage_is_no_examination(examination: Examination) -> None:
    down = ScriptedModel(lambda request: Reply(error=ReplyError("crashed", "no memory")))
    with pytest.raises(ModelError, match="none of 300 questions was answered"):
        examination.ask_retained(Interview(down, FactsVerifier()), "gate/round1/targeted")


def test_a_few_lost_answers_are(examination: Examination) -> None:
    asked = iter(range(300))
    seldom = ScriptedModel(
        lambda request: Reply(error=ReplyError("timeout", "")) if next(asked) % 5 == 0 else Reply("yes")
    )
    answered = examination.ask_retained(Interview(seldom, FactsVerifier()), "gate/round1/targeted")
    assert sum(o.outcome == "infrastructure" for o in answered) == 60


def test_the_same_model_examined_twice_has_not_changed_as_far_as_so_many_images_can_tell(
    examination: Examination,
) -> None:
    interview = Interview(Candidate(), FactsVerifier())
    first, second = (
        examination.ask(interview, "test/base"),
        examination.ask(interview, "test/round1/targeted"),
    )
    difference = change(second, first)
    assert difference.value == 0
    assert -0.1 < difference.low < 0 < difference.high < 0.1
    assert difference.n == 350
    assert accuracy(part(first, "modes")).value < 0.5 < accuracy(part(first, "retained")).value


def test_a_wide_mode_is_not_measured_on_what_was_kept_for_a_narrow_one() -> None:
    """The candidate fails what the narrow one holds: were all members counted, the wide one would fail too."""
    wide, narrow = (
        FailureMode(id=where, predicate=Predicate.parse(where), description=where)
        for where in ("skill=comparison", "skill=comparison and operation=fewer")
    )
    pool = Pool(ShapesWorld(), DiscoverSettings())
    drawn = Examination.draw(pool, "test", 0, [wide, narrow], in_modes=120, retained=40, limit=4000)
    asked = drawn.ask(Interview(Candidate(), FactsVerifier()), "test/base")
    assert drawn.each == 60
    assert [len(members_of(mode, asked, drawn.each)) for mode in (wide, narrow)] == [60, 60]
    every = members_of(wide, asked, None)
    assert len(every) > 80
    fair = members_of(wide, asked, drawn.each)
    late = [o for o in every if o not in fair]
    assert all(narrow.predicate.matches(o.tags) for o in late)
    assert accuracy(fair).value > accuracy(every).value
