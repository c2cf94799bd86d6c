"""A rate is value, interval and n together."""

from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from scotoma.core import Rate

FIGURES = st.floats(-1, 1)


def test_people_read_per_cent_with_interval_and_n() -> None:
    assert Rate(value=0.5, low=0.24, high=0.76, n=10).percent() == "50.0 % [24.0, 76.0] n=10"
    assert Rate(value=-0.052, low=-0.1, high=0.0, n=1000).percent() == "-5.2 % [-10.0, 0.0] n=1000"


@given(FIGURES, FIGURES, FIGURES, st.integers(0, 10**6))
def test_a_rate_survives_json_to_the_last_bit(value: float, low: float, high: float, n: int) -> None:
    rate = Rate(value=value, low=low, high=high, n=n)
    assert Rate.model_validate_json(rate.model_dump_json()) == rate


def test_a_bound_that_nothing_is_known_of_is_null_in_json() -> None:
    rate = Rate(value=0.5, low=-math.inf, high=math.inf, n=1)
    assert json.loads(rate.model_dump_json()) == {"value": 0.5, "low": None, "high": None, "n": 1}
    assert Rate.model_validate_json(rate.model_dump_json()) == rate
