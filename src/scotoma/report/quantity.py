"""Figures as people read them: per cent, points, factors, durations; a minus is a minus and never a hyphen.

>>> percent(0.3123), points(-0.004), factor(3.14159), duration(552)
('31.2\\u202f%', '−0.4 points', '3.1×', '9 min 12 s')
"""

from __future__ import annotations

import math

from scotoma.core import Rate

THIN = "\u202f"
"""A narrow space that does not break: between a number and its unit."""


def percent(value: float) -> str:
    """A rate in [0, 1] in per cent."""
    return f"{100 * value:.1f}{THIN}%"


def percent_interval(rate: Rate) -> str:
    """The interval of a rate in per cent: `[29.8, 32.6]`."""
    return f"[{100 * rate.low:.1f}, {100 * rate.high:.1f}]"


def points(value: float) -> str:
    """A difference of rates in [-1, 1], in percentage points with its sign."""
    number = _signed(100 * value)
    return f"{number} point" if number in ("+1.0", "−1.0") else f"{number} points"


def points_interval(rate: Rate) -> str:
    """The interval of a difference in points: `[+18.2, +24.5]`."""
    return f"[{_signed(100 * rate.low)}, {_signed(100 * rate.high)}]"


def difference(rate: Rate) -> str:
    """A difference of rates where the unit is said elsewhere: `−0.4 [−0.7, −0.1]`."""
    return f"{_signed(100 * rate.value)} {points_interval(rate)}"


def factor(value: float, digits: int = 1) -> str:
    """A ratio: `3.1×`."""
    return f"{value:.{digits}f}×"


def factor_interval(rate: Rate, digits: int = 1) -> str:
    """The interval of a ratio; one without an upper end reads `∞`."""
    high = f"{rate.high:.{digits}f}" if math.isfinite(rate.high) else "∞"
    return f"[{rate.low:.{digits}f}, {high}]"


def count(number: int, noun: str = "", plural: str = "") -> str:
    """`4,000 questions`, `1 question`, `2 queries`."""
    if not noun:
        return f"{number:,}"
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def probability(value: float) -> str:
    """A p- or q-value with two significant digits, never a false zero."""
    return "< 0.0001" if value < 0.0001 else f"= {value:.2g}"


def duration(seconds: float) -> str:
    """Hours and minutes, minutes and seconds, or seconds."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


def number(value: float) -> str:
    """A number on an axis: as few digits as it needs."""
    return f"{value:.3g}".replace("-", "−")


def _signed(value: float) -> str:
    text = f"{value:+.1f}".replace("-", "−")
    return "0.0" if text in ("+0.0", "−0.0") else text
