"""An error is attributed by what the candidate says to the parts of a question, not by the question alone."""

from __future__ import annotations

import pytest

from scotoma.core import Observation, Verdict
from scotoma.diagnose.error_kind import Part, attribute, examples, kind_of, tally


def failure(question: str, answer: str, truth: str, *skills: str) -> Observation:
    return Observation(
        key="k",
        phase="p",
        image_id="i",
        question=question,
        answer=answer,
        verdict=Verdict(valid=True, correct=0.0, truth=truth, decided_by="facts"),
        tags={"skill": skills},
        candidate="c",
    )


MORE = failure("are there more stars than circles ?", "yes", "no", "comparison")
STARS = Part("count the stars .", ("counting",), correct=True)
CIRCLES = Part("count the circles .", ("counting",), correct=True)


def test_with_every_part_right_it_is_the_joining_that_fails() -> None:
    found = attribute(MORE, [STARS, CIRCLES])
    assert found.kind == "reasoning"
    assert "count the stars ." in found.evidence


def test_a_wrong_part_is_the_cause_and_the_simplest_of_several() -> None:
    wrong = Part("count the circles .", ("counting",), correct=False)
    placed = Part("count the circles left of the star .", ("counting", "horizontal"), correct=False)
    found = attribute(MORE, [STARS, placed, wrong])
    assert found.kind == "counting"
    assert wrong.question in found.evidence


def test_a_part_that_nobody_could_judge_decides_nothing() -> None:
    lost = Part("count the circles .", ("counting",), correct=None)
    assert attribute(MORE, [lost]).kind == "reasoning"
    assert "one step" in attribute(MORE, [lost]).evidence


def test_where_nobody_takes_questions_apart_their_skills_tell_and_it_is_said() -> None:
    found = attribute(MORE, None)
    assert found.kind == attribute(MORE).kind
    assert "skills alone" in found.evidence


@pytest.mark.parametrize(
    ("answer", "truth", "skills", "kind"),
    [
        ("red", "3", ("counting",), "instruction"),
        ("yes", "red", ("colour",), "instruction"),
        ("", "no", ("existence",), "instruction"),
        ("four", "3", ("counting",), "counting"),
        ("There are 4 stars.", "3", ("counting",), "counting"),
        (r"\boxed{four}", "3", ("counting",), "counting"),
        ("yes, it is", "no", ("existence",), "perception"),
        ("blue", "red", ("colour",), "perception"),
        ("the red one", "blue", ("colour",), "perception"),
        ("on the left of the two cups", "on the shelf", ("relation",), "perception"),
        ("3", "blue", ("colour",), "instruction"),
        ("twelve", "blue", ("colour",), "instruction"),
        ("thirteen", "3", ("counting",), "counting"),
        ("a dozen", "3", ("counting",), "counting"),
        ("there are thirty-two", "3", ("counting",), "counting"),
        ("go", "4", ("reading",), "reading"),
        ("yes", "no", ("horizontal",), "relation"),
        ("no", "yes", ("existence", "negation"), "reasoning"),
    ],
)
def test_without_parts_the_answers_form_and_the_skill_decide(
    answer: str, truth: str, skills: tuple[str, ...], kind: str
) -> None:
    assert attribute(failure("?", answer, truth, *skills)).kind == kind


@pytest.mark.parametrize(
    ("answer", "truth", "skills", "kind"),
    [
        *((said, "no", ("colour",), "perception")
          for said in ("The answer is yes.", "**Yes**, it is", '"Yes"', "“Yes.”", "'yes'", "I think it is, yes.",
                       "There are two stars, yes", "There is a red star.", "**Answer:** Yes", "Yes.\n\nThere it is.")),
        *((said, "yes", ("colour",), "perception")
          for said in ("Answer: No", "There is no star.", "So the final answer is: **no**", "None of them is red.")),
        *((said, "3", ("counting",), "counting")
          for said in ("No stars.", "There are no stars.", "No red circles are visible", "None", "I don't see any.",
                       "The answer is **4**.", "Nothing")),
        *((said, "yes", ("existence",), "perception")
          for said in ("There isn't a star in the image.", "There is not a star.", "There aren't any stars.",
                       "It is not.", "I don't see a star.", "I do not see any star.",
                       "The image does not show a star.")),
        ("No parking", "stop", ("reading",), "reading"),
        ("stop", "no parking", ("reading",), "reading"),
        ("sale", "true love", ("reading",), "reading"),
        ("Yes.", "no", ("existence", "reading"), "reading"),
        ("*", "+", ("reading",), "reading"),
    ],
)  # fmt: skip
def test_an_answer_in_a_sentence_is_as_fair_as_one_in_a_word(
    answer: str, truth: str, skills: tuple[str, ...], kind: str
) -> None:
    assert attribute(failure("?", answer, truth, *skills)).kind == kind


@pytest.mark.parametrize(
    ("answer", "truth"),
    [
        ("There is no way to tell.", "yes"),
        ("I cannot answer with yes or no.", "yes"),
        ("There is not enough information.", "yes"),
        ("The image does not show enough detail.", "yes"),
        ("I don't know.", "yes"),
        ("It is not clear.", "no"),
        ("I do not have enough information.", "yes"),
        ("I don't have any idea.", "no"),
        ("The answer is red.", "yes"),
        ("Red. Yes, I like it.", "yes"),
        ("No", "3"),
        ("The answer is no.", "3"),
        ("no, it is not", "3"),
        ("I have no idea.", "3"),
        ("The answer is yes.", "red"),
        ("**3**", "red"),
    ],
)
def test_a_sentence_that_answers_another_question_is_no_fairer(answer: str, truth: str) -> None:
    assert attribute(failure("?", answer, truth, "colour")).kind == "instruction"


def test_with_a_part_that_is_unknown_nobody_says_that_every_part_is_right() -> None:
    lost = Part("count the circles .", ("counting",), correct=None)
    assert "every part" not in attribute(MORE, [STARS, lost]).evidence


def test_what_is_added_to_right_parts_names_the_kind() -> None:
    asked = failure("how many stars are left of the sign ?", "2", "1", "counting", "horizontal")
    assert attribute(asked, [STARS]).kind == "relation"


def test_unknown_skills_are_seeing() -> None:
    assert kind_of(("glitter",)) == kind_of(()) == "perception"


def test_a_tally_counts_and_examples_show_one_of_each_kind() -> None:
    red = failure("what colour ?", "blue", "red", "colour")
    found = [attribute(MORE, [STARS]), attribute(red), attribute(red)]
    assert tally(found) == {"perception": 2, "reasoning": 1}
    assert [example.kind for example in examples(found)] == ["perception", "reasoning"]
