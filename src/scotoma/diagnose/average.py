"""Means over runs: of planted sets and seeds, with Student's interval.

>>> mean([1.0, 2.0, 3.0]).value
2.0
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from scotoma.core import Rate


def mean(values: Iterable[float]) -> Rate:
    """The mean of at least one value with Student's 95 % interval; unbounded for a single one."""
    array: npt.NDArray[Any] = np.array(list(values), dtype=float)
    half = math.inf
    if len(array) > 1:
        half = float(stats.t.ppf(0.975, len(array) - 1) * array.std(ddof=1) / math.sqrt(len(array)))
    middle = float(array.mean())
    return Rate(value=middle, low=middle - half, high=middle + half, n=len(array))


def mean_share(values: Iterable[float]) -> Rate:
    """The same of shares, whose interval cannot leave [0, 1]."""
    found = mean(values)
    return found.model_copy(update={"low": max(0.0, found.low), "high": min(1.0, found.high)})


def geometric_mean(values: Iterable[float]) -> Rate:
    """The same of the logarithms of positive values, taken back."""
    logs = mean([math.log(value) for value in values])
    high = math.exp(logs.high) if logs.high < 700 else math.inf
    return Rate(value=math.exp(logs.value), low=math.exp(logs.low), high=high, n=logs.n)


def shown(rate: Rate, digits: int = 2) -> str:
    """For a table: `0.88 [0.74, 1.00]`, or `0.88 (n=1)` where one run says nothing of how runs differ."""
    alone = rate.n == 1 or math.isinf(rate.high)
    interval = f"(n={rate.n})" if alone else f"[{rate.low:,.{digits}f}, {rate.high:,.{digits}f}]"
    return f"{rate.value:,.{digits}f} {interval}"
