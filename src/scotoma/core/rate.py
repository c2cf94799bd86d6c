"""A rate is never a bare number: value, interval and n travel together.

Every headline figure in `summary.json` has this shape. The statistics that compute one live in
`scotoma.diagnose.statistics`.

>>> Rate(value=0.5, low=0.24, high=0.76, n=10).percent()
'50.0 % [24.0, 76.0] n=10'
"""

from __future__ import annotations

import math
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


class Rate(BaseModel):
    """A figure with its 95 % interval and the number of observations behind it.

    `value`, `low`, `high` are usually in [0, 1]; a difference of rates lies in [-1, 1], and a ratio may exceed 1. What
    one observation says nothing of is unbounded: −∞ or ∞, which JSON cannot write and so is null there.
    """

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float
    n: int

    @field_validator("low", "high", mode="before")
    @classmethod
    def _unbounded(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None:
            return value
        return -math.inf if info.field_name == "low" else math.inf

    def percent(self) -> str:
        """`value [low, high] n` in per cent, for people."""
        return f"{100 * self.value:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}] n={self.n}"
