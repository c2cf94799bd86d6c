"""A failure rate is of questions that nobody chose, or of those that a questioner picked: never of both at once.

A uniform question weighs 1, one that was picked with probability π weighs 1/π: but that weighs it among what the same
questioner proposed (Horvitz & Thompson 1952), and not among uniform questions. Put together they are of no population.

    found = rate_told(uniform, picked)      # 36 and 400 questions
    found.rate.n, found.uniform             # (36, 36)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from scotoma.core import Observation, Rate
from scotoma.diagnose.statistics import clustered_rate

_MOST_WEIGHT = 20.0
"""How many times more one question counts than another in a rate, at the most, as in the search for modes."""


class RateTold(BaseModel):
    """The rate, and how many uniform questions it is of: 0 where it is of the questioner's own."""

    model_config = ConfigDict(frozen=True)

    rate: Rate
    uniform: int


def rate_told(uniform: Sequence[Observation], picked: Sequence[Observation], fewest: int = 1) -> RateTold:
    """The failure rate of the uniform questions or, where there are fewer than `fewest`, of the picked ones, each
    weighed by one over the probability with which it was picked. Clustered by image; all of them were answered.
    """
    of_uniform = len(uniform) >= fewest or not picked
    told = uniform if of_uniform else picked
    weights = 1 / np.array([row.selection for row in told])
    weights = np.minimum(weights, _MOST_WEIGHT * weights.min()) if told else weights
    failed = [row.outcome == "failure" for row in told]
    return RateTold(
        rate=clustered_rate(failed, [row.image_id for row in told], weights),
        uniform=len(uniform) if of_uniform else 0,
    )
