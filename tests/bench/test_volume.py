"""The least samples with which an arm gets as far, over all volumes and rounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.bench.volume import least, needs, saved

COURSES = {6000: [0.2, 0.6, 0.7], 500: [0.2, 0.4, 0.6]}


def test_the_volume_that_gets_there_with_fewest_samples_counts() -> None:
    assert least(COURSES, gain=0.39) == pytest.approx(975)
    assert least(COURSES, gain=0.1) == pytest.approx(250)
    assert least(COURSES, gain=0.45) == pytest.approx(9000)  # only the larger volume gets so far
    assert least(COURSES, gain=0.6) is None


@given(
    st.dictionaries(st.integers(1, 9999), st.lists(st.floats(0, 1), min_size=2, max_size=5), min_size=1),
    st.floats(0.01, 1),
)
def test_more_is_never_needed_where_more_was_tried(courses: dict[int, list[float]], gain: float) -> None:
    alone = [found for volume in courses if (found := least({volume: courses[volume]}, gain)) is not None]
    assert least(courses, gain) == (min(alone) if alone else None)
    for volume, course in courses.items():
        found = least({volume: course}, gain)
        assert found is None or 0 < found <= volume * (len(course) - 1)


def test_the_level_is_a_share_of_the_gain_at_the_largest_volume() -> None:
    found = needs({1000: [0.0, 0.4], 100: [0.0, 0.4]}, {1000: [0.0, 0.16, 0.36], 100: [0.0, 0.1, 0.2]})
    assert found is not None
    assert (found.targeted, found.control) == pytest.approx((80, 1800))


def test_a_control_that_never_gets_there_counts_with_all_its_samples() -> None:
    found = needs({1000: [0.0, 0.5]}, {1000: [0.0, 0.1, 0.2], 100: [0.0, 0.1]})
    assert found is not None
    assert found.control == 2000
    ratio = saved([found])
    assert ratio is not None
    assert ratio.value == pytest.approx(800 / 2000)


def test_without_a_gain_nothing_is_told() -> None:
    assert needs({1000: [0.5, 0.5]}, {1000: [0.5, 0.6]}) is None
    assert saved([]) is None
