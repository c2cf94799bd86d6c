"""Failure modes: suspected as conjunctions of conditions on tags, then confirmed where they were not found.

A search over thousands of conjunctions always finds something; only fresh images say whether it is real.

    modes = suspect(observations)                               # the discover split
    modes = confirm(modes, fresh, fresh_uniform)                # the confirm split, disjoint
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from scotoma.core import Calibration, FailureMode, Observation, Predicate, Rate, skills_of
from scotoma.diagnose.conditions import members, reading_order, tabulate
from scotoma.diagnose.description import describe
from scotoma.diagnose.prevalence import pooled, true_rate
from scotoma.diagnose.selection import rate_told
from scotoma.diagnose.statistics import benjamini_hochberg, clustered_rate, excess_test, weighted_rate
from scotoma.diagnose.subgroups import ModeSearch, find_regions

__all__ = ["ModeSearch", "confirm", "suspect"]

_FEWEST_UNIFORM = 10
"""Uniform questions that a suspected mode's rate is told of, at least: of fewer it would say nothing, and the
questioner asked about the mode many times."""


def suspect(
    observations: Sequence[Observation],
    config: ModeSearch | None = None,
    uniform: Sequence[Observation] = (),
) -> list[FailureMode]:
    """Name the suspected failure modes of one candidate, clearest first.

    Invalid questions and infrastructure errors are left out. The search weighs questions by one over the probability
    with which they were picked (`Observation.selection`). `suspected_rate` is told of the uniform questions of the mode
    alone or, where those are few, of the others (`selection.rate_told`); because the search chose the mode for it, it
    is too high on average: confirm it.

    Args:
        observations: the discover split.
        config: search settings.
        uniform: questions that nothing selected; where given, `prevalence` is the mode's share of them, and
            `prevalence_rate` the same with its interval.
    """
    config = config or ModeSearch()
    rows = _answered(observations)
    failed = np.array([row.outcome == "failure" for row in rows], dtype=bool)
    if failed.sum() < config.min_failures:
        return []
    weights = 1 / np.array([row.selection for row in rows])
    weights = np.minimum(weights, config.max_weight * weights.min())
    tags = [row.tags for row in rows]
    table = tabulate(tags, failed, config.min_failures, cuts=config.cuts, ignore=config.ignore)
    asked = [row for row in uniform if row.verdict.valid]
    by_chance = {row.key for row in uniform}
    chance = np.array([row.key in by_chance for row in rows], dtype=bool)
    modes = []
    for region in find_regions(failed, table, config, weights):
        conditions = sorted((table.conditions[c] for c in region.columns), key=lambda c: reading_order(c.key))
        predicate = Predicate(conditions=tuple(conditions))
        inside = region.members
        told = rate_told(
            [rows[i] for i in np.flatnonzero(inside & chance)],
            [rows[i] for i in np.flatnonzero(inside & ~chance)],
            _FEWEST_UNIFORM,
        )
        of_all = members(predicate, (row.tags for row in asked))
        modes.append(
            FailureMode(
                id=f"m{hashlib.sha256(str(predicate).encode()).hexdigest()[:8]}",
                predicate=predicate,
                description=describe(predicate),
                suspected_rate=told.rate,
                suspected_rate_of="uniform" if told.uniform else "questioner",
                prevalence=float(of_all.mean()) if asked else None,
                prevalence_rate=clustered_rate(of_all, [row.image_id for row in asked]) if asked else None,
                skills=_skills([rows[i] for i in np.flatnonzero(inside & failed)]),
                examples=_examples([rows[i] for i in np.flatnonzero(inside & failed)]),
            )
        )
    return modes


def confirm(
    modes: Sequence[FailureMode],
    observations: Sequence[Observation],
    base_observations: Sequence[Observation] = (),
    alpha: float = 0.05,
    calibration: Calibration | None = None,
    each: int | None = None,
) -> list[FailureMode]:
    """Prove or reject each mode on images never used to find it.

    `failure_rate` is over every question of either list that falls into the mode. `base_rate` is the candidate's
    failure rate on the same split *outside* the mode, over `base_observations` (uniform questions; where none are
    given, over `observations`). One-sided test clustered by image, Benjamini–Hochberg over all modes: `confirmed` when
    q ≤ alpha and the rate is above the base. A mode with too few questions cannot be confirmed, so it is `rejected`.

    Where `observations` were collected until every mode had `each`, only the first `each` count for a mode, those that
    were lost to errors among them: what came after was kept for the sake of other modes, which fail more often, and
    says too much of this one.

    With the `calibration` of the judge that decided, both rates are corrected for its errors (`prevalence.true_rate`),
    and the apparent ones are kept beside them. The test stays on what the judge said: errors that do not depend on the
    mode can hide a difference, but make none.

    Raises:
        ConfigError: the calibrated judge tells nothing.
    """
    uniform = {row.key for row in base_observations or observations}
    drawn = [row for row in observations if row.key not in uniform]
    base = _answered(base_observations or observations)
    everything = {row.key: row for row in (*_answered(observations), *base)}
    rows, base_keys = list(everything.values()), {row.key for row in base}
    failed = np.array([row.outcome == "failure" for row in rows], dtype=bool)
    selection = np.array([row.selection for row in rows])
    images = np.array([row.image_id for row in rows])
    in_base = np.array([row.key in base_keys for row in rows], dtype=bool)
    ruled = np.array([row.verdict.decided_by != "facts" for row in rows], dtype=bool)
    judged = []
    for mode in modes:
        inside = members(mode.predicate, (row.tags for row in rows))
        if each is not None:
            of_mode = np.flatnonzero(members(mode.predicate, (row.tags for row in drawn)))
            late = {drawn[i].key for i in of_mode[each:]}
            inside &= np.array([row.key not in late for row in rows], dtype=bool)
        outside = in_base & ~inside
        used = inside | outside
        p_value = excess_test(failed[used], inside[used], images[used].tolist())
        rates: dict[str, Rate] = {}
        for name, where in (("failure_rate", inside), ("base_rate", outside)):
            rates[name] = weighted_rate(failed[where], selection[where], images[where].tolist())
            if calibration is not None and (judged_rows := where & ruled).any():
                rates[f"apparent_{name}"] = rates[name]
                parts = [
                    weighted_rate(failed[part], selection[part], images[part].tolist())
                    for part in (judged_rows, where & ~ruled)
                ]
                share = float((1 / selection[judged_rows]).sum() / (1 / selection[where]).sum())
                rates[name] = pooled(true_rate(parts[0], calibration.correctness), parts[1], share)
        judged.append(mode.model_copy(update={**rates, "p_value": p_value}))
    q_values = benjamini_hochberg([mode.p_value if mode.p_value is not None else 1.0 for mode in judged])
    return [
        mode.model_copy(
            update={"q_value": q, "status": "confirmed" if _proved(mode, q, alpha) else "rejected"}
        )
        for mode, q in zip(judged, q_values, strict=True)
    ]


def _proved(mode: FailureMode, q_value: float, alpha: float) -> bool:
    if mode.failure_rate is None or mode.base_rate is None:
        return False
    # Corrected rates may both end at 0 or 1.
    inside, outside = (
        mode.apparent_failure_rate or mode.failure_rate,
        mode.apparent_base_rate or mode.base_rate,
    )
    return q_value <= alpha and inside.value > outside.value


def _answered(observations: Iterable[Observation]) -> list[Observation]:
    return [row for row in observations if row.answered]


def _skills(failures: Sequence[Observation]) -> tuple[str, ...]:
    """The skills that at least half of the failures need."""
    counts: dict[str, int] = {}
    for row in failures:
        for skill in skills_of(row.tags):
            counts[skill] = counts.get(skill, 0) + 1
    return tuple(sorted(skill for skill, count in counts.items() if 2 * count >= len(failures)))


def _examples(failures: Sequence[Observation], most: int = 6) -> tuple[str, ...]:
    """Keys of a few failures, each about another image where possible."""
    by_image: dict[str, str] = {}
    for row in failures:
        by_image.setdefault(row.image_id, row.key)
    return tuple(list(by_image.values())[:most])
