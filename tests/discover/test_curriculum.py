"""The curriculum: what counts as complex, when the level rises, and what a level changes."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.core import ConfigError, Tags
from scotoma.discover import loop
from scotoma.discover.curriculum import Curriculum, complexity
from scotoma.discover.interview import Interview
from scotoma.discover.settings import DiscoverSettings
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.store.run import Run
from scotoma.verify.facts import FactsVerifier
from tests.scripted import Candidate

WISHES = ("counting", "colour", "composition")
SIMPLE: Tags = {"skill": ("counting",)}
COMPOSED: Tags = {"skill": ("counting", "horizontal", "reading")}


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, 1),
        ({"skill": ()}, 1),
        ({"skill": "reading"}, 1),
        ({"skill": ("counting",), "size": ("large",)}, 1),
        ({"skill": ("counting", "vertical")}, 2),
        ({"skill": ("counting",), "size": ("small",)}, 2),
        ({"skill": ("counting",), "occluded": True}, 2),
        ({"skill": ("counting",), "attributes": 3}, 2),
        ({"skill": ("a", "b", "c"), "size": ("large", "small"), "occluded": True, "attributes": 3}, 6),
    ],
)
def test_complexity_counts_skills_and_fine_details(tags: Tags, expected: int) -> None:
    assert complexity(tags) == expected


def taught(curriculum: Curriculum, yields: list[float], tags: Tags = COMPOSED) -> Curriculum:
    """After proposals of both kinds, and answered questions with these yields."""
    curriculum.learn([("counting", SIMPLE), ("composition", COMPOSED)], [(tags, value) for value in yields])
    return curriculum


def test_the_level_rises_when_the_yield_has_stopped_rising() -> None:
    curriculum = Curriculum("progressive", window=10)
    assert taught(curriculum, [0.1] * 10 + [0.9] * 9).level == 1  # too few to tell
    assert taught(curriculum, [0.9]).level == 1  # still rising
    assert taught(curriculum, [0.9] * 10).level == 2  # as high as before


def test_failures_that_are_nothing_new_saturate_a_level() -> None:
    falling = Curriculum("progressive", window=10)
    assert taught(falling, [1 - 0.04 * i for i in range(20)]).level == 2


def test_only_questions_at_the_level_speak_for_it() -> None:
    curriculum = taught(Curriculum("progressive", window=5), [0.5] * 10)
    assert curriculum.level == 2
    assert taught(curriculum, [0.5] * 100, SIMPLE).level == 2
    assert taught(curriculum, [0.5] * 10).level == 3


def test_the_level_stays_below_what_is_ever_proposed() -> None:
    curriculum = Curriculum("progressive", window=5)
    for _ in range(20):
        taught(curriculum, [0.5] * 10)
    assert curriculum.level == complexity(COMPOSED)


def test_off_learns_nothing_and_changes_nothing() -> None:
    curriculum = Curriculum("off", window=5)
    for _ in range(20):
        taught(curriculum, [0.5] * 10)
    assert curriculum.level == 1
    assert curriculum.wishes(random.Random(3), WISHES, 2) == random.Random(3).sample(WISHES, 2)
    [portion] = curriculum.portions([SIMPLE, COMPOSED], 1)
    assert (portion.indices, portion.count) == ((0, 1), 1)


def risen() -> Curriculum:
    curriculum = Curriculum("progressive", window=5)
    for _ in range(10):
        taught(curriculum, [0.5] * 10)
    return curriculum


def test_wishes_that_lead_to_the_level_come_up_more_often() -> None:
    rng, curriculum = random.Random(0), risen()
    first = Counter(curriculum.wishes(rng, WISHES, 1)[0] for _ in range(500))
    assert first["composition"] > 2 * first["counting"] > 0
    assert first["colour"] > first["counting"]  # never tried: it may lead anywhere


@given(st.lists(st.sampled_from([SIMPLE, COMPOSED]), max_size=30), st.integers(0, 20))
def test_as_many_are_asked_as_can_be_and_half_of_them_at_the_level(pool: list[Tags], count: int) -> None:
    portions = risen().portions(pool, count)
    assert sum(portion.count for portion in portions) == min(count, len(pool))
    assert sorted(i for portion in portions for i in portion.indices) == list(range(len(pool)))
    assert all(0 <= portion.count <= len(portion.indices) for portion in portions)
    high = portions[0]
    assert all(complexity(pool[i]) >= risen().level for i in high.indices)
    assert high.count >= min(len(high.indices), count // 2)


def test_a_level_that_yields_little_is_seldom_asked_about() -> None:
    barren, rich = risen(), risen()
    pool = [SIMPLE, COMPOSED] * 20
    assert barren.portions(pool, 20)[0].count == 10  # not known yet
    barren.learn([], [(COMPOSED, 0.05)] * 5 + [(SIMPLE, 0.6)] * 5)
    rich.learn([], [(COMPOSED, 0.6)] * 5 + [(SIMPLE, 0.1)] * 5)
    assert barren.portions(pool, 20)[0].count == 2
    assert rich.portions(pool, 20)[0].count == 10


def test_no_wishes_are_one_prompt_without_a_wish() -> None:
    assert Curriculum("progressive").wishes(random.Random(0), (), 0) == [None]


@given(st.lists(st.tuples(st.sampled_from([SIMPLE, COMPOSED]), st.floats(0, 1)), max_size=120))
def test_its_state_carries_it_over_a_stop(answered: list[tuple[Tags, float]]) -> None:
    half = len(answered) // 2
    whole, stopped = Curriculum("progressive", window=8), Curriculum("progressive", window=8)
    proposals = [("composition", COMPOSED), (None, SIMPLE)]
    for curriculum in (whole, stopped):
        curriculum.learn(proposals, answered[:half])
    resumed = Curriculum("progressive", window=8)
    resumed.restore(json.loads(json.dumps(stopped.state())))
    for curriculum in (whole, resumed):
        curriculum.learn(proposals, answered[half:])
    assert resumed.state() == whole.state()
    assert resumed.wishes(random.Random(1), WISHES, 2) == whole.wishes(random.Random(1), WISHES, 2)


@pytest.mark.parametrize("state", [{}, {"level": "high", "yields": [], "proposed": {}}])
def test_a_damaged_state_is_refused(state: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="curriculum cannot be read"):
        Curriculum("progressive").restore(state)


SETTINGS = DiscoverSettings(
    questioner="tests.scripted:Questioner",
    prompts="chat",
    reinforce=False,
    curriculum="progressive",
    steps=4,
    images=6,
    queries=64,
    block=2,
)


def discovered(path: Path, steps: int = SETTINGS.steps) -> Run:
    settings = SETTINGS.model_copy(update={"steps": steps})
    with Run.open(path, command="discover", config={}) as run:
        loop.ask_all(run, ShapesWorld(), Interview(Candidate(), FactsVerifier()), settings, seed=0)
    return Run.read(path)


def test_in_a_run_the_level_rises_and_is_kept_to_and_a_stop_changes_nothing(tmp_path: Path) -> None:
    discovered(tmp_path / "stopped", steps=2)
    resumed, whole = discovered(tmp_path / "stopped"), discovered(tmp_path / "whole")
    assert resumed.ledger.observations("discover") == whole.ledger.observations("discover")
    assert resumed.ledger.curve("discover") == whole.ledger.curve("discover")
    levels = [point.value for point in whole.ledger.curve("discover", name="level")]
    assert levels == sorted(levels)
    assert levels[-1] > 1
    last = [o for o in whole.ledger.observations("discover") if o.step == SETTINGS.steps - 1]
    assert 2 * sum(complexity(o.tags) >= levels[-2] for o in last) >= len(last)
