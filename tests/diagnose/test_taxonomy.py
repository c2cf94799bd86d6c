"""The taxonomy: every answered question stands under its skills, their combination and its topic; none is lost."""

from __future__ import annotations

import numpy as np
import pytest

from scotoma.core import Observation, Tag, Verdict
from scotoma.diagnose.taxonomy import NO_TOPIC, Taxonomy, taxonomy, topic_path
from tests.tagworld import ask, observation


@pytest.fixture(scope="module")
def found() -> Taxonomy:
    return taxonomy(ask(1200, seed=3, regions={"type=read": 0.8}))


def test_a_question_stands_under_each_skill_it_needs_and_in_one_topic() -> None:
    rows = [
        observation("a", "i", {"skill": ("colour", "counting"), "topic": "cups"}, failed=True),
        observation("b", "i", {"skill": ("counting",), "topic": "cups"}, failed=False),
        observation("c", "j", {"skill": ("counting",), "topic": "plates"}, failed=False),
    ]
    found = taxonomy(rows, {"cups": "kitchen", "plates": "kitchen"})
    assert {taxon.path: (taxon.failures, taxon.questions) for taxon in found.by_skill} == {
        ("colour",): (1, 1),
        ("colour", "colour+counting"): (1, 1),
        ("colour", "colour+counting", "cups"): (1, 1),
        ("counting",): (1, 3),
        ("counting", "colour+counting"): (1, 1),
        ("counting", "colour+counting", "cups"): (1, 1),
        ("counting", "counting"): (0, 2),
        ("counting", "counting", "cups"): (0, 1),
        ("counting", "counting", "plates"): (0, 1),
    }
    assert [taxon.path for taxon in found.by_topic] == [
        ("kitchen",), ("kitchen", "cups"), ("kitchen", "plates"),
    ]  # fmt: skip
    assert (found.questions, found.skills, found.combinations, found.topics) == (3, 2, 2, 2)


def test_parents_come_before_children_and_hold_what_these_hold(found: Taxonomy) -> None:
    for tree in (found.by_skill, found.by_topic):
        seen = {taxon.path: taxon for taxon in tree}
        for number, taxon in enumerate(tree):
            if taxon.depth > 1:
                assert taxon.path[:-1] in [before.path for before in tree[:number]]
        for path, taxon in seen.items():
            below = [other for other in tree if other.path[:-1] == path]
            if below:
                assert sum(other.questions for other in below) == taxon.questions
                assert sum(other.failures for other in below) == taxon.failures


def test_siblings_with_more_failures_come_first(found: Taxonomy) -> None:
    widest = [taxon.failures for taxon in found.by_skill if taxon.depth == 1]
    assert widest == sorted(widest, reverse=True)


def test_topics_partition_the_questions(found: Taxonomy) -> None:
    assert sum(taxon.questions for taxon in found.by_topic if taxon.depth == 1) == found.questions == 1200


def test_only_answered_valid_questions_have_a_place() -> None:
    rows = ask(60, seed=1)
    noise = [
        row.model_copy(update={"verdict": verdict})
        for row in rows
        for verdict in (Verdict(valid=False, reason="ambiguous"), Verdict(valid=True, error="timeout"))
    ]
    assert taxonomy([*rows, *noise]) == taxonomy(rows)
    assert taxonomy(noise).by_skill == ()


def test_rates_are_corrected_for_how_questions_were_picked() -> None:
    random = np.random.default_rng(0)
    rows = []
    for i in range(4000):
        failed = bool(random.random() < 0.2)
        chance = 0.9 if failed else 0.3
        if random.random() < chance:
            tags: dict[str, Tag] = {"skill": ("counting",)}
            rows.append(observation(str(i), f"i{i // 4}", tags, failed=failed, selection=chance))
    [counting, *_] = taxonomy(rows).by_skill
    assert counting.failures / counting.questions > 0.35
    assert counting.failure_rate.low < 0.2 < counting.failure_rate.high


@pytest.mark.parametrize(
    ("tags", "groups", "path"),
    [
        (
            {"topic": "cups", "operation": "count", "asks": "how many"},
            {"cups": "kitchen"},
            ("kitchen", "cups"),
        ),
        ({"topic": "cups"}, {"cups": "cups"}, ("cups",)),
        ({"operation": "count", "asks": "how many"}, {"cups": "cups"}, (NO_TOPIC,)),
        ({"type": "composition", "operation": "count"}, {}, ("composition", "count")),
        ({"asks": "how many"}, {}, ("how many",)),
        ({}, {}, (NO_TOPIC,)),
    ],
)
def test_a_topic_is_what_was_found_then_what_is_exact_then_how_it_is_asked(
    tags: dict[str, Tag], groups: dict[str, str], path: tuple[str, ...]
) -> None:
    assert topic_path(tags, groups) == path


def test_the_top_of_a_tree_keeps_every_root_and_the_worst_children(found: Taxonomy) -> None:
    top = found.top(depth=2, most=1)
    roots = [taxon.path for taxon in found.by_skill if taxon.depth == 1]
    assert [taxon.path for taxon in top.by_skill if taxon.depth == 1] == roots
    for root in roots:
        children = [taxon for taxon in found.by_skill if taxon.path[:-1] == root]
        shown = [taxon for taxon in top.by_skill if taxon.path[:-1] == root]
        assert shown == (children[:1] if len(children) > 1 else [])
    assert max(taxon.depth for taxon in top.by_skill) == 2


def test_an_only_child_says_what_its_parent_says_and_is_not_shown() -> None:
    rows = [
        observation("a", "i", {"skill": ("colour",), "asks": "what colour"}, failed=True),
        observation("b", "j", {"skill": ("reading",), "asks": "what"}, failed=False),
        observation("c", "k", {"skill": ("reading",), "asks": "which"}, failed=True),
    ]
    top = taxonomy(rows).top(depth=3)
    assert [taxon.path for taxon in top.by_skill] == [("colour",), ("reading",)]
    assert [taxon.name for taxon in top.by_topic] == ["what colour", "which", "what"]


def test_a_rate_is_of_the_uniform_questions_where_there_are_any_and_never_of_both() -> None:
    def rows(skill: str, phase: str, failures: int, selection: float) -> list[Observation]:
        return [
            observation(
                f"{phase}{skill}{i}",
                f"{phase}{i}",
                {"skill": (skill,)},
                failed=i < failures,
                selection=selection,
            ).model_copy(update={"phase": phase})
            for i in range(20)
        ]

    asked = [
        *rows("counting", "baseline", 2, 1.0),
        *rows("counting", "discover", 12, 0.1),
        *rows("reading", "discover", 8, 0.1),
    ]
    counting, reading = (taxon for taxon in taxonomy(asked).by_skill if taxon.depth == 1)
    assert (counting.name, counting.failures, counting.questions, counting.uniform) == (
        "counting",
        14,
        40,
        20,
    )
    assert (counting.failure_rate.value, counting.failure_rate.n) == (0.1, 20)
    assert (reading.failure_rate.value, reading.failure_rate.n, reading.uniform) == (0.4, 20, 0)
