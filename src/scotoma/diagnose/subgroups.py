"""Where do failures gather? Conjunctions of up to three conditions whose failure rate stands out, found greedily.

The search keeps what the regions named so far already explain as an expected failure rate per row, and looks for the
conjunction with the clearest excess over it. So a wide region cannot swallow a narrow, much worse one (its excess
remains), nor the reverse, and nothing is ever covered for good: every step starts again from all rows, and a last pass
backwards drops what the others have come to explain. A form of subgroup discovery by sequential fitting (cf. Lavrač et
al. 2004, weighted covering; the explained-rate form is ours).

    table = tabulate(tags, failed, minimum=10)
    for region in find_regions(failed, table, ModeSearch()):
        [table.conditions[c] for c in region.columns], region.members
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from scotoma.diagnose.conditions import FORM, ConditionTable, Mask

Floats = npt.NDArray[np.float32]


class ModeSearch(BaseModel):
    """How hard to look, and what counts as a mode.

    `min_z` is the excess over what is already explained, in standard deviations; `needed_z` and `needed_gain` say how
    clearly the failure rate must be higher than without each condition; `max_overlap` is the Jaccard index from which
    two modes are the same; `max_weight` bounds how many times more one observation counts than another in a reported
    rate, and `most_trust` in what is named (1: all alike; more where questions followed leads); by `form_weight` counts
    the excess of a conjunction that names a question's form (`conditions.FORM`), so that content goes first where it
    explains nearly as well.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_modes: int = Field(12, ge=1)
    max_conditions: int = Field(3, ge=1, le=3)
    min_failures: int = Field(10, ge=2)
    min_z: float = Field(4.5, gt=0)
    needed_z: float = Field(2.5, ge=0)
    needed_gain: float = Field(0.08, ge=0, le=1)
    max_overlap: float = Field(0.6, gt=0, le=1)
    max_weight: float = Field(20.0, ge=1)
    most_trust: float = Field(1.0, ge=1)
    form_weight: float = Field(0.8, gt=0, le=1)
    beam: int = Field(100, ge=1)
    cuts: int = Field(6, ge=1)
    ignore: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Evidence:
    """Rows that were answered: who failed, and which conditions hold (`holds`: as floats, for fast products).

    Given its tags, a question fails as often whether or not a surrogate picked it, and weights add noise: so excess is
    weighted little (`trust`, 1 by default). But questions that follow leads crowd into the failing parts of a wide
    conjunction, which without weights would pass for failing everywhere. Overlap is weighted in full: it is about the
    questions there are, not those that were picked.
    """

    failed: Mask
    weights: npt.NDArray[np.float64]
    trust: Floats
    table: ConditionTable
    holds: Floats


@dataclass(frozen=True)
class Region:
    """A conjunction: the columns of the table it joins, and which rows meet them all."""

    columns: tuple[int, ...]
    members: Mask


@dataclass(frozen=True)
class _Stratum:
    """Rows (their numbers) that one region explains, and the failure rate it explains them with."""

    rows: npt.NDArray[np.intp]
    rate: float


def find_regions(
    failed: Mask, table: ConditionTable, config: ModeSearch, weights: npt.NDArray[np.float64] | None = None
) -> list[Region]:
    """The regions that stand out, clearest first: greedy forward naming, then backward elimination.

    Args:
        failed: per row, whether it is a failure.
        table: which conditions the rows meet.
        config: what counts as standing out.
        weights: how many questions each row stands for (1 / selection probability); 1 where not given.
    """
    weights = np.ones(len(failed)) if weights is None else weights
    trust = np.minimum(weights / weights.min(), config.most_trust).astype(np.float32)
    evidence = _Evidence(failed, weights, trust, table, table.members.astype(np.float32))
    regions: list[Region] = []
    while len(regions) < config.max_modes:
        candidates = _candidates(evidence, _strata(evidence, regions), config)
        found = next((region for region in candidates if _stands(evidence, region, regions, config)), None)
        if found is None:
            break
        regions.append(found)
    for region in list(regions):
        if _strength(evidence, region, regions) < config.min_z:
            regions = [other for other in regions if other is not region]
    strength = {region.columns: _strength(evidence, region, regions) for region in regions}
    return sorted(regions, key=lambda region: -strength[region.columns])


def _strata(evidence: _Evidence, regions: Sequence[Region]) -> list[_Stratum]:
    """The rows by what explains them: each belongs to the worst region that holds it; the last stratum to none."""
    strata = []
    free = np.ones(len(evidence.failed), dtype=bool)
    for region in sorted(regions, key=lambda r: -_rate(evidence, r.members)):
        own = region.members & free
        strata.append(_Stratum(np.flatnonzero(own), _rate(evidence, own)))
        free &= ~own
    return [*strata, _Stratum(np.flatnonzero(free), _rate(evidence, free))]


def _rate(evidence: _Evidence, where: Mask) -> float:
    """Failure rate with half a failure and half a success added, so that it is never 0 or 1."""
    trust = evidence.trust[where]
    return (float(trust @ evidence.failed[where]) + 0.5) / (float(trust.sum()) + 1.0)


