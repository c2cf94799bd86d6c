"""Tags and topics against what is exactly so: precision, recall, F1, purity, NMI and ARI, with intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.diagnose.tagging_error import tagging_error, topic_agreement

SKILLS = st.frozensets(st.sampled_from(("colour", "counting", "reading")), max_size=3)


def test_precision_recall_and_f1_are_counted_per_skill() -> None:
    exact = [frozenset({"counting"})] * 4 + [frozenset({"colour"})] * 6
    said = (
        [frozenset({"counting"})] * 3
        + [frozenset({"colour"})] * 5
        + [frozenset({"counting", "identity"})] * 2
    )
    error = tagging_error(said, exact, range(10))
    counting, colour = error.skills["counting"], error.skills["colour"]
    assert (counting.precision.value, counting.precision.n) == (pytest.approx(3 / 5), 5)
    assert (counting.recall.value, counting.recall.n) == (pytest.approx(3 / 4), 4)
    assert counting.f1.value == pytest.approx(2 * 0.6 * 0.75 / 1.35)
    assert (colour.precision.value, colour.recall.value) == (pytest.approx(4 / 5), pytest.approx(4 / 6))
    assert error.macro_f1.value == pytest.approx((counting.f1.value + colour.f1.value) / 2)
    assert error.same.value == pytest.approx(7 / 10)
    assert error.outside == {"identity": 2}


@given(st.lists(st.tuples(SKILLS, SKILLS), min_size=1, max_size=30))
def test_every_rate_lies_in_its_interval_and_f1_between_precision_and_recall(
    pairs: list[tuple[frozenset[str], frozenset[str]]],
) -> None:
    if not frozenset().union(*(exact for _, exact in pairs)):
        return
    error = tagging_error(
        [said for said, _ in pairs], [exact for _, exact in pairs], [i // 2 for i in range(len(pairs))]
    )
    for skill in error.skills.values():
        for rate in (skill.precision, skill.recall, skill.f1):
            assert 0 <= rate.low <= rate.value <= rate.high <= 1
        if skill.precision.n:
            low, high = sorted((skill.precision.value, skill.recall.value))
            assert low - 1e-9 <= skill.f1.value <= high + 1e-9


def test_a_perfect_tagger_has_no_error() -> None:
    exact = [frozenset({"counting"}), frozenset({"colour", "counting"})] * 20
    error = tagging_error(exact, exact, range(40))
    assert error.macro_f1.value == error.same.value == 1.0
    assert error.outside == {}


def test_the_interval_of_f1_covers_it_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    covered = 0
    # 80 % of those that need it are found, 10 % of the others claimed; half need it: F1 = 2·.4/(.5+.45).
    truth = 2 * 0.4 / (0.5 + 0.45)
    for _ in range(60):
        needs = random.random(200) < 0.5
        says = random.random(200) < np.where(needs, 0.8, 0.1)
        said, exact = ([frozenset({"x"} if yes else ()) for yes in flags] for flags in (says, needs))
        f1 = tagging_error(said, exact, range(200)).skills["x"].f1
        covered += f1.low <= truth <= f1.high
    assert covered >= 52


def test_topics_that_are_the_classes_agree_and_random_ones_do_not() -> None:
    random = np.random.default_rng(1)
    classes = [str(kind) for kind in random.integers(4, size=400)]
    images = [i // 4 for i in range(400)]
    same = topic_agreement([f"t{kind}" for kind in classes], classes, images)
    assert same.purity.value == same.nmi.value == same.ari.value == 1.0
    by_chance = topic_agreement([str(topic) for topic in random.integers(4, size=400)], classes, images)
    assert by_chance.ari.low <= 0.02
    assert by_chance.ari.high < 0.1
    assert by_chance.purity.value < 0.4


def test_questions_without_a_topic_are_told_apart() -> None:
    topics = ["a"] * 30 + ["b"] * 30 + [None] * 40
    agreement = topic_agreement(topics, ["x"] * 30 + ["y"] * 70, range(100))
    assert agreement.assigned.value == pytest.approx(0.6)
    assert agreement.purity.value == 1.0
    assert agreement.purity.n == 60
    assert agreement.topics == 2


def test_lists_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="as many"):
        tagging_error([frozenset()], [], [])
    with pytest.raises(ValueError, match="at least one question with a topic"):
        topic_agreement([None], ["x"], [0])
