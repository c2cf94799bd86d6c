"""Candidates in order: exact paired tests, and ranks that are no surer than the tests."""

from __future__ import annotations

from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from scotoma.diagnose.ranking import rank
from scotoma.diagnose.statistics import holm, paired_test

pairs = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 6)), min_size=1, max_size=40)


class TestPairedTest:
    @given(pairs)
    def test_with_one_question_per_image_it_is_mcnemars_exact_test(
        self, rows: list[tuple[bool, bool, int]]
    ) -> None:
        a, b = [row[0] for row in rows], [row[1] for row in rows]
        gained = sum(x and not y for x, y in zip(a, b, strict=True))
        lost = sum(y and not x for x, y in zip(a, b, strict=True))
        n, k = gained + lost, min(gained, lost)
        exact = min(1.0, 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n)
        assert paired_test(a, b) == pytest.approx(exact)

    @settings(max_examples=40)
    @given(pairs)
    def test_it_is_what_swapping_whole_images_gives(self, rows: list[tuple[bool, bool, int]]) -> None:
        """By brute force over all 2^images swaps."""
        images = [row[2] for row in rows]
        sums = np.zeros(7)
        for a, b, image in rows:
            sums[image] += float(a) - float(b)
        signs = np.array(np.meshgrid(*[[-1, 1]] * 7)).reshape(7, -1)
        swapped = np.abs(sums @ signs)
        expected = float(np.mean(swapped >= abs(sums.sum())))
        assert paired_test([row[0] for row in rows], [row[1] for row in rows], images) == pytest.approx(
            expected
        )

    @given(pairs)
    def test_it_does_not_matter_who_comes_first(self, rows: list[tuple[bool, bool, int]]) -> None:
        a, b, images = [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
        assert paired_test(a, b, images) == pytest.approx(paired_test(b, a, images))
        assert 0 < paired_test(a, b, images) <= 1

    def test_questions_about_one_image_are_no_independent_witnesses(self) -> None:
        better, worse = [1] * 20, [0] * 20
        assert paired_test(better, worse) < 1e-5
        assert paired_test(better, worse, ["same"] * 20) == 1

    def test_it_errs_no_more_often_than_it_says_where_images_fail_as_a_whole(self) -> None:
        random = np.random.default_rng(0)
        images = np.repeat(np.arange(60), 8)
        p_values = []
        for _ in range(400):
            hard = random.beta(1, 4, size=(2, 60))  # each candidate has images of its own that it fails
            wrong = random.random((2, 480)) < np.repeat(hard, 8, axis=1)
            p_values.append(paired_test(~wrong[0], ~wrong[1], images))
        assert np.mean(np.array(p_values) <= 0.05) <= 0.075

    def test_thousands_of_images_are_no_trouble(self) -> None:
        random = np.random.default_rng(1)
        a, b = random.random((2, 8000)) < np.array([[0.9], [0.8]])
        assert 0 <= paired_test(a, b, np.repeat(np.arange(4000), 2)) < 1e-20

    def test_paired_values_must_be_as_many(self) -> None:
        with pytest.raises(ValueError, match="differ in number"):
            paired_test([1], [1, 0])


@settings(max_examples=25)
@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_is_the_step_down_of_bonferroni(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    order = np.argsort(p_values, kind="stable")
    running = 0.0
    for place, i in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - place) * p_values[i]))
        assert adjusted[i] == pytest.approx(running)


def answers(accuracies: list[float], images: int, seed: int) -> tuple[list[Any], Any]:
    """Five questions an image; some images are harder for everybody."""
    random = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(images), 5)
    hardness = np.repeat(random.normal(0, 0.5, images), 5)
    noise = random.normal(size=(len(accuracies), len(clusters)))
    cut = stats.norm.ppf(np.array(accuracies)) * np.sqrt(1.25)
    return [cut[i] + hardness + noise[i] > 0 for i in range(len(accuracies))], clusters


class TestRank:
    def test_the_best_comes_first_and_every_pair_is_told_better_first(self) -> None:
        correct, images = answers([0.6, 0.9, 0.75], images=200, seed=0)
        ranked = rank(correct, images)
        assert [standing.rank.value for standing in ranked.standings] == [3, 1, 2]
        assert {(pair.first, pair.second) for pair in ranked.pairs} == {(1, 0), (1, 2), (2, 0)}
        for pair in ranked.pairs:
            assert pair.difference.value > 0
            assert pair.difference.value == pytest.approx((pair.first_only - pair.second_only) / 1000)
            assert pair.p_value <= pair.p_holm < 0.01
        assert all(s.rank.low == s.rank.value == s.rank.high for s in ranked.standings)

    def test_equals_share_a_rank_and_nothing_is_sure(self) -> None:
        correct, images = answers([0.8], images=40, seed=1)
        ranked = rank([correct[0]] * 3, images)
        assert [(s.rank.low, s.rank.value, s.rank.high) for s in ranked.standings] == [(1, 1, 3)] * 3
        assert all(pair.p_value == 1 for pair in ranked.pairs)

    @settings(max_examples=20)
    @given(st.integers(0, 10_000), st.lists(st.floats(0.3, 0.9), min_size=2, max_size=5))
    def test_a_rank_lies_within_its_interval(self, seed: int, accuracies: list[float]) -> None:
        ranked = rank(*answers(accuracies, images=12, seed=seed))
        for standing in ranked.standings:
            assert 1 <= standing.rank.low <= standing.rank.value <= standing.rank.high <= len(accuracies)

    def test_all_intervals_together_cover_the_true_ranks(self) -> None:
        """Near-ties included, which is where a bootstrap of ranks fails."""
        true = [0.80, 0.79, 0.70, 0.70]
        covered = []
        for seed in range(25):
            ranked = rank(*answers(true, images=60, seed=seed))
            covered.append(
                all(
                    standing.rank.low <= 1 + sum(other > own for other in true)
                    and standing.rank.high >= len(true) - sum(other < own for other in true)
                    for standing, own in zip(ranked.standings, true, strict=True)
                )
            )
        assert np.mean(covered) >= 0.93
