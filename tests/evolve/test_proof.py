"""What is proved of the arms: ratios of gains, samples to a level, drops and a shift of answers, all paired."""

from __future__ import annotations

import pytest

from scotoma.core import Observation, Verdict
from scotoma.evolve.proof import Course


def answers(
    name: str, modes: float = 0.0, retained: float = 1.0, says: str | None = None, n: int = 400
) -> list[Observation]:
    """`modes` and `retained` are the shares of right answers, always the same first; `says`: what is said wrongly."""
    found = []
    for which, share in (("modes", modes), ("retained", retained)):
        for i in range(n):
            right = i < round(share * n)
            truth = "yes" if i % 2 else "no"
            wrong = says or ("no" if i % 2 else "yes")
            found.append(
                Observation(
                    key=f"test/{name}/{which}/{i}",
                    phase=f"test/{name}/{which}",
                    image_id=f"image {i // 2}",
                    question="?",
                    answer=truth if right else wrong,
                    verdict=Verdict(valid=True, correct=float(right), truth=truth, decided_by="facts"),
                    tags={},
                    candidate="c",
                )
            )
    return found


def course(**accuracy: tuple[float, ...]) -> Course:
    """Arms with their accuracy on the modes at the base and after every round of 100 samples."""
    tests = {"base": answers("base", next(iter(accuracy.values()))[0])}
    stations = {}
    for arm, values in accuracy.items():
        stations[arm] = ["base", *(f"round{n}/{arm}" for n in range(1, len(values)))]
        tests |= {
            name: answers(name, value) for name, value in zip(stations[arm][1:], values[1:], strict=True)
        }
    return Course(tests, stations, samples=100)


def test_the_ratio_of_gains_has_an_interval_around_it() -> None:
    found = course(targeted=(0.2, 0.6, 0.8), uniform=(0.2, 0.3, 0.4)).gain_ratio("targeted", "uniform")
    assert found is not None
    assert found.value == pytest.approx(3)
    assert 2 < found.low < 3 < found.high < 4.5


def test_a_control_without_a_gain_makes_no_infinite_ratio() -> None:
    found = course(targeted=(0.2, 0.7), uniform=(0.2, 0.2)).gain_ratio("targeted", "uniform")
    assert found is not None
    assert found.value == pytest.approx(500)


def test_samples_to_a_level_are_read_between_rounds() -> None:
    # 80 % of .5 is .4: reached by the first arm after 80 samples, by the second after 200.
    found = course(targeted=(0.2, 0.7, 0.7), uniform=(0.2, 0.4, 0.6)).efficiency("targeted", "uniform")
    assert found is not None
    assert found.ratio.value == pytest.approx(0.4)
    assert found.control_reached


def test_a_control_that_never_gets_there_counts_with_all_its_samples() -> None:
    found = course(targeted=(0.2, 0.7, 0.7), uniform=(0.2, 0.25, 0.3)).efficiency("targeted", "uniform")
    assert found is not None
    assert not found.control_reached
    assert found.ratio.value == pytest.approx(80 / 200)


def test_only_a_significant_fall_is_a_drop() -> None:
    found = course(targeted=(0.2, 0.7, 0.695, 0.4))
    assert [drop.round for drop in found.drops("targeted")] == [3]
    assert found.drops("targeted")[0].change.value == pytest.approx(-0.295)


def test_an_answer_that_is_given_more_often_than_before_is_a_bias() -> None:
    tests = {"base": answers("base"), "after": answers("after", retained=0.8, says="no")}
    found = Course(tests, {"targeted": ["base", "after"]}, samples=1).bias("targeted")
    assert found is not None
    # A fifth of the questions were answered "no", of which half would have been "yes".
    assert abs(found.shift.value) == pytest.approx(0.1)
    assert found.shift.low < found.shift.value < found.shift.high
    assert found.answers == 2
