"""Every invalid question has one of five reasons, whoever called it invalid and in whatever words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.core import INVALIDITIES, Verdict, invalidity


@pytest.mark.parametrize(
    ("reason", "named"),
    [
        ("no_referent", "not_grounded"),
        ("ambiguous", "ambiguous"),
        ("several_questions", "several_questions"),
        ("borderline", "not_answerable"),
        ("trivial", "malformed"),
        ("unparsable", "malformed"),
        ("unnamed", "not_answerable"),
        (None, "not_answerable"),
    ],
)
def test_a_finer_reason_has_one_of_the_names(reason: str | None, named: str) -> None:
    assert invalidity(reason) == named
    assert Verdict(valid=False, reason=reason).invalidity == named


@given(st.text(max_size=20) | st.sampled_from(INVALIDITIES))
def test_every_reason_has_a_name_and_a_name_is_its_own(reason: str) -> None:
    assert invalidity(reason) in INVALIDITIES
    assert invalidity(invalidity(reason)) == invalidity(reason)


@pytest.mark.parametrize("valid", [True, None])
def test_only_an_invalid_question_has_one(valid: bool | None) -> None:
    assert Verdict(valid=valid, reason="undecided").invalidity is None
