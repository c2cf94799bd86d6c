"""The grader that travels with an export agrees with the rules that Scotoma itself judges by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.report.export.grading import grade, plain
from scotoma.verify.rules import match

TRUTHS = (
    "yes", "no", "3", "0", "12", "red", "grey", "left", "the star", "B", "a", "large circle", "+", "C++", "C",
)  # fmt: skip
SAYINGS = (
    "{}",
    "{}.",
    " **{}** ",
    "The answer is {}.",
    "So, the final answer: {}",
    "\\boxed{{{}}}",
    "<think>maybe red, or 4</think> {}",
    "maybe red, or 4</think> {}",
    "<think>no, B</think>The answer is \\boxed{{{}}}.",
    "It is {}.",
)


@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("said", TRUTHS)
def test_it_decides_as_the_rules_do(truth: str, said: str) -> None:
    for saying in SAYINGS:
        answer = saying.format(said)
        ruled = match(answer, truth)
        assert ruled == "undecided" or grade(answer, truth) == float(ruled == "correct"), answer


@pytest.mark.parametrize(
    ("answer", "truth"),
    [
        ("three", "3"),
        ("thirty-two", "32"),
        ("Twenty", "20"),
        ("there are 3 of them", "3"),
        ("1,000", "1000"),
        ("Yes, there is a star.", "yes"),
        ("<answer>left</answer>", "left"),
        ("(B)", "B"),
        ("gray", "grey"),
    ],
)
def test_right_answers_in_other_words_count(answer: str, truth: str) -> None:
    assert grade(answer, truth) == 1.0


@pytest.mark.parametrize(
    ("answer", "truth"),
    [
        ("", "no"),
        ("3 or 4", "3"),
        ("No one is wearing a hat.", "1"),
        ("None of the 5 circles are red.", "5"),
        ("I don't see 3", "3"),
        ("more than 3", "3"),
        ("3 trillion", "3"),
        ("minus 5", "5"),
        ("not 3", "3"),
        ("<think>yes", "yes"),
        ("no star", "yes"),
        ("redder", "red"),
    ],
)
def test_guesses_and_silence_do_not(answer: str, truth: str) -> None:
    assert grade(answer, truth) == 0.0


@given(st.text(max_size=60), st.text(max_size=20))
def test_it_never_raises_and_gives_all_or_nothing(answer: str, truth: str) -> None:
    assert grade(answer, truth) in (0.0, 1.0)


@given(st.text(alphabet="abz 019.,", min_size=1, max_size=12).filter(lambda text: plain(text) != ""))
def test_the_truth_itself_is_right(truth: str) -> None:
    assert grade(truth, truth) == 1.0
