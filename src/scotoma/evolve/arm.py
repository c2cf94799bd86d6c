"""The arms of one round: what is the model bad at, what shall it train on, train it, examine it, keep it or not.

    policies = turn(workshop, 1, {"targeted": Policy("base", "pupil"), "uniform": Policy("base", "pupil")})

Diagnosis and samples are made one arm after another, by the process that has the ledger; training and examination,
which take the time, side by side. The summary is written whenever an arm has ended, so that a spiral that was stopped
tells all but the arms it was at.
"""

from __future__ import annotations

from collections.abc import Mapping

from scotoma.core import Sample
from scotoma.diagnose.mixture import Mixture
from scotoma.evolve.account import summarise
from scotoma.evolve.diagnosis import AIMED, diagnose
from scotoma.evolve.gate import decide
from scotoma.evolve.lesson import Examined, Learnt, Lesson, examine
from scotoma.evolve.rehearsal import rehearsal
from scotoma.evolve.repair_job import RepairJob
from scotoma.evolve.settings import Arm
from scotoma.evolve.supply import evened, pictures_for, supply
from scotoma.evolve.worker import processes_for, side_by_side
from scotoma.evolve.workshop import Policy, Workshop
from scotoma.generate.pipeline import Made
from scotoma.models.checkpoint import accelerated
from scotoma.models.spec import trained
from scotoma.store.ledger import CurvePoint, Ledger


def examine_base(shop: Workshop, base: Policy) -> None:
    """What the untrained candidate answers."""
    if shop.run.ledger.done(f"examine/{base.name}") is None:
        asking = shop.interview(base.weights)
        examined = examine(asking, base.name, shop.held_back, shop.test, shop.progress)
        _write_down(shop, base.name, examined)
        _tell(shop)


def turn(shop: Workshop, number: int, policies: Mapping[Arm, Policy]) -> dict[Arm, Policy]:
    """Train every arm for one round, each from its own policy; returns those that go on: the new or, where the gate
    says no, the old.

    Stages of an arm, each resumable: diagnose, generate, reinforce, examine, gate.
    """
    ledger = shop.run.ledger
    lessons: dict[str, Lesson] = {}
    arms: dict[str, Arm] = {f"round{number}/{arm}": arm for arm in policies}
    # Those that know the modes first: what they find decides the others' warm start, and the frozen arm's mixture.
    for arm in sorted(policies, key=lambda arm: (arm not in AIMED, arm != "targeted")):
        diagnose(shop, arm, policies[arm].weights, number)
    supplies = evened(
        {
            arm: supply(shop, diagnose(shop, arm, policy.weights, number), arm, policy, number)
            for arm, policy in policies.items()
        }
    )
    due = [arm for arm in policies if ledger.done(f"examine/round{number}/{arm}") is None]
    warm_starts = {arm: _warm_start(shop, arm, supplies[arm], number) for arm in due}
    rehearsed = rehearsal(shop) if any(warm_starts.values()) else []
    familiar = pictures_for(shop, rehearsed)
    for arm in due:
        name, made, policy = f"round{number}/{arm}", supplies[arm], policies[arm]
        lessons[name] = Lesson(
            name=name,
            repair=RepairJob(
                policy=policy.weights,
                samples=made.samples,
                images=made.images | familiar,
                settings=shop.settings.repair,
                seed=shop.settings.seed + number,
                out=shop.run.path / "checkpoints" / name,
                warm_start=warm_starts[arm],
                rehearsal=rehearsed,
                answers=shop.settings.answers,
            ),
            held_back=shop.held_back,
            test=shop.test,
            judge=shop.settings.judge,
            retained_before=ledger.observations(f"gate/{policy.name}/retained"),
            margin=shop.settings.gate_margin,
        )
    # As many processes as arms even where some are done: the number of threads must not depend on a resume.
    spread = accelerated() or shop.settings.repair.accelerate is not None
    at_once = processes_for(len(policies), spread)
    for name, learnt in side_by_side(lessons, at_once, shop.progress):
        # A stop may have come between the two: then only the examination is new.
        if ledger.done(f"{name}/reinforce") is None:
            note_training(ledger, name, lessons[name].repair, learnt)
        _write_down(shop, name, learnt.examined)
        _gated(shop, name, policies[arms[name]])
    return {arm: _gated(shop, name, policies[arm]) for name, arm in arms.items()}


