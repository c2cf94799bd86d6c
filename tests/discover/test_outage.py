"""What is an outage, and what is bad luck with a picture."""

from __future__ import annotations

from collections import Counter

import pytest

from scotoma.core import ModelError
from scotoma.discover.outage import Outage, Passage, describe_losses

LOST = Passage(0, Counter({"timeout": 20}), {"timeout": "no reply"})


def test_nothing_for_so_long_that_a_server_must_be_down() -> None:
    outage = Outage()
    outage.note(LOST, images=3)
    with pytest.raises(ModelError, match=r"last 40 questions all came to nothing: 40 × timeout \(no reply\)"):
        outage.note(LOST, images=3)


def test_what_comes_through_ends_it_and_what_is_refused_by_its_judge_says_nothing() -> None:
    outage = Outage()
    for _ in range(5):
        outage.note(LOST, images=3)
        outage.note(Passage(0, Counter(), {}), images=12)
        outage.note(Passage(1, Counter({"timeout": 95}), {}), images=3)


def test_one_picture_of_which_every_question_is_refused_is_no_outage() -> None:
    outage = Outage()
    refused = Passage(0, Counter({"refused": 64}), {})
    for _ in range(3):
        outage.note(refused, images=1)
    with pytest.raises(ModelError):
        outage.note(refused, images=1)


def test_long_words_of_a_server_are_cut() -> None:
    said = describe_losses({"crashed": 3, "timeout": 1}, {"crashed": "<html>" + " x" * 500})
    assert said.startswith("3 × crashed (<html> x x")
    assert said.endswith("…), 1 × timeout")
    assert len(said) < 260
