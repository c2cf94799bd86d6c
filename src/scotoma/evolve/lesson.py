"""One arm's training of one round and the examination after it: all it needs, and nothing of the ledger.

So it can be sent to a process of its own (`scotoma.evolve.worker`); what comes back is written down by the one process
that has the run open. Run again after a stop, the training goes on from its last saved step.

    learnt = Lesson("round1/targeted", RepairJob("pupil", samples, images, settings, seed=1, …), …)(progress)
    learnt.report.steps, learnt.test
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from scotoma.core import Observation, Verifier
from scotoma.discover.interview import Interview
from scotoma.discover.progress import Progress
from scotoma.discover.settings import AnswerSettings, JudgeSettings
from scotoma.discover.tagging import Tagger
from scotoma.discover.verification import open_verifier
from scotoma.evolve.examination import Examination
from scotoma.evolve.gate import decide
from scotoma.evolve.reinforce import reinforce
from scotoma.evolve.repair_job import RepairJob
from scotoma.grpo.report import StepReport, TrainingReport
from scotoma.models.spec import load_model, trained

LOOK_ALPHA = 0.01
"""Stricter than the gate: looks are many, and each may err."""


@dataclass(frozen=True)
class Examined:
    """What a checkpoint answered: `gate` on the `confirm` split, `test` on the `test` split."""

    gate: list[Observation]
    test: list[Observation]


@dataclass(frozen=True)
class Learnt:
    """A finished lesson; `seconds` of training."""

    report: TrainingReport
    examined: Examined
    seconds: float


@dataclass(frozen=True)
class Lesson:
    """A training, and what to ask afterwards."""

    name: str
    repair: RepairJob
    held_back: Examination
    test: Examination
    judge: JudgeSettings
    retained_before: list[Observation]
    """What the weights that it begins from answered to the gate's questions."""
    margin: float
    """By how much a retained skill may fall."""

    def __call__(self, progress: Progress) -> Learnt:
        """Train, then examine."""
        started = time.monotonic()

        def on_step(step: StepReport) -> None:
            progress(f"train {self.name}", step.step + 1, self.repair.settings.steps)

        training = reinforce(self.repair, on_step=on_step, keep_going=self._good)
        seconds = time.monotonic() - started
        asking = self._interview(self.repair.out / "policy")
        return Learnt(training, examine(asking, self.name, self.held_back, self.test, progress), seconds)

    def _good(self, checkpoint: Path) -> bool:
        """Whether no retained skill has fallen so far."""
        now = self.held_back.ask_retained(self._interview(checkpoint), f"look/{self.name}")
        return decide(self.retained_before, now, self.margin, LOOK_ALPHA).accepted

    def _interview(self, folder: Path) -> Interview:
        return interview(trained(self.repair.policy, folder), self.repair.answers, self.judge)


def examine(
    asking: Interview, name: str, held_back: Examination, test: Examination, progress: Progress
) -> Examined:
    """Put the gate's and the test's questions to a checkpoint: phases `gate/NAME/retained` and `test/NAME/…`."""
    progress(f"examine {name}", 0, 2)
    gate = held_back.ask_retained(asking, f"gate/{name}")
    progress(f"examine {name}", 1, 2)
    answers = test.ask(asking, f"test/{name}")
    progress(f"examine {name}", 2, 2)
    return Examined(gate, answers)


def interview(
    policy: str, answers: AnswerSettings, judge: JudgeSettings, tagger: Tagger | None = None
) -> Interview:
    """An interview of a model spec, judged by facts, then by the judge if there is one."""
    return Interview(load_model(policy), verifier_of(judge), answers, tagger)


@lru_cache(maxsize=1)
def verifier_of(judge: JudgeSettings) -> Verifier:
    """Opened once in a process, so that a judge's budget bounds all that it is asked there."""
    return open_verifier(judge)
