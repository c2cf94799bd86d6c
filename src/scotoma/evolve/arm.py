"""One arm of one round: what is the model bad at, what shall it train on, train it, examine it, keep it or not.

policy = turn(workshop, "targeted", 1, before="pupil", before_name="base")
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from scotoma.core import EditableWorld, FailureMode, ImageRecord, Observation, Sample
from scotoma.diagnose.mixture import Mixture, targeted, uniform
from scotoma.discover.interview import Asked, Interview
from scotoma.discover.progress import Progress
from scotoma.evolve.examination import Examination
from scotoma.evolve.gate import decide
from scotoma.evolve.reinforce import reinforce
from scotoma.evolve.settings import Arm, EvolveSettings
from scotoma.generate.pipeline import Made, targeted_samples, uniform_samples
from scotoma.generate.planner import Structure
from scotoma.grpo.report import StepReport
from scotoma.models.spec import load_model
from scotoma.store.ledger import CurvePoint
from scotoma.store.run import Run
from scotoma.verify.facts import FactsVerifier

DIAGNOSED_PER_MODE = 40
"""Questions per mode whose pass rate is sampled; more costs time and moves the mixture little."""


@dataclass(frozen=True)
class Workshop:
    """What every arm shares: the run, the world, the proven modes, and the held-out questions."""

    run: Run
    world: EditableWorld
    settings: EvolveSettings
    modes: tuple[FailureMode, ...]
    held_back: Examination
    """On the `confirm` split: diagnosis and gate. Nobody trains on it."""
    test: Examination
    """On the `test` split: measures, decides nothing."""
    progress: Progress

    def interview(self, policy: str | Path) -> Interview:
        """An interview of a checkpoint."""
        spec = f"hf:{policy}" if isinstance(policy, Path) else policy
        return Interview(load_model(spec), FactsVerifier())


def examine(shop: Workshop, policy: str | Path, name: str) -> None:
    """Put the gate's and the test's questions to a checkpoint: phases `gate/NAME/retained` and `test/NAME/…`."""
    if shop.run.ledger.done(f"examine/{name}") is not None:
        return
    shop.progress(f"examine {name}", 0, 2)
    interview = shop.interview(policy)
    gate = shop.held_back.ask_retained(interview, f"gate/{name}")
    shop.progress(f"examine {name}", 1, 2)
    test = shop.test.ask(interview, f"test/{name}")
    shop.run.ledger.finish(f"examine/{name}", observations=[*gate, *test])
    shop.progress(f"examine {name}", 2, 2)


def turn(shop: Workshop, arm: Arm, number: int, before: str | Path, before_name: str) -> Path:
    """Train one arm for one round, starting from `before`; returns the folder of the trained policy.

    Stages, each resumable: diagnose, generate, reinforce, examine, gate.
    """
    name = f"round{number}/{arm}"
    mixture = _diagnose(shop, arm, before, name)
    made = _generate(shop, arm, mixture, name, number)
    policy = _reinforce(shop, made, _taught_first(shop, arm, made, number), before, name, number)
    examine(shop, policy, name)
    if shop.run.ledger.done(f"{name}/gate") is None:
        old = shop.run.ledger.observations(f"gate/{before_name}/retained")
        new = shop.run.ledger.observations(f"gate/{name}/retained")
        gate = decide(old, new, shop.settings.gate_margin)
        shop.run.ledger.finish(f"{name}/gate", {"accepted": gate.accepted, "reason": gate.reason})
    return policy


def _diagnose(shop: Workshop, arm: Arm, before: str | Path, name: str) -> Mixture:
    """The mixture of this round: from pass rates of the model as it is now, on the `confirm` split."""
    done = shop.run.ledger.done(f"{name}/diagnose")
    if done is not None:
        return Mixture.model_validate(done["mixture"])
    repair = shop.settings.repair
    rates: dict[str, float] = {}
    if arm == "targeted":
        interview = shop.interview(before)
        for n, mode in enumerate(shop.modes):
            shop.progress(f"diagnose {name}", n, len(shop.modes))
            members = [item for item in shop.held_back.modes if mode.predicate.matches(item.tags)]
            asked = [
                Asked(f"{name}/diagnose/{mode.id}/{i}", item.image, item.question)
                for i, item in enumerate(members[:DIAGNOSED_PER_MODE])
            ]
            known = [rate for rate in interview.pass_rates(asked, repair.pass_samples) if rate is not None]
            if known:
                rates[mode.id] = fmean(known)
        mixture = targeted(_as_it_fails_now(shop.modes, rates), repair.samples, rates, repair.mixture)
    else:
        mixture = uniform(repair.samples)
    shop.run.ledger.finish(
        f"{name}/diagnose", {"mixture": mixture.model_dump(mode="json"), "pass_rates": rates}
    )
    return mixture


def _as_it_fails_now(modes: Sequence[FailureMode], rates: dict[str, float]) -> list[FailureMode]:
    """The modes with this round's failure rate in place of the first round's: diagnosed again, not remembered."""
    renewed = []
    for mode in modes:
        old = mode.failure_rate
        if mode.id in rates and old is not None:
            value = 1 - rates[mode.id]
            renewed.append(mode.model_copy(update={"failure_rate": old.model_copy(update={"value": value})}))
        else:
            renewed.append(mode)
    return renewed


def _generate(shop: Workshop, arm: Arm, mixture: Mixture, name: str, number: int) -> Made:
    """The samples, from the ledger when they were made before."""
    ledger = shop.run.ledger
    stage = f"{name}/generate"
    if ledger.done(stage) is None:
        shop.progress(f"generate {name}", 0, mixture.volume)
        held_out = {entry.id for split in ("discover", "confirm", "test") for entry in ledger.images(split)}
        seed = shop.settings.seed * 1000 + number
        if arm == "targeted":
            made = targeted_samples(shop.world, mixture, shop.modes, _structures(shop), held_out, seed)
        else:
            made = uniform_samples(shop.world, mixture.volume, held_out, seed)
        kept = shop.run.images.put_all(made.images.values())
        ledger.finish(
            stage,
            {"samples": len(made.samples), "shortfalls": made.shortfalls, "rejected": dict(made.rejected)},
            samples=made.samples,
            images=kept,
        )
        shop.progress(f"generate {name}", mixture.volume, mixture.volume)
    samples: list[Sample] = ledger.samples(stage)
    images: dict[str, ImageRecord] = {
        image_id: shop.run.images.get(image_id) for image_id in dict.fromkeys(s.image_id for s in samples)
    }
    done = ledger.done(stage) or {}
    return Made(samples, images, done.get("shortfalls", {}))


def _structures(shop: Workshop) -> list[Structure]:
    """The scenes of the `discover` split in which the candidate failed, read back with their facts."""
    found: list[Structure] = []
    failures: list[Observation] = [
        o
        for phase in ("discover", "baseline")
        for o in shop.run.ledger.observations(phase, outcome="failure")
        if any(mode.predicate.matches(o.tags) for mode in shop.modes)
    ]
    for failure in failures:
        record = shop.run.images.get(failure.image_id, facts=shop.world.facts)
        if record.facts is not None:
            found.append(Structure(record.facts, failure.question, failure.tags))
    return found


def _taught_first(shop: Workshop, arm: Arm, made: Made, number: int) -> list[Sample]:
    """The samples of the warm start: those of modes without signal; in a control arm, where the targeted arm of the
    round has such modes, any of its own, so that all arms take the same steps."""
    done = shop.run.ledger.done(f"round{number}/targeted/diagnose")
    if done is None:
        return []
    mixture = Mixture.model_validate(done["mixture"])
    modes = {share.name for share in mixture.shares if share.warm_start}
    if arm != "targeted":
        return made.samples if modes else []
    return [sample for sample in made.samples if sample.mode_id in modes]


def _reinforce(
    shop: Workshop, made: Made, taught: list[Sample], before: str | Path, name: str, number: int
) -> Path:
    """GRPO on the samples; the policy is a checkpoint of the run."""
    ledger, stage = shop.run.ledger, f"{name}/reinforce"
    out = shop.run.path / "checkpoints" / name
    if ledger.done(stage) is not None:
        return out / "policy"
    started = time.monotonic()
    steps = shop.settings.repair.steps
    curve: list[CurvePoint] = []

    def on_step(report: StepReport) -> None:
        shop.progress(f"train {name}", report.step + 1, steps)

    report = reinforce(
        before,
        made.samples,
        made.images,
        shop.settings.repair,
        shop.settings.seed + number,
        out,
        taught,
        on_step,
    )
    for step in report.steps:
        if step.reward_mean is not None:
            curve.append(CurvePoint(step.step, "reward", step.reward_mean))
        curve.append(CurvePoint(step.step, "kl", step.kl))
    ledger.finish(
        stage,
        {
            "engine": report.engine,
            "steps": len(report.steps),
            "warm_start_steps": shop.settings.repair.warm_start_steps if taught else 0,
            "seconds": time.monotonic() - started,
        },
        curve=curve,
    )
    return out / "policy"
