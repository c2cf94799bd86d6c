"""What a spiral will take, before anything is spent: the plan of its discovery, and every round's training.

plan = plan_spiral(settings)
plan.rows[-1].stage      # "round 2: examine"
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from scotoma.core import World
from scotoma.discover.plan import UNCOUNTED, Plan, PlanRow, discovery_rows, memory_of, priced
from scotoma.discover.pool import open_source
from scotoma.discover.preflight import preflight
from scotoma.evolve.diagnosis import AIMED, PER_MODE, RENEWED
from scotoma.evolve.failures import PER_TARGET
from scotoma.evolve.settings import EvolveSettings
from scotoma.evolve.supply import check_makers
from scotoma.generate.checks.blind import BLIND_SAMPLES
from scotoma.generate.settings import PER_IMAGE
from scotoma.grpo.launch import check_accelerate
from scotoma.models.spec import checkpoint_path


def check_training(settings: EvolveSettings) -> None:
    """Refuse now what the training would refuse an hour later.

    Raises:
        ConfigError: the Accelerate config is not there, or nothing that training could be launched with.
        SpecError, ModelError: the candidate has no weights that could be trained.
    """
    checkpoint_path(settings.candidate)
    if settings.repair.accelerate is not None:
        check_accelerate(settings.repair.accelerate)


def plan_spiral(settings: EvolveSettings) -> Plan:
    """The plan of `scotoma evolve`. Nothing is loaded but a few images.

    Raises:
        ConfigError: nobody could make samples of these images, ask about them or judge them; or see `check_training`.
        SpecError: a spec names nothing, or what cannot be trained and should be.
        ImageError: the images cannot be read.
    """
    check_training(settings)
    source = open_source(settings)
    check_makers(source, settings)
    preflight(settings, source)
    shown = list(islice(source.images("discover", settings.seed), 8))
    judged = not isinstance(source, World)
    rulings = max(1, len(settings.judge.specs)) * settings.judge.samples if judged else 0
    rows = discovery_rows(settings, not judged)
    repair, test, modes = settings.repair, settings.test, settings.discover.search.max_modes
    examination = test.mode_questions + test.retained_questions + test.retained_questions // 4
    if judged:
        looked_through = test.pool + test.pool // 4
        rows.append(
            PlanRow(
                "draw the examination",
                _pictures(looked_through),
                questioner=looked_through,
                judge=looked_through * rulings,
                tagger=looked_through if settings.tagging.model is not None else 0,
            )
        )
    rows.append(_row("examine the candidate", _pictures(examination), examination, rulings))
    if repair.rehearses:
        n = repair.rehearsal
        rows.append(
            PlanRow(
                "rehearsal", _pictures(n), n, questioner=n if judged else 0, judge=2 * n * rulings,
                tagger=n if judged and settings.tagging.model is not None else 0,
            )
        )  # fmt: skip
    arms = len(settings.arms)
    per_step = min(repair.samples, repair.questions_per_step)
    looks = (repair.steps - 1) // repair.look_every if repair.look_every else 0
    looked = looks * test.retained_questions // 4
    for number in range(1, settings.rounds + 1):
        knowing = sum(arm in AIMED and (number == 1 or arm == "targeted") for arm in settings.arms)
        diagnosed = min(knowing, 1) * modes * PER_MODE
        # Each is also asked once more, and of what fails every part, three or so; `dpe` asks uniform questions.
        asked = diagnosed * (repair.pass_samples + 1 + 3)
        asked += test.retained_questions // 4 if "dpe" in settings.arms else 0
        # After the first round what discovery found is asked again.
        asked += (number > 1) * modes * PER_TARGET * sum(arm in RENEWED for arm in settings.arms)
        rows.append(_row(f"round {number}: diagnose", diagnosed, asked, rulings))
        if settings.generate.agents != "varied":
            rows.append(_agents(settings, f"round {number}: generate"))
        rows += [
            PlanRow(
                f"round {number}: train {arms} arm{'s' if arms > 1 else ''}",
                arms * _pictures(repair.samples),
                trained=arms * repair.steps * per_step * repair.group_size,
            ),
            _row(f"round {number}: examine", _pictures(examination), arms * (examination + looked), rulings),
        ]
    if settings.rediscover and "targeted" in settings.arms:
        found = [row for row in rows if row.stage in ("discover", "baseline", "confirm")]
        rows += [replace(row, stage=f"rediscover: {row.stage}") for row in found]
        rows.append(
            _row("rediscover: ask the untrained candidate", 0, modes * settings.confirm.questions, rulings)
        )
    told = settings.generate
    agents = {role: spec for role in ("planner", "writer", "validator") if (spec := getattr(told, role))}
    if told.checks.blind is not None:
        agents["blind"] = told.checks.blind
    plan = priced(settings, rows, shown, agents)
    trained = memory_of("candidate", settings.candidate, "full", lora=repair.lora_rank > 0)
    return replace(plan, memory=(*plan.memory, trained), notes=(*plan.notes, UNCOUNTED))


def _row(stage: str, images: int, asked: int, rulings: int) -> PlanRow:
    """Questions whose validity is known; each answer may need the judge, where rules do not decide."""
    return PlanRow(stage, images, asked, judge=asked * rulings)


def _agents(settings: EvolveSettings, stage: str) -> PlanRow:
    """What the agents of a round are asked at the most, where every sample takes all of its tries; exact ones, who make
    the aimed samples alone, are no models."""
    told, volume = settings.generate, settings.repair.samples
    exact = told.agents == "exact"
    retention = int(volume * settings.repair.mixture.retention)
    aimed = sum(volume - retention for arm in settings.arms if arm not in ("uniform", "dpe"))
    aimed += volume if "dpe" in settings.arms else 0
    # Unaimed ones are shared, and take the place of what a share falls short of.
    sketches = told.tries * (aimed if exact else aimed + volume)
    measured = told.tries * aimed * told.checks.pass_samples if told.checks.band is not None else 0
    return PlanRow(
        stage,
        sketches,
        candidate=measured,
        planner=0 if exact else told.tries * aimed,  # nobody plans what is unaimed
        writer=0 if exact else sketches,
        validator=0 if exact else sketches,
        blind=BLIND_SAMPLES * sketches if told.checks.blind is not None else 0,
    )


def _pictures(questions: int) -> int:
    return -(-questions // PER_IMAGE)
