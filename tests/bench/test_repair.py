"""The benchmark of repair: figures over spirals, from what each of them says of itself and of the planted regions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scotoma.bench.repair import (
    ARMS,
    BASE,
    UNPLANTED,
    VOLUME,
    RepairOutcome,
    measure,
    settings_for,
    summarise,
)
from scotoma.bench.repair_table import curve_table, table, volume_table
from scotoma.bench.truth import Region, Truth
from scotoma.core import ConfigError, Predicate, Rate
from scotoma.store.summary import (
    AgainstSummary,
    ArmSummary,
    BiasSummary,
    ComparisonSummary,
    EfficiencySummary,
    Gate,
    ModeAccuracy,
    ModeSummary,
    RediscoverySummary,
    RoundSummary,
    StabilitySummary,
    Summary,
)

CONTROLS = [arm for arm in ARMS if arm != "targeted"]


def rate(value: float) -> Rate:
    return Rate(value=value, low=value - 0.1, high=value + 0.1, n=100)


def turn(number: int, before: float, after: float, gate: Gate = "accepted") -> RoundSummary:
    arm = ArmSummary(
        samples=600, steps=60, modes_accuracy_before=rate(before), modes_accuracy_after=rate(after), gate=gate
    )
    return RoundSummary(round=number, arms=dict.fromkeys(ARMS, arm))


def outcome(seed: int, after: float, gain_ratio: float, drops: int = 0) -> RepairOutcome:
    against = AgainstSummary(difference=rate(0.1), gain_ratio=rate(gain_ratio), retained_difference=rate(0.0))
    modes = [
        ModeSummary(
            id=name,
            description=name,
            predicate="skill=counting",
            status="rejected" if name == "rejected" else "open",
            prevalence=prevalence,
            test_accuracy={
                arm: ModeAccuracy(before=rate(0.1), after=rate(0.1 + (gain if arm == "targeted" else 0.1)))
                for arm in ARMS
            },
        )
        for name, prevalence, gain in (("rare", 0.004, 0.6), ("common", 0.03, 0.2), ("rejected", 0.004, 0.9))
    ]
    summary = Summary(
        command="evolve",
        seed=seed,
        wall_seconds=600,
        candidate="planted",
        modes=modes,
        rounds=[
            turn(1, 0.1, after - 0.2),
            turn(2, after - 0.2, after),
            turn(3, after, 0.99, gate="kept_old"),
        ],
        comparison=ComparisonSummary(
            targeted_minus_base=rate(0.4),
            retained_change=rate(-0.01),
            against=dict.fromkeys(CONTROLS, against),
        ),
        efficiency={
            f"targeted_vs_{arm}": EfficiencySummary(ratio=rate(0.5), control_reached=True) for arm in CONTROLS
        },
        stability=StabilitySummary(significant_drops=drops),
        bias=BiasSummary(answer="no", shift=rate(-0.02), answers=9),
        rediscovery=RediscoverySummary(
            policy="round1/targeted",
            failure_rate=rate(0.2),
            before=rate(0.4),
            ratio=rate(0.5),
            confirmed_modes=3,
        ),
    )
    regions = {"skill=counting": {UNPLANTED: rate(0.95), BASE: rate(0.1)} | dict.fromkeys(ARMS, rate(after))}
    return RepairOutcome(fingerprint="set0", planted_set=0, seed=seed, regions=regions, summary=summary)


def test_figures_are_means_over_spirals_with_intervals() -> None:
    result = summarise([outcome(0, 0.9, 2.0), outcome(1, 0.8, 8.0, drops=1)], rounds=1)
    assert result.regions["targeted"].value == pytest.approx(0.85)
    assert result.regions[BASE].value == pytest.approx(0.1)
    assert result.regions[UNPLANTED].value == pytest.approx(0.95)
    assert result.mended["targeted"].value == 0.5
    assert result.gain_ratio["uniform"].value == pytest.approx(4)  # the geometric mean
    assert result.significant_drops == 1
    assert result.bias.value == pytest.approx(0.02)
    assert result.rediscovery is not None
    assert result.rediscovery.value == pytest.approx(0.5)
    assert result.minutes.value == 10
    assert result.minutes.n == 2


def test_the_curve_stays_where_it_was_in_a_round_that_was_refused() -> None:
    result = summarise([outcome(0, 0.9, 2.0), outcome(1, 0.8, 8.0)], rounds=3)
    assert [point.value for point in result.curve["targeted"]] == pytest.approx([0.1, 0.65, 0.85, 0.85])
    assert curve_table(result).row_count == len(ARMS)


def test_what_is_gained_on_rare_modes_is_told_apart() -> None:
    gains = summarise([outcome(0, 0.9, 2.0), outcome(1, 0.8, 8.0)], rounds=1).gains
    assert gains["rare"]["targeted"].value == pytest.approx(0.6)
    assert gains["rare"]["uniform"].value == pytest.approx(0.1)
    assert gains["common"]["targeted"].value == pytest.approx(0.2)
    assert gains["common"]["targeted"].n == 2


def test_the_json_holds_value_low_high_and_n_of_every_figure() -> None:
    found = json.loads(summarise([outcome(0, 0.9, 2.0), outcome(1, 0.8, 8.0)], rounds=1).model_dump_json())
    for figure in (found["regions"]["targeted"], found["efficiency"]["uniform"], found["gain"]):
        assert set(figure) == {"value", "low", "high", "n"}
    assert len(found["outcomes"]) == 2


def test_the_table_has_a_row_per_arm() -> None:
    rows = table(summarise([outcome(0, 0.9, 2.0), outcome(1, 0.8, 8.0)], rounds=1))
    assert rows.row_count == 2 + len(ARMS)


def test_other_volumes_are_told_beside_the_whole_spirals() -> None:
    whole = outcome(0, 0.9, 2.0)  # 0.1, 0.7, 0.9, 0.9 in either arm
    assert summarise([whole], rounds=3).volumes == {}
    few = {500: {"targeted": (0.1, 0.74, 0.9), "uniform": (0.1, 0.2, 0.3)}}
    result = summarise([whole.model_copy(update={"volumes": few})], rounds=3)
    assert list(result.volumes) == [500, VOLUME]
    assert [point.value for point in result.volumes[500]["uniform"]] == pytest.approx([0.1, 0.2, 0.3])
    assert result.samples_ratio is not None
    # 80 % of the gain are 64 points: after 500 samples there, after 6,000 × 1.2 here.
    assert result.samples_ratio.value == pytest.approx(500 / 7200)
    assert volume_table(result).row_count == 4


def test_at_another_volume_two_arms_are_trained_for_as_many_steps() -> None:
    few, whole = (settings_for("pupil", "worlds:shapes", Path("o"), 1, 3, v) for v in (500, VOLUME))
    assert few.arms == ("targeted", "uniform")
    assert few.repair == whole.repair.model_copy(update={"samples": 500})
    assert few.discover == whole.discover


def test_the_spiral_that_is_measured_has_all_arms_at_equal_volume() -> None:
    settings = settings_for("pupil", "worlds:shapes", Path("out"), seed=1, rounds=3)
    assert settings.arms == ARMS
    assert settings.rediscover


def test_a_candidate_without_a_blind_spot_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    region = Region(
        predicate=Predicate.parse("skill=counting"), prevalence=rate(0.1), before=rate(0.9), after=rate(0.8)
    )
    Truth(
        candidate="pupil",
        images="worlds:shapes",
        seed=0,
        regions=(region,),
        outside_before=rate(0.9),
        outside_after=rate(0.9),
        agreement=rate(0.99),
        seconds=1,
    ).save(tmp_path / "truth.json")
    with pytest.raises(ConfigError, match="nothing to mend"):
        measure(tmp_path / "out", planted=[tmp_path])
