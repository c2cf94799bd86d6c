"""A rate is never a bare number: value, interval and n travel together.

Every headline figure in `summary.json` has this shape. The statistics that compute one live in
`scotoma.diagnose.statistics`.

>>> Rate(value=0.5, low=0.24, high=0.76, n=10).percent()
'50.0 % [24.0, 76.0] n=10'
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Rate(BaseModel):
    """A figure with its 95 % interval and the number of observations behind it.

    `value`, `low`, `high` are usually in [0, 1]; a difference of rates lies in [-1, 1], and a ratio may exceed 1.
    """

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float
    n: int

    def percent(self) -> str:
        """`value [low, high] n` in per cent, for people."""
        return f"{100 * self.value:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}] n={self.n}"
