"""Runs of several seeds together: means over runs, how far seeds differ, and what may not be put together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from scipy import stats
from typer.testing import CliRunner

from scotoma.cli.app import app
from scotoma.core import ConfigError, Rate, RunError
from scotoma.report.seeds import over_seeds, told
from scotoma.store import Run
from scotoma.store.summary import (
    AgainstSummary,
    ArmSummary,
    ComparisonSummary,
    DiscoverySummary,
    ModeSummary,
    RediscoverySummary,
    RoundSummary,
    StabilitySummary,
    Summary,
)


def rate(value: float, n: int = 1000) -> Rate:
    return Rate(value=value, low=value - 0.03, high=value + 0.03, n=n)


def mode(predicate: str, status: Any = "confirmed") -> ModeSummary:
    return ModeSummary(id=predicate, description=f"what is {predicate}", predicate=predicate, status=status)


def a_run(
    folder: Path,
    seed: int,
    *,
    gain: float | None = 0.25,
    ratio: float = 1.5,
    modes: tuple[ModeSummary, ...] = (),
    command: str = "evolve",
    finished: bool = True,
    ended: Sequence[Sequence[str]] = (),
    proved: bool = True,
    **config: Any,
) -> Path:
    path = folder / f"{command}{seed}{len(config)}"
    own = {"seed": seed, "out": str(path), "candidate": "pupil", **config}
    with Run.open(path, command=command, config=own) as run:
        if finished:
            run.write_summary(
                Summary(
                    command=command,
                    seed=seed,
                    wall_seconds=1.0,
                    candidate="pupil",
                    proof_finished=proved,
                    modes=list(modes),
                    rounds=[
                        RoundSummary(round=number, arms=dict.fromkeys(arms, ArmSummary(samples=64, steps=2)))
                        for number, arms in enumerate(ended, 1)
                    ],
                    discovery=DiscoverySummary(
                        questions=1000,
                        valid=900,
                        failures=400,
                        infrastructure_errors=0,
                        failure_rate=rate(0.4 + seed / 10),
                    ),
                    comparison=None
                    if gain is None
                    else ComparisonSummary(
                        targeted_minus_base=rate(gain),
                        against={
                            "uniform": AgainstSummary(difference=rate(gain - 0.1), gain_ratio=rate(ratio))
                        },
                    ),
                    stability=StabilitySummary(significant_drops=seed),
                    rediscovery=RediscoverySummary(
                        policy="round1/targeted",
                        failure_rate=rate(0.2),
                        before=rate(0.4),
                        ratio=rate(0.5),
                        confirmed_modes=3,
                    ),
                )
            )
    return path


def test_a_mean_has_students_interval_over_runs_and_not_that_of_their_images(tmp_path: Path) -> None:
    gains = (0.20, 0.25, 0.33)
    found = over_seeds([a_run(tmp_path, seed, gain=gain) for seed, gain in enumerate(gains)])
    assert found.seeds == [0, 1, 2]
    figure = found.figures["comparison.targeted_minus_base"]
    expected = stats.ttest_1samp(gains, 0).confidence_interval(0.95)
    assert figure.mean is not None
    assert (figure.mean.low, figure.mean.high) == pytest.approx((expected.low, expected.high))
    assert figure.mean.n == 3
    assert [each.value for each in figure.runs if each] == list(gains)
    assert found.figures["comparison.against.uniform.difference"].mean is not None


def test_ratios_are_averaged_as_factors_and_counts_as_they_are(tmp_path: Path) -> None:
    found = over_seeds([a_run(tmp_path, 0, ratio=1.0), a_run(tmp_path, 1, ratio=4.0)])
    ratio = found.figures["comparison.against.uniform.gain_ratio"].mean
    assert ratio is not None
    assert ratio.value == pytest.approx(2.0)
    drops = found.figures["stability.significant_drops"]
    assert [each.value for each in drops.runs if each] == [0, 1]
    assert told(drops, drops.mean, interval=True) == "0.5 [0.0, 6.9]"  # no count is below none
    opened = found.figures["rediscovery.opened"].mean
    assert opened is not None
    assert opened.value == 0


def test_a_ratio_that_is_a_loss_has_no_mean(tmp_path: Path) -> None:
    found = over_seeds([a_run(tmp_path, 0, ratio=-0.5), a_run(tmp_path, 1)])
    assert found.figures["comparison.against.uniform.gain_ratio"].mean is None


def test_what_a_run_has_not_measured_is_a_gap_and_no_zero(tmp_path: Path) -> None:
    found = over_seeds([a_run(tmp_path, 0, gain=None), a_run(tmp_path, 1), a_run(tmp_path, 2)])
    figure = found.figures["comparison.targeted_minus_base"]
    assert figure.runs[0] is None
    assert figure.mean is not None
    assert figure.mean.n == 2
    assert told(figure, figure.runs[0]) == "–"
    lone = over_seeds([a_run(tmp_path, 3, gain=None), a_run(tmp_path, 4)])
    assert lone.figures["comparison.targeted_minus_base"].mean is None


def test_modes_are_counted_by_the_runs_that_confirmed_them_and_topics_are_nobodys(tmp_path: Path) -> None:
    star, other = mode("skill=shape and answer=star"), mode("skill=counting")
    runs = [
        a_run(tmp_path, 0, modes=(other, star, mode("topic=cups"))),
        a_run(tmp_path, 1, modes=(star.model_copy(update={"status": "repaired"}), mode("topic=cups"))),
        a_run(tmp_path, 2, modes=(star.model_copy(update={"status": "rejected"}),)),
    ]
    found = over_seeds(runs)
    assert [(each.predicate, each.confirmed) for each in found.modes] == [
        (star.predicate, 2),
        (other.predicate, 1),
    ]
    counted = found.figures["modes"]
    assert [each.value for each in counted.runs if each] == [3, 2, 0]


def test_what_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    first = a_run(tmp_path, 0)
    with pytest.raises(ConfigError, match="one run says nothing"):
        over_seeds([first])
    with pytest.raises(ConfigError, match="have one seed, 0"):
        over_seeds([first, first])
    with pytest.raises(ConfigError, match=r"more than its seed: rounds \(3 in .*, absent in .*\)"):
        over_seeds([first, a_run(tmp_path, 1, rounds=3)])
    with pytest.raises(ConfigError, match=r"a run of scotoma evolve, .* of scotoma discover"):
        over_seeds([first, a_run(tmp_path, 1, command="discover")])
    with pytest.raises(RunError, match="has no summary yet"):
        over_seeds([first, a_run(tmp_path, 2, finished=False)])
    with pytest.raises(RunError):
        over_seeds([first, tmp_path / "nowhere"])


ARMS = ["targeted", "uniform"]


@pytest.mark.parametrize(
    ("ended", "proved", "modes", "says"),
    [
        ([ARMS], True, (mode("skill=counting"),), "1 of 2 rounds"),
        ([ARMS, ["targeted"]], True, (mode("skill=counting"),), "1 of 2 rounds"),
        ([], False, (mode("skill=counting", "suspected"),), "its failure modes are not proved yet"),
        ([ARMS, ARMS], True, (mode("skill=counting"),), None),
        ([], True, (mode("skill=counting", "rejected"),), None),  # there was nothing to mend
    ],
)
def test_a_spiral_that_is_unfinished_is_no_seed_to_average(
    tmp_path: Path,
    ended: Sequence[Sequence[str]],
    proved: bool,
    modes: tuple[ModeSummary, ...],
    says: str | None,
) -> None:
    whole = a_run(tmp_path, 0, ended=[ARMS, ARMS], modes=(mode("skill=counting"),), rounds=2, arms=ARMS)
    other = a_run(tmp_path, 1, ended=ended, proved=proved, modes=modes, rounds=2, arms=ARMS)
    if says is None:
        assert over_seeds([whole, other]).seeds == [0, 1]
        return
    with pytest.raises(RunError, match=says) as refused:
        over_seeds([whole, other])
    assert str(other) in refused.value.message
    assert refused.value.hint == "finish it with the same command, or leave it out"


def test_the_command_prints_a_column_a_seed_and_writes_json(tmp_path: Path) -> None:
    runs = [str(a_run(tmp_path, seed, modes=(mode("skill=counting"),))) for seed in (0, 1)]
    ended = CliRunner().invoke(
        app, ["seeds", *runs, "--json", str(tmp_path / "seeds.json")], env={"COLUMNS": "140"}
    )
    assert ended.exit_code == 0, ended.output
    for text in ("seed 0", "seed 1", "+15.0 points", "2 of 2", "what is skill=counting"):
        assert text in ended.stdout
    written = json.loads((tmp_path / "seeds.json").read_text())
    assert written["schema"] == "scotoma.seeds/1"
    assert written["figures"]["discovery.failure_rate"]["mean"]["n"] == 2
    piped = CliRunner().invoke(app, ["seeds", *runs, "--json", "-"])
    assert json.loads(piped.stdout) == written
