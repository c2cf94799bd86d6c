"""Topics: clusters of embeddings with a name and a border, which decide on questions that no fit has seen."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.core import Condition, Predicate
from scotoma.diagnose.topics import NO_TOPIC, TopicModel, Vectors, cluster, distinctive_terms, fit_topics

THINGS = ("cups", "dogs", "signs", "clouds", "hats", "trees")


def corpus(n: int, seed: int) -> tuple[list[str], Vectors, list[int]]:
    """Questions about six kinds of things, and vectors that lie near one of six directions."""
    random = np.random.default_rng(seed)
    kinds = [int(kind) for kind in random.integers(len(THINGS), size=n)]
    questions = [f"how many {THINGS[kind]} are near table {i} ?" for i, kind in enumerate(kinds)]
    directions = np.random.default_rng(99).normal(size=(len(THINGS), 32))
    vectors = directions[kinds] + 0.25 * random.normal(size=(n, 32))
    return questions, vectors.astype(np.float32), kinds


@pytest.fixture(scope="module")
def model() -> TopicModel:
    questions, vectors, _ = corpus(300, seed=1)
    return fit_topics(questions, vectors, cluster(vectors), embedder="test", found_by="test")


def test_each_kind_is_a_topic_named_by_what_only_it_speaks_of(model: TopicModel) -> None:
    assert {topic.terms[0] for topic in model.topics} == set(THINGS)
    assert all(topic.name.startswith(topic.terms[0]) for topic in model.topics)
    assert sum(topic.questions for topic in model.topics) == 300
    sizes = [topic.questions for topic in model.topics]
    assert sizes == sorted(sizes, reverse=True)


def test_new_questions_are_assigned_to_their_kind(model: TopicModel) -> None:
    _, vectors, kinds = corpus(400, seed=2)
    assigned = model.assign(vectors)
    right = [
        topic is not None and topic.terms[0] == THINGS[kind]
        for topic, kind in zip(assigned, kinds, strict=True)
    ]
    wrong = [
        topic is not None and topic.terms[0] != THINGS[kind]
        for topic, kind in zip(assigned, kinds, strict=True)
    ]
    assert np.mean(right) > 0.85
    assert not any(wrong)


def test_what_is_far_from_everything_has_no_topic(model: TopicModel) -> None:
    far = np.random.default_rng(5).normal(size=(50, 32)).astype(np.float32)
    assert [topic for topic in model.assign(far) if topic is not None] == []
    assert model.assign(np.zeros((1, 32), dtype=np.float32)) == [None]


def test_membership_depends_on_direction_alone_and_not_on_the_company(model: TopicModel) -> None:
    _, vectors, _ = corpus(40, seed=3)
    whole = model.assign(vectors)
    assert model.assign(7 * vectors) == whole
    assert [model.assign(row[None])[0] for row in vectors] == whole


def test_questions_that_are_all_as_near_to_the_centroid_all_belong() -> None:
    # Seven coordinates in common and one of its own: every cosine to the mean is the same.
    vectors = np.concatenate([np.ones((26, 7)), np.eye(26)], axis=1).astype(np.float32)
    model = fit_topics(["a cup ?"] * 26, vectors, np.zeros(26, dtype=np.intp), embedder="t", found_by="t")
    assert None not in model.assign(vectors)


def test_a_model_comes_back_from_its_json_and_decides_alike(model: TopicModel) -> None:
    again = TopicModel.model_validate_json(model.model_dump_json())
    _, vectors, _ = corpus(60, seed=4)
    assert again.assign(vectors) == model.assign(vectors)


def test_every_topic_belongs_to_a_wider_one_and_they_are_fewer(model: TopicModel) -> None:
    assert set(model.groups) == {topic.name for topic in model.topics}
    assert 1 < len(set(model.groups.values())) < len(model.topics)


def test_names_are_unique_and_can_stand_in_a_predicate() -> None:
    questions = [f"is the cup {word} ?" for word in ("red", "blue") for _ in range(10)] + ["is it so ?"] * 10
    vectors = np.repeat(np.eye(3, dtype=np.float32), 10, axis=0)
    model = fit_topics(questions, vectors, np.repeat(np.arange(3), 10), embedder="t", found_by="t")
    names = [topic.name for topic in model.topics]
    assert len(set(names)) == 3
    for name in names:
        predicate = Predicate(conditions=(Condition(key="topic", op="=", value=name),))
        assert Predicate.parse(str(predicate)).matches({"topic": name})


def test_without_clusters_there_are_no_topics() -> None:
    vectors = np.eye(6, dtype=np.float32)
    assert cluster(vectors).tolist() == [NO_TOPIC] * 6
    empty = fit_topics(["?"] * 6, vectors, cluster(vectors), embedder="t", found_by="t")
    assert empty.topics == ()
    assert empty.assign(vectors) == [None] * 6


def test_questions_of_stop_words_alone_do_not_disturb_the_clusters() -> None:
    _, vectors, _ = corpus(120, seed=6)
    blank = np.zeros((3, 32), dtype=np.float32)
    labels = cluster(np.concatenate([vectors, blank]))
    pairs = set(zip(labels[:120].tolist(), cluster(vectors).tolist(), strict=True))
    assert len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs}), (
        "another partition"
    )
    assert set(labels[120:].tolist()) == {NO_TOPIC}


def test_c_tf_idf_is_the_share_times_the_rarity() -> None:
    first, second = Counter(cup=3, the=3), Counter(dog=2, the=4)
    # A = 6 terms per class; W(cup, 1) = 3/6 · log(1 + 6/3) = .549, W(the, 1) = 3/6 · log(1 + 6/7) = .310;
    # W(the, 2) = 4/6 · log(1 + 6/7) = .413, W(dog, 2) = 2/6 · log(1 + 6/2) = .462
    assert distinctive_terms([first, second]) == [("cup", "the"), ("dog", "the")]


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 9), max_size=8).map(Counter), max_size=6
    )
)
def test_terms_of_a_class_occur_in_it(bags: list[Counter[str]]) -> None:
    terms = distinctive_terms(bags, most=3)
    assert len(terms) == len(bags)
    for bag, best in zip(bags, terms, strict=True):
        assert set(best) <= set(bag)
        assert len(best) == min(3, len(bag))