def _gated(shop: Workshop, name: str, before: Policy) -> Policy:
    ledger = shop.run.ledger
    done = ledger.done(f"{name}/gate")
    if done is None:
        old = ledger.observations(f"gate/{before.name}/retained")
        gate = decide(old, ledger.observations(f"gate/{name}/retained"), shop.settings.gate_margin)
        done = {"accepted": gate.accepted, "reason": gate.reason}
        ledger.finish(f"{name}/gate", done)
        _tell(shop)
    if not done["accepted"]:
        return before
    return Policy(name, trained(before.weights, shop.run.path / "checkpoints" / name / "policy"))


def _write_down(shop: Workshop, name: str, examined: Examined) -> None:
    shop.run.ledger.finish(f"examine/{name}", observations=[*examined.gate, *examined.test])


def _tell(shop: Workshop) -> None:
    shop.run.write_summary(summarise(shop.run, shop.settings))


def note_training(ledger: Ledger, name: str, job: RepairJob, learnt: Learnt) -> None:
    """Write a training down: its document, and its learning curves."""
    report = learnt.report
    curve: list[CurvePoint] = []
    for step in report.steps:
        if step.reward_mean is not None:
            curve.append(CurvePoint(step.step, "reward", step.reward_mean))
        curve.append(CurvePoint(step.step, "kl", step.kl))
        curve += [CurvePoint(step.step, figure, value) for figure, value in step.diagnostics.items()]
    ledger.finish(
        f"{name}/reinforce",
        {
            "engine": report.engine,
            "steps": report.steps_kept,
            "stopped": report.stopped,
            "skipped_updates": report.skipped_updates,
            "samples": len(job.samples),
            "warm_start_steps": job.settings.warm_start_steps if job.warm_start else 0,
            "taught_first": _aims(job),
            "rehearsed": len(job.rehearsal),
            "seconds": learnt.seconds,
        },
        curve=curve,
    )


def _aims(job: RepairJob) -> list[str]:
    """The modes that the warm start was aimed at: none where it took any of the samples."""
    if len(job.warm_start) == len(job.samples):
        return []
    return sorted({sample.mode_id for sample in job.warm_start if sample.mode_id is not None})


def _warm_start(shop: Workshop, arm: Arm, made: Made, number: int) -> list[Sample]:
    """The samples of the warm start, if the round has one: where the arm that knows the modes has some without signal,
    by default each mode once in a run, since every such start costs its neighbours a little. Then every arm takes as
    many steps: with the samples of its own modes without signal, or where it has none with any.
    """
    told = next((one for one in AIMED if one in shop.settings.arms), None)
    if told is None or not _new_without_signal(shop, told, number):
        return []
    modes = _new_without_signal(shop, arm, number) if arm in AIMED else set()
    return [sample for sample in made.samples if sample.mode_id in modes] or made.samples


def _new_without_signal(shop: Workshop, arm: Arm, number: int) -> set[str]:
    modes = _without_signal(shop, arm, number)
    if shop.settings.repair.warm_start_once:
        earlier = (n for n in range(1, number) if _kept(shop, arm, n))
        modes = modes.difference(*(_without_signal(shop, arm, n) for n in earlier))
    return modes


def _kept(shop: Workshop, arm: Arm, number: int) -> bool:
    """Whether the weights of a round went on: what the gate threw away has taught nothing."""
    gate = shop.run.ledger.done(f"round{number}/{arm}/gate")
    return gate is None or bool(gate.get("accepted"))


def _without_signal(shop: Workshop, arm: Arm, number: int) -> set[str]:
    done = shop.run.ledger.done(f"round{number}/{arm}/diagnose")
    shares = Mixture.model_validate(done["mixture"]).shares if done is not None else ()
    return {share.name for share in shares if share.warm_start}
