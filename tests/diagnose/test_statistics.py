"""Rates, tests and differences: what an interval promises is what it keeps, and images vary as wholes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.diagnose.statistics import (
    benjamini_hochberg,
    clustered_rate,
    excess_test,
    median,
    noninferiority,
    paired_difference,
    paired_test,
    weighted_rate,
    wilson,
)

outcomes = st.lists(st.booleans(), min_size=1, max_size=60)


def in_clusters(
    random: np.random.Generator, rate: float, images: int, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes whose images differ: each image has its own beta-distributed rate around `rate` (ρ = .2)."""
    own = random.beta(rate * 4, (1 - rate) * 4, images)
    return random.random((images, size)) < own[:, None], np.repeat(np.arange(images), size)


class TestWilson:
    @given(st.integers(0, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
    def test_the_interval_holds_the_value_and_stays_in_bounds(self, counts: tuple[int, int]) -> None:
        rate = wilson(*counts)
        assert 0 <= rate.low <= rate.value <= rate.high <= 1

    @given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
    def test_failures_and_successes_mirror_each_other(self, counts: tuple[int, int]) -> None:
        k, n = counts
        rate, mirrored = wilson(k, n), wilson(n - k, n)
        assert rate.low == pytest.approx(1 - mirrored.high)
        assert rate.value == pytest.approx(1 - mirrored.value)

    def test_nothing_seen_means_nothing_known(self) -> None:
        rate = wilson(0, 0)
        assert (rate.low, rate.high, rate.n) == (0, 1, 0)

    def test_more_successes_than_trials_are_refused(self) -> None:
        with pytest.raises(ValueError, match="11 successes out of 10"):
            wilson(11, 10)

    @pytest.mark.parametrize("truth", [0.03, 0.2, 0.5, 0.85])
    def test_it_covers_the_truth_about_95_times_in_100(self, truth: float) -> None:
        random = np.random.default_rng(0)
        covered = [
            rate.low <= truth <= rate.high
            for k in random.binomial(80, truth, 1000)
            for rate in [wilson(int(k), 80)]
        ]
        assert 0.92 <= np.mean(covered) <= 0.985


class TestClusteredRate:
    @given(outcomes, st.integers(1, 8))
    def test_the_interval_holds_the_value_and_stays_in_bounds(self, values: list[bool], images: int) -> None:
        rate = clustered_rate(values, [i % images for i in range(len(values))])
        assert 0 <= rate.low <= rate.value <= rate.high <= 1
        assert rate.value == pytest.approx(np.mean(values))
        assert rate.n == len(values)

    @given(outcomes)
    def test_it_is_never_surer_than_wilson(self, values: list[bool]) -> None:
        clustered, independent = clustered_rate(values), wilson(sum(values), len(values))
        assert clustered.high - clustered.low >= independent.high - independent.low - 1e-9

    @pytest.mark.parametrize("truth", [0.1, 0.4, 0.8])
    def test_it_covers_the_truth_where_wilson_is_far_too_sure(self, truth: float) -> None:
        random = np.random.default_rng(1)
        clustered, naive = [], []
        for _ in range(300):
            failed, images = in_clusters(random, truth, images=40, size=8)
            rate, plain = clustered_rate(failed.ravel(), images), wilson(int(failed.sum()), failed.size)
            clustered.append(rate.low <= truth <= rate.high)
            naive.append(plain.low <= truth <= plain.high)
        assert 0.91 <= np.mean(clustered) <= 0.99
        assert np.mean(naive) < 0.88

    def test_copies_of_an_answer_add_no_certainty(self) -> None:
        once = clustered_rate([1, 0, 1, 1, 0, 0, 1, 0], range(8))
        tenfold = clustered_rate(np.repeat([1, 0, 1, 1, 0, 0, 1, 0], 10), np.repeat(np.arange(8), 10))
        assert tenfold.low == pytest.approx(once.low, abs=0.01)
        assert tenfold.high == pytest.approx(once.high, abs=0.01)

    def test_all_wrong_on_three_images_is_no_proof(self) -> None:
        rate = clustered_rate([1] * 30, [i % 3 for i in range(30)])
        assert rate.low < 0.5

    def test_nothing_seen_means_nothing_known(self) -> None:
        rate = clustered_rate([])
        assert (rate.low, rate.high, rate.n) == (0, 1, 0)

    def test_labels_that_do_not_fit_are_refused(self) -> None:
        with pytest.raises(ValueError, match="2 values but 3 cluster labels"):
            clustered_rate([1, 0], ["a", "b", "c"])


class TestWeightedRate:
    def test_it_undoes_the_selection_of_failures(self) -> None:
        random = np.random.default_rng(2)
        covered, raw = [], []
        for _ in range(300):
            hard = random.random(3000) < 0.1
            failed = random.random(3000) < np.where(hard, 0.8, 0.1)
            chance = np.where(hard, 0.6, 0.08)
            asked = random.random(3000) < chance
            rate = weighted_rate(failed[asked], chance[asked])
            covered.append(rate.low <= 0.17 <= rate.high)
            raw.append(failed[asked].mean())
        assert np.mean(raw) > 0.35
        assert 0.91 <= np.mean(covered) <= 0.99

    @given(outcomes, st.floats(0.01, 1))
    def test_equal_chances_change_nothing(self, values: list[bool], chance: float) -> None:
        weighted, plain = weighted_rate(values, [chance] * len(values)), clustered_rate(values)
        assert weighted.value == pytest.approx(plain.value)
        assert weighted.low == pytest.approx(plain.low, abs=1e-6)

    @pytest.mark.parametrize("chance", [0.0, -0.1, 1.1])
    def test_impossible_chances_are_refused(self, chance: float) -> None:
        with pytest.raises(ValueError, match="probabilities"):
            weighted_rate([1, 0], [0.5, chance])


class TestExcessTest:
    def test_under_the_null_it_rejects_at_most_its_level(self) -> None:
        random = np.random.default_rng(3)
        p_values = []
        for _ in range(400):
            failed, images = in_clusters(random, 0.2, images=80, size=6)
            inside = random.random(failed.size) < 0.1
            p_values.append(excess_test(failed.ravel(), inside, images))
        assert np.mean(np.array(p_values) <= 0.05) <= 0.075
        assert np.mean(np.array(p_values) <= 0.5) == pytest.approx(0.5, abs=0.08)

    @pytest.mark.parametrize("base", [0.05, 0.5, 0.9, 0.95])
    @pytest.mark.parametrize("inside", [30, 120])
    def test_it_keeps_its_level_where_next_to_all_or_nothing_fails(self, base: float, inside: int) -> None:
        random = np.random.default_rng(5)
        member = np.arange(1000 + inside) < inside
        p_values = np.array([excess_test(random.random(len(member)) < base, member) for _ in range(1500)])
        # Expected at most 75, 15 and 7.5; the bounds are three standard deviations above.
        assert np.sum(p_values <= 0.05) <= 101
        assert np.sum(p_values <= 0.01) <= 27
        assert np.sum(p_values <= 0.005) <= 16

    @pytest.mark.parametrize(
        ("inside", "images", "size", "rate", "runs", "most"),
        [(12, 60, 8, 0.3, 400, 0.08), (40, 45, 20, 0.4, 800, 0.073)],
        ids=["few inside", "few outside"],
    )
    def test_a_mode_of_whole_images_is_not_counted_question_by_question(
        self, inside: int, images: int, size: int, rate: float, runs: int, most: float
    ) -> None:
        random = np.random.default_rng(4)
        rejected = []
        for _ in range(runs):
            failed, labels = in_clusters(random, rate, images=images, size=size)
            rejected.append(excess_test(failed.ravel(), labels < inside, labels) <= 0.05)
        assert np.mean(rejected) <= most

    def test_it_sees_a_plain_excess(self) -> None:
        failed = [1] * 18 + [0] * 2 + [0, 0, 0, 0, 1] * 40
        assert excess_test(failed, [True] * 20 + [False] * 200) < 1e-3

    def test_an_excess_of_successes_is_no_excess(self) -> None:
        assert excess_test([0] * 20 + [0, 1] * 100, [True] * 20 + [False] * 200) > 0.5

    @pytest.mark.parametrize("inside", [[True] * 4, [False] * 4])
    def test_without_a_comparison_nothing_is_shown(self, inside: list[bool]) -> None:
        assert excess_test([1, 1, 0, 1], inside) == 1.0

    def test_one_image_alone_shows_nothing(self) -> None:
        assert (
            excess_test([1] * 20 + [0] * 20, [True] * 20 + [False] * 20, ["x"] * 20 + list(range(20))) == 1.0
        )


class TestBenjaminiHochberg:
    p_values = st.lists(st.floats(0, 1), max_size=20)

    @given(p_values)
    def test_q_is_never_below_p_and_keeps_the_order(self, p_values: list[float]) -> None:
        q_values = benjamini_hochberg(p_values)
        assert all(p - 1e-12 <= q <= 1 for p, q in zip(p_values, q_values, strict=True))
        by_p = [q for _, q in sorted(zip(p_values, q_values, strict=True))]
        assert by_p == sorted(by_p)

    @given(p_values, st.integers(0, 19))
    def test_a_smaller_p_never_makes_any_q_larger(self, p_values: list[float], index: int) -> None:
        if not p_values:
            return
        smaller = list(p_values)
        smaller[index % len(p_values)] /= 2
        pairs = zip(benjamini_hochberg(smaller), benjamini_hochberg(p_values), strict=True)
        assert all(after <= before + 1e-12 for after, before in pairs)

    def test_it_is_the_textbook_procedure(self) -> None:
        assert benjamini_hochberg([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])


class TestPairedDifference:
    pairs = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 9)), min_size=1, max_size=50)

    @given(pairs)
    def test_the_interval_holds_the_value_and_stays_in_bounds(
        self, rows: list[tuple[bool, bool, int]]
    ) -> None:
        a, b, images = zip(*rows, strict=True)
        rate = paired_difference(a, b, images, resamples=200)
        assert -1 <= rate.low <= rate.value <= rate.high <= 1
        assert rate.value == pytest.approx(np.mean(a) - np.mean(b))

    @given(pairs)
    def test_swapping_the_arms_mirrors_the_difference(self, rows: list[tuple[bool, bool, int]]) -> None:
        a, b, images = zip(*rows, strict=True)
        forth, back = (
            paired_difference(a, b, images, resamples=200),
            paired_difference(b, a, images, resamples=200),
        )
        assert forth.low == pytest.approx(-back.high)
        assert forth.high == pytest.approx(-back.low)

    def test_it_covers_the_truth_about_95_times_in_100(self) -> None:
        random = np.random.default_rng(5)
        covered = []
        for repeat in range(300):
            own = random.beta(4, 4, 60)[:, None]
            before, after = random.random((60, 6)) < own * 0.6, random.random((60, 6)) < own
            rate = paired_difference(after.ravel(), before.ravel(), np.repeat(np.arange(60), 6), repeat, 500)
            covered.append(rate.low <= 0.2 <= rate.high)
        assert 0.91 <= np.mean(covered) <= 0.985

    def test_the_same_seed_gives_the_same_interval(self) -> None:
        a, b = np.random.default_rng(6).random((2, 40))
        assert paired_difference(a, b, seed=7) == paired_difference(a, b, seed=7)
        assert paired_difference(a, b, seed=7) != paired_difference(a, b, seed=8)

    @pytest.mark.parametrize("change", [-1, 0, 1])
    def test_images_that_all_differ_alike_do_not_prove_that_all_others_would(self, change: int) -> None:
        few, many = (paired_difference([change] * n, [0] * n, range(n)) for n in (3, 3000))
        assert few.value == many.value == change
        assert few.high - few.low > 0.5
        assert 0 < many.high - many.low < 0.005
        assert -1 <= few.low <= few.high <= 1

    def test_nothing_asked_means_nothing_known(self) -> None:
        rate = paired_difference([], [])
        assert (rate.low, rate.high, rate.n) == (-1, 1, 0)

    def test_arms_of_different_length_are_refused(self) -> None:
        with pytest.raises(ValueError, match="2 and 1"):
            paired_difference([1, 0], [1])


