"""Learning curves from the ledger: one panel per measure, the arms of a round drawn together.

A point's stage and name together say what it belongs to: `discover` … `reward`, `round1/targeted` … `kl`. What tells
only how the training itself went is a panel apart, for a fold, and no panel where it never moved.

    for panel in panels(run.ledger):
        panel.title, panel.series[0].points
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from scotoma.report.quantity import number
from scotoma.store import Ledger

_ARM = re.compile(r"round(\d+)/([A-Za-z][\w-]*)")
_SHARES = re.compile(r"rate|share")
_TITLES = {
    "reward": "reward",
    "failure_rate": "share of questions that failed",
    "valid_rate": "share of questions that were valid",
    "kl": "KL to the starting policy",
    "semantic_novelty": "semantic novelty of what was proposed, δ_emb",
    "inverse_frequency": "inverse frequency of its terms, δ_ifreq",
    "naturalness": "how typical it is of the reference set, t_Q",
    "surrogate_score": "failure expected by the surrogate, s",
    "random_share": "share of the picks made at random",
    "complexity": "complexity of the questions asked",
    "level": "complexity that the curriculum aims at",
}
_DIAGNOSTICS = {
    "zero_variance_share": "share of groups that teach nothing, all rewards alike",
    "entropy": "entropy of the policy, nats per token",
    "grad_norm": "norm of the gradient, before it is clipped",
    "clip_share": "share of tokens whose ratio is clipped",
}
"""Measures of the training itself, by name: read where a curve of the others puzzles."""
_FIRST = ("failure_rate", "reward", "valid_rate", "kl")


@dataclass(frozen=True)
class Point:
    """A step and the value there, finite."""

    step: int
    value: float


@dataclass(frozen=True)
class Series:
    """One line: the raw points, and their centred moving mean."""

    name: str
    points: tuple[Point, ...]

    @property
    def smooth(self) -> tuple[Point, ...]:
        """A moving mean over a tenth of the steps, cut off at the ends."""
        reach = len(self.points) // 20
        windows = [self.points[max(0, at - reach) : at + reach + 1] for at in range(len(self.points))]
        return tuple(
            Point(point.step, sum(near.value for near in window) / len(window))
            for point, window in zip(self.points, windows, strict=True)
        )


@dataclass(frozen=True)
class Panel:
    """One small chart: `owner` is who learns, `title` what is measured; `ticks` are the labelled values. `diagnostic`:
    it tells how the training went, not what was learnt.
    """

    owner: str
    title: str
    series: tuple[Series, ...]
    ticks: tuple[float, ...]
    share: bool
    diagnostic: bool = False

    def x(self, step: float) -> float:
        """Where a step lies between the first (0) and the last (1)."""
        steps = [point.step for series in self.series for point in series.points]
        return (step - min(steps)) / (max(steps) - min(steps) or 1)

    def y(self, value: float) -> float:
        """Where a value lies between the lowest tick (0) and the highest (1)."""
        return (value - self.ticks[0]) / (self.ticks[-1] - self.ticks[0] or 1)

    def label(self, value: float) -> str:
        """A tick in words."""
        return f"{100 * value:.0f}\u202f%" if self.share else number(value)

    @property
    def steps(self) -> tuple[int, int]:
        """The first and the last step."""
        steps = [point.step for series in self.series for point in series.points]
        return min(steps), max(steps)


def panels(ledger: Ledger) -> list[Panel]:
    """Every curve of a run with at least two points; the questioner's first, then the rounds'. A diagnostic that never
    moved, such as the clipped share where every step is on policy, is left out.
    """
    found: dict[tuple[str, str], dict[str, dict[int, float]]] = {}
    for point in ledger.curve():
        owner, line, measure = _belongs(f"{point.stage}/{point.name}")
        if math.isfinite(point.value):
            found.setdefault((owner, measure), {}).setdefault(line, {})[point.step] = point.value
    drawn = []
    for (owner, measure), lines in sorted(found.items(), key=lambda item: _order(*item[0])):
        series = tuple(
            Series(line, tuple(Point(step, value) for step, value in sorted(points.items())))
            for line, points in sorted(lines.items(), key=lambda item: (item[0] == "targeted", item[0]))
            if len(points) > 1
        )
        values = [point.value for line in series for point in line.points]
        diagnostic = measure in _DIAGNOSTICS
        if not series or (diagnostic and min(values) == max(values)):
            continue
        share = _SHARES.search(measure) is not None
        title = (_TITLES | _DIAGNOSTICS).get(measure, measure.replace("_", " "))
        drawn.append(Panel(owner, title, series, _ticks(values, share=share), share, diagnostic))
    return drawn


def _belongs(path: str) -> tuple[str, str, str]:
    """(who learns, which line, what is measured)."""
    measure = path.rsplit("/", 1)[-1]
    arm = _ARM.search(path)
    if arm is not None:
        return f"Candidate, round {arm[1]}", arm[2], measure
    if "discover" in path or "question" in path:
        return "Questioner", "questioner", measure
    return path.split("/")[0], path.split("/")[0], measure


def _order(owner: str, measure: str) -> tuple[bool, str, int, str]:
    return owner != "Questioner", owner, _FIRST.index(measure) if measure in _FIRST else len(_FIRST), measure


def _ticks(values: Sequence[float], *, share: bool) -> tuple[float, ...]:
    """Three to six round numbers that hold the values; shares start at 0."""
    low, high = (0.0 if share else min(values)), max(values)
    spread = high - low or abs(high) or 1.0
    raw = spread / 4
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(magnitude * nice for nice in (1, 2, 2.5, 5, 10) if magnitude * nice >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(round(index * step, 10) for index in range(first, max(last, first + 1) + 1))
