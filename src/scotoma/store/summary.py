"""`summary.json`: every headline figure of a run under documented, versioned keys. Scripts depend on it.

Every rate is `{value, low, high, n}` (`core.Rate`): the value, its 95 % interval and its n. A key whose
figure was not measured in this run is null, an empty list or an empty object; it is never left out. Keys are
only ever added under one `schema`; a change of meaning changes `schema`.

    Summary(command="discover", seed=0, wall_seconds=61.2, candidate="pupil", discovery=found).to_json()
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scotoma.core import Checks, FailureMode, Rate, RunVersion, Shrunk, Taxon

SUMMARY_SCHEMA: Literal["scotoma.summary/1"] = "scotoma.summary/1"

Gate = Literal["accepted", "kept_old", "not_run"]
"""`accepted`: the new weights go on. `kept_old`: a retained skill fell significantly; the old goes on."""


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class TaxonomySummary(_Figures):
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


class UndiscoveredSummary(_Figures):
    """What is left, by the failures of uniform questions: nothing selected those. A kind is a combination of skills."""

    failure_mass: Rate = Field(
        description="share of failures that are of a kind never seen failing, in [0, 1] (Good–Turing)"
    )
    kinds_seen: int = Field(description="kinds that were seen failing, by whoever asked")
    kinds: Rate = Field(description="how many kinds fail in all, at least (Chao's lower bound)")
    mode_coverage: Rate | None = Field(
        default=None,
        description="probability that the next failure within any named mode is in one that uniform questions had hit",
    )
    modes: Rate | None = Field(
        default=None, description="how many failure modes there are, at least (Chao1 on failures per mode)"
    )
    outside_modes: Rate | None = Field(
        default=None, description="share of failures that no mode holds which is suspected or confirmed"
    )


class StopSummary(_Figures):
    """Why discovery ended before its last step: `undiscovered.high` < `below`."""

    steps: int = Field(description="steps of the questioner that were taken")
    below: float = Field(description="the setting `discover.stop_below`")
    undiscovered: Rate = Field(description="the undiscovered failure mass that was estimated then")


class NaturalnessSummary(_Figures):
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


class DiscoverySummary(_Figures):
    """What the questioner found. A question is put once to the candidate, on the `discover` split; with
    `discover.samples` that takes as many queries.
    """

    questions: int = Field(description="questions put to the candidate, whatever came of them")
    queries: int = Field(default=0, description="candidate queries: answers drawn to these questions")
    valid: int = Field(description="of the questions, valid ones that were answered")
    failures: int = Field(description="of these, answered wrongly: C_Q below 0.5")
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
    yield_ratio: Rate | None = Field(default=None, description="failure_rate over baseline_failure_rate")
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
        description="proposed questions, never asked, that were lost or that nobody could judge, by error",
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
    taxonomy: TaxonomySummary | None = Field(default=None, description="skills, combinations and topics")


class ImportSummary(_Figures):
    """What was read from other tools' logs: `entries` = `questions` + everything in `skipped`."""

    files: dict[str, str] = Field(description="name of each file → its format")
    entries: int = Field(description="entries of the logs, whatever came of them")
    questions: int = Field(description="of these, questions that were put to the candidate")
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


class ModeAccuracy(_Figures):
    """The candidate's accuracy on one mode, on the `test` split, before and after a round."""

    before: Rate
    after: Rate


class ModeSummary(_Figures):
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
        default=None, description="the candidate's failure rate on every question of the split"
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
    prevalence: float | None = Field(
        default=None, description="share of uniform questions that fall into the mode, in [0, 1]"
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
            prevalence=mode.prevalence,
            skills=mode.skills,
            test_accuracy=test_accuracy or {},
            checks=mode.checks,
            shrunk=mode.shrunk,
        )


class ShrunkSummary(_Figures):
    """How small the failures of the confirmed modes could be made. Images from a world only."""

    things: Rate = Field(
        description="median share of the original's things that the smallest still shows, and the median's interval"
    )
    words: Rate = Field(description="the same for the words of the question")
    still_failing: Rate = Field(description="share that failed once more when asked at the end")
    queries: int = Field(description="candidate queries that this took")


class ArmSummary(_Figures):
    """One arm of one round: what it was trained on, and its accuracy on the `test` split.

    `before` is the model that entered the round, `after` the one that left training, gate or no gate.
    """

    samples: int = Field(description="verified training samples")
    steps: int = Field(description="optimiser steps")
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
    per_mode: dict[str, ModeAccuracy] = Field(default_factory=dict, description="by mode id")
    per_skill: dict[str, ModeAccuracy] = Field(default_factory=dict, description="by skill")
    seconds: float = 0.0


class RoundSummary(_Figures):
    """One turn of the spiral; `round` counts from 1, `arms` is keyed by `targeted`, `uniform` …"""

    round: int
    arms: dict[str, ArmSummary] = Field(default_factory=dict)


class ComparisonSummary(_Figures):
    """Paired differences of accuracy on the `test` split after the last round, each in [-1, 1]."""

    targeted_minus_uniform: Rate | None = Field(
        default=None, description="on questions from the confirmed modes"
    )
    targeted_minus_base: Rate | None = Field(
        default=None, description="on questions from the confirmed modes"
    )
    retained_change: Rate | None = Field(
        default=None, description="targeted − base on retained skills (non-inferiority)"
    )


class CandidateSummary(_Figures):
    """One candidate of a comparison, on the questions that every candidate answered."""

    candidate: str = Field(description="the model spec")
    rank: Rate = Field(description="1 is the best; the intervals of all ranks hold together with 95 %")
    accuracy: Rate
    infrastructure_errors: int = Field(description="questions it could not answer or nobody could judge")
    skills: dict[str, Rate] = Field(default_factory=dict, description="accuracy by skill")


class PairSummary(_Figures):
    """Two candidates on the same questions, the better one first."""

    first: str
    second: str
    difference: Rate = Field(description="accuracy of `first` − that of `second`, in [-1, 1]")
    first_only: int = Field(description="questions that `first` alone answered rightly")
    second_only: int = Field(description="questions that `second` alone answered rightly")
    p_value: float = Field(description="exact paired test, clustered by image")
    p_holm: float = Field(description="the same, Holm's correction over all pairs")


class SharedModeSummary(_Figures):
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


class RankingSummary(_Figures):
    """What `scotoma compare` found: candidates in order, best first, and which failure modes they share."""

    questions: int = Field(description="uniform questions that each candidate was asked")
    compared: int = Field(description="of these, answered by every candidate: all figures are about them")
    asked_from: str = Field(description="`template`, `questioner`, or the run whose questions they are")
    candidates: list[CandidateSummary]
    pairs: list[PairSummary]
    modes: list[SharedModeSummary] = Field(default_factory=list)


class Summary(_Figures):
    """The whole of `summary.json`."""

    schema_: Literal["scotoma.summary/1"] = Field(default=SUMMARY_SCHEMA, alias="schema")
    command: str
    seed: int
    wall_seconds: float = Field(description="time worked, all sessions of the run together")
    candidate: str = Field(description="the model spec")
    discovery: DiscoverySummary | None = None
    modes: list[ModeSummary] = Field(default_factory=list)
    shrunk: ShrunkSummary | None = Field(default=None, description="over the confirmed modes, all together")
    rounds: list[RoundSummary] = Field(default_factory=list)
    comparison: ComparisonSummary | None = None
    imported: ImportSummary | None = Field(default=None, description="of a run of `scotoma import`")
    ranking: RankingSummary | None = Field(default=None, description="of a run of `scotoma compare`")

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
