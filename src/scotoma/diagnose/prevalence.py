"""From the rate that a fallible judge reports to the rate that is: Rogan & Gladen's estimator, with its uncertainty.

A judge that calls 5 % of right answers wrong reports failures where there are none. With its sensitivity Se and
specificity Sp known from a calibration, the apparent rate a gives the true one: (a + Sp − 1) / (Se + Sp − 1)
(Rogan & Gladen 1978). The interval carries the uncertainty of a, Se and Sp together (Lang & Reiczigel 2014).

>>> judge = Discernment(sensitivity=Rate(value=0.9, low=0.85, high=0.94, n=200),
...                     specificity=Rate(value=0.95, low=0.91, high=0.97, n=200))
>>> true_rate(Rate(value=0.22, low=0.2, high=0.24, n=1600), judge).percent()
'20.0 % [15.7, 23.7] n=1600'
"""

from __future__ import annotations

import math

from scipy import stats

from scotoma.core import ConfigError, Discernment, Rate

_Z = float(stats.norm.ppf(0.975))


def true_rate(apparent: Rate, judge: Discernment) -> Rate:
    """The corrected rate with its 95 % interval, both within [0, 1].

    Args:
        apparent: the rate as the judge reported it, with a Wilson interval; a clustered one counts with the
            effective sample size that its width stands for.
        judge: measured on other items than those of the rate.

    Raises:
        ConfigError: the judge tells nothing (sensitivity + specificity ≤ 1, or never measured).
    """
    require_informative(judge)
    if apparent.n == 0:
        return apparent
    youden = judge.sensitivity.value + judge.specificity.value - 1
    value = min(1.0, max(0.0, (apparent.value + judge.specificity.value - 1) / youden))
    low, high = _interval(apparent, judge)
    return Rate(value=value, low=min(low, value), high=max(high, value), n=apparent.n)


def require_informative(judge: Discernment) -> None:
    """Refuse a judge from whose rulings nothing follows.

    Raises:
        ConfigError: sensitivity + specificity ≤ 1, or one of them was never measured.
    """
    if not judge.informative:
        raise ConfigError(
            "the judge tells nothing: it catches "
            f"{judge.sensitivity.percent()} of the wrong answers and passes {judge.specificity.percent()} of the right",
            hint="use another judge, or calibrate it on more items of both kinds",
        )


def effective_size(rate: Rate) -> float:
    """The number of independent observations whose Wilson interval is as wide as this one.

    Solves h² (1 + w)² = v (1 − v) w + w² / 4 for w = z² / n, with v the rate and h half its width.
    """
    half, spread = (rate.high - rate.low) / 2, rate.value * (1 - rate.value)
    a, b, c = half**2 - 0.25, 2 * half**2 - spread, half**2
    if a >= 0 or c == 0:
        return float(rate.n)
    w = (-b - math.sqrt(b * b - 4 * a * c)) / (2 * a)
    return min(float(rate.n), _Z**2 / w)


def _interval(apparent: Rate, judge: Discernment) -> tuple[float, float]:
    """Lang & Reiczigel (2014), equations of their § 2.3: pseudo-observations, and a shift of the centre."""
    n = effective_size(apparent)
    rate, of_rate = _pseudo(apparent.value, n, _Z**2)
    se, of_se = _pseudo(judge.sensitivity.value, effective_size(judge.sensitivity), 2)
    sp, of_sp = _pseudo(judge.specificity.value, effective_size(judge.specificity), 2)
    youden = se + sp - 1
    if youden <= 0:
        return 0.0, 1.0
    centre = (rate + sp - 1) / youden
    deviation = math.sqrt(of_rate + of_se * centre**2 + of_sp * (1 - centre) ** 2) / youden
    centre += 2 * _Z**2 * (centre * of_se - (1 - centre) * of_sp)
    return max(0.0, min(1.0, centre - _Z * deviation)), min(1.0, max(0.0, centre + _Z * deviation))


def _pseudo(value: float, n: float, more: float) -> tuple[float, float]:
    """The rate with `more` observations added, half of them positive, and its variance."""
    shrunk = (value * n + more / 2) / (n + more)
    return shrunk, shrunk * (1 - shrunk) / (n + more)


def pooled(corrected: Rate, exact: Rate, share: float) -> Rate:
    """One rate of rows that a judge ruled on (`share` of them, [0, 1]) and rows whose truth facts knew.

    The ends of the intervals are pooled like the values, which makes the interval wider than need be.
    """
    if share >= 1 or exact.n == 0:
        return corrected

    def mixed(one: float, other: float) -> float:
        return share * one + (1 - share) * other

    return Rate(
        value=mixed(corrected.value, exact.value),
        low=mixed(corrected.low, exact.low),
        high=mixed(corrected.high, exact.high),
        n=corrected.n + exact.n,
    )
