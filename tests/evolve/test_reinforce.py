"""The candidate's reward: 0.9 · accuracy + 0.1 · format."""

from __future__ import annotations

import pytest

from scotoma.core import ImageRecord
from scotoma.evolve.reinforce import reward
from scotoma.grpo.rollout import Prompt, Rollout

PROMPT = Prompt("p", ImageRecord(id="0" * 64, source="test", data=b""), "how many ?", meta={"answer": "3"})


@pytest.mark.parametrize(
    ("text", "expected"), [("3", 1.0), ("three", 1.0), ("4", 0.1), ("", 0.0), ("4 " * 30, 0.0)]
)
def test_accuracy_counts_nine_tenths_and_a_short_answer_one(text: str, expected: float) -> None:
    assert reward([Rollout(PROMPT, (), text)]) == [pytest.approx(expected)]
