"""Accuracy on the `test` split, checkpoint by checkpoint: the same questions answered by each.

Phases are named `test/base`, `test/round1/targeted` …, with `/modes` or `/retained` behind them where the questions
were asked for one purpose.

    measured = Measurements.read(run.ledger, predicates)
    measured.accuracy(Checkpoint(1, "targeted"), part="modes")
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from scotoma.core import Observation, Predicate, Rate, skills_of
from scotoma.diagnose.statistics import clustered_rate, paired_difference
from scotoma.store import Ledger

Part = Literal["modes", "retained"]

_PHASE = re.compile(r"test/(?:base|round(?P<round>\d+)/(?P<arm>[\w-]+))(?:/(?P<part>modes|retained))?")


@dataclass(frozen=True, order=True)
class Checkpoint:
    """The model that left training in `round` (from 1) and `arm`; round 0 is the base model."""

    round: int = 0
    arm: str = ""


@dataclass(frozen=True)
class Answer:
    """One test question as a checkpoint answered it."""

    observation: Observation
    part: Part

    @property
    def right(self) -> bool:
        """Whether the answer counts as correct."""
        return self.observation.outcome == "correct"

    @property
    def pair(self) -> tuple[str, str]:
        """What is equal for the same question put to two checkpoints."""
        return self.observation.image_id, self.observation.question


@dataclass(frozen=True)
class Measurements:
    """Every valid, answered test question, by checkpoint; `fair` holds the questions that speak for each mode, where
    later members were kept for the sake of other modes (`discover.confirm.draw`).
    """

    answers: dict[Checkpoint, list[Answer]]
    fair: dict[Predicate, frozenset[tuple[str, str]]] = field(default_factory=dict)

    @classmethod
    def read(cls, ledger: Ledger, modes: Iterable[Predicate]) -> Measurements:
        """The test phases of a ledger; a phase that names no part is split by membership in `modes`."""
        predicates = list(modes)
        each = (ledger.done("draw") or {}).get("each")
        drawn = ledger.observations("test/base/modes")
        fair = {
            predicate: frozenset(
                [(o.image_id, o.question) for o in drawn if predicate.matches(o.tags)][:each]
            )
            for predicate in predicates
        }
        answers: dict[Checkpoint, list[Answer]] = {}
        for item in ledger.observations(phase_prefix="test/"):
            match = _PHASE.fullmatch(item.phase)
            if match is None or item.outcome not in ("correct", "failure"):
                continue
            inside = any(predicate.matches(item.tags) for predicate in predicates)
            part: Part = (
                "modes" if (match["part"] or ("modes" if inside else "retained")) == "modes" else "retained"
            )
            checkpoint = Checkpoint(int(match["round"]), match["arm"]) if match["round"] else Checkpoint()
            answers.setdefault(checkpoint, []).append(Answer(item, part))
        return cls(answers, fair)

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """Those that answered, the base model first."""
        return sorted(self.answers)

    def skills(self) -> list[str]:
        """Every skill that a retained question needs, sorted."""
        answers = (answer for found in self.answers.values() for answer in found if answer.part == "retained")
        return sorted({skill for answer in answers for skill in skills_of(answer.observation.tags)})

    def accuracy(self, checkpoint: Checkpoint, *, part: Part) -> Rate | None:
        """On mode questions, or on retained ones; None where nothing was asked."""
        return self._rate(checkpoint, lambda answer: answer.part == part)

    def mode_accuracy(self, checkpoint: Checkpoint, predicate: Predicate) -> Rate | None:
        """On the mode questions that belong to one mode."""
        return self._rate(
            checkpoint,
            lambda answer: answer.part == "modes" and self._speaks_for(predicate, answer),
        )

    def skill_accuracy(self, checkpoint: Checkpoint, skill: str) -> Rate | None:
        """On the retained questions that need a skill."""
        return self._rate(
            checkpoint,
            lambda answer: answer.part == "retained" and skill in skills_of(answer.observation.tags),
        )

    def change(
        self,
        after: Checkpoint,
        before: Checkpoint,
        *,
        part: Part | None = None,
        predicate: Predicate | None = None,
    ) -> Rate | None:
        """Paired difference `after` − `before` on the questions that both answered, in [-1, 1]."""
        earlier = {answer.pair: answer for answer in self.answers.get(before, [])}
        pairs = [
            (answer, earlier[answer.pair])
            for answer in self.answers.get(after, [])
            if answer.pair in earlier
            and part in (None, answer.part)
            and (predicate is None or self._speaks_for(predicate, answer))
        ]
        if not pairs:
            return None
        return paired_difference(
            [late.right for late, _ in pairs],
            [early.right for _, early in pairs],
            [late.observation.image_id for late, _ in pairs],
        )

    def _speaks_for(self, predicate: Predicate, answer: Answer) -> bool:
        fair = self.fair.get(predicate)
        return answer.pair in fair if fair else predicate.matches(answer.observation.tags)

    def _rate(self, checkpoint: Checkpoint, asked: Callable[[Answer], bool]) -> Rate | None:
        chosen = [answer for answer in self.answers.get(checkpoint, []) if asked(answer)]
        if not chosen:
            return None
        return clustered_rate(
            [answer.right for answer in chosen], [answer.observation.image_id for answer in chosen]
        )
