"""The same answer in other clothes is the same answer; what rules cannot tell stays open."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scotoma.verify.bare import normalise
from scotoma.verify.rules import match

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
    "Is it 5? Yes, red. Not blue.</think>\n\n{}",  # the chat template opened it in the prompt
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


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize(
    ("answer", "truth", "expected"),
    [
        ("thirty", "30", "correct"),
        ("There are thirty-two people.", "32", "correct"),
        ("There are thirty-two people.", "2", "incorrect"),
        ("fifty two", "52", "correct"),
        ("Ninety-nine.", "9", "incorrect"),
        ("a dozen", "12", "correct"),
        ("A hundred", "100", "correct"),
        ("two hundred", "200", "correct"),
        ("about two hundred of them", "2", "undecided"),
        ("two dozen eggs lie there", "2", "undecided"),
        ("two and a half", "2", "undecided"),
    ],
)
def test_number_words_are_read_whole_or_not_at_all(
    answer: str, truth: str, expected: str, closed: bool
) -> None:
    assert match(answer, truth, closed=closed) == expected


@pytest.mark.parametrize(
    ("answer", "truth"), [("several", "7"), ("umpteen things", "3"), ("Absolutely.", "yes"), ("None.", "no")]
)
def test_in_open_language_an_unknown_word_for_a_number_or_a_yes_stays_open(answer: str, truth: str) -> None:
    assert match(answer, truth, closed=False) == "undecided"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("A bicycle leaning on a wall", "B"),
        ("a bicycle", "B"),
        ("A blue thing that I cannot name", None),
        ("I think so", None),
        ("A because it has four wheels", "A"),
        ("A. It has four wheels", "A"),
        ("(A) it has four wheels", "A"),
        ("A", "A"),
        ("A red car", "A"),
    ],
)
def test_an_article_is_no_option(answer: str, expected: str | None) -> None:
    options = {"A": "red car", "B": "bicycle", "I": "boat"}
    for truth in "AB":
        told = "undecided" if expected is None else "correct" if expected == truth else "incorrect"
        assert match(answer, truth, options=options) == told


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


@pytest.mark.parametrize(
    ("answer", "truth", "expected"),
    [
        ("30 mm", "3 cm", "correct"),
        ("5 kilograms", "5 kg", "correct"),
        ("It weighs about five kilograms.", "5 kg", "correct"),
        ("4 kg", "5 kg", "incorrect"),
        ("5 km", "5 kg", "undecided"),
        ("1,200 m", "1.2 km", "correct"),
        ("68 °F", "20 °C", "correct"),
        ("90 minutes", "1.5 hours", "correct"),
        ("$2.50", "2.5 dollars", "correct"),
        ("$2.50", "$3", "incorrect"),
        ("3", "3 cm", "correct"),
        ("30", "3 cm", "undecided"),
        ("4", "3 cm", "incorrect"),
        ("30 mm", "3", "undecided"),
        ("3 cm or 4 cm", "3 cm", "undecided"),
        ("5 miles", "8 km", "undecided"),
        ("2 million", "2,000,000", "correct"),
        ("50 %", "1/2", "correct"),
        ("0.5", "50%", "correct"),
        ("50", "50 percent", "correct"),
        ("0.33", "1/3", "undecided"),
        ("1/3", "1/4", "incorrect"),
        ("1 1/2", "1.5", "correct"),
        ("\\boxed{\\frac{1}{2}}", "0.5", "correct"),
        ("The answer is $\\frac{3}{4}$.", "75%", "correct"),
        ("The answer is **$\\frac{3}{4}$**", "75%", "correct"),
        ("**Answer:** $x^2 + 1$", "1 + x^2", "correct"),
        ("\\sqrt{16}", "4", "correct"),
        ("2π", "2\\pi", "correct"),
        ("2x + 1", "1 + 2x", "correct"),
        ("y = 2x + 1", "1 + 2x", "correct"),
        ("x = 4", "4", "correct"),
        ("2x + 2", "1 + 2x", "undecided"),
        ("2^3", "9", "incorrect"),
    ],
)
def test_numbers_units_and_formulas_are_compared_by_what_they_are_worth(
    answer: str, truth: str, expected: str
) -> None:
    assert match(answer, truth) == expected


@pytest.mark.parametrize(
    ("answer", "truth", "expected"),
    [
        ("b4", "4b", "incorrect"),
        ("3-2", "2-1", "incorrect"),
        ("25/12/2020", "12/25/2020", "incorrect"),
        ("10-12", "12", "undecided"),
        ("3:30", "30 minutes", "incorrect"),
        ("8 1", "9/1", "incorrect"),
        ("1 2", "x = 3", "incorrect"),
        ("10 2", r"\frac{24}{2}", "incorrect"),
        ("2 3", "2 * 3", "undecided"),
        ("2 3", "2^3", "undecided"),
        ("2*3", "2 × 3", "correct"),
        (r"1 \frac{1}{2}", "3/2", "correct"),
        ("-1 1/2", "-3/2", "correct"),
    ],
)
def test_what_only_looks_like_a_sum_or_product_is_text(answer: str, truth: str, expected: str) -> None:
    assert match(answer, truth) == expected


@pytest.mark.parametrize(
    ("answer", "truth", "expected"),
    [
        ("blue, green and red", "red, blue and green", "correct"),
        ("green; blue; red", "red, blue, green", "correct"),
        ("['red', 'blue']", "red and blue", "correct"),
        ("red blue", "blue and red", "correct"),
        ("two cups & a spoon", "a spoon and 2 cups", "correct"),
        ("30 mm and 4 kg", "4 kilograms, 3 cm", "correct"),
        ("red and blue", "red, blue and green", "incorrect"),
        ("red, blue, yellow", "red, blue and green", "incorrect"),
        ("red, red, blue", "red, blue", "incorrect"),
        ("red, but not blue", "red and blue", "undecided"),
        ("There is a bowl with something red in it, and then blue too", "red and blue", "undecided"),
        ("1,200", "1, 200", "incorrect"),
    ],
)
def test_lists_are_compared_in_any_order(answer: str, truth: str, expected: str) -> None:
    assert match(answer, truth) == expected


lengths = st.sampled_from([("mm", 1), ("cm", 10), ("metres", 1000), ("km", 1_000_000)])


@given(st.integers(1, 999), lengths, lengths)
def test_a_length_is_itself_in_every_unit(value: int, one: tuple[str, int], other: tuple[str, int]) -> None:
    millimetres = Decimal(value * one[1])
    said = f"{(millimetres / other[1]).normalize():f} {other[0]}"
    assert match(said, f"{value} {one[0]}") == match(f"{value} {one[0]}", said) == "correct"


colours = st.lists(st.sampled_from(COLOURS), min_size=2, max_size=4, unique=True)


@given(colours, st.randoms(use_true_random=False), st.sampled_from([", ", "; ", " and ", ","]))
def test_a_list_is_itself_in_every_order(items: list[str], random: Random, between: str) -> None:
    shuffled = random.sample(items, len(items))
    assert match(between.join(shuffled), ", ".join(items)) == "correct"


values = st.one_of(
    st.integers(-30, 30).map(str),
    st.tuples(st.integers(-9, 9), st.integers(1, 9)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
    st.tuples(st.integers(0, 200), st.sampled_from(["%", "cm", "mm", "kg", "km/h", "°C", "°F", "s"])).map(
        lambda pair: f"{pair[0]} {pair[1]}"
    ),
    st.lists(st.sampled_from(COLOURS), min_size=1, max_size=3).map(" and ".join),
    st.sampled_from(["\\frac{1}{2}", "\\sqrt{4}", "2\\pi", "x+1", "1+x", "x = 2"]),
)


@given(values, values)
def test_being_the_same_has_no_direction(one: str, other: str) -> None:
    assert (match(one, other) == "correct") == (match(other, one) == "correct")


@given(st.text(min_size=1, max_size=40) | values)
def test_every_answer_agrees_with_itself(text: str) -> None:
    assert match(text, text) == ("correct" if text.strip() else "incorrect")


mathematics = st.lists(
    st.sampled_from(
        [*"0123456789xyπ√+-*/^=(){}%.,$ \n", "\\frac", "\\sqrt", "99", "{2}{3}", " and ", " cm", "°"]
    ),
    max_size=14,
).map("".join)


@settings(max_examples=300)
@given(mathematics, mathematics)
def test_no_pair_of_texts_is_an_accident(answer: str, truth: str) -> None:
    assert match(answer, truth) in ("correct", "incorrect", "undecided")


def test_formulas_are_compared_in_threads_too() -> None:
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(match, ["\\frac{2}{4}", "\\sqrt{9} + 1", "x + 1"], ["1/2", "4", "1 + x"]))
    assert found == ["correct"] * 3


def test_rules_work_without_math_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "math_verify", None)
    assert match("\\sqrt{25}", "5") == "undecided"
    assert match("30 mm", "3 cm") == match("1/2", "50 %") == "correct"


@pytest.mark.parametrize(
    ("answer", "truth"),
    [("couch", "sofa"), ("bike", "bicycle"), ("New York", "New York City"), ("0", "none")],
)
def test_in_open_language_a_short_answer_in_other_words_is_for_a_judge(answer: str, truth: str) -> None:
    assert match(answer, truth, closed=False) == "undecided"


def test_in_open_language_numbers_and_polar_answers_are_still_for_rules() -> None:
    assert match("4", "3", closed=False) == "incorrect"
    assert match("no", "yes", closed=False) == "incorrect"
    assert match("The sofa.", "sofa", closed=False) == "correct"


@pytest.mark.parametrize("sign", ["+", "#", "=", "♥", "😀"])
def test_a_sign_is_an_answer(sign: str) -> None:
    assert match(sign, sign) == "correct"
    assert match(f"<think>hm</think> {sign}", sign) == "correct"
    assert match("", sign) == "incorrect"
    assert match("♦", sign) == "incorrect"
    assert match("♦", sign, closed=False) == "undecided"


@pytest.mark.parametrize(
    ("said", "truth"),
    [(">5", "<5"), ("> 50%", "< 50%"), ("x > 3", "x < 3"), ("≤ 5", "≥ 5"), ("C++", "C"), ("A+", "A")],
)
def test_a_sign_that_makes_another_answer_is_not_overlooked(said: str, truth: str) -> None:
    assert match(said, truth) == match(truth, said) == "undecided"
    assert match(said, said) == "correct"


def test_markup_is_no_sign() -> None:
    assert match("<answer>5</answer>", "5") == match("+5", "5") == "correct"


def test_m_is_million_after_a_currency_and_metres_elsewhere() -> None:
    assert match("$2.5M", "$2.5 million") == match("€5m", "5 million euros") == "correct"
    assert match("$5m", "$5") == "incorrect"
    assert match("5 m", "500 cm") == "correct"
    assert match("30m", "30 million") == match("30 million", "30m") == "undecided"


@pytest.mark.parametrize(
    ("answer", "truth", "expected"),
    [
        ("No one is wearing a hat.", "0", "correct"),
        ("No one is wearing a hat.", "1", "incorrect"),
        ("No-one.", "1", "incorrect"),
        ("Nobody wears one", "0", "undecided"),
        ("None of the 5 circles are red.", "0", "correct"),
        ("None of the 5 circles are red.", "5", "incorrect"),
        ("None of the three people wear hats.", "3", "incorrect"),
        ("None of the twenty-two people", "22", "incorrect"),
        ("Of the 5 circles, none are red", "5", "undecided"),
        ("There are no circles", "0", "correct"),
        ("No, there are 3.", "3", "correct"),
        ("No. 1", "1", "correct"),
        ("There are 3 circles and no squares", "3", "undecided"),
        ("There isn't one.", "0", "undecided"),
        ("There isn't one.", "1", "undecided"),
        ("There aren't any", "0", "undecided"),
        ("I don't see 3", "3", "undecided"),
        ("I didn't see 3", "3", "undecided"),
        ("I can't tell if there are 3", "3", "undecided"),
        ("There aren't 3 of them", "3", "undecided"),
        ("A table without the 3 chairs", "3", "undecided"),
        ("No idea", "0", "undecided"),
        ("No idea", "3", "undecided"),
        ("Nobody can tell", "0", "undecided"),
        ("more than 3", "3", "undecided"),
        ("Fewer than 10", "10", "undecided"),
        ("at least 3", "3", "undecided"),
        ("at most three", "3", "undecided"),
        ("over 3", "3", "undecided"),
        ("3 birds over the lake", "3", "correct"),
        ("3+", "3", "undecided"),
        ("more than 3 cm", "3 cm", "undecided"),
        ("It didn't measure 3 cm", "3 cm", "undecided"),
    ],
)
def test_a_count_that_is_denied_or_bounded_is_not_that_count(answer: str, truth: str, expected: str) -> None:
    assert match(answer, truth, closed=False) == expected


@pytest.mark.parametrize(
    "answer", ["I don't think it is red", "It wasn't red", "anything but red", "something other than red"]
)
def test_an_alternative_that_is_denied_is_not_the_answer(answer: str) -> None:
    assert match(answer, "red", alternatives=COLOURS, closed=False) == "undecided"
    assert match(answer, "blue", alternatives=COLOURS, closed=False) == "undecided"


@pytest.mark.parametrize(
    ("answer", "meant"),
    [
        ("I cannot determine whether the answer is yes or no.", None),
        ("I can't answer with a simple yes or no.", None),
        ("Yes and no.", None),
        ("yes/no", None),
        ("True or false", None),
        ("I don't think the answer is yes", None),
        ("If it is red, then yes", None),
        ("I wouldn't say no.", None),
        ("The red sign says no.", None),
        ("No idea.", None),
        ("No, I can't tell.", None),
        ("No way to tell", None),
        ("Correct me if I err", None),
        ("Based on the image, no.", "no"),
        ("I think the answer is no.", "no"),
        ("I think the answer is **no**, as far as I see.", "no"),
        ("I can't see a star, so no.", "no"),
        ("I don't see one, so the answer is no", "no"),
        ("No, I can't see a star.", "no"),
        ("No star", "no"),
        ("No one is there", "no"),
        ("Based on the image, yes.", "yes"),
        ("I think the answer is yes.", "yes"),
        ("No doubt, yes.", "yes"),
        ("There is no doubt that the answer is yes", "yes"),
        ("Without a doubt, no.", "no"),
        ("Yes, there is no star", "yes"),
        ("Yes, but I can't tell its colour", "yes"),
        ("Correct, it is a star", "yes"),
        ("False.", "no"),
    ],
)
def test_a_yes_or_a_no_is_read_wherever_it_is_the_answer(answer: str, meant: str | None) -> None:
    for truth in ("yes", "no"):
        told = "undecided" if meant is None else "correct" if meant == truth else "incorrect"
        assert match(answer, truth, closed=False) == told


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a blue circle and a red square", "a red circle and a blue square", {"undecided"}),
        ("2 blue and 1 red", "2 red and 1 blue", {"undecided"}),
        ("Bob is 5, Ann is 3", "Ann is 5, Bob is 3", {"undecided"}),
        ("x=5, y=3", "x=3, y=5", {"undecided", "incorrect"}),
        ("(5, 3)", "(3, 5)", {"incorrect"}),
        ("(5, 3)", "3, 5", {"undecided"}),
        ("(5, 3) and (1, 2)", "(3, 5) and (1, 2)", {"undecided", "incorrect"}),
        ("Java and C++", "C and Java", {"undecided"}),
        ("a red square and a blue circle", "a blue circle and a red square", {"correct"}),
        ("1 blue and 2 red", "2 red and 1 blue", {"correct"}),
        ("Ann is 3; Bob is 5", "Bob is 5, Ann is 3", {"correct"}),
        ("(1, 2) and (5, 3)", "(5, 3) and (1, 2)", {"correct"}),
        ("(5,3)", "(5, 3)", {"correct"}),
        ("5, 3", "(5, 3)", {"correct"}),
        ("5 and 3", "3 and 5", {"correct"}),
        ("(red, blue)", "blue, red", {"correct"}),
    ],
)
def test_the_items_of_a_list_keep_their_words(one: str, other: str, expected: set[str], closed: bool) -> None:
    assert match(one, other, closed=closed) in expected
    assert match(other, one, closed=closed) in expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("The point is (3, 5).", "correct"),
        ("(3.0, 5)", "correct"),
        ("It lies at (5, 3)", "incorrect"),
        ("It lies at (3, 5) or (5, 3)", "undecided"),
        ("It is not at (3, 5)", "undecided"),
        ("It lies at x 5, y 3", "undecided"),
    ],
)
def test_coordinates_have_an_order(answer: str, expected: str) -> None:
    assert match(answer, "(3, 5)", closed=False) == expected


def test_in_open_language_an_item_in_other_words_is_for_a_judge() -> None:
    assert match("a couch and a chair", "a sofa and a chair", closed=False) == "undecided"
    assert match("red and blue", "red, blue and green", closed=False) == "incorrect"


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize(
    ("answer", "truth", "expected"),
    [
        ("minus 5", "-5", "correct"),
        ("minus 5", "5", "incorrect"),
        ("Minus five.", "-5", "correct"),
        ("It is negative 5", "-5", "correct"),
        ("\N{MINUS SIGN}5", "-5", "correct"),
        ("\N{MINUS SIGN}5", "5", "incorrect"),
        ("I read \N{MINUS SIGN}5 on the scale", "-5", "correct"),
        ("7 minus 5", "-5", "undecided"),
        ("It is minus 5 degrees Celsius.", "-5 °C", "correct"),
        ("It is 5 degrees Celsius.", "-5 °C", "incorrect"),
        ("It is 68 degrees Fahrenheit.", "20 °C", "correct"),
        ("20 degrees", "68 °F", "undecided"),
        ("three quarters", "0.75", "correct"),
        ("three quarters", "75%", "correct"),
        ("three-quarters", "3/4", "correct"),
        ("three quarters", "0.5", "incorrect"),
        ("two thirds", "0.67", "undecided"),
        ("two thirds", "2/3", "correct"),
        ("half", "50%", "correct"),
        ("3 quarters", "3", "undecided"),
        ("3", "three quarters", "undecided"),
        ("I see about one third of them", "1", "undecided"),
        ("two and a half metres", "2.5 m", "correct"),
        ("two and a half metres", "2 m", "incorrect"),
        ("half", "3", "undecided"),
        ("half of them", "3 cm", "undecided"),
        ("half a metre", "50 cm", "correct"),
        ("a quarter", "half", "incorrect"),
        ("$2.5B", "$2.5 billion", "correct"),
        ("$2.5B", "$2.5", "incorrect"),
        ("2.5B dollars were spent on that", "$2.5", "undecided"),
        ("3 trillion", "3", "incorrect"),
        ("3 trillion", "3,000,000,000,000", "correct"),
        ("5 lakh", "500000", "correct"),
        ("2 crore", "20 million", "correct"),
        ("1e3", "1000", "correct"),
        ("1e3", "1", "incorrect"),
        ("yes", "+", "undecided"),
        ("A black and white cat.", "white and black cat", "correct"),
        ("a red circle and a blue square", "a blue circle and a red square", "undecided"),
        ("1 and 2 cats", "2 and 1 cats", "undecided"),
        ("F-16", "16", "undecided"),
        ("F-16", "-16", "undecided"),
        ("COVID-19", "19", "undecided"),
        ("the answer is -16", "-16", "correct"),
        ("12B", "12", "undecided"),
        ("The model has 12B parameters", "12", "undecided"),
        ("It is the 3rd", "3", "correct"),
    ],
)
def test_signs_fractions_and_sizes_belong_to_the_number(
    answer: str, truth: str, expected: str, closed: bool
) -> None:
    assert match(answer, truth, closed=closed) == expected


def test_a_dash_before_a_number_may_be_that_of_a_list() -> None:
    assert match("- 5", "5") == "undecided"
    assert match("- 5", "-5") == "correct"


@pytest.mark.parametrize(("one", "other"), [("2/3", "2, 3"), ("12:30", "12/30")])
def test_what_stands_between_two_numbers_is_not_overlooked(one: str, other: str) -> None:
    assert match(one, other, closed=False) == match(other, one, closed=False) == "undecided"


@pytest.mark.parametrize(
    ("texts", "answer", "expected"),
    [
        ((">", "<", "="), ">", "A"),
        ((">", "<", "="), "=", "C"),
        ((">", "<", "="), "The answer is <.", "B"),
        ((">", "<", "="), "B", "B"),
        ((">", "<", "="), "≠", None),
        (("< 5", "> 5"), "> 5", "B"),
        (("< 5", "> 5"), ">5", "B"),
        (("< 5", "> 5"), "5", None),
        (("a+b", "a-b"), "a-b", "B"),
        (("a+b", "a-b"), "a + b", "A"),
        (("√3/2", "1/2"), "3/2", None),
        (("√3/2", "3/2"), "3/2", "B"),
        (("√3/2", "1/2"), "It comes to 3/2 in the end", None),
        (("√3/2", "1/2"), "It comes to √3/2 in the end", "A"),
        (("50%", "20%"), "The glass is about 50% full", "A"),
        (("a T-shirt", "trousers"), "Most people wear **trousers** here - look", "B"),
        (("T-shirt", "trousers"), "- trousers", "B"),
        (("T-shirt", "trousers"), "T shirt", "A"),
        (("b", "a"), "a", None),
        (("red", "red"), "red", "AB"),
    ],
)
def test_options_are_told_apart_by_their_signs(
    texts: tuple[str, ...], answer: str, expected: str | None
) -> None:
    options = dict(zip("ABC", texts, strict=False))
    for truth in options:
        told = "undecided" if expected is None else "correct" if truth in expected else "incorrect"
        assert match(answer, truth, options=options, closed=False) == told


def test_a_truth_of_signs_is_found_among_the_options() -> None:
    options = {"A": ">", "B": "<"}
    assert match("B", "<", options=options) == match("<", "<", options=options) == "correct"
    assert match("A", "<", options=options) == "incorrect"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("B or C", None),
        ("B and C", None),
        ("B is wrong, C is right", None),
        ("B is not correct", None),
        ("B isn't it", None),
        ("B. a dog: no", None),
        ("The answer is B or C.", None),
        ("I don't think the answer is B", None),
        ("If the answer is B, it barks", None),
        ("The answer is B. No, wait, it is C.", None),
        ("The answer is B. No, that is wrong.", None),
        ("A. a cat: no.\nB. a dog: yes.\nThe answer is B.", "B"),
        ("A is incorrect because there is no cat. The answer is B.", "B"),
        ("Is the answer A? I think the answer is **B**", "B"),
        ("B, since I cannot tell", None),
        ("B. a cat", None),
        ("B and C show a dog", None),
        ("B. a dog. No, that isn't right.", None),
        ("The answer is B. The picture does not show a cat.", "B"),
        ("The answer is B because there is no cat", "B"),
        ("B\n\nThe picture shows a dog and no cat.", "B"),
        ("B. a dog\nExplanation: there isn't any cat", "B"),
        ("The answer is option (B): a dog", "B"),
        ("B. a dog", "B"),
        ("B) a dog, since it barks", "B"),
        ("B. I see a tail", "B"),
        ("D. no animal", "D"),
        ("The answer is a dog", "B"),
    ],
)
def test_a_letter_counts_when_the_answer_decides_for_it(answer: str, expected: str | None) -> None:
    options = {"A": "a cat", "B": "a dog", "C": "a cow", "D": "no animal", "I": "an ibis"}
    for truth in options:
        told = "undecided" if expected is None else "correct" if truth == expected else "incorrect"
        assert match(answer, truth, options=options, closed=False) == told


@pytest.mark.parametrize(("answer", "truth"), [("8 1", "9/1"), ("1 2", "x = 3"), ("10 2", r"\frac{24}{2}")])
def test_numbers_side_by_side_are_neither_a_sum_nor_a_product(answer: str, truth: str) -> None:
    assert match(answer, truth) != "correct"


def test_a_mixed_number_is_one_number() -> None:
    assert match("1 1/2", "3/2") == "correct"
