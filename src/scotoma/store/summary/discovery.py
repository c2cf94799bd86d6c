"""The part of `summary.json` about what was asked and what failed: by a questioner, or in imported logs.

summary.discovery.failure_rate.value
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from scotoma.core import Rate, Taxon
from scotoma.store.summary.figures import Figures


class TaxonomySummary(Figures):
    """What was asked, in order: the top of two trees over the same questions, each a flat list, parents before children
    and most failures first. The whole trees are in the ledger, in the stage `taxonomy`.
    """

    questions: int = Field(description="valid questions that were answered, the baseline's included")
    skills: int = Field(description="distinct skills that they need")
    combinations: int = Field(description="distinct sets of skills")
    topics: int = Field(description="distinct topics, the questions of no topic aside")
    topics_found_by: str | None = Field(
        default=None, description="how topics were found in the text; null: the tags named them"
    )
    by_skill: list[Taxon] = Field(
        default_factory=list,
        description="every skill, and below it its combinations with the most failures; a question stands under each "
        "skill that it needs",
    )
    by_topic: list[Taxon] = Field(
        default_factory=list, description="groups of topics, and below each its topics with the most failures"
    )


_RETIRED = ("modes", "mode_coverage")


class UndiscoveredSummary(Figures):
    """What is left, by the failures of uniform questions: nothing selected those. A kind is a combination of skills; a
    blind spot inside one that is seen failing is none of its own, and counts in `outside_modes` only.
    """

    failure_mass: Rate = Field(
        description="share of failures that are of a kind never seen failing, in [0, 1] (Good–Turing)"
    )
    kinds_seen: int = Field(description="kinds that were seen failing, by whoever asked")
    kinds: Rate = Field(description="how many kinds fail in all, at least (Chao's lower bound)")
    outside_modes: Rate | None = Field(
        default=None, description="share of failures that no mode holds which is suspected or confirmed"
    )

    @model_validator(mode="before")
    @classmethod
    def _without_retired(cls, found: Any) -> Any:
        """Earlier versions estimated the number of modes, which are named only where much fails: that says nothing."""
        return {k: v for k, v in found.items() if k not in _RETIRED} if isinstance(found, dict) else found


class StopSummary(Figures):
    """Why discovery ended before its last step: `undiscovered.high` < `below`."""

    steps: int = Field(description="steps of the questioner that were taken")
    below: float = Field(description="the setting `discover.stop_below`")
    undiscovered: Rate = Field(description="the undiscovered failure mass that was estimated then")


class TaggerSummary(Figures):
    """How well whoever tagged this run's questions tags those of a world, whose exact tags it does not see."""

    tagger: str = Field(description="`wording`, or a model spec")
    measured_on: str = Field(description="the world")
    questions: int
    macro_f1: Rate = Field(description="mean over skills of F1, in [0, 1]")
    skills: dict[str, Rate] = Field(description="F1 of each skill")
    named: dict[str, Rate] = Field(
        default_factory=dict,
        description="mean of F1 over attribute, object, relation, answer_kind: what else it names",
    )


class NaturalnessSummary(Figures):
    """How far the questions' distribution lies from a reference set: MMD² between sentence embeddings (Gretton et al.
    2012). It is 0 on average where the two are alike (and may fall below), and 2 at the most.
    """

    squared_mmd: Rate = Field(
        description="of the questioner's questions; unbiased, with a jackknife interval"
    )
    p_value: float = Field(description='of the permutation test of "they are alike", in (0, 1]')
    baseline_squared_mmd: Rate | None = Field(
        default=None, description="the same for the baseline's questions"
    )
    reference: str = Field(description="the reference set: a world's templates, or a file")
    reference_questions: int
    embedder: str = Field(description="what the sentences were embedded by")


