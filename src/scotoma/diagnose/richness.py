"""How much is still undiscovered: coverage and number of failure modes, estimated from those seen only once or twice.

The counts are failures per mode (or per combination of tags): many modes seen a single time mean that many were never
seen at all.

>>> good_turing_coverage([9, 6, 1]).value
0.9375
>>> chao1([9, 6, 2, 1, 1]).value
5.5
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, sqrt

from scipy import stats

from scotoma.core import Rate

_Z = float(stats.norm.ppf(0.975))


def good_turing_coverage(counts: Sequence[int]) -> Rate:
    """Probability in [0, 1] that the next failure falls into a mode already seen: 1 − f₁/n (Good 1953).

    f₁ is the number of modes with one failure, n the failures; the interval is Esty's (1983). No failures: [0, 1].
    """
    n = sum(counts)
    if n == 0:
        return Rate(value=0.0, low=0.0, high=1.0, n=0)
    once, twice = _singletons(counts)
    value = 1 - once / n
    deviation = sqrt(max(0.0, once * (1 - once / n) + 2 * twice)) / n
    return Rate(value=value, low=max(0.0, value - _Z * deviation), high=min(1.0, value + _Z * deviation), n=n)


def chao1(counts: Sequence[int]) -> Rate:
    """Lower bound on the number of modes, seen and unseen, with its log-normal interval (Chao 1987), n the failures.

    Bias-corrected form: S + f₁(f₁ − 1) / (2(f₂ + 1)). The low end is never below S, the number seen.
    """
    seen = sum(1 for count in counts if count > 0)
    once, twice = _singletons(counts)
    unseen = once * (once - 1) / (2 * (twice + 1))
    if unseen == 0:
        return Rate(value=float(seen), low=float(seen), high=float(seen), n=sum(counts))
    variance = (
        unseen
        + once * (2 * once - 1) ** 2 / (4 * (twice + 1) ** 2)
        + once**2 * twice * (once - 1) ** 2 / (4 * (twice + 1) ** 4)
    )
    factor = exp(_Z * sqrt(log(1 + variance / unseen**2)))
    return Rate(value=seen + unseen, low=seen + unseen / factor, high=seen + unseen * factor, n=sum(counts))


def _singletons(counts: Sequence[int]) -> tuple[int, int]:
    return sum(1 for count in counts if count == 1), sum(1 for count in counts if count == 2)
