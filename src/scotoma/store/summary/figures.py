"""What all parts of `summary.json` have in common: they never change, and no key is unknown.

>>> class Speed(Figures):
...     questions_per_second: float
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Figures(BaseModel):
    """A part of the summary."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