class TestPairedTest:
    def test_only_discordant_pairs_count(self) -> None:
        few, many = (
            paired_test([1] * 8 + [0] * 2, [0] * 8 + [1] * 2),
            paired_test([1] * 108 + [0] * 2, [0] * 8 + [1] * 102),
        )
        assert few == pytest.approx(many) == pytest.approx(0.109375)

    @given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80))
    def test_it_takes_no_side(self, rows: list[tuple[bool, bool]]) -> None:
        a, b = zip(*rows, strict=True)
        assert paired_test(a, b) == pytest.approx(paired_test(b, a))
        assert 0 <= paired_test(a, b) <= 1

    def test_no_disagreement_is_no_difference(self) -> None:
        assert paired_test([1, 0, 1], [1, 0, 1]) == 1.0


class TestNonInferiority:
    def test_no_change_at_all_holds(self) -> None:
        same = [1, 0, 1, 1] * 100
        assert noninferiority(paired_difference(same, same), margin=0.01) == "holds"

    def test_no_change_in_a_few_says_nothing(self) -> None:
        assert noninferiority(paired_difference([1, 0, 1], [1, 0, 1]), margin=0.02) == "undecided"

    def test_a_clear_fall_fails(self) -> None:
        assert noninferiority(paired_difference([0] * 60 + [1] * 140, [1] * 200), margin=0.01) == "fails"

    def test_a_handful_of_questions_decides_nothing(self) -> None:
        fall = paired_difference([1, 0, 1, 1, 1, 1], [1, 1, 1, 1, 0, 1])
        assert noninferiority(fall, margin=0.01) == "undecided"

    def test_a_gain_holds(self) -> None:
        gain = paired_difference([1] * 150 + [0] * 50, [1] * 100 + [0] * 100)
        assert noninferiority(gain, margin=0.01) == "holds"


class TestMedian:
    @given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
    def test_the_interval_holds_the_median_and_lies_within_the_values(self, values: list[float]) -> None:
        rate = median(values)
        assert min(values) <= rate.low <= rate.value <= rate.high <= max(values)
        assert rate.n == len(values)

    @pytest.mark.parametrize("n", [10, 31, 100])
    def test_it_covers_the_truth_at_least_95_times_in_100(self, n: int) -> None:
        random = np.random.default_rng(0)
        samples = random.beta(2, 5, (800, n))
        truth = 0.26444998329  # of Beta(2, 5)
        covered = np.mean([median(row).low <= truth <= median(row).high for row in samples.tolist()])
        assert 0.94 <= covered <= 1

    def test_no_values_are_refused(self) -> None:
        with pytest.raises(ValueError, match="no median"):
            median([])
