"""A realistic run in a second: real pictures and questions of the shapes world, a candidate with known blind spots.

The summary is written when a spiral writes it: after the proof, after every arm, and at the end.

exam(tmp_path / "demo")                              # every stage
exam(tmp_path / "demo", until="baseline")            # stopped before the proof: no summary
exam(tmp_path / "demo", until="round1/targeted")     # stopped when the first arm had ended
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from scotoma.core import FailureMode, ImageRecord, Observation, Predicate, Rate, Split, Tags, Verdict
from scotoma.diagnose import mixture as mixtures
from scotoma.diagnose.statistics import clustered_rate, excess_test
from scotoma.evolve.account import summarise
from scotoma.evolve.diagnosis import Diagnosis
from scotoma.evolve.settings import Arm, EvolveSettings
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.store import CurvePoint, Run

STAGES = ("begin", "discover", "baseline", "confirm", "round1/targeted", "round1", "round2", "summary")
SPOTS = {
    "m1": ("skill=counting and count>=4", "counting questions when the answer is 4 or more", 0.25),
    "m2": (
        "relation=above and occluded=true",
        "questions with the relation “above” where something is partly hidden",
        0.45,
    ),
    "m3": ("skill=negation and operation=none", "negated existence questions", 0.55),
    "m4": ("skill=reading and background=gradient", "reading questions on a gradient background", 0.6),
    "m5": ("skill=size", "size questions", 0.95),
}
REGIONS = {name: Predicate.parse(where) for name, (where, _, _) in SPOTS.items()}
CHANCES = {name: chance for name, (_, _, chance) in SPOTS.items()}
CONFIG = {
    "candidate": "pupil",
    "images": "worlds:shapes",
    "seed": 7,
    "rounds": 2,
    "discover": {"questions": 800, "group": 8, "kl": 0.02},
}
_ANSWERS = {"yes": ("no",), "no": ("yes",), "small": ("large",), "large": ("small",)}


def exam(
    path: Path,
    *,
    until: str = "summary",
    images: int = 60,
    hostile: str = "",
    arms: Sequence[Arm] = ("targeted", "uniform"),
) -> Path:
    """Make the run up to a stage. `hostile` is put into every question, answer, truth, reason and description."""
    rng = random.Random(7)
    reached = STAGES[: STAGES.index(until) + 1]
    settings = EvolveSettings(candidate="pupil", seed=7, rounds=2, arms=tuple(arms))
    with Run.open(path, command="evolve", config={**CONFIG, "arms": list(arms)}) as run:

        def ask(
            stage: str,
            phase: str,
            split: Split,
            *,
            pick: Callable[[Tags], bool] | None = None,
            gain: float = 0.0,
            seed: int = 0,
            junk: float = 0.0,
        ) -> list[Observation]:
            """The candidate answers; `gain` is the share of its mistakes on blind spots that training removed."""
            records = [_picture(split, index) for index in range(images)]
            asked = []
            for index, record in enumerate(records):
                found = 0
                for question, tags in _questions(split, index, seed, 40 if pick else 8):
                    stray = random.Random(f"{index}/{question}").random() < 0.04
                    if pick is not None and not pick(tags) and not stray:
                        continue
                    asked.append(
                        _answer(f"{phase}/{index}/{found}", phase, record, question, tags, rng, gain)
                    )
                    found += 1
                    if rng.random() < junk:
                        asked.append(_junk(f"{phase}/{index}/{found}", phase, record, rng))
                        found += 1
                    if found >= 12:
                        break
            if hostile:
                asked = [_spoil(item, hostile) for item in asked]
            run.ledger.finish(stage, observations=asked, images=run.images.put_all(records))
            return asked

        def blind(tags: Tags) -> bool:
            return any(region.matches(tags) for name, region in REGIONS.items() if CHANCES[name] < 0.9)

        if "discover" in reached:
            asked = ask("discover", "discover", "discover", pick=blind, junk=0.08)
            run.ledger.finish("discover/curves", curve=_learning("discover", rng))
            suspects = [_suspect(name, asked, hostile) for name in SPOTS]
            run.ledger.put_modes(suspects)
        if "baseline" in reached:
            ask("baseline", "baseline", "discover", seed=1000, junk=0.01)
        if "confirm" in reached:
            fresh = ask("confirm", "confirm", "confirm", pick=blind, seed=2000)
            uniform = ask("confirm-base", "confirm-base", "confirm", seed=3000)
            run.ledger.put_modes([_judged(mode, fresh, uniform) for mode in suspects])
            run.write_summary(summarise(run, settings))

        def examine(name: str, gain: float = 0.0) -> None:
            modes, retained = f"test/{name}/modes", f"test/{name}/retained"
            ask(modes, modes, "test", pick=blind, gain=gain, seed=4000)
            ask(retained, retained, "test", pick=lambda tags: not blind(tags), gain=gain, seed=5000)
            run.ledger.finish(f"examine/{name}")

        if "round1/targeted" in reached:
            examine("base")
        for turn in (1, 2):
            for arm in arms:
                name = f"round{turn}/{arm}"
                if not {name, f"round{turn}"} & set(reached):
                    continue
                diagnosis = _diagnosis(arm, run.ledger.modes())
                run.ledger.finish(f"{name}/diagnose", diagnosis.model_dump(mode="json"))
                run.ledger.finish(f"{name}/generate", {"samples": 600})
                examine(name, gain=(0.4 if arm == "targeted" else 0.12) * turn)
                run.ledger.finish(
                    f"{name}/reinforce",
                    {"samples": 600, "steps": 60, "skipped_updates": 3 if name == "round2/uniform" else 0},
                    curve=_learning(name, rng),
                )
                refused = name == "round2/uniform"
                reason = "size fell by 3 points" if refused else "no retained skill fell"
                run.ledger.finish(f"{name}/gate", {"accepted": not refused, "reason": reason})
                run.write_summary(summarise(run, settings))
        if "summary" in reached:
            states = {"m1": "repaired", "m2": "open", "m3": "repaired", "m4": "repaired"}
            run.ledger.put_modes(
                mode.model_copy(update={"status": states[mode.id]})
                for mode in run.ledger.modes()
                if mode.id in states and mode.status == "confirmed"
            )
            run.write_summary(summarise(run, settings))
    return path


@cache
def _picture(split: Split, index: int) -> ImageRecord:
    return ShapesWorld().image(split, 0, index)


@cache
def _questions(split: Split, index: int, seed: int, n: int) -> list[tuple[str, Tags]]:
    """Distinct questions about a picture, with their tags."""
    facts = _picture(split, index).facts
    assert facts is not None
    asked = dict.fromkeys(ShapesWorld().questions(facts, seed + index, n))
    return [(question, facts.examine(question).tags) for question in asked]


def _answer(
    key: str, phase: str, record: ImageRecord, question: str, tags: Tags, rng: random.Random, gain: float
) -> Observation:
    truth = str(tags["answer"])
    chance = min((CHANCES[name] for name, region in REGIONS.items() if region.matches(tags)), default=0.94)
    chance += gain * (0.96 - chance)
    # The same question fares alike at every checkpoint, so that before and after are paired in earnest.
    luck = random.Random(f"{record.id}/{question}").random() * 0.8 + rng.random() * 0.2
    right = luck < chance
    wrong = rng.choice(_ANSWERS.get(truth, ("two", "red", "3", "circle"))) if not truth.isdigit() else ""
    answer = truth if right else wrong or str(abs(int(truth) + rng.choice((-1, 1))))
    return Observation(
        key=key,
        phase=phase,
        image_id=record.id,
        question=question,
        answer=answer,
        verdict=Verdict(valid=True, correct=float(right), truth=truth, decided_by="facts"),
        tags=dict(tags),
    )


def _junk(key: str, phase: str, record: ImageRecord, rng: random.Random) -> Observation:
    """An invalid question, or now and then a broken connection."""
    verdict = (
        Verdict(error="timeout")
        if rng.random() < 0.1
        else Verdict(valid=False, reason=rng.choice(["no_referent", "ambiguous", "ambiguous", "unparsable"]))
    )
    question = "what colour is the purple pentagon ?"
    return Observation(
        key=key, phase=phase, image_id=record.id, question=question, answer="", verdict=verdict
    )


def _suspect(name: str, asked: Sequence[Observation], hostile: str) -> FailureMode:
    _, description, _ = SPOTS[name]
    predicate = REGIONS[name]
    return FailureMode(
        id=name,
        predicate=predicate,
        description=description + hostile,
        suspected_rate=_failing(asked, predicate),
        skills=tuple(c.value for c in predicate.conditions if c.key == "skill" and isinstance(c.value, str)),
    )


def _judged(mode: FailureMode, fresh: Sequence[Observation], uniform: Sequence[Observation]) -> FailureMode:
    rate, base = _failing([*fresh, *uniform], mode.predicate), _failing(uniform, Predicate())
    inside = [mode.predicate.matches(item.tags) for item in [*fresh, *uniform]]
    wrong = [item.outcome == "failure" for item in [*fresh, *uniform]]
    p_value = excess_test(wrong, inside, [item.image_id for item in [*fresh, *uniform]])
    prevalence = clustered_rate(
        [mode.predicate.matches(item.tags) for item in uniform], [item.image_id for item in uniform]
    )
    return mode.model_copy(
        update={
            "status": "confirmed" if mode.id != "m5" else "rejected",
            "failure_rate": rate,
            "base_rate": base,
            "p_value": p_value,
            "q_value": p_value if mode.id != "m5" else 0.71,
            "prevalence": prevalence.value,
            "prevalence_rate": prevalence,
        }
    )


def _diagnosis(arm: Arm, modes: Sequence[FailureMode]) -> Diagnosis:
    proved = [mode for mode in modes if mode.proved]
    return Diagnosis(mixture=mixtures.targeted(proved, 600) if arm == "targeted" else mixtures.uniform(600))


def _failing(asked: Sequence[Observation], predicate: Predicate) -> Rate:
    inside = [
        item for item in asked if item.outcome in ("correct", "failure") and predicate.matches(item.tags)
    ]
    return clustered_rate([item.outcome == "failure" for item in inside], [item.image_id for item in inside])


def _learning(name: str, rng: random.Random) -> list[CurvePoint]:
    top = {"discover": 0.42, "round1/targeted": 0.8, "round2/targeted": 0.88}.get(name, 0.93)
    points = []
    for step in range(60):
        rise = 1 - math.exp(-step / 18)
        level = top * (0.5 + 0.5 * rise) + rng.gauss(0, 0.03)
        points += [
            CurvePoint(step, "reward", level),
            CurvePoint(step, "kl", 0.04 * rise + rng.random() * 0.004),
            CurvePoint(step, "entropy", 2.0 - 1.2 * rise),
            CurvePoint(step, "zero_variance_share", 0.1 + 0.4 * rise),
            CurvePoint(step, "grad_norm", 3.0 - 2.0 * rise),
            CurvePoint(step, "clip_share", 0.0),
        ]
        if name == "discover":
            points += [
                CurvePoint(step, "failure_rate", max(0.0, level - 0.02)),
                CurvePoint(step, "valid_rate", min(1.0, 0.9 + 0.07 * rise + rng.gauss(0, 0.01))),
            ]
    return points


def _spoil(item: Observation, hostile: str) -> Observation:
    verdict = item.verdict.model_copy(
        update={
            "truth": f"{item.verdict.truth}{hostile}",
            "reason": f"{item.verdict.reason}{hostile}" if item.verdict.reason else None,
        }
    )
    return item.model_copy(
        update={"question": item.question + hostile, "answer": item.answer + hostile, "verdict": verdict}
    )
