"""The account of a discovery for `summary.json`: what was asked, what failed, and how that compares to the baseline.

summary = Summary(…, discovery=account_of_discovery(run.ledger))
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from scotoma.core import Discernment, FailureMode, Observation, Rate, invalidity, skills_of
from scotoma.diagnose.prevalence import effective_size, true_rate
from scotoma.diagnose.richness import kinds_in_all
from scotoma.diagnose.statistics import clustered_rate, median, wilson
from scotoma.discover.baseline import kinds_found, stopped, undiscovered_failure_mass
from scotoma.discover.calibration import calibration_of
from scotoma.discover.settings import DiscoverySettings
from scotoma.discover.tagger_calibration import tagger_of
from scotoma.discover.topics import taxonomy_of, topics_of
from scotoma.store.ledger import Ledger
from scotoma.store.rows import skill_combination
from scotoma.store.run import Run
from scotoma.store.summary import (
    DiscoverySummary,
    ModeSummary,
    NaturalnessSummary,
    ShrunkSummary,
    Summary,
    TaxonomySummary,
    UndiscoveredSummary,
)


def account_of_discovery(ledger: Ledger) -> DiscoverySummary | None:
    """None while nothing was asked."""
    asked = ledger.observations("discover")
    if not asked:
        return None
    baseline = ledger.observations("baseline")
    failures = [o for o in asked if o.outcome == "failure"]
    skills: Counter[str] = Counter()
    for failure in failures:
        skills.update(skills_of(failure.tags))
    judge = fallible(ledger, [*asked, *baseline])
    found, uniform = failure_rate(asked), failure_rate(baseline) if baseline else None
    combinations = ledger.skill_combinations("discover")
    unjudged: Counter[str] = Counter()
    rulings: Counter[str] = Counter()
    proposed = 0
    reasons: Counter[str] = Counter()
    pictures: dict[str, dict[str, int]] = {}
    tagged: Counter[str] = Counter()
    for stage in (*ledger.stages("discover/"), *ledger.stages("baseline/"), "baseline", "suspect", "confirm"):
        tagged.update((ledger.done(stage) or {}).get("tagged", {}))
    for stage in ledger.stages("discover/"):
        payload = ledger.done(stage) or {}
        unjudged.update(payload.get("unjudged", {}))
        rulings.update(payload.get("rulings", {}))
        proposed += payload.get("proposed", 0)
        reasons.update(payload.get("invalid", {}))
        for what in ("skipped_images", "converted_images"):
            pictures[what] = payload.get(what, {})  # counted since the beginning
    invalid: Counter[str] = Counter()
    for reason, count in reasons.items():
        invalid[invalidity(reason)] += count
    natural = ledger.done("naturalness")
    return DiscoverySummary(
        questions=len(asked),
        queries=sum(len(o.samples) or int(o.outcome != "invalid") for o in asked),
        valid=sum(o.answered for o in asked),
        failures=len(failures),
        empty_answers=sum(not failure.answer.strip() for failure in failures),
        infrastructure_errors=sum(o.outcome == "infrastructure" for o in asked),
        failure_rate=true_rate(found, judge) if judge else found,
        baseline_failure_rate=true_rate(uniform, judge) if judge and uniform else uniform,
        baseline_questions=len(baseline),
        baseline_asked_by="questioner" if any(o.asked_by == "questioner" for o in baseline) else "template",
        yield_ratio=ratio_of_failures(asked, baseline, judge),
        apparent_failure_rate=found if judge else None,
        apparent_baseline_failure_rate=uniform if judge else None,
        proposed=proposed,
        invalid=dict(invalid.most_common()),
        invalid_reasons=dict(reasons.most_common()),
        unjudged=dict(unjudged.most_common()),
        naturalness=NaturalnessSummary.model_validate(natural) if natural else None,
        judge_agreement=wilson(rulings["unanimous"], rulings["ruled"]) if rulings["ruled"] else None,
        **pictures,
        skills=dict(skills.most_common()),
        skill_combinations=combinations,
        undiscovered=_undiscovered(asked, baseline, ledger.modes()),
        stopped=stopped(ledger),
        tagged=dict(tagged.most_common()),
        tagger=tagger_of(ledger),
        taxonomy=_taxonomy(ledger),
    )


def _undiscovered(
    asked: Sequence[Observation], baseline: Sequence[Observation], modes: Sequence[FailureMode]
) -> UndiscoveredSummary | None:
    """None before the baseline was asked, and where nothing failed in it."""
    failures = [o for o in baseline if o.outcome == "failure"]
    if not failures:
        return None
    images = [o.image_id for o in failures]
    kinds = [skill_combination(o.tags) for o in failures]
    found = kinds_found(asked)
    named = [mode for mode in modes if mode.status != "rejected"]
    # Not of modes: none is named that did not fail often, so that those seen once or twice would be missing.
    outside = [not any(mode.predicate.matches(o.tags) for mode in named) for o in failures]
    return UndiscoveredSummary(
        failure_mass=undiscovered_failure_mass(asked, baseline),
        kinds_seen=len({*kinds, *found}),
        kinds=kinds_in_all(kinds, images, found),
        outside_modes=clustered_rate(outside, images) if named else None,
    )


def summarise(run: Run, settings: DiscoverySettings) -> Summary:
    """The summary of a run that only discovers and confirms, as far as it has come."""
    return Summary(
        command=run.header.command,
        seed=settings.seed,
        wall_seconds=run.wall_seconds,
        candidate=settings.candidate,
        discovery=account_of_discovery(run.ledger),
        proof_finished=proof_finished(run.ledger),
        modes=[ModeSummary.of(mode) for mode in run.ledger.modes()],
        shrunk=account_of_shrinking(run.ledger.modes()),
    )


def proof_finished(ledger: Ledger) -> bool:
    """Whether the proof is over: nothing is suspected any more, if anything was."""
    return ledger.done("confirm") is not None


def account_of_shrinking(modes: Sequence[FailureMode]) -> ShrunkSummary | None:
    """None where nothing was shrunk. A failure that two modes share counts once."""
    found = {(s.original.image_id, s.original.question): s for mode in modes for s in mode.shrunk}
    if not found:
        return None
    examples = list(found.values())
    asked_again = [s for s in examples if s.still_failing is not None]
    return ShrunkSummary(
        things=median([s.smallest.things / max(1, s.original.things) for s in examples]),
        words=median([s.smallest.words / max(1, s.original.words) for s in examples]),
        still_failing=clustered_rate(
            [bool(s.still_failing) for s in asked_again], [s.original.image_id for s in asked_again]
        ),
        queries=sum(s.queries for mode in modes for s in mode.shrunk),
    )


def _taxonomy(ledger: Ledger) -> TaxonomySummary:
    found, topics = taxonomy_of(ledger), topics_of(ledger)
    top = found.top()
    return TaxonomySummary(
        questions=found.questions,
        skills=found.skills,
        combinations=found.combinations,
        topics=found.topics,
        topics_found_by=f"{topics.found_by} on {topics.embedder}" if topics is not None else None,
        by_skill=list(top.by_skill),
        by_topic=list(top.by_topic),
    )


def fallible(ledger: Ledger, observations: Sequence[Observation]) -> Discernment | None:
    """How far the rulings are to be corrected, by the calibration that a run took over: not at all unless a judge gave
    the truth of most questions.

    A few pictures with facts among photos are corrected along: their part is small, and so is the mistake.
    """
    calibration = calibration_of(ledger)
    by_facts = sum(o.verdict.decided_by == "facts" for o in observations)
    if calibration is None or 2 * by_facts > len(observations):
        return None
    return calibration.correctness


def failure_rate(observations: Sequence[Observation]) -> Rate:
    """Valid failures per question put; an invalid question is a question put."""
    put = [o for o in observations if o.outcome != "infrastructure"]
    return clustered_rate([o.outcome == "failure" for o in put], [o.image_id for o in put])


def ratio_of_failures(
    asked: Sequence[Observation],
    baseline: Sequence[Observation],
    judge: Discernment | None = None,
    resamples: int = 1000,
) -> Rate | None:
    """Failure rate over another's on other questions, with a bootstrap interval over images (percentile, seeded).

    None where either was not asked or the other has no failures: nothing is any number of times nothing. A resample
    in which it has none counts half a failure there.

    With a fallible judge both are corrected (Rogan & Gladen 1978), in each resample by an accuracy drawn from what its
    calibration leaves open (Beta, with half an observation more of each kind).
    """
    found, uniform = failure_rate(asked), failure_rate(baseline)
    if found.n == 0 or uniform.n == 0:
        return None
    rng = np.random.default_rng(0)
    above, below = _resampled(asked, rng, resamples), _resampled(baseline, rng, resamples)
    if judge is not None:
        se, sp = (
            rng.beta(rate.value * n + 0.5, (1 - rate.value) * n + 0.5, resamples)
            for rate in (judge.sensitivity, judge.specificity)
            for n in (effective_size(rate),)  # its questions about one picture belong together
        )
        youden = np.maximum(se + sp - 1, 1e-9)
        above, below = (np.clip((rates + sp - 1) / youden, 0, 1) for rates in (above, below))
        found, uniform = true_rate(found, judge), true_rate(uniform, judge)
    if uniform.value <= 0:
        return None
    draws = above / np.maximum(below, 0.5 / uniform.n)
    value = found.value / uniform.value
    low, high = np.quantile(draws, [0.025, 0.975])
    return Rate(value=value, low=min(float(low), value), high=max(float(high), value), n=len(asked))


def _resampled(
    observations: Sequence[Observation], rng: np.random.Generator, n: int
) -> npt.NDArray[np.float64]:
    put = [o for o in observations if o.outcome != "infrastructure"]
    _, cluster = np.unique([o.image_id for o in put], return_inverse=True)
    failures = np.bincount(cluster, weights=[float(o.outcome == "failure") for o in put])
    sizes = np.bincount(cluster)
    chosen = rng.integers(len(sizes), size=(n, len(sizes)))
    rates: npt.NDArray[np.float64] = failures[chosen].sum(axis=1) / sizes[chosen].sum(axis=1)
    return rates
