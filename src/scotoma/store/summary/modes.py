"""The part of `summary.json` about failure modes.

[mode.description for mode in summary.modes if mode.status == "confirmed"]
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scotoma.core import PROVED, Checks, FailureMode, Rate, Shrunk
from scotoma.store.summary.figures import Figures


class ModeAccuracy(Figures):
    """The candidate's accuracy on one mode (or skill), on the `test` split, before and after training."""

    before: Rate
    after: Rate
    change: Rate | None = Field(
        default=None, description="after − before on the same questions, paired, in [-1, 1]"
    )


class ModeSummary(Figures):
    """One failure mode. `failure_rate`, `base_rate` and `q_value` are measured on the `confirm` split."""

    id: str
    description: str
    predicate: str = Field(description="the set of questions, as `Predicate.parse` reads it")
    title: str | None = Field(
        default=None, description="a name by `tagging.model`, where asked; it decides nothing"
    )
    status: Literal["suspected", "confirmed", "rejected", "repaired", "open", "regressed"]
    failure_rate: Rate | None = None
    base_rate: Rate | None = Field(
        default=None,
        description="the candidate's failure rate on the questions of the split outside the mode",
    )
    apparent_failure_rate: Rate | None = Field(
        default=None,
        description="failure_rate as the judge reported it, where a calibration corrected it",
    )
    apparent_base_rate: Rate | None = Field(default=None, description="the same for base_rate")
    q_value: float | None = Field(
        default=None, description="Benjamini–Hochberg over all suspected modes, in [0, 1]"
    )
    suspected_rate: Rate | None = Field(
        default=None, description="failure rate in discovery; biased, as it was selected on"
    )
    suspected_rate_of: Literal["uniform", "questioner"] | None = Field(
        default=None,
        description="whose questions suspected_rate is of; the questioner's are weighed by how it picked",
    )
    prevalence: float | None = Field(
        default=None, description="share of uniform questions that fall into the mode, in [0, 1]"
    )
    prevalence_rate: Rate | None = Field(
        default=None, description="the same with its interval, clustered by image"
    )
    skills: tuple[str, ...] = ()
    test_accuracy: dict[str, ModeAccuracy] = Field(
        default_factory=dict, description="by arm: the base model against the arm's last checkpoint"
    )
    checks: Checks | None = Field(
        default=None, description="what becomes of a confirmed mode's failures when something changes"
    )
    shrunk: tuple[Shrunk, ...] = Field(
        default=(), description="failures of a confirmed mode, and the smallest that still fail"
    )

    @property
    def proved(self) -> bool:
        """Whether it was confirmed, whatever repair made of it since."""
        return self.status in PROVED

    @classmethod
    def of(cls, mode: FailureMode, *, test_accuracy: dict[str, ModeAccuracy] | None = None) -> ModeSummary:
        """The summary of a mode in its present state."""
        return cls(
            id=mode.id,
            description=mode.description,
            predicate=str(mode.predicate),
            title=mode.title,
            status=mode.status,
            failure_rate=mode.failure_rate,
            base_rate=mode.base_rate,
            apparent_failure_rate=mode.apparent_failure_rate,
            apparent_base_rate=mode.apparent_base_rate,
            q_value=mode.q_value,
            suspected_rate=mode.suspected_rate,
            suspected_rate_of=mode.suspected_rate_of,
            prevalence=mode.prevalence,
            prevalence_rate=mode.prevalence_rate,
            skills=mode.skills,
            test_accuracy=test_accuracy or {},
            checks=mode.checks,
            shrunk=mode.shrunk,
        )


class ShrunkSummary(Figures):
    """How small the failures of the confirmed modes could be made. Images from a world only."""

    things: Rate = Field(
        description="median share of the original's things that the smallest still shows, and the median's interval"
    )
    words: Rate = Field(description="the same for the words of the question")
    still_failing: Rate = Field(description="share that failed once more when asked at the end")
    queries: int = Field(description="candidate queries that this took")
