"""The questioner is paid for valid, new questions that the candidate gets wrong, and for nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.core import Verdict
from scotoma.discover.novelty import Novelty
from scotoma.discover.reward import RewardTerms, reward
from scotoma.discover.settings import DiscoverSettings

share = st.floats(0, 1)
novelties = st.builds(Novelty, emb=share, ifreq=share)
terms = st.builds(
    RewardTerms,
    scale=st.floats(0, 5),
    penalty=st.floats(0, 5),
    emb=st.booleans(),
    ifreq=st.booleans(),
    failure=st.booleans(),
    validity=st.booleans(),
    surrogate=st.booleans(),
    naturalness=st.floats(0, 5),
)


def asked(correct: float) -> Verdict:
    return Verdict(valid=True, correct=correct, decided_by="facts")


@given(novelties, share, st.floats(0, 5))
def test_it_is_the_published_equation(novelty: Novelty, correct: float, scale: float) -> None:
    expected = scale * (novelty.emb + novelty.ifreq) * (1 - correct)
    assert reward(asked(correct), novelty, RewardTerms(scale=scale)) == pytest.approx(expected)


@given(novelties, share, share, st.floats(0, 5))
def test_typical_questions_are_paid_for_being_so_failing_or_not(
    novelty: Novelty, correct: float, typicality: float, weight: float
) -> None:
    plain = reward(asked(correct), novelty)
    paid = reward(asked(correct), novelty, RewardTerms(naturalness=weight), typicality=typicality)
    assert plain is not None
    assert paid == pytest.approx(plain + weight * typicality)


@given(novelties, terms, share | st.none(), share)
def test_an_invalid_question_costs_the_penalty_whatever_else(
    novelty: Novelty, settings: RewardTerms, score: float | None, typicality: float
) -> None:
    paid = reward(Verdict(valid=False, reason="ambiguous"), novelty, settings, score, typicality)
    assert paid == (-settings.penalty if settings.validity else 0)


@given(novelties, terms, st.sampled_from([True, False, None]), share | st.none())
def test_an_infrastructure_error_pays_nothing_at_all(
    novelty: Novelty, settings: RewardTerms, valid: bool | None, correct: float | None
) -> None:
    assert reward(Verdict(valid=valid, correct=correct, error="timeout"), novelty, settings) is None


@given(novelties, terms)
def test_what_nobody_could_decide_is_masked(novelty: Novelty, settings: RewardTerms) -> None:
    assert reward(Verdict(), novelty, settings) is None
    assert (reward(Verdict(valid=True), novelty, settings) is None) is settings.failure


@given(share, novelties, terms, share | st.none(), share)
def test_it_stays_in_bounds(
    correct: float, novelty: Novelty, settings: RewardTerms, score: float | None, typicality: float
) -> None:
    paid = reward(asked(correct), novelty, settings, score, typicality)
    assert paid is not None
    assert 0 <= paid <= 2 * settings.scale + settings.naturalness


@given(share, share, share, share, terms)
def test_newer_never_pays_less(
    correct: float, a: float, b: float, ifreq: float, settings: RewardTerms
) -> None:
    old, new = Novelty(emb=min(a, b), ifreq=ifreq), Novelty(emb=max(a, b), ifreq=ifreq)
    less, more = (reward(asked(correct), novelty, settings) for novelty in (old, new))
    assert less is not None
    assert more is not None
    assert more >= less


@given(share, share, novelties, terms)
def test_a_harder_question_never_pays_less(
    a: float, b: float, novelty: Novelty, settings: RewardTerms
) -> None:
    easy, hard = (reward(asked(correct), novelty, settings) for correct in (max(a, b), min(a, b)))
    assert easy is not None
    assert hard is not None
    assert hard >= easy


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({"emb": False}, 0.2 * 0.75),
        ({"ifreq": False}, 0.5 * 0.75),
        ({"emb": False, "ifreq": False}, 0.75),
        ({"failure": False}, 0.7),
        ({"surrogate": True}, 0.7 * 0.75 * 0.4),
        ({}, 0.7 * 0.75),
    ],
)
def test_each_term_can_be_switched(switches: dict[str, bool], expected: float) -> None:
    paid = reward(
        asked(0.25), Novelty(emb=0.5, ifreq=0.2), RewardTerms(**{"surrogate": False} | switches), score=0.4
    )
    assert paid == pytest.approx(expected)


def test_the_surrogate_speaks_for_questions_that_were_not_asked() -> None:
    unasked, novelty = Verdict(valid=True), Novelty(emb=0.5, ifreq=0.5)
    assert reward(unasked, novelty, RewardTerms(surrogate=True), score=0.3) == pytest.approx(0.3)
    assert reward(unasked, novelty, RewardTerms(surrogate=False), score=0.3) is None


def test_a_config_that_names_one_term_keeps_the_others() -> None:
    default = DiscoverSettings()
    told = DiscoverSettings.model_validate({"reward": {"penalty": 0.5}})
    assert told == default.model_copy(update={"reward": default.reward.model_copy(update={"penalty": 0.5})})
    assert told.reward.surrogate


def test_where_failure_is_not_paid_for_a_question_need_not_have_been_asked() -> None:
    new = Novelty(emb=0.5, ifreq=0.25)
    unasked = Verdict(valid=True, decided_by="facts")
    assert reward(unasked, new, RewardTerms(failure=False, surrogate=False)) == 0.75
    assert reward(unasked, new, RewardTerms(surrogate=False)) is None
