"""What a spiral will take, before anything is spent: the plan of its discovery, and every round's training.

plan = plan_spiral(settings)
plan.rows[-1].stage      # "round 2: examine"
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from scotoma.core import World
from scotoma.discover.plan import Plan, PlanRow, discovery_rows, memory_of, priced
from scotoma.discover.pool import open_source
from scotoma.evolve.diagnosis import AIMED, ATTRIBUTED, PER_MODE
from scotoma.evolve.settings import EvolveSettings
from scotoma.generate.pipeline import PER_IMAGE


def plan_spiral(settings: EvolveSettings) -> Plan:
    """The plan of `scotoma evolve`. Nothing is loaded but a few images.

    Raises:
        SpecError: a spec names nothing.
        ImageError: the images cannot be read.
    """
    source = open_source(settings)
    shown = list(islice(source.images("discover", settings.seed), 8))
    rows = discovery_rows(settings, isinstance(source, World))
    repair, test, modes = settings.repair, settings.test, settings.discover.search.max_modes
    examination = test.mode_questions + test.retained_questions + test.retained_questions // 4
    rows.append(PlanRow("examine the candidate", _pictures(examination), examination))
    arms = len(settings.arms)
    per_step = min(repair.samples, repair.images_per_step * PER_IMAGE)
    looks = (repair.steps - 1) // repair.look_every if repair.look_every else 0
    looked = looks * test.retained_questions // 4
    for number in range(1, settings.rounds + 1):
        knowing = sum(arm in AIMED and (number == 1 or arm == "targeted") for arm in settings.arms)
        diagnosed = min(knowing, 1) * modes * PER_MODE
        # Each is also asked once more, and of some failures every part; `dpe` asks uniform questions.
        asked = diagnosed * (repair.pass_samples + 1) + min(knowing, 1) * modes * ATTRIBUTED * 3
        asked += test.retained_questions // 4 if "dpe" in settings.arms else 0
        rows += [
            PlanRow(f"round {number}: diagnose", diagnosed, asked),
            PlanRow(
                f"round {number}: train {arms} arm{'s' if arms > 1 else ''}",
                arms * _pictures(repair.samples),
                trained=arms * repair.steps * per_step * repair.group_size,
            ),
            PlanRow(f"round {number}: examine", _pictures(examination), arms * (examination + looked)),
        ]
    if settings.rediscover and "targeted" in settings.arms:
        found = [row for row in rows if row.stage in ("discover", "baseline", "confirm")]
        rows += [replace(row, stage=f"rediscover: {row.stage}") for row in found]
        rows.append(PlanRow("rediscover: ask the untrained candidate", 0, modes * settings.confirm.questions))
    plan = priced(settings, rows, shown)
    trained = memory_of("candidate", settings.candidate, "full", lora=repair.lora_rank > 0)
    return replace(plan, memory=(*plan.memory, trained))


def _pictures(questions: int) -> int:
    return -(-questions // PER_IMAGE)
