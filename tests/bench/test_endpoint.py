"""The endpoint benchmark runs both clients against a server of known limit; how fast they are is not tested here."""

from __future__ import annotations

import importlib.util

import pytest
from rich.console import Console

from scotoma.bench.endpoint import EndpointBenchmark, measure, table
from scotoma.core import ModelError


@pytest.fixture(scope="module")
def heard() -> list[int]:
    return []


@pytest.fixture(scope="module")
def result(heard: list[int]) -> EndpointBenchmark:
    """Two small turns of each client."""
    return measure(questions=24, repeats=2, latency=0.01, slots=8, on_repeat=heard.append)


def test_the_figures_are_those_of_the_measured_turns(result: EndpointBenchmark, heard: list[int]) -> None:
    assert heard == [1, 2]
    ideal = 24 * 0.01 / 8
    shares = [ideal / seconds for seconds in result.scotoma_seconds]
    assert result.share_of_limit.n == len(shares) == 2
    assert result.share_of_limit.value == pytest.approx((shares[0] * shares[1]) ** 0.5)
    assert 0 < result.share_of_limit.value <= 1
    ratios = [a / b for a, b in zip(result.scotoma_cpu_ms, result.inspect_cpu_ms, strict=True)]
    assert result.cpu_per_request_vs_inspect.value == pytest.approx((ratios[0] * ratios[1]) ** 0.5)
    for rate in (result.share_of_limit, result.cpu_per_request_vs_inspect, result.inspect_share_of_limit):
        assert rate.low <= rate.value <= rate.high


def test_it_goes_through_json(result: EndpointBenchmark) -> None:
    assert EndpointBenchmark.model_validate_json(result.model_dump_json()) == result


def test_the_table_shows_the_figures_and_their_conditions(result: EndpointBenchmark) -> None:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(table(result))
    shown = " ".join(capture.get().split())
    assert f"{result.share_of_limit.value:.2f} [" in shown
    assert f"{result.cpu_per_request_vs_inspect.value:.2f} [" in shown
    assert "10 ms latency, 8 slots" in shown


def test_without_inspect_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"Inspect AI .* not installed \(pip install inspect-ai openai\)"):
        measure()
