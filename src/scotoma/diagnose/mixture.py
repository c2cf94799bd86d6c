"""The training mixture: how many of the next round's samples each failure mode gets, and how many are uniform.

Counts are whole numbers and add up to the volume exactly, so that arms of equal volume are of equal volume.

    mixture = targeted(modes, volume=1200, pass_rates={"m1a2b3c4": 0.4})
    for share in mixture.shares:
        share.name, share.samples, share.warm_start, share.reason
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from scotoma.core import FailureMode

_DPE_BANDS = ((0.70, 2.0), (0.75, 1.5), (0.85, 1.0), (0.90, 0.8))
_DPE_MASTERED = 0.5


class Share(BaseModel):
    """One mode's (or category's) part. `weight` is its share of the weights in [0, 1]; `warm_start` says that the
    candidate gets it right too seldom for GRPO to have a signal before a short supervised start.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    samples: int
    weight: float
    warm_start: bool = False
    reason: str = ""


class Mixture(BaseModel):
    """`shares` (of modes) + `retention` (uniform questions, right or wrong so far) + `uniform` = `volume`."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["targeted", "uniform", "random", "dpe"]
    volume: int
    shares: tuple[Share, ...] = ()
    retention: int = 0
    uniform: int = 0


class TargetedMixture(BaseModel):
    """Settings of `targeted`. `retention` is a share of the volume and never below one half (measured: less than that
    buys a mode at its neighbours' cost); `band` is DPE's learnable range of pass rates, `warm_start_below` the pass
    rate under which GRPO sees nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    retention: float = Field(0.5, ge=0.5, le=1.0)
    minimum: int = Field(16, ge=0)
    band: tuple[float, float] = (0.3, 0.8)
    warm_start_below: float = Field(0.1, ge=0, le=1)
    least_learnability: float = Field(0.5, ge=0, le=1)


def targeted(
    modes: Sequence[FailureMode],
    volume: int,
    pass_rates: Mapping[str, float] | None = None,
    config: TargetedMixture | None = None,
) -> Mixture:
    """Weight ∝ prevalence^½ × failure rate × learnability, at least `minimum` samples per mode where they fit.

    A prevalence that was not measured counts as the median of the others, one of 0 as half of the least.

    The square root (ours) stands between all modes alike and the loudest takes all: a mode's gain from n samples is
    concave, so a mode ten times as frequent deserves more, yet not ten times as many. Learnability is 1 inside the
    pass-rate band (DPE) and falls linearly to `least_learnability` at pass rates 0 and 1.

    Args:
        modes: the confirmed ones; without any, everything is retention.
        volume: samples in all, ≥ 0.
        pass_rates: mode id → share of k sampled answers that are right; where missing, 1 − failure rate.
        config: settings.
    """
    config = config or TargetedMixture()
    if not modes:
        return Mixture(kind="targeted", volume=volume, retention=volume)
    rates = pass_rates or {}
    known = [mode.prevalence for mode in modes if mode.prevalence is not None]
    typical = float(np.median(known)) if any(known) else 1.0
    # A mode that no uniform question fell into is rare, and not unknown.
    rarest = min((share for share in known if share), default=typical) / 2
    weights, reasons, passes = [], [], []
    for mode in modes:
        failure = _failure_rate(mode)
        passing = rates.get(mode.id, 1 - failure)
        prevalence = typical if mode.prevalence is None else max(mode.prevalence, rarest)
        learnable = _learnability(passing, config)
        weights.append(prevalence**0.5 * failure * learnable)
        passes.append(passing)
        reasons.append(
            f"prevalence {prevalence:.2%}, fails {failure:.0%}, pass rate {passing:.2f}, learnability {learnable:.2f}"
        )
    retention = int(np.ceil(volume * config.retention))
    counts = _apportion(weights, volume - retention, config.minimum)
    total = sum(weights)
    shares = tuple(
        Share(
            name=mode.id,
            samples=count,
            weight=weight / total if total else 1 / len(modes),
            warm_start=passing < config.warm_start_below,
            reason=reason,
        )
        for mode, count, weight, passing, reason in zip(modes, counts, weights, passes, reasons, strict=True)
    )
    return Mixture(kind="targeted", volume=volume, shares=shares, retention=retention)


def uniform(volume: int) -> Mixture:
    """The control of everything: as many samples, drawn from the uniform template questioner, aimed at nothing."""
    return Mixture(kind="uniform", volume=volume, uniform=volume)


def random(categories: Sequence[str], volume: int, retention: float = 0.5) -> Mixture:
    """The control of the diagnosis: samples are made as for `targeted`, with as much retention, but from questions
    drawn by chance instead of failures, every category alike."""
    kept = int(np.ceil(volume * retention)) if categories else volume
    shares = tuple(
        Share(name=name, samples=count, weight=1 / len(categories), reason="drawn by chance")
        for name, count in zip(categories, _apportion([1.0] * len(categories), volume - kept, 0), strict=True)
    )
    return Mixture(kind="random", volume=volume, shares=shares, retention=kept)


def dpe(accuracies: Mapping[str, float], volume: int) -> Mixture:
    """DPE's published bands per category: accuracy < .70/.75/.85/.90/else → weight 2/1.5/1/.8/.5, normalised.

    No retention share: its mastered categories keep a weight of .5 instead.
    """
    weights = [dpe_weight(accuracy) for accuracy in accuracies.values()]
    counts = _apportion(weights, volume, 0)
    shares = tuple(
        Share(
            name=name, samples=count, weight=weight / sum(weights), reason=f"accuracy {accuracies[name]:.2f}"
        )
        for name, count, weight in zip(accuracies, counts, weights, strict=True)
    )
    return Mixture(kind="dpe", volume=volume, shares=shares, uniform=0 if shares else volume)


def dpe_weight(accuracy: float) -> float:
    """The band weight of one category, before normalising."""
    return next((weight for bound, weight in _DPE_BANDS if accuracy < bound), _DPE_MASTERED)


def _failure_rate(mode: FailureMode) -> float:
    rate = mode.failure_rate or mode.suspected_rate
    return rate.value if rate else 1.0


def _learnability(passing: float, config: TargetedMixture) -> float:
    low, high = config.band
    inside = np.interp(
        passing, [0.0, low, high, 1.0], [config.least_learnability, 1.0, 1.0, config.least_learnability]
    )
    return float(inside)


def _apportion(weights: Sequence[float], total: int, minimum: int) -> list[int]:
    """Whole numbers ∝ weights that add up to `total` (largest remainder), each at least `minimum` where that fits."""
    if not weights:
        return []
    share = np.asarray(weights, dtype=np.float64)
    share = share / share.sum() if share.sum() > 0 else np.full(len(share), 1 / len(share))
    least = min(minimum, total // len(share))
    # Only what is above the minimum is shared out again, so that small modes are lifted and the order is kept.
    wanted = np.maximum(share * total - least, 0.0)
    spare = total - least * len(share)
    exact = wanted / wanted.sum() * spare if wanted.sum() > 0 else np.full(len(share), spare / len(share))
    counts = np.floor(exact).astype(int)
    largest = np.argsort(-(exact - counts), kind="stable")[: spare - int(counts.sum())]
    counts[largest] += 1
    return [int(count) + least for count in counts]
