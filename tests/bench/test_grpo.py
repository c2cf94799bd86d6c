"""The engine benchmark times whole steps of both engines on the same prompts; how fast they are is not tested here."""

from __future__ import annotations

import pytest
from rich.console import Console

from scotoma.bench.grpo import GRPOBenchmark, measure, random_pupil, table
from scotoma.models.checkpoint import Checkpoint


@pytest.fixture(scope="module")
def heard() -> list[int]:
    return []


@pytest.fixture(scope="module")
def result(heard: list[int]) -> GRPOBenchmark:
    """Two repeats of the smallest step."""
    checkpoint = Checkpoint(*random_pupil(), source="random")
    return measure(
        checkpoint, images=1, questions=2, group_size=2, repeats=2, warmup=1, on_repeat=heard.append
    )


def test_the_ratio_is_that_of_the_measured_seconds(result: GRPOBenchmark, heard: list[int]) -> None:
    assert heard == [1, 2]
    assert result.ratio.n == len(result.trl_seconds) == len(result.shared_seconds) == 2
    assert min(*result.trl_seconds, *result.shared_seconds) > 0
    assert result.ratio.value == pytest.approx(sum(result.trl_seconds) / sum(result.shared_seconds))
    assert result.ratio.low <= result.ratio.value <= result.ratio.high
    assert result.completions_per_step == 4


def test_it_goes_through_json(result: GRPOBenchmark) -> None:
    assert GRPOBenchmark.model_validate_json(result.model_dump_json()) == result


def test_the_table_shows_the_ratio_and_its_conditions(result: GRPOBenchmark) -> None:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(table(result))
    shown = " ".join(capture.get().split())
    assert f"{result.ratio.value:.1f}" in shown
    assert "G = 2" in shown