class DiscoverySummary(Figures):
    """What the questioner found. A question is put once to the candidate, on the `discover` split; with
    `discover.samples` that takes as many queries.
    """

    questions: int = Field(description="questions put to the candidate, whatever came of them")
    queries: int = Field(default=0, description="candidate queries: answers drawn to these questions")
    valid: int = Field(description="of the questions, valid ones that were answered")
    failures: int = Field(description="of these, answered wrongly: C_Q below 0.5")
    empty_answers: int = Field(default=0, description="of these, by saying nothing at all")
    infrastructure_errors: int = Field(
        description="queries that were neither right nor wrong: no rate counts them"
    )
    failure_rate: Rate | None = Field(
        default=None, description="failures per question put, infrastructure errors aside"
    )
    baseline_failure_rate: Rate | None = Field(
        default=None, description="the same for the uniform template questioner at equal candidate queries"
    )
    baseline_questions: int = Field(default=0, description="candidate queries of the template questioner")
    baseline_asked_by: Literal["template", "questioner"] = Field(
        default="template",
        description="`questioner` where images come with no templates: the untrained one asked, and nothing picked",
    )
    yield_ratio: Rate | None = Field(
        default=None, description="failure_rate over baseline_failure_rate; null where the latter is 0"
    )
    apparent_failure_rate: Rate | None = Field(
        default=None,
        description="failure_rate as the judge reported it, where a calibration corrected it",
    )
    apparent_baseline_failure_rate: Rate | None = Field(
        default=None, description="the same for baseline_failure_rate"
    )
    proposed: int = Field(
        default=0, description="questions that were proposed, and whose validity was decided, asked or not"
    )
    invalid: dict[str, int] = Field(
        default_factory=dict,
        description="of these, invalid ones, never asked, by reason: `not_grounded`, `ambiguous`, "
        "`several_questions`, `not_answerable`, `malformed`",
    )
    invalid_reasons: dict[str, int] = Field(
        default_factory=dict, description="the same by the finer reason that whoever ruled gave"
    )
    unjudged: dict[str, int] = Field(
        default_factory=dict,
        description="the questioner's proposals, never asked, that were lost or that nobody could judge, by error",
    )
    naturalness: NaturalnessSummary | None = Field(
        default=None, description="how far the questions lie from what people ask"
    )
    skipped_images: dict[str, int] = Field(
        default_factory=dict, description="pictures that were left out, by reason"
    )
    converted_images: dict[str, int] = Field(
        default_factory=dict, description="pictures that were converted to upright RGB, by what was unusual"
    )
    judge_agreement: Rate | None = Field(
        default=None, description="share of rulings on which all judges agreed, where a consensus decides"
    )
    skills: dict[str, int] = Field(default_factory=dict, description="failures per skill, most first")
    skill_combinations: dict[str, int] = Field(
        default_factory=dict, description="failures per set of skills, `colour+counting`, most first"
    )
    undiscovered: UndiscoveredSummary | None = Field(
        default=None, description="what is left, estimated from the baseline"
    )
    stopped: StopSummary | None = Field(
        default=None, description="where the stop rule ended the discovery, if it did"
    )
    tagged: dict[str, int] = Field(
        default_factory=dict,
        description="different questions that `tagging.model` tagged (`model`), and by error those left to their "
        "wording, and modes left without a name",
    )
    tagger: TaggerSummary | None = Field(
        default=None, description="how far the tags are right, by `tagging.calibration`"
    )
    taxonomy: TaxonomySummary | None = Field(default=None, description="skills, combinations and topics")


class ImportSummary(Figures):
    """What was read from other tools' logs: `entries` = `questions` + everything in `skipped`."""

    files: dict[str, str] = Field(description="name of each file → its format")
    entries: int = Field(description="entries of the logs, whatever came of them")
    questions: int = Field(description="of these, questions that were put to the candidate")
    repeated: int = Field(
        default=0,
        description="of these, questions that had been asked about the same picture before; intervals are by picture",
    )
    failure_rate: Rate | None = Field(
        default=None, description="failures per decided question, over the whole log"
    )
    decided_by: dict[str, int] = Field(
        default_factory=dict, description="questions by who said right or wrong: `log`, `rules`"
    )
    undecided: dict[str, int] = Field(
        default_factory=dict, description="by reason: neither right nor wrong, no rate counts them"
    )
    errors: dict[str, int] = Field(
        default_factory=dict, description="infrastructure errors by kind; likewise"
    )
    skipped: dict[str, int] = Field(
        default_factory=dict, description="entries that are no question, by reason"
    )
    skipped_where: dict[str, list[str]] = Field(
        default_factory=dict, description="by reason: where the first few of them stand"
    )
    images: int = Field(default=0, description="pictures that the logs held or named, and that could be read")
