"""Four outcomes, never mixed: correct, failure, invalid question, infrastructure error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scotoma.core import Observation, Outcome, Tag, Verdict

RATES = st.one_of(st.none(), st.floats(0, 1))
VERDICTS = st.builds(
    Verdict,
    valid=st.sampled_from([True, False, None]),
    reason=st.sampled_from([None, "ambiguous"]),
    correct=RATES,
    error=st.sampled_from([None, "timeout: no reply in 30 s"]),
)


def observed(verdict: Verdict, **fields: object) -> Observation:
    row = {
        "key": "d/0/0",
        "phase": "discover",
        "image_id": "ab",
        "question": "is there a star ?",
        "verdict": verdict,
    }
    return Observation.model_validate({**row, **fields})


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        (Verdict(valid=True, correct=1.0), "correct"),
        (Verdict(valid=True, correct=0.5), "correct"),
        (Verdict(valid=True, correct=0.0), "failure"),
        (Verdict(valid=False, reason="ambiguous"), "invalid"),
        (Verdict(valid=False, reason="ambiguous", correct=0.0), "invalid"),
        (Verdict(valid=True, error="timeout"), "infrastructure"),
        (Verdict(valid=True, correct=0.0, error="timeout"), "infrastructure"),
        (Verdict(valid=False, error="timeout"), "infrastructure"),
        (Verdict(valid=True), "infrastructure"),
        (Verdict(), "infrastructure"),
    ],
)
def test_the_outcome_follows_from_the_verdict(verdict: Verdict, outcome: Outcome) -> None:
    assert observed(verdict).outcome == outcome


@given(VERDICTS)
def test_a_failure_is_a_valid_question_with_a_wrong_answer_and_no_error(verdict: Verdict) -> None:
    failure = (
        verdict.error is None
        and verdict.valid is True
        and verdict.correct is not None
        and verdict.correct < 0.5
    )
    assert (observed(verdict).outcome == "failure") == failure


@given(VERDICTS)
def test_an_infrastructure_error_is_never_right_or_wrong(verdict: Verdict) -> None:
    if verdict.error is not None or verdict.valid is None:
        assert observed(verdict).outcome == "infrastructure"


@given(
    st.dictionaries(
        st.sampled_from(["skill", "count", "occluded", "wording"]),
        st.one_of(
            st.booleans(), st.integers(-9, 9), st.text(max_size=6), st.lists(st.text(max_size=4)).map(tuple)
        ),
    )
)
def test_tags_keep_their_types_through_json(tags: dict[str, Tag]) -> None:
    row = observed(Verdict(valid=True, correct=1.0), tags=tags)
    again = Observation.model_validate_json(row.model_dump_json())
    assert again == row
    assert {key: type(value) for key, value in again.tags.items()} == {
        key: type(value) for key, value in tags.items()
    }


def test_an_observation_cannot_be_changed() -> None:
    row = observed(Verdict(valid=True, correct=1.0))
    with pytest.raises(ValidationError, match="frozen"):
        row.answer = "no"  # type: ignore[misc]
