"""A failure mode: a describable set of questions whose failure rate is above the candidate's base rate.

It is `suspected` when discovery names it, `confirmed` or `rejected` on images never used to find it, and after
repair `repaired`, `open` or `regressed`.

>>> mode = FailureMode(id="m1", predicate=Predicate.parse("skill=counting and count>=4"), description="large counts")
>>> mode.status, mode.predicate.matches({"skill": ("counting",), "count": 5})
('suspected', True)
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from scotoma.core.predicate import Predicate
from scotoma.core.qualification import Checks, Shrunk
from scotoma.core.rate import Rate

Status = Literal["suspected", "confirmed", "rejected", "repaired", "open", "regressed"]

Asking = Literal["uniform", "questioner"]
"""Whose questions a rate is of: those that nothing selected, or those that a questioner picked, weighed by how."""

PROVED: tuple[Status, ...] = ("confirmed", "repaired", "open", "regressed")
"""The states of a mode that was confirmed, whatever repair made of it since."""


class FailureMode(BaseModel):
    """`suspected_rate` comes from discovery, and is too high on average, as the search chose the mode for it;
    `suspected_rate_of` says of whose questions it is. `failure_rate`, `base_rate`, `p_value` and `q_value` come from
    the confirm split. Where a judge with a calibration decided, both rates are corrected for its errors
    and the `apparent_` ones are as it reported them. `prevalence` is the share of uniform questions that fall into the
    mode, [0, 1], and `prevalence_rate` the same with its interval. `title` is a name that a model gave it, where one
    was asked: for people, the predicate decides.
    `checks` and `shrunk` explain and qualify a confirmed mode; no status depends on them.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    predicate: Predicate
    description: str
    title: str | None = None
    status: Status = "suspected"
    suspected_rate: Rate | None = None
    suspected_rate_of: Asking | None = None
    failure_rate: Rate | None = None
    base_rate: Rate | None = None
    apparent_failure_rate: Rate | None = None
    apparent_base_rate: Rate | None = None
    prevalence: float | None = None
    prevalence_rate: Rate | None = None
    p_value: float | None = None
    q_value: float | None = None
    skills: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    checks: Checks | None = None
    shrunk: tuple[Shrunk, ...] = ()

    @property
    def proved(self) -> bool:
        """Whether it was confirmed, whatever repair made of it since."""
        return self.status in PROVED
