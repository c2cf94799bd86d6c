"""`summary.json`: the keys that scripts depend on."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from scotoma.core import FailureMode, Predicate, Rate, RunVersion
from scotoma.store import (
    ArmSummary,
    ComparisonSummary,
    DiscoverySummary,
    ModeSummary,
    RoundSummary,
    Summary,
)

RATE = Rate(value=0.5, low=0.4, high=0.6, n=100)
MODE = FailureMode(
    id="m1", predicate=Predicate.parse("skill=counting and things>=5"), description="many things",
    status="confirmed", failure_rate=RATE, base_rate=RATE, q_value=0.01,
)  # fmt: skip
ARM = ArmSummary(
    samples=512, steps=40, modes_accuracy_before=RATE, modes_accuracy_after=RATE, retained_accuracy_before=RATE,
    retained_accuracy_after=RATE, gate="accepted",
)  # fmt: skip
SUMMARY = Summary(
    command="evolve",
    seed=0,
    wall_seconds=412.5,
    candidate="pupil",
    discovery=DiscoverySummary(
        questions=1000,
        valid=950,
        failures=300,
        infrastructure_errors=2,
        failure_rate=RATE,
        baseline_failure_rate=RATE,
        skills={"counting": 200},
        skill_combinations={"colour+counting": 100},
    ),
    modes=[ModeSummary.of(MODE)],
    rounds=[RoundSummary(round=1, arms={"targeted": ARM, "uniform": ARM})],
    comparison=ComparisonSummary(targeted_minus_uniform=RATE),
)


def test_it_has_the_documented_keys() -> None:
    document = json.loads(SUMMARY.to_json())
    assert document["schema"] == "scotoma.summary/1"
    assert {
        "command",
        "seed",
        "wall_seconds",
        "candidate",
        "discovery",
        "modes",
        "rounds",
        "comparison",
    } < set(document)
    assert {
        "questions", "valid", "failures", "failure_rate", "baseline_failure_rate", "skills", "skill_combinations",
        "infrastructure_errors",
    } <= set(document["discovery"])  # fmt: skip
    assert {"id", "description", "predicate", "status", "failure_rate", "base_rate", "q_value"} <= set(
        document["modes"][0]
    )
    assert document["modes"][0]["predicate"] == "skill=counting and things>=5"
    assert document["rounds"][0]["round"] == 1
    assert set(document["rounds"][0]["arms"]) == {"targeted", "uniform"}
    assert {
        "samples", "steps", "modes_accuracy_before", "modes_accuracy_after", "retained_accuracy_before",
        "retained_accuracy_after", "gate",
    } <= set(document["rounds"][0]["arms"]["targeted"])  # fmt: skip
    assert document["comparison"]["targeted_minus_uniform"] == {
        "value": 0.5,
        "low": 0.4,
        "high": 0.6,
        "n": 100,
    }


def test_it_reads_back_as_it_was_written() -> None:
    assert Summary.from_json(SUMMARY.to_json()) == SUMMARY


def test_what_was_not_measured_is_null_and_not_left_out() -> None:
    document = json.loads(Summary(command="discover", seed=1, wall_seconds=2.0, candidate="pupil").to_json())
    assert (document["discovery"], document["comparison"], document["modes"], document["rounds"]) == (
        None,
        None,
        [],
        [],
    )


@pytest.mark.parametrize(
    "text", ['{"schema": "scotoma.summary/2"}', "{}", "{", '{"schema": "scotoma.summary/1"}']
)
def test_a_summary_of_another_version_is_refused(text: str) -> None:
    with pytest.raises(RunVersion, match=r"not of schema scotoma\.summary/1"):
        Summary.from_json(text)


def test_a_rate_is_never_a_bare_number_and_a_key_is_never_misspelt() -> None:
    with pytest.raises(ValidationError):
        ComparisonSummary(targeted_minus_uniform=0.1)
    with pytest.raises(ValidationError):
        ComparisonSummary(targeted_minus_unifrom=RATE)
