"""Several runs of one config that differ in their seed: every headline figure of each, and its mean over runs.

The interval of one run says how far its images can be trusted; how seeds differ, only several runs say. Their mean has
Student's interval over runs, of ratios the geometric mean; one run says nothing of how runs differ, so it has none.

    found = over_seeds([Path("runs/seed0"), Path("runs/seed1"), Path("runs/seed2")])
    found.figures["comparison.against.uniform.difference"].mean
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import Field

from scotoma.core import ConfigError, Predicate, Rate, RunError
from scotoma.diagnose.average import geometric_mean, mean, mean_share
from scotoma.report.headline import confirmed
from scotoma.report.quantity import (
    factor,
    factor_interval,
    percent,
    percent_interval,
    points,
    points_interval,
)
from scotoma.store import Run, Summary
from scotoma.store.header import RunHeader
from scotoma.store.summary.figures import Figures

SEEDS_SCHEMA: Literal["scotoma.seeds/1"] = "scotoma.seeds/1"

Unit = Literal["rate", "difference", "ratio", "count"]
"""In [0, 1]; in [-1, 1]; above 0; ≥ 0."""

_OWN = ("seed", "out")
"""Where the runs may differ."""

_WORDS: dict[Unit, tuple[Callable[[float], str], Callable[[Rate], str]]] = {
    "rate": (percent, percent_interval),
    "difference": (points, points_interval),
    "ratio": (partial(factor, digits=2), partial(factor_interval, digits=2)),
    "count": (lambda value: f"{value:.3g}", lambda rate: f"[{rate.low:.1f}, {rate.high:.1f}]"),
}
"""How a figure of each unit is said, and its interval."""


class SeedFigure(Figures):
    """One figure of `summary.json`. `runs` has it of every run, in order, with the interval that it has there; null
    where the run has not measured it.
    """

    title: str
    unit: Unit
    runs: list[Rate | None]
    mean: Rate | None = Field(
        description="over the runs that have it (n), with Student's interval, geometric where it is a ratio; null of"
        " fewer than two, and of ratios that are not all above 0"
    )


class SeedMode(Figures):
    """A failure mode that was confirmed in some run, by the set of questions that it is."""

    predicate: str
    description: str
    confirmed: int = Field(description="runs in which this very set of questions was confirmed")


class SeedsSummary(Figures):
    """What `scotoma seeds --json` writes."""

    schema_: Literal["scotoma.seeds/1"] = Field(default=SEEDS_SCHEMA, alias="schema")
    command: str
    candidate: str
    seeds: list[int]
    figures: dict[str, SeedFigure] = Field(
        description="by where they stand in summary.json; of lists their length"
    )
    modes: list[SeedMode] = Field(
        description="the oftenest confirmed first; modes by topic are left out, as topics are a run's own"
    )


def over_seeds(runs: Sequence[Path]) -> SeedsSummary:
    """Read at least two runs, and put their figures together.

    Raises:
        ConfigError: fewer than two runs, two of one seed, or runs that differ in more than their seed.
        RunError: one is no run, has no summary yet, or is a spiral that is unfinished.
        RunVersion: another version of Scotoma made one.
    """
    if len(runs) < 2:
        raise ConfigError("one run says nothing of how seeds differ", hint="name two runs or more")
    headers, summaries = [], []
    for path in runs:
        with Run.read(path) as run:
            found = run.summary()
            if found is None:
                raise RunError(f"the run {path} has no summary yet", hint="finish it, or leave it out")
            headers.append(run.header)
            summaries.append(found)
    _check_alike(runs, headers)
    for path, header, summary in zip(runs, headers, summaries, strict=True):
        if left := _left_to_do(header, summary):
            raise RunError(
                f"the run {path} is unfinished: {left}",
                hint="finish it with the same command, or leave it out",
            )
    return SeedsSummary(
        command=summaries[0].command,
        candidate=summaries[0].candidate,
        seeds=[summary.seed for summary in summaries],
        figures=_figures(summaries),
        modes=_modes(summaries),
    )


def told(figure: SeedFigure, rate: Rate | None, interval: bool = False) -> str:
    """A value of this figure for people, `–` where there is none.

    >>> told(SeedFigure(title="gain", unit="difference", runs=[], mean=None), Rate(value=0.25, low=0.2, high=0.3, n=9))
    '+25.0 points'
    """
    if rate is None:
        return "–"
    value, bounds = _WORDS[figure.unit]
    return f"{value(rate.value)} {bounds(rate)}" if interval else value(rate.value)


def _check_alike(runs: Sequence[Path], headers: Sequence[RunHeader]) -> None:
    first = headers[0]
    seen: dict[int | None, Path] = {}
    for path, header in zip(runs, headers, strict=True):
        if header.command != first.command:
            raise ConfigError(
                f"{runs[0]} is a run of scotoma {first.command}, {path} of scotoma {header.command}",
                hint="put runs of one command together",
            )
        if different := header.differences(
            first.config, may_change=_OWN, own=f"in {path}", other=f"in {runs[0]}"
        ):
            told_of = ", ".join(different[:3]) + (
                f" and {len(different) - 3} more" if len(different) > 3 else ""
            )
            raise ConfigError(
                f"{path} differs from {runs[0]} in more than its seed: {told_of}",
                hint="put runs of one config together",
            )
        if header.seed in seen:
            raise ConfigError(
                f"{seen[header.seed]} and {path} have one seed, {header.seed}",
                hint="each seed counts once: leave one of them out",
            )
        seen[header.seed] = path


def _left_to_do(header: RunHeader, summary: Summary) -> str:
    """What a spiral has not come to, empty where it is finished: after fewer rounds, or with some of the arms, a figure
    of the same name is another one.
    """
    if header.command != "evolve" or summary.nothing_to_mend:
        return ""
    if summary.proof_finished is False:
        return "its failure modes are not proved yet"
    promised, named = header.config.get("rounds"), header.config.get("arms")
    arms = set(named if isinstance(named, list) else ())
    ended = sum(bool(turn.arms) and arms <= turn.arms.keys() for turn in summary.rounds)
    return f"{ended} of {promised} rounds" if isinstance(promised, int) and ended < promised else ""


def _figures(summaries: Sequence[Summary]) -> dict[str, SeedFigure]:
    controls = dict.fromkeys(arm for each in summaries if each.comparison for arm in each.comparison.against)
    table: list[tuple[str, Unit, str]] = [
        ("discovery.failure_rate", "rate", "questions that failed"),
        ("discovery.baseline_failure_rate", "rate", "the same, unguided"),
        ("discovery.yield_ratio", "ratio", "failures, over unguided ones"),
        ("modes", "count", "failure modes confirmed"),
        ("comparison.targeted_minus_base", "difference", "on the modes, targeted − before"),
    ]
    for arm in controls:
        table += [
            (f"comparison.against.{arm}.difference", "difference", f"on the modes, targeted − {arm}"),
            (f"comparison.against.{arm}.gain_ratio", "ratio", f"gain, over {arm}'s"),
            (f"efficiency.targeted_vs_{arm}.ratio", "ratio", f"samples for 80 % of it, over {arm}'s"),
        ]
    table += [
        ("comparison.retained_change", "difference", "on retained skills, targeted − before"),
        ("stability.significant_drops", "count", "rounds that lost"),
        ("rediscovery.ratio", "ratio", "failures found afterwards, over before"),
        ("rediscovery.opened", "count", "failure modes opened"),
    ]
    figures = {}
    for path, unit, title in table:
        runs = [_at(summary, path) for summary in summaries]
        if any(rate is not None for rate in runs):
            figures[path] = SeedFigure(title=title, unit=unit, runs=runs, mean=_mean(unit, runs))
    return figures


def _at(summary: Summary, path: str) -> Rate | None:
    """What stands there in `summary.json`; of lists how many, of modes those that were proved."""
    if path == "modes":
        return _exactly(len(confirmed(summary))) if summary.proof_finished else None
    found: Any = summary
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else getattr(found, key, None)
    if isinstance(found, list):
        found = len(found)
    return _exactly(found) if isinstance(found, int) else cast(Rate | None, found)


def _exactly(number: int) -> Rate:
    """A count, which has no interval within its run."""
    return Rate(value=number, low=number, high=number, n=1)


def _mean(unit: Unit, runs: Sequence[Rate | None]) -> Rate | None:
    values = [rate.value for rate in runs if rate is not None]
    if len(values) < 2:
        return None
    if unit == "ratio":
        return geometric_mean(values) if min(values) > 0 else None
    if unit == "rate":
        return mean_share(values)
    found = mean(values)
    return found.model_copy(update={"low": max(0.0, found.low)}) if unit == "count" else found


def _modes(summaries: Sequence[Summary]) -> list[SeedMode]:
    found: dict[str, list[str]] = {}
    for summary in summaries:
        for mode in confirmed(summary):
            if all(condition.key != "topic" for condition in Predicate.parse(mode.predicate).conditions):
                found.setdefault(mode.predicate, []).append(mode.description)
    return [
        SeedMode(predicate=predicate, description=said[0], confirmed=len(said))
        for predicate, said in sorted(found.items(), key=lambda item: -len(item[1]))
    ]