def _strength(evidence: _Evidence, region: Region, regions: Sequence[Region]) -> float:
    """The region's excess z over what all the others explain."""
    others = _strata(evidence, [other for other in regions if other is not region])
    return float(_excess_z(evidence, region.members[:, None].astype(np.float32), others, 1, None)[0, 0])


def _excess_z(
    evidence: _Evidence, left: Floats, strata: Sequence[_Stratum], minimum: int, right: Floats | None
) -> Floats:
    """How far the failures of every (left column AND right column) exceed the explained ones, in standard deviations.

    The larger of two: over all rows, and over the rows that no named region holds. The second lets a wide region be
    seen around a narrow one that has been named, whose rows would only add noise. −inf below `minimum` failures.
    """
    right = np.ones((len(evidence.failed), 1), dtype=np.float32) if right is None else right
    shape = (left.shape[1], right.shape[1])
    failures, excess, variance = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    z_free = np.full(shape, -np.inf)
    for stratum in strata:
        failing = evidence.failed[stratum.rows]
        trust = evidence.trust[stratum.rows, None]
        here, there = left[stratum.rows], right[stratum.rows]
        weighed = here * trust
        failed_here = here[failing].T @ there[failing]
        excess_here = weighed[failing].T @ there[failing] - stratum.rate * (weighed.T @ there)
        variance_here = stratum.rate * (1 - stratum.rate) * ((weighed * trust).T @ there)
        if stratum is strata[-1]:
            enough = failed_here >= minimum
            z_free[enough] = excess_here[enough] / np.sqrt(variance_here[enough])
        failures += failed_here
        excess += excess_here
        variance += variance_here
    z = np.where(failures >= minimum, excess / np.sqrt(np.maximum(variance, 1e-9)), -np.inf)
    return np.asarray(np.maximum(z, z_free), dtype=np.float32)


def _candidates(evidence: _Evidence, strata: Sequence[_Stratum], config: ModeSearch) -> Iterable[Region]:
    """Conjunctions by falling excess z, fewer conditions first among equals: all pairs, then a beam of triples."""
    holds = evidence.holds
    form = [condition.key in FORM for condition in evidence.table.conditions]
    found: dict[tuple[int, ...], float] = {}

    def extend(parents: Sequence[tuple[int, ...]], left: Floats) -> Floats:
        z = _excess_z(evidence, left, strata, config.min_failures, holds)
        for row, column in zip(*np.nonzero(z >= config.min_z), strict=True):
            columns = tuple(sorted({*parents[row], int(column)}))
            # A small handicap per condition, so that equal sets get the shorter name.
            standing = config.form_weight if any(form[c] for c in columns) else 1.0
            found[columns] = standing * float(z[row, column]) - 0.2 * len(columns)
        return z

    extend([()], np.ones((len(holds), 1), dtype=np.float32))
    if config.max_conditions >= 2:
        z = extend([(column,) for column in range(holds.shape[1])], holds)
        if config.max_conditions >= 3:
            upper = np.where(np.triu(np.ones_like(z), 1) > 0, z, -np.inf)
            best = [
                int(flat)
                for flat in np.argsort(-upper, axis=None)[: config.beam]
                if np.isfinite(upper.flat[flat])
            ]
            pairs = [divmod(flat, holds.shape[1]) for flat in best]
            if pairs:
                first, second = np.array(pairs).T
                extend(pairs, holds[:, first] * holds[:, second])
    for columns in sorted(found, key=lambda c: -found[c])[: 5 * config.beam]:
        yield Region(columns, evidence.table.all_of(columns))


def _stands(evidence: _Evidence, region: Region, named: Sequence[Region], config: ModeSearch) -> bool:
    """No near-duplicate of a named region, and every condition needed: the rest of each parent fails clearly less.

    Rows of other named regions are kept out of the rest, unless those regions hold most of this one: another known
    weakness next door must not make a needed condition look idle.
    """
    inside = region.members
    elsewhere = np.zeros_like(inside)
    for other in named:
        shared = evidence.weights[inside & other.members].sum()
        if shared >= config.max_overlap * evidence.weights[inside | other.members].sum():
            return False
        if shared < 0.5 * evidence.weights[inside].sum():
            elsewhere |= other.members
    for dropped in region.columns:
        kept = [column for column in region.columns if column != dropped]
        parent = evidence.table.all_of(kept)
        if not _clearly_worse(evidence, inside, parent & ~inside & ~elsewhere, config):
            return False
    return True


def _clearly_worse(evidence: _Evidence, inside: Mask, rest: Mask, config: ModeSearch) -> bool:
    if not rest.any():
        return False
    rate, rest_rate = _rate(evidence, inside), _rate(evidence, rest)
    pooled = _rate(evidence, inside | rest)
    deviation = np.sqrt(pooled * (1 - pooled) * (1 / inside.sum() + 1 / rest.sum()))
    return rate - rest_rate >= max(config.needed_gain, config.needed_z * float(deviation))
