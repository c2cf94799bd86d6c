"""The part of `summary.json` that `scotoma compare` writes.

[candidate.candidate for candidate in summary.ranking.candidates]     # best first
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scotoma.core import Rate
from scotoma.store.summary.figures import Figures


class CandidateSummary(Figures):
    """One candidate of a comparison, on the questions that every candidate answered."""

    candidate: str = Field(description="the model spec")
    rank: Rate = Field(description="1 is the best; the intervals of all ranks hold together with 95 %")
    accuracy: Rate
    infrastructure_errors: int = Field(description="questions it could not answer or nobody could judge")
    skills: dict[str, Rate] = Field(default_factory=dict, description="accuracy by skill")


class PairSummary(Figures):
    """Two candidates on the same questions, the better one first."""

    first: str
    second: str
    difference: Rate = Field(description="accuracy of `first` − that of `second`, in [-1, 1]")
    first_only: int = Field(description="questions that `first` alone answered rightly")
    second_only: int = Field(description="questions that `second` alone answered rightly")
    p_value: float = Field(description="exact paired test, clustered by image")
    p_holm: float = Field(description="the same, Holm's correction over all pairs")


class SharedModeSummary(Figures):
    """A failure mode of any of the compared candidates, put to all of them. Keys are model specs."""

    id: str
    description: str
    predicate: str = Field(description="the set of questions, as `Predicate.parse` reads it")
    kind: Literal["universal", "partial", "specific", "unproven"] = Field(
        description="`universal`: confirmed for every candidate; `specific`: for one, and every other one fails there "
        "significantly less; `partial`: any other that is confirmed for some; `unproven`: for none"
    )
    found_in: list[str] = Field(description="the candidates, or runs, in which it was suspected")
    confirmed_for: list[str] = Field(default_factory=list)
    failure_rates: dict[str, Rate] = Field(default_factory=dict)
    base_rates: dict[str, Rate] = Field(
        default_factory=dict, description="failure rate outside the mode, on uniform questions"
    )
    q_values: dict[str, float] = Field(
        default_factory=dict,
        description="Benjamini–Hochberg over all modes, for each candidate by itself, in [0, 1]",
    )


class RankingSummary(Figures):
    """What `scotoma compare` found: candidates in order, best first, and which failure modes they share."""

    questions: int = Field(description="uniform questions that each candidate was asked")
    compared: int = Field(description="of these, answered by every candidate: all figures are about them")
    asked_from: str = Field(description="`template`, `questioner`, or the run whose questions they are")
    candidates: list[CandidateSummary]
    pairs: list[PairSummary]
    modes: list[SharedModeSummary] = Field(default_factory=list)
