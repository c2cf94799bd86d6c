"""What a spiral's summary says of its arms: as far as each has come, and a comparison that is fair at any moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scotoma.core import FailureMode, Predicate, Rate
from scotoma.diagnose import mixture as mixtures
from scotoma.evolve.account import summarise
from scotoma.evolve.diagnosis import Diagnosis
from scotoma.evolve.settings import EvolveSettings
from scotoma.generate.unaimed import UNAIMED
from scotoma.store.run import Run
from tests.evolve.test_proof import answers

MODE = FailureMode(
    id="m",
    predicate=Predicate(),
    description="anything",
    status="confirmed",
    failure_rate=Rate(value=0.6, low=0.5, high=0.7, n=100),
)
SETTINGS = EvolveSettings(rounds=2)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A spiral whose untrained candidate was examined."""
    with Run.open(tmp_path / "run", command="evolve", config={}) as run:
        run.ledger.finish("confirm", modes=[MODE])
        run.ledger.finish("examine/base", observations=answers("base", 0.2, 0.9))
        yield run


def end(
    run: Run,
    name: str,
    modes: float,
    retained: float = 0.9,
    *,
    accepted: bool = True,
    mixture: mixtures.Mixture | None = None,
    shortfalls: dict[str, int] | None = None,
) -> None:
    """Every stage of an arm."""
    diagnosis = Diagnosis(mixture=mixture or mixtures.uniform(600))
    run.ledger.finish(f"{name}/diagnose", diagnosis.model_dump(mode="json"))
    run.ledger.finish(f"{name}/generate", {"samples": 600, "shortfalls": shortfalls or {}})
    run.ledger.finish(f"{name}/reinforce", {"samples": 600, "steps": 60})
    run.ledger.finish(f"examine/{name}", observations=answers(name, modes, retained))
    run.ledger.finish(f"{name}/gate", {"accepted": accepted, "reason": "why"})


def test_an_arm_is_told_with_accuracy_before_and_after_and_their_paired_change(run: Run) -> None:
    end(run, "round1/targeted", modes=0.7, retained=0.88)
    [turn] = summarise(run, SETTINGS).rounds
    arm = turn.arms["targeted"]
    assert (arm.samples, arm.steps, arm.gate, arm.gate_reason) == (600, 60, "accepted", "why")
    found = [
        (arm.modes_accuracy_before, 0.2), (arm.modes_accuracy_after, 0.7), (arm.modes_change, 0.5),
        (arm.retained_accuracy_before, 0.9), (arm.retained_accuracy_after, 0.88), (arm.retained_change, -0.02),
    ]  # fmt: skip
    for rate, value in found:
        assert rate is not None
        assert rate.value == pytest.approx(value)
        assert rate.n == 400
        assert rate.low < value < rate.high
    assert arm.per_mode["m"].change == arm.modes_change


@pytest.mark.parametrize(
    ("mixture", "shortfalls", "planned", "made"),
    [
        (mixtures.targeted([MODE], 600), {}, 300, 300),
        (mixtures.targeted([MODE], 600), {"m": 120}, 300, 420),
        (mixtures.targeted([MODE], 600), {"m": 120, UNAIMED: 30}, 300, 390),
        (mixtures.dpe({"counting": 0.5}, 600), {"counting": 50}, 0, 50),
        (mixtures.uniform(600), {UNAIMED: 30}, 0, 0),
    ],
)
def test_retention_is_told_as_planned_and_as_made(
    run: Run, mixture: mixtures.Mixture, shortfalls: dict[str, int], planned: int, made: int
) -> None:
    end(run, "round1/targeted", modes=0.7, mixture=mixture, shortfalls=shortfalls)
    arm = summarise(run, SETTINGS).rounds[0].arms["targeted"]
    assert (arm.retention, arm.retention_made, arm.retention_besides) == (planned, made, made - planned)


def test_an_arm_whose_checkpoint_was_refused_ends_where_it_began(run: Run) -> None:
    for arm in SETTINGS.arms:
        end(run, f"round1/{arm}", modes=0.7, accepted=arm == "uniform")
    summary = summarise(run, SETTINGS)
    assert summary.rounds[0].arms["targeted"].gate == "kept_old"
    refused = summary.modes[0].test_accuracy["targeted"]
    assert refused.before == refused.after
    assert summary.comparison is not None
    assert summary.comparison.targeted_minus_base is not None
    assert summary.comparison.targeted_minus_base.value == 0
    assert summary.comparison.targeted_minus_uniform is not None
    assert summary.comparison.targeted_minus_uniform.value == pytest.approx(-0.5)


def test_arms_are_compared_after_as_many_rounds_each(run: Run) -> None:
    end(run, "round1/targeted", modes=0.5)
    early = summarise(run, SETTINGS)
    assert list(early.rounds[0].arms) == ["targeted"]
    assert early.comparison is None
    end(run, "round1/uniform", modes=0.3)
    whole = summarise(run, SETTINGS)
    assert whole.comparison is not None
    assert whole.comparison.targeted_minus_uniform is not None
    assert whole.comparison.targeted_minus_uniform.value == pytest.approx(0.2)
    end(run, "round2/targeted", modes=0.8)
    ahead = summarise(run, SETTINGS)
    assert list(ahead.rounds[1].arms) == ["targeted"]
    assert ahead.modes[0].test_accuracy["targeted"].after.value == pytest.approx(0.8)
    assert ahead.comparison == whole.comparison
    assert ahead.efficiency == whole.efficiency
    end(run, "round2/uniform", modes=0.4)
    final = summarise(run, SETTINGS)
    assert final.comparison is not None
    assert final.comparison.targeted_minus_uniform is not None
    assert final.comparison.targeted_minus_uniform.value == pytest.approx(0.4)
