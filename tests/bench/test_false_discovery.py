"""The null control: on a candidate whose errors are spread at random, next to nothing may be confirmed."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from scotoma.bench.false_discovery import Careless, FalseDiscoveryBenchmark, measure, table
from scotoma.core import ConfigError, Request
from scotoma.discover.settings import ConfirmSettings
from scotoma.images.worlds.shapes import ShapesWorld

PROOF = ConfirmSettings(questions=20, base_questions=200, pool=1000)


@pytest.fixture(scope="module")
def heard() -> list[int]:
    return []


@pytest.fixture(scope="module")
def result(heard: list[int]) -> FalseDiscoveryBenchmark:
    return measure(seeds=2, questions=800, proof=PROOF, on_seed=heard.append)


def test_nothing_is_confirmed_where_there_is_nothing(
    result: FalseDiscoveryBenchmark, heard: list[int]
) -> None:
    assert heard == [1, 2]
    assert result.confirmed == 0
    assert result.share_of_seeds.n == 2


def test_nor_by_a_search_that_follows_its_failures(result: FalseDiscoveryBenchmark) -> None:
    explorer = result.adaptive["explorer"]
    assert explorer.confirmed == sum(map(len, explorer.searches)) == 0
    assert (explorer.share_of_seeds.n, len(explorer.searches)) == (2, 2)
    with pytest.raises(ConfigError, match="no search 'luck'"):
        measure(seeds=1, adaptive=("luck",))


def test_the_proof_rejects_what_only_stood_out_by_chance(result: FalseDiscoveryBenchmark) -> None:
    assert result.forced >= 12  # or the proof had nothing to do
    assert result.forced_confirmed <= 1


def test_the_candidate_errs_as_often_as_it_should_and_the_same_way_each_time(
    result: FalseDiscoveryBenchmark,
) -> None:
    for search in result.searches:
        assert search.failure_rate.low <= 0.055
        assert search.failure_rate.high >= 0.045
    image = ShapesWorld().image("test", 0, 0)
    requests = [
        Request((image,), question)
        for question in ShapesWorld().questions(image.facts, 0, 10)  # type: ignore[arg-type]  # a world's have facts
    ]
    always, never = Careless(1.0, 0), Careless(0.0, 0)
    right = [reply.text for reply in never.answer(requests)]
    assert right == [image.facts.examine(request.text).answer for request in requests]  # type: ignore[union-attr]
    assert all(a.text != b for a, b in zip(always.answer(requests), right, strict=True))
    assert Careless(0.5, 1).answer(requests) == Careless(0.5, 1).answer(requests)


def test_it_goes_through_json_and_is_shown(result: FalseDiscoveryBenchmark) -> None:
    assert FalseDiscoveryBenchmark.model_validate(json.loads(result.model_dump_json())) == result
    console = Console(width=80)
    with console.capture() as capture:
        console.print(table(result))
    shown = " ".join(capture.get().split())
    assert "2 seeds, 800 questions each, 5 % errors" in shown
    assert result.share_of_seeds.percent() in shown, "80 columns are enough for the figure that matters"
