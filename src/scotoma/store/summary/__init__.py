"""`summary.json`: every headline figure of a run under documented, versioned keys. Scripts depend on it.

Every rate is `{value, low, high, n}` (`core.Rate`): the value, its 95 % interval and its n. A key whose
figure was not measured in this run is null, an empty list or an empty object; it is never left out. Keys are
only ever added under one `schema`; a change of meaning changes `schema`.

    Summary(command="discover", seed=0, wall_seconds=61.2, candidate="pupil", discovery=found).to_json()
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationError

from scotoma.core import RunVersion
from scotoma.store.summary.discovery import (
    DiscoverySummary,
    ImportSummary,
    NaturalnessSummary,
    StopSummary,
    TaggerSummary,
    TaxonomySummary,
    UndiscoveredSummary,
)
from scotoma.store.summary.figures import Figures
from scotoma.store.summary.modes import ModeAccuracy, ModeSummary, ShrunkSummary
from scotoma.store.summary.ranking import CandidateSummary, PairSummary, RankingSummary, SharedModeSummary
from scotoma.store.summary.repair import (
    RETAINED_MARGIN,
    AgainstSummary,
    ArmSummary,
    BiasSummary,
    ComparisonSummary,
    DropSummary,
    EfficiencySummary,
    Gate,
    OpenedSummary,
    RediscoverySummary,
    RoundSummary,
    ShareSummary,
    StabilitySummary,
)

SUMMARY_SCHEMA: Literal["scotoma.summary/1"] = "scotoma.summary/1"

__all__ = [
    "RETAINED_MARGIN",
    "SUMMARY_SCHEMA",
    "AgainstSummary",
    "ArmSummary",
    "BiasSummary",
    "CandidateSummary",
    "ComparisonSummary",
    "DiscoverySummary",
    "DropSummary",
    "EfficiencySummary",
    "Gate",
    "ImportSummary",
    "ModeAccuracy",
    "ModeSummary",
    "NaturalnessSummary",
    "OpenedSummary",
    "PairSummary",
    "RankingSummary",
    "RediscoverySummary",
    "RoundSummary",
    "ShareSummary",
    "SharedModeSummary",
    "ShrunkSummary",
    "StabilitySummary",
    "StopSummary",
    "Summary",
    "TaggerSummary",
    "TaxonomySummary",
    "UndiscoveredSummary",
]


class Summary(Figures):
    """The whole of `summary.json`."""

    schema_: Literal["scotoma.summary/1"] = Field(default=SUMMARY_SCHEMA, alias="schema")
    command: str
    seed: int
    wall_seconds: float = Field(description="time worked, all sessions of the run together")
    candidate: str = Field(description="the model spec")
    discovery: DiscoverySummary | None = None
    proof_finished: bool | None = Field(
        default=None, description="whether every suspected mode, if there was any, was confirmed or rejected"
    )
    modes: list[ModeSummary] = Field(default_factory=list)
    shrunk: ShrunkSummary | None = Field(default=None, description="over the confirmed modes, all together")
    rounds: list[RoundSummary] = Field(default_factory=list)
    comparison: ComparisonSummary | None = None
    efficiency: dict[str, EfficiencySummary] = Field(
        default_factory=dict, description="`targeted_vs_uniform` and likewise for every control"
    )
    stability: StabilitySummary | None = None
    bias: BiasSummary | None = Field(default=None, description="of the targeted arm's last weights")
    rediscovery: RediscoverySummary | None = None
    imported: ImportSummary | None = Field(default=None, description="of a run of `scotoma import`")
    ranking: RankingSummary | None = Field(default=None, description="of a run of `scotoma compare`")

    @property
    def nothing_to_mend(self) -> bool:
        """Whether the proof is over and left no failure mode."""
        return bool(self.proof_finished) and not any(mode.proved for mode in self.modes)

    def to_json(self) -> str:
        """The text of `summary.json`."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Summary:
        """The other way round.

        Raises:
            RunVersion: another version of Scotoma wrote it, or it is no summary.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or "the file"
            raise RunVersion(
                f"summary.json is not of schema {SUMMARY_SCHEMA}: {key}: {first['msg']}",
                hint="use the Scotoma that wrote it (run.yaml names its version)",
            ) from error
