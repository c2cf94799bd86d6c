"""The part of `summary.json` about repair: every arm of every round, and what their comparison proves.

summary.rounds[-1].arms["targeted"].modes_change
summary.comparison.against["uniform"].gain_ratio
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scotoma.core import ModeDiagnosis, Rate
from scotoma.store.summary.figures import Figures
from scotoma.store.summary.modes import ModeAccuracy

Gate = Literal["accepted", "kept_old", "not_run"]
"""`accepted`: the new weights go on. `kept_old`: a retained skill fell significantly; the old goes on."""


class ShareSummary(Figures):
    """One share of an arm's mixture: why a failure mode (in `dpe` and `random`, a type of question) got its samples."""

    name: str = Field(description="the mode's id, or the type of question")
    samples: int = Field(description="samples of the mixture")
    weight: float = Field(description="share of all weights, in [0, 1]")
    warm_start: bool = Field(
        description="passes less often than `mixture.warm_start_below`: calls for a supervised start"
    )
    reason: str
    shortfall: int = Field(
        default=0, description="samples that could not be made; retention took their place"
    )


class ArmSummary(Figures):
    """One arm of one round: what it was trained on, and its accuracy on the `test` split.

    `before` is the model that entered the round, `after` the one that left training, gate or no gate.
    """

    samples: int = Field(description="verified training samples")
    steps: int = Field(description="GRPO steps")
    warm_start_steps: int = Field(
        default=0, description="supervised steps before GRPO; every arm of a round has as many"
    )
    taught_first: list[str] = Field(
        default_factory=list,
        description="the modes that the supervised steps were aimed at; empty where they took any of the samples",
    )
    rehearsed: int = Field(
        default=0,
        description="questions answered rightly by the untrained candidate, in the supervised steps",
    )
    stopped_early: bool = Field(
        default=False,
        description="whether a look at retained skills ended the training, with earlier weights",
    )
    skipped_updates: int = Field(
        default=0, description="GRPO updates left out because loss or gradient was not finite"
    )
    modes_accuracy_before: Rate | None = Field(
        default=None, description="on questions from the confirmed modes"
    )
    modes_accuracy_after: Rate | None = None
    retained_accuracy_before: Rate | None = Field(default=None, description="on every other skill")
    retained_accuracy_after: Rate | None = None
    modes_change: Rate | None = Field(default=None, description="after − before, paired, in [-1, 1]")
    retained_change: Rate | None = Field(default=None, description="after − before, paired, in [-1, 1]")
    gate: Gate = "not_run"
    gate_reason: str = ""
    diagnosis: list[ModeDiagnosis] = Field(
        default_factory=list,
        description="of every confirmed mode before the round, where the arm asked about them",
    )
    mixture: list[ShareSummary] = Field(
        default_factory=list, description="what it was trained on, beside `retention`"
    )
    unmade: int = Field(
        default=0,
        description="samples short of the volume, where pictures or tries ran out; every arm has as few",
    )
    retention: int = Field(
        default=0, description="uniform questions beside the modes', as the mixture planned"
    )
    retention_made: int | None = Field(
        default=None,
        description="how many there were: those planned, and what took the place of `shortfall`, less `unmade`",
    )
    rejected: dict[str, int] = Field(
        default_factory=dict, description="samples that an agent or a quality check threw out, by reason"
    )
    infrastructure: dict[str, int] = Field(
        default_factory=dict, description="samples lost to infrastructure errors, by agent and kind"
    )
    per_mode: dict[str, ModeAccuracy] = Field(default_factory=dict, description="by mode id")
    per_skill: dict[str, ModeAccuracy] = Field(default_factory=dict, description="by skill")
    seconds: float = 0.0

    @property
    def retention_besides(self) -> int:
        """Retention beyond the plan (below 0: short of it); 0 where nobody counted."""
        return 0 if self.retention_made is None else self.retention_made - self.retention


class RoundSummary(Figures):
    """One turn of the spiral; `round` counts from 1, `arms` is keyed by `targeted`, `uniform` …"""

    round: int
    arms: dict[str, ArmSummary] = Field(default_factory=dict)


RETAINED_MARGIN = 0.01
"""The fall of retained accuracy that a repair may cost (`ComparisonSummary.retained_held`)."""


class AgainstSummary(Figures):
    """The targeted arm against a control, on questions from the confirmed modes, with the weights each ended with."""

    difference: Rate | None = Field(default=None, description="targeted − control, paired, in [-1, 1]")
    gain_ratio: Rate | None = Field(
        default=None,
        description="gain of targeted over the control's gain; a control without any counts as a tenth of a point",
    )
    retained_difference: Rate | None = Field(default=None, description="the same on retained skills")


class ComparisonSummary(Figures):
    """Paired differences of accuracy on the `test` split, each in [-1, 1], after the last round that all arms ended."""

    targeted_minus_uniform: Rate | None = Field(
        default=None, description="on questions from the confirmed modes"
    )
    targeted_minus_base: Rate | None = Field(
        default=None, description="on questions from the confirmed modes"
    )
    retained_change: Rate | None = Field(default=None, description="targeted − base on retained skills")
    retained_held: Literal["holds", "fails", "undecided"] | None = Field(
        default=None,
        description="non-inferiority: `holds` where the whole interval of retained_change lies above −1 point, `fails`"
        " where it lies below",
    )
    against: dict[str, AgainstSummary] = Field(
        default_factory=dict, description="the targeted arm against every other arm, by its name"
    )


class EfficiencySummary(Figures):
    """Samples that targeted training needed for 80 % of its final gain, against a control."""

    ratio: Rate = Field(description="over the samples that the control needed for as much")
    control_reached: bool = Field(
        description="whether the control got there; if not, the ratio counts all its samples and is an upper bound"
    )


class DropSummary(Figures):
    """A round after which an arm was significantly worse on the confirmed modes than before."""

    arm: str
    round: int
    change: Rate


class StabilitySummary(Figures):
    """Whether the targeted arm gained steadily."""

    significant_drops: int = Field(description="rounds of the targeted arm whose mean over the modes fell")
    drops: list[DropSummary] = Field(default_factory=list, description="those of every arm")


class BiasSummary(Figures):
    """Whether training moved what is answered, whatever is asked: the answer that moved most on retained questions."""

    answer: str
    shift: Rate = Field(description="its share of all answers, after − before, paired, in [-1, 1]")
    answers: int = Field(description="answers that were looked at: those with a share of at least 1 %")


class OpenedSummary(Figures):
    """A failure mode of the repaired model that its base did not have."""

    description: str
    predicate: str
    failure_rate: Rate = Field(description="of the repaired model, on fresh images of the `confirm` split")
    base_failure_rate: Rate = Field(description="of the untrained candidate on the same questions")
    p_holm: float = Field(description="exact paired test, Holm's correction over the modes found anew")


class RediscoverySummary(Figures):
    """A fresh questioner on the repaired model, with the budget of the first one and another seed. The whole run is in
    the folder `rediscovery/POLICY` of this run.
    """

    policy: str = Field(description="the checkpoint that was looked at, `round2/targeted`")
    failure_rate: Rate = Field(description="failures per question put, now")
    before: Rate = Field(description="the same for the first questioner on the untrained candidate")
    ratio: Rate | None = Field(description="now over before; null where there was no failure before")
    confirmed_modes: int = Field(description="modes that were confirmed anew")
    opened: list[OpenedSummary] = Field(
        default_factory=list, description="of these, those that the repair opened"
    )
