"""What is proved of the arms: ratios of gains, samples to a level, drops and a shift of answers, all paired."""

from __future__ import annotations

import numpy as np
import pytest

from scotoma.core import Observation, Verdict
from scotoma.diagnose.change import accuracy, change
from scotoma.evolve.examination import part
from scotoma.evolve.proof import Course, outcome_of
from scotoma.store.summary import ModeAccuracy


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


def test_what_may_be_no_gain_takes_no_samples() -> None:
    assert course(targeted=(0.2, 0.205), uniform=(0.2, 0.2)).efficiency("targeted", "uniform") is None


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


def test_the_answer_that_moved_most_by_chance_is_no_bias() -> None:
    """Sixteen answers that nobody gives more often: what is picked among them has an interval that knows of it."""
    random, excluded = np.random.default_rng(0), 0
    for _ in range(40):
        tests = {}
        for name in ("base", "after"):
            said = random.integers(16, size=400)
            tests[name] = [
                o.model_copy(update={"answer": f"answer {said[i]}"})
                for i, o in enumerate(part(answers(name), "retained"))
            ]
        found = Course(tests, {"targeted": ["base", "after"]}, samples=1).bias("targeted")
        assert found is not None
        assert found.answers == 16
        excluded += not found.shift.low <= 0 <= found.shift.high
    assert excluded <= 5  # of 40, at 5 %; an interval of one answer alone leaves 0 out in about 15


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [(0.2, 0.75, "repaired"), (0.2, 0.5, "open"), (0.2, 0.104, "regressed"), (0.2, 0.2, "open")],
)
def test_what_became_of_a_mode_is_told_from_the_same_questions(
    before: float, after: float, outcome: str
) -> None:
    was, now = (part(answers(name, share, n=125), "modes") for name, share in (("b", before), ("a", after)))
    pair = ModeAccuracy(before=accuracy(was), after=accuracy(now), change=change(now, was))
    assert outcome_of(pair) == outcome
