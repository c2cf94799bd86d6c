"""How much better a completion is than the others of its group: GRPO's critic-free baseline.

For rewards r_1 … r_G of one prompt's completions, Â_i = r_i - mean(r) (Dr. GRPO, arXiv 2503.20783, Eq. 2),
divided by std(r) + 1e-4 where rewards are scaled (GRPO, arXiv 2402.03300, §4.1.2; the constant and the
unbiased std are TRL's). A masked completion (reward None) enters neither mean nor std, and its advantage is
0.

>>> group_advantages([[1.0, 0.0, None, 0.5]])
[[0.5, -0.5, 0.0, 0.0]]
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

SCALE_EPSILON = 1e-4


def group_advantages(rewards: Sequence[Sequence[float | None]], *, scale: bool = False) -> list[list[float]]:
    """Advantages with the shape of `rewards`: one list per group, groups may differ in size.

    Without scaling every group's advantages sum to 0; a group whose rewards are all equal, or that has fewer
    than two
    unmasked rewards, gets zeros: it says nothing about what is better.
    """
    return [_one_group(group, scale) for group in rewards]


def zero_variance_share(rewards: Sequence[Sequence[float | None]]) -> float:
    """The share of groups, in [0, 1], that carry no signal because their unmasked rewards are all equal."""
    if not rewards:
        return 0.0
    return sum(len(set(_scored(group))) <= 1 for group in rewards) / len(rewards)


def _scored(group: Sequence[float | None]) -> list[float]:
    return [reward for reward in group if reward is not None and math.isfinite(reward)]


def _one_group(group: Sequence[float | None], scale: bool) -> list[float]:
    scored = _scored(group)
    if len(set(scored)) <= 1:
        # Exact zeros: the mean of equal floats may differ from them in the last bit, and scaling would blow
        # that up.
        return [0.0] * len(group)
    mean = fmean(scored)
    divisor = stdev(scored) + SCALE_EPSILON if scale else 1.0
    return [
        (reward - mean) / divisor if reward is not None and math.isfinite(reward) else 0.0 for reward in group
    ]
