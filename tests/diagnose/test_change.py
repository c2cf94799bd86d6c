"""A change is told from questions that both checkpoints answered, and from nothing else."""

from __future__ import annotations

import pytest

from scotoma.core import Observation, Verdict
from scotoma.diagnose.change import accuracy, change


def answers(name: str, *right: bool | None) -> list[Observation]:
    """One question about a picture each, rightly or wrongly answered, or lost (None)."""
    return [
        Observation(
            key=f"test/{name}/modes/{i}",
            phase=f"test/{name}/modes",
            image_id=f"image {i}",
            question="?",
            answer="yes",
            verdict=Verdict(error="timeout")
            if one is None
            else Verdict(valid=True, correct=float(one), truth="yes", decided_by="facts"),
        )
        for i, one in enumerate(right)
    ]


def test_accuracy_counts_answered_questions_only() -> None:
    found = accuracy(answers("base", True, False, None, True))
    assert (found.value, found.n) == (pytest.approx(2 / 3), 3)


def test_a_question_is_paired_with_itself_at_another_checkpoint() -> None:
    before = answers("base", False, True, False, None, True)
    after = answers("round1/targeted", True, True, None, True, False)
    found = change(after, before)
    assert (found.value, found.n) == (0, 3)
    assert change(list(reversed(after)), before).value == found.value
    same = change(before, before)
    assert same.low < 0 == same.value < same.high  # another picture might have changed


def test_where_nothing_was_asked_twice_nothing_is_known() -> None:
    found = change(answers("round1/targeted", True), answers("base"))
    assert (found.n, found.low, found.high) == (0, -1, 1)
