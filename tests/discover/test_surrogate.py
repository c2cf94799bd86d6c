"""The surrogate finds where the candidate fails, without staring at one skill and without bending the rates."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from scotoma.core import ConfigError, Tag
from scotoma.diagnose.statistics import weighted_rate
from scotoma.discover.surrogate import Selection, Surrogate, SurrogateSettings
from tests.tagworld import draw_tags, failure_rates

REGIONS = {
    "skill=counting and colour=blue and count>=2": 0.85,
    "shape=star and relation=above": 0.75,
    "type=read and background=stripes": 0.8,
    "negated=true and colour=red": 0.9,
    "things>=7 and type=size and colour=green": 0.9,
    "type=shape and size=large and background=dots": 0.85,
}
BASE, ASKED, PROPOSED, STEPS = 0.05, 64, 512, 50


@dataclass(frozen=True)
class Hunt:
    """What a whole discovery by surrogate saw."""

    tags: list[dict[str, Tag]]
    failed: np.ndarray
    probabilities: np.ndarray
    uniform_rate: float
    surrogate: Surrogate


def hunt(seed: int, steps: int = STEPS, **settings: float) -> Hunt:
    random = np.random.default_rng(seed)
    surrogate = Surrogate(SurrogateSettings.model_validate({"replicates": 8, **settings}))
    pool = draw_tags(6000, random)
    pool_rates = failure_rates(pool, BASE, REGIONS)
    tags, failed, chances, uniform = [], [], [], []
    for _ in range(steps):
        drawn = random.integers(len(pool), size=PROPOSED)
        proposals, rates = [pool[i] for i in drawn], pool_rates[drawn]
        picked = surrogate.choose(proposals, ASKED, random)
        answers = random.random(ASKED) < rates[list(picked.indices)]
        chosen = [proposals[i] for i in picked.indices]
        surrogate.observe(chosen, answers.tolist())
        tags += chosen
        failed += answers.tolist()
        chances += picked.probabilities
        uniform.append(rates.mean())
    return Hunt(tags, np.array(failed), np.array(chances), float(np.mean(uniform)), surrogate)


@pytest.fixture(scope="module")
def hunted() -> Hunt:
    return hunt(seed=0)


class TestHunt:
    def test_failures_come_two_and_a_half_times_as_often_as_at_random(self, hunted: Hunt) -> None:
        assert hunted.failed.mean() >= 2.5 * hunted.uniform_rate

    def test_the_failures_are_of_many_kinds(self, hunted: Hunt) -> None:
        failures = [tag for tag, failed in zip(hunted.tags, hunted.failed, strict=True) if failed]
        skills = {skill for tag in failures for skill in tag["skill"]}  # type: ignore[union-attr]
        [(_, most)] = Counter(tag["skills"] for tag in failures).most_common(1)
        assert len(skills) >= 6
        assert most <= 0.25 * len(failures)

    def test_the_logged_probabilities_give_back_the_uniform_rate(self, hunted: Hunt) -> None:
        corrected = weighted_rate(hunted.failed, hunted.probabilities)
        assert corrected.value == pytest.approx(hunted.uniform_rate, abs=0.03)
        assert hunted.failed.mean() > hunted.uniform_rate + 0.1

    def test_scores_tell_failing_questions_from_others(self, hunted: Hunt) -> None:
        fresh = draw_tags(1200, np.random.default_rng(99))
        inside = failure_rates(fresh, BASE, REGIONS) > BASE
        scores = hunted.surrogate.score(fresh)
        assert np.all((scores >= 0) & (scores <= 1))
        assert scores[inside].mean() > 2.5 * scores[~inside].mean()

    def test_observing_the_same_answers_again_rebuilds_it(self, hunted: Hunt) -> None:
        rebuilt = [Surrogate(), Surrogate()]
        for surrogate in rebuilt:
            surrogate.observe(hunted.tags, hunted.failed.tolist())
        fresh = draw_tags(60, np.random.default_rng(98))
        assert np.array_equal(rebuilt[0].score(fresh), rebuilt[1].score(fresh))


class TestChoose:
    def choose(
        self, n: int, proposals: int = 240, **settings: float
    ) -> tuple[Selection, list[dict[str, Tag]]]:
        random = np.random.default_rng(5)
        surrogate = Surrogate(SurrogateSettings.model_validate(settings))
        past = draw_tags(600, random)
        surrogate.observe(past, (random.random(600) < failure_rates(past, BASE, REGIONS)).tolist())
        tags = draw_tags(proposals, random)
        return surrogate.choose(tags, n, random), tags

    def test_it_picks_each_question_once_and_says_why(self) -> None:
        picked, tags = self.choose(60)
        assert len(set(picked.indices)) == len(picked.probabilities) == len(picked.reasons) == 60
        assert all(0 <= index < len(tags) for index in picked.indices)
        assert all(0 < chance <= 1 for chance in picked.probabilities)
        assert set(picked.reasons) == {"random", "thompson", "quota"}

    def test_about_the_random_share_is_picked_at_random(self) -> None:
        picked, _ = self.choose(120, proposals=1200, random_share=0.4, skill_share=0)
        assert 0.25 <= picked.reasons.count("random") / 120 <= 0.55

    def test_no_combination_of_skills_exceeds_its_quota(self) -> None:
        picked, tags = self.choose(60, proposals=600)
        assert max(Counter(tags[i]["skills"] for i in picked.indices).values()) <= 12

    def reading_picks(self, others_fail: float) -> int:
        random = np.random.default_rng(6)
        surrogate = Surrogate()
        past = draw_tags(900, random)
        surrogate.observe(past, [tag["skills"] == "reading" or random.random() < others_fail for tag in past])
        tags = draw_tags(600, random)
        return sum(tags[i]["skills"] == "reading" for i in surrogate.choose(tags, 100, random).indices)

    def test_a_combination_that_holds_most_failures_gets_less(self) -> None:
        assert self.reading_picks(others_fail=0.03) <= 10

    def test_where_nothing_else_fails_it_keeps_its_quota(self) -> None:
        assert self.reading_picks(others_fail=0.0) == 20

    def test_every_skill_that_is_proposed_gets_a_turn(self) -> None:
        picked, tags = self.choose(60, random_share=0)
        skills = {skill for i in picked.indices for skill in tags[i]["skill"]}  # type: ignore[union-attr]
        assert skills == {skill for tag in tags for skill in tag["skill"]}  # type: ignore[union-attr]

    def test_when_quotas_leave_too_few_the_rest_is_filled_up(self) -> None:
        surrogate, tags = Surrogate(), [{"skill": ("reading",), "digit": str(i)} for i in range(30)]
        picked = surrogate.choose(tags, 20, np.random.default_rng(0))
        assert len(picked.indices) == 20
        assert "fill" in picked.reasons

    def test_when_there_is_no_choice_everything_is_asked(self) -> None:
        picked = Surrogate().choose(draw_tags(5, np.random.default_rng(0)), 8, np.random.default_rng(0))
        assert picked.indices == (0, 1, 2, 3, 4)
        assert picked.probabilities == (1.0,) * 5

    def test_before_any_answer_every_question_has_about_the_same_chance(self) -> None:
        tags = draw_tags(300, np.random.default_rng(1))
        picked = Surrogate(SurrogateSettings(skill_share=0)).choose(tags, 60, np.random.default_rng(2))
        assert picked.probabilities == pytest.approx([0.2] * 60, abs=0.02)

    def test_the_same_generator_gives_the_same_choice(self) -> None:
        assert self.choose(30) == self.choose(30)


class TestObserve:
    def test_nothing_known_is_scored_alike(self) -> None:
        surrogate = Surrogate()
        surrogate.observe(draw_tags(8, np.random.default_rng(0)), [False] * 8)
        assert surrogate.score(draw_tags(3, np.random.default_rng(1))) == pytest.approx([0.1] * 3)

    def test_embeddings_tell_what_tags_do_not(self) -> None:
        random = np.random.default_rng(7)
        tags, vectors = draw_tags(900, random), random.normal(size=(900, 4)).astype(np.float32)
        surrogate = Surrogate()
        surrogate.observe(tags[:600], (vectors[:600, 0] > 0).tolist(), vectors[:600])
        scores = surrogate.score(tags[600:], vectors[600:])
        failing = vectors[600:, 0] > 0
        assert scores[failing].mean() > scores[~failing].mean() + 0.2

    def test_embeddings_now_and_then_are_refused(self) -> None:
        tags = draw_tags(6, np.random.default_rng(0))
        surrogate = Surrogate()
        surrogate.observe(tags, [True, False] * 3)
        with pytest.raises(ConfigError, match="embeddings"):
            surrogate.observe(tags, [True, False] * 3, np.zeros((6, 2), dtype=np.float32))

    def test_outcomes_must_match_the_questions(self) -> None:
        with pytest.raises(ConfigError, match="2 questions but 1 outcomes"):
            Surrogate().observe(draw_tags(2, np.random.default_rng(0)), [True])
