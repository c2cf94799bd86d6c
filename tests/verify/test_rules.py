"""The same answer in other clothes is the same answer; what rules cannot tell stays open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.verify.rules import match, normalise

COLOURS = ("red", "blue", "green", "yellow")
truths = st.sampled_from(
    ["yes", "no", "red", "blue", "circle", "large", "above", "0", "3", "12", "20", "hi", "a7"]
)
CLOTHES = [
    "{}",
    " {} \n",
    "{}.",
    "**{}**",
    '"{}"',
    "The answer is {}.",
    "the answer is: {}",
    "Answer: {}",
    "Final answer = {}",
    "So the final answer is {}!",
    "\\boxed{{{}}}",
    "The answer is \\boxed{{{}}}.",
    "<think>Is it 5? No, red. Not blue.</think>{}",
    "<think>line\nline</think>\n\nThe answer is \\boxed{{ {} }}",
]


@pytest.mark.parametrize("clothes", CLOTHES)
@given(truth=truths, shout=st.booleans())
def test_the_truth_is_recognised_in_any_clothes(clothes: str, truth: str, shout: bool) -> None:
    answer = clothes.format(truth.upper() if shout else truth)
    assert match(answer, truth) == "correct"


@pytest.mark.parametrize("clothes", CLOTHES)
@pytest.mark.parametrize(
    ("wrong", "truth"), [("no", "yes"), ("blue", "red"), ("4", "3"), ("square", "circle")]
)
def test_another_answer_is_wrong_in_any_clothes(clothes: str, wrong: str, truth: str) -> None:
    assert match(clothes.format(wrong), truth) == "incorrect"


@given(st.text(max_size=60))
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(max_size=60), truths)
def test_any_text_gets_one_of_the_three_verdicts(text: str, truth: str) -> None:
    assert match(text, truth) in ("correct", "incorrect", "undecided")


@given(st.integers(0, 20), st.integers(0, 20))
def test_number_words_and_digits_are_the_same_number(said: int, truth: int) -> None:
    words = (
        *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
        *(
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
            "twenty",
        ),
    )
    expected = "correct" if said == truth else "incorrect"
    assert match(words[said], str(truth)) == match(str(said), words[truth]) == expected
    assert match(f"There are {words[said]} circles.", str(truth)) == expected


@pytest.mark.parametrize(
    ("answer", "truth", "expected"),
    [
        ("Yes, there is a red circle.", "yes", "correct"),
        ("No, there isn't one.", "yes", "incorrect"),
        ("There is no star.", "no", "correct"),
        ("I think yes", "yes", "correct"),
        ("There is a star", "yes", "undecided"),
        ("red", "yes", "incorrect"),
        ("3 circles", "3", "correct"),
        ("3.0", "3", "correct"),
        ("1,200", "1200", "correct"),
        ("None", "0", "correct"),
        ("There are no circles", "0", "correct"),
        ("no", "0", "incorrect"),
        ("2 or 3", "3", "undecided"),
        ("I count 2 red and 3 blue ones", "3", "undecided"),
        ("I cannot see that clearly", "3", "undecided"),
        ("many", "3", "incorrect"),
        ("The colour is red.", "red", "correct"),
        ("It's a circle", "circle", "correct"),
        ("the circle is red", "circle", "undecided"),
        ("gray", "grey", "correct"),
        ("not red", "red", "undecided"),
        ("It has the hue of a ripe tomato", "red", "undecided"),
        ("A", "a", "correct"),
        ("", "red", "incorrect"),
        ("<think>it must be red", "red", "incorrect"),
        ("\\boxed{\\text{red}}", "red", "undecided"),
    ],
)
def test_sentences(answer: str, truth: str, expected: str) -> None:
    assert match(answer, truth) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("the thing looks red to me", "correct"),
        ("the thing looks blue to me", "incorrect"),
        ("the thing looks red or blue to me", "undecided"),
        ("the thing does not look red to me", "undecided"),
        ("the thing looks odd to me", "undecided"),
    ],
)
def test_known_alternatives_let_a_wordy_answer_be_judged(answer: str, expected: str) -> None:
    assert match(answer, "red", alternatives=COLOURS) == expected


OPTIONS = {"A": "red", "B": "blue", "C": "dark blue"}


@pytest.mark.parametrize("truth", ["B", "(B)", "b", "blue"])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("B", "correct"),
        ("(B)", "correct"),
        ("b.", "correct"),
        ("(B) blue", "correct"),
        ("B: blue", "correct"),
        ("Option B", "correct"),
        ("The answer is (B).", "correct"),
        ("<think>A? no.</think> \\boxed{B}", "correct"),
        ("blue", "correct"),
        ("It is blue", "correct"),
        ("A", "incorrect"),
        ("(C)", "incorrect"),
        ("red", "incorrect"),
        ("dark blue", "incorrect"),
        ("", "incorrect"),
        ("red or blue", "undecided"),
        ("something else entirely, I would say", "undecided"),
    ],
)
def test_options_by_letter_or_by_text(truth: str, answer: str, expected: str) -> None:
    assert match(answer, truth, options=OPTIONS) == expected
