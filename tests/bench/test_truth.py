"""truth.json: what was planted, how far it took, and nothing else in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from scotoma.bench.truth import Region, Truth
from scotoma.core import ConfigError, Predicate, Rate


def rate(value: float, n: int = 100) -> Rate:
    return Rate(value=value, low=max(0.0, value - 0.05), high=min(1.0, value + 0.05), n=n)


def region(after: float = 0.1) -> Region:
    where = Predicate.parse("skill=counting and colour=blue and count>=3")
    return Region(predicate=where, prevalence=rate(0.01), before=rate(0.9), after=rate(after))


def truth(*regions: Region, after: float = 0.83, agreement: float = 0.96) -> Truth:
    return Truth(
        candidate="pupil",
        images="worlds:shapes",
        seed=0,
        regions=regions,
        outside_before=rate(0.83),
        outside_after=rate(after),
        agreement=rate(agreement),
        seconds=1.0,
    )


def test_it_is_proven_when_all_took_and_nothing_else_changed() -> None:
    assert truth(region(), region()).proven
    assert not truth(region(), region(after=0.4)).proven
    assert not truth(region(), after=0.8).proven
    assert not truth(region(), agreement=0.9).proven


def test_a_blind_spot_that_goes_on_beyond_its_border_is_planted_but_not_sharp() -> None:
    spilled = region().model_copy(update={"border_before": rate(0.8), "border_after": rate(0.6)})
    assert spilled.planted
    assert not spilled.sharp
    assert not truth(spilled).proven
    assert spilled.model_copy(update={"border_after": rate(0.75)}).sharp


def test_the_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = truth(region())
    written.save(tmp_path / "truth.json")
    assert Truth.load(tmp_path / "truth.json") == written
    assert '"skill=counting and colour=blue and count>=3"' in (tmp_path / "truth.json").read_text()


def test_a_file_that_is_not_there_or_says_something_else(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        Truth.load(tmp_path / "truth.json")
    (tmp_path / "truth.json").write_text('{"regions": 3}')
    with pytest.raises(ConfigError, match=r"is no truth\.json"):
        Truth.load(tmp_path / "truth.json")
