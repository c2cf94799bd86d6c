"""What has been seen once tells what has not been seen at all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.diagnose.richness import chao1, kinds_in_all, missing_mass

counts = st.lists(st.integers(0, 40), max_size=30)


def each(seen: list[int]) -> list[int]:
    """As many failures of every kind as it was seen, each on a picture of its own."""
    return [kind for kind, count in enumerate(seen) for _ in range(count)]


@given(counts)
def test_the_missing_mass_is_a_probability_within_its_interval(seen: list[int]) -> None:
    rate = missing_mass(each(seen))
    assert 0 <= rate.low <= rate.value <= rate.high <= 1
    assert rate.n == sum(seen)


@given(counts)
def test_there_are_at_least_as_many_modes_as_were_seen(seen: list[int]) -> None:
    modes = sum(count > 0 for count in seen)
    rate = chao1(seen)
    assert modes <= rate.low <= rate.value <= rate.high


def test_when_everything_was_seen_often_nothing_is_missing() -> None:
    assert missing_mass(each([5, 8, 13])).value == 0
    assert chao1([5, 8, 13]).value == 3


@pytest.mark.parametrize(
    ("seen", "high"),
    [([1], 3.08), ([2, 2], 3.41), ([5, 3, 1], 3.93), ([5, 8, 13], 3.05)],  # equation 14, by hand
)
def test_an_estimate_of_none_unseen_is_no_certainty(seen: list[int], high: float) -> None:
    rate = chao1(seen)
    assert (rate.value, rate.low) == (len(seen), len(seen))
    assert rate.high == pytest.approx(high, abs=0.005)


def test_the_more_often_all_kinds_were_seen_the_fewer_can_be_missing() -> None:
    highs = [chao1([times] * 4).high for times in (2, 3, 5, 40)]
    assert highs == sorted(highs, reverse=True)
    assert highs[-1] == pytest.approx(4)


def test_nothing_seen_estimates_nothing() -> None:
    assert chao1([]) == chao1([0, 0]) == kinds_in_all([])


def test_no_failure_yet_says_nothing_of_what_is_missing() -> None:
    rate = missing_mass([])
    assert (rate.low, rate.high, rate.n) == (0, 1, 0)


def test_the_missing_mass_is_the_share_of_the_next_failures_that_are_of_no_known_kind() -> None:
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.full(60, 0.5))
    covered, truth, estimates = [], [], []
    for _ in range(300):
        seen = random.multinomial(80, shares)
        rate = missing_mass(each(seen.tolist()))
        unknown = float(shares[seen == 0].sum())
        truth.append(unknown)
        estimates.append(rate.value)
        covered.append(rate.low <= unknown <= rate.high)
    assert np.mean(estimates) == pytest.approx(np.mean(truth), abs=0.01)
    assert np.mean(covered) >= 0.9


def test_chao1_finds_the_number_of_equally_frequent_modes() -> None:
    random = np.random.default_rng(1)
    rates = [chao1(random.multinomial(60, np.full(50, 1 / 50)).tolist()) for _ in range(300)]
    assert np.mean([rate.value for rate in rates]) == pytest.approx(50, rel=0.08)
    assert np.mean([rate.low <= 50 <= rate.high for rate in rates]) >= 0.9


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 12)), max_size=40),
    st.sets(st.integers(0, 8)),
)
def test_the_missing_mass_lies_within_its_interval_and_finds_from_elsewhere_only_lower_it(
    failures: list[tuple[int, int]], elsewhere: set[int]
) -> None:
    kinds, images = [kind for kind, _ in failures], [image for _, image in failures]
    others = {kind: {"another"} for kind in elsewhere}
    alone, together = missing_mass(kinds, images), missing_mass(kinds, images, others)
    assert 0 <= together.low <= together.value <= together.high <= 1
    assert together.value <= alone.value
    in_all = kinds_in_all(kinds, images, others)
    assert len({*kinds, *elsewhere}) <= in_all.low <= in_all.value <= in_all.high


def test_a_kind_that_one_image_showed_twice_was_still_seen_by_one_image_only() -> None:
    assert missing_mass(["hue", "hue", "count"], ["a", "a", "b"]).value == 1
    assert missing_mass(["hue", "hue", "count"], ["a", "b", "b"]).value == pytest.approx(1 / 3)


def test_a_kind_that_failed_twice_on_one_image_does_not_count_as_seen_twice() -> None:
    assert missing_mass(["a", "a", "b", "b"], [1, 1, 2, 2]).value == 1
    assert missing_mass(["a", "a", "b", "b"], [1, 3, 2, 2]).value == 0.5


def test_finds_elsewhere_on_the_very_same_image_make_nothing_known() -> None:
    kinds, images = ["hue", "count", "count"], ["a", "b", "c"]
    assert missing_mass(kinds, images, {"hue": {"a"}}) == missing_mass(kinds, images)
    assert missing_mass(kinds, images, {"hue": {"a", "d"}}).value == 0
    assert kinds_in_all(kinds, images, {"hue": {"a"}}) == kinds_in_all(kinds, images)


class Search:
    """Kinds of failure of very unequal size; a guided questioner that asks more of what failed; uniform questions.

    Three failures in ten come with a second one of the same kind about the same image.
    """

    def __init__(self, seed: int, guided: int, uniform: int) -> None:
        random = np.random.default_rng(seed)
        self.shares = random.dirichlet(np.full(80, 0.3))
        weight, self.guided, self.selection = np.ones(80), [], []
        for _ in range(guided):
            chance = self.shares * weight / (self.shares @ weight)
            kind = int(random.choice(80, p=chance))
            self.guided.append(kind)
            # The chance that a proposal of this kind is picked, of some thousand proposals in all.
            self.selection.append(min(1.0, 0.02 * weight[kind]))
            weight[kind] = min(weight[kind] * 3, 50.0)
        self.kinds: list[int] = []
        self.images: list[int] = []
        for image, kind in enumerate(random.choice(80, size=uniform, p=self.shares)):
            copies = 2 if random.random() < 0.3 else 1
            self.kinds += [int(kind)] * copies
            self.images += [image] * copies

    @property
    def truth(self) -> float:
        return float(self.shares[sorted(set(range(80)) - set(self.kinds) - set(self.guided))].sum())


@pytest.mark.parametrize(("guided", "uniform"), [(60, 60), (150, 200), (0, 40)])
def test_the_interval_of_the_missing_mass_covers_what_is_really_missing(guided: int, uniform: int) -> None:
    searches = [Search(seed, guided, uniform) for seed in range(120)]
    rates = [missing_mass(s.kinds, s.images, dict.fromkeys(s.guided, (-1,))) for s in searches]
    truth = [search.truth for search in searches]
    assert np.mean([r.value for r in rates]) == pytest.approx(np.mean(truth), abs=0.012)
    assert np.mean([r.low <= t <= r.high for r, t in zip(rates, truth, strict=True)]) >= 0.9
    assert np.mean([t <= r.high for r, t in zip(rates, truth, strict=True)]) >= 0.95


def test_weighting_guided_finds_by_their_selection_would_promise_too_much() -> None:
    """Why only failures of uniform questions are counted: the Horvitz–Thompson estimate is far too low."""
    weighted, truth = [], []
    for seed in range(120):
        search = Search(seed, guided=150, uniform=0)
        once = [kind for kind in set(search.guided) if search.guided.count(kind) == 1]
        mass = [1 / chance for chance in search.selection]
        alone = [m for m, kind in zip(mass, search.guided, strict=True) if kind in once]
        weighted.append(sum(alone) / sum(mass))
        truth.append(search.truth)
    assert np.mean(weighted) < 0.8 * np.mean(truth)
