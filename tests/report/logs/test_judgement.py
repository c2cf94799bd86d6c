"""Who decides an imported question, and what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from scotoma.core import Observation, Tag
from scotoma.report.logs import Record
from scotoma.report.logs.judgement import observe


def observed(attributes: Mapping[str, Tag] | None = None, **record: Any) -> Observation:
    whole = {
        "where": "line 1",
        "id": "1",
        "question": "Is it red?",
        "truths": ("Yes",),
        "answer": "Yes",
        **record,
    }
    return observe(
        Record(**whole),
        key="import/0/0",
        image_id="ab",
        phase="discover",
        candidate="qwen",
        attributes=attributes,
    )


def test_a_column_does_not_pass_for_a_picture_attribute_or_for_a_topic_that_was_found() -> None:
    columns = {"contrast": "adversarial", "orientation": "north", "topic": "cups"}
    seen = observed(attributes={"contrast": "low", "orientation": "square"}, columns=columns)
    unseen = observed(columns=columns)
    for found in (seen, unseen):
        assert {key: found.tags[f"log_{key}"] for key in columns} == columns
    assert (seen.tags["contrast"], seen.tags["orientation"]) == ("low", "square")
    assert not unseen.tags.keys() & columns.keys()
    assert "topic" not in seen.tags


@pytest.mark.parametrize(
    ("record", "outcome", "decided_by", "reason"),
    [
        ({"score": 0.0}, "failure", "log", None),  # whatever rules would say
        ({"score": 0.6}, "correct", "log", None),
        ({}, "correct", "rules", None),
        ({"answer": "no"}, "failure", "rules", None),
        ({"answer": "It could be."}, "infrastructure", "nobody", "undecided"),
        ({"truths": ()}, "infrastructure", "nobody", "no_reference"),
        ({"truths": ("crimson", "red"), "answer": "red"}, "correct", "rules", None),
        (
            {"truths": ("cat", "dog"), "list_of_truths": "['cat', 'dog']", "answer": "dog and cat"},
            "correct",
            "rules",
            None,
        ),
        ({"error": "api_error", "score": 0.0}, "infrastructure", "nobody", None),
        # A dialog in the picture says so.
        (
            {"error": "api_error", "answer": "Connection failed", "truths": ("connection failed",)},
            "correct",
            "rules",
            None,
        ),
        ({"error": "api_error", "answer": "Rate limit", "score": 1.0}, "correct", "log", None),
        ({"error": "empty_answer", "answer": "", "score": 1.0}, "infrastructure", "nobody", None),
    ],
)
def test_the_log_decides_then_rules_then_nobody(
    record: dict[str, Any], outcome: str, decided_by: str, reason: str | None
) -> None:
    found = observed(**record)
    assert (found.outcome, found.verdict.decided_by, found.verdict.reason) == (outcome, decided_by, reason)


def test_letters_are_matched_with_options_wherever_these_stand() -> None:
    listed = observed(question="Which?\nA. cat\nB. dog", truths=("B",), answer="It is a dog.")
    given = observed(question="Which?", options={"A": "cat", "B": "dog"}, truths=("B",), answer="(A)")
    assert (listed.outcome, given.outcome) == ("correct", "failure")
    assert (listed.tags["answer"], listed.tags["answer_kind"]) == ("B", "option")


def test_tags_hold_the_wording_the_answer_and_the_columns() -> None:
    polar = observed(columns={"category": "color", "skill": "x"})
    assert (polar.tags["answer"], polar.tags["asks"], polar.tags["category"]) == ("yes", "is/are", "color")
    assert polar.tags["skill"] == ("colour",)
    assert polar.tags["log_skill"] == "x"
    assert observed(question="How many dogs are there?", truths=("4",)).tags["count"] == 4
    assert observed(question="Is it red or blue?", truths=("Red",)).tags["answer"] == "red"
    assert "count" not in observed(question="When was it built?", truths=("1987",)).tags
    assert "answer" not in observed(question="Who is it?", truths=("Ann",)).tags
