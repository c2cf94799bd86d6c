"""The five lines that matter, for the terminal."""

from __future__ import annotations

from scotoma.core import Rate
from scotoma.report import headline
from scotoma.store import ComparisonSummary, DiscoverySummary, ModeSummary, Summary


def summary(**found: object) -> Summary:
    document = {"command": "evolve", "seed": 0, "wall_seconds": 1.0, "candidate": "pupil", **found}
    return Summary.model_validate(document)


def rate(value: float, spread: float, n: int = 1000) -> Rate:
    return Rate(value=value, low=value - spread, high=value + spread, n=n)


def test_a_run_that_has_found_nothing_has_five_lines_that_say_so() -> None:
    lines = headline(summary())
    assert len(lines) == 5
    assert all(line.endswith("not yet") for line in lines)


def test_a_finished_run_gives_every_figure_with_interval_and_n() -> None:
    lines = headline(
        summary(
            discovery=DiscoverySummary(
                questions=2880,
                valid=2800,
                failures=900,
                infrastructure_errors=3,
                failure_rate=rate(0.313, 0.02, 2877),
                baseline_failure_rate=rate(0.101, 0.01, 2880),
                yield_ratio=rate(3.1, 0.3, 2880),
            ),
            modes=[
                ModeSummary(
                    id="a", description="mild", predicate="x=1", status="open", failure_rate=rate(0.4, 0.1)
                ),
                ModeSummary(
                    id="b",
                    description="grave",
                    predicate="x=2",
                    status="repaired",
                    failure_rate=rate(0.8, 0.1),
                ),
                ModeSummary(id="c", description="nothing", predicate="x=3", status="rejected"),
            ],
            comparison=ComparisonSummary(
                targeted_minus_uniform=rate(0.071, 0.02),
                targeted_minus_base=rate(0.213, 0.02),
                retained_change=rate(-0.004, 0.003),
                retained_held="holds",
            ),
        )
    )
    text = "\n".join(lines).replace("\u202f", " ")
    assert len(lines) == 5
    assert "2,880 questions, 31.3 % [29.3, 33.3] n=2,877 failed" in text
    assert "3.1× [2.8, 3.4]" in text
    assert "2 confirmed of 3; surest: grave (80.0 % [70.0, 90.0] n=1,000)" in text
    assert "+21.3 points [+19.3, +23.3] n=1,000" in text
    assert "Targeted − uniform, on the modes: +7.1 points" in text
    assert "retained skills: −0.4 points [−0.7, −0.1] n=1,000; at most 1 point lost: yes" in text


def test_suspects_are_not_sold_as_modes() -> None:
    suspect = ModeSummary(id="a", description="maybe", predicate="x=1", status="suspected")
    assert headline(summary(modes=[suspect]))[1] == "Failure modes: 1 suspected, none confirmed yet"


def test_a_proof_that_left_no_mode_is_no_proof_to_come() -> None:
    assert headline(summary(proof_finished=True))[1:] == [
        "Failure modes: none suspected",
        "Targeted − before, on the modes: nothing to mend",
        "Targeted − uniform, on the modes: nothing to mend",
        "Targeted − before, on retained skills: nothing to mend",
    ]
    rejected = ModeSummary(id="a", description="maybe", predicate="x=1", status="rejected")
    told = headline(summary(modes=[rejected], proof_finished=True))
    assert told[1] == "Failure modes: none confirmed of 1 suspected"
