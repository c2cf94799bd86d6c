"""How far tags can be trusted: what a tagger says of questions against what they exactly need, and topics against that.

Per skill: precision (of those said to need it, the share that does), recall (of those that do, the share said to) and
their harmonic mean F1. For topics, which have no names in common with skills: how pure they are, and how far the two
partitions agree (NMI, and ARI, which is 0 for a partition by chance).

    error = tagging_error(said, exact, images)
    error.skills["counting"].recall.percent()       # '99.1 % [98.2, 99.6] n=1,204'
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from scotoma.core import Rate
from scotoma.diagnose.statistics import clustered_rate

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]
Skills = frozenset[str]

_RESAMPLES = 1000
_PARTITIONS = 200
"""Bootstrap resamples of the rates, and of the dearer agreements of partitions."""


class SkillError(BaseModel):
    """One skill. `precision.n` counts the questions said to need it, `recall.n` and `f1.n` those that do."""

    model_config = ConfigDict(frozen=True)

    precision: Rate
    recall: Rate
    f1: Rate


class TaggingError(BaseModel):
    """`skills` by name, `macro_f1` their unweighted mean, `same` the share of questions whose whole set is right.

    `outside` counts skills that the tagger named and the exact tags do not know: no rate counts them.
    """

    model_config = ConfigDict(frozen=True)

    questions: int
    skills: dict[str, SkillError]
    macro_f1: Rate
    same: Rate
    outside: dict[str, int] = Field(default_factory=dict)


class TopicAgreement(BaseModel):
    """Topics against classes, over the questions that have a topic: `assigned` says how many do.

    `purity` is the share of questions of their topic's most frequent class; the more topics, the higher it is.
    """

    model_config = ConfigDict(frozen=True)

    topics: int
    classes: int
    assigned: Rate
    purity: Rate
    nmi: Rate
    ari: Rate


def tagging_error(
    said: Sequence[Skills], exact: Sequence[Skills], images: Sequence[Hashable]
) -> TaggingError:
    """Compare skill sets, question by question. Intervals are clustered by image; F1's are bootstrapped, seeded.

    Raises:
        ValueError: the lists differ in length, or are empty.
    """
    if not len(said) == len(exact) == len(images) or not said:
        raise ValueError(
            f"{len(said)} tagged, {len(exact)} exact, {len(images)} images: as many of each, at least one"
        )
    names = sorted(frozenset().union(*exact))
    claimed = np.array([[name in skills for name in names] for skills in said], dtype=bool)
    needed = np.array([[name in skills for name in names] for skills in exact], dtype=bool)
    cluster = _numbered([str(image) for image in images])
    f1_draws = _resampled_f1(claimed, needed, cluster)
    skills: dict[str, SkillError] = {}
    for column, name in enumerate(names):
        yes, true = claimed[:, column], needed[:, column]
        skills[name] = SkillError(
            precision=clustered_rate(true[yes], cluster[yes].tolist()),
            recall=clustered_rate(yes[true], cluster[true].tolist()),
            f1=_interval(_f1(yes, true), f1_draws[:, column], int(true.sum())),
        )
    values = [skill.f1.value for skill in skills.values()]
    known = frozenset(names)
    return TaggingError(
        questions=len(said),
        skills=skills,
        macro_f1=_interval(float(np.mean(values)), f1_draws.mean(axis=1), len(said)),
        same=clustered_rate((claimed == needed).all(axis=1), cluster.tolist()),
        outside=dict(Counter(name for skills in said for name in skills - known).most_common()),
    )


def topic_agreement(
    topics: Sequence[str | None], classes: Sequence[str], images: Sequence[Hashable]
) -> TopicAgreement:
    """Compare a partition into topics with one into exact classes; intervals by a seeded bootstrap over images.

    A resample holds images twice, which agree with themselves: its mean is above the value, and that is taken off.

    Raises:
        ValueError: the lists differ in length, or no question has a topic.
    """
    has = np.array([topic is not None for topic in topics], dtype=bool)
    if not len(topics) == len(classes) == len(images) or not has.any():
        raise ValueError("as many topics as classes and images, and at least one question with a topic")
    cluster = _numbered([str(image) for image in images])
    found = _numbered([topic for topic in topics if topic is not None])
    true = _numbered([name for name, topic in zip(classes, topics, strict=True) if topic is not None])
    inside = cluster[has]
    measures: dict[str, Callable[[Indices, Indices], float]] = {
        "purity": _purity,
        "nmi": lambda a, b: float(normalized_mutual_info_score(b, a)),
        "ari": lambda a, b: float(adjusted_rand_score(b, a)),
    }
    rows_of = [np.flatnonzero(inside == image) for image in np.unique(inside)]
    rng = np.random.default_rng(0)
    draws: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(_PARTITIONS):
        rows = np.concatenate([rows_of[i] for i in rng.integers(len(rows_of), size=len(rows_of))])
        for name, measure in measures.items():
            draws[name].append(measure(found[rows], true[rows]))
    return TopicAgreement(
        topics=len(np.unique(found)),
        classes=len(np.unique(true)),
        assigned=clustered_rate(has, cluster.tolist()),
        **{
            name: _interval(value, value + np.array(draws[name]) - np.mean(draws[name]), int(has.sum()))
            for name, measure in measures.items()
            for value in [measure(found, true)]
        },
    )


def _numbered(labels: Sequence[str]) -> Indices:
    """The labels as numbers from 0."""
    return np.asarray(np.unique(np.array(labels), return_inverse=True)[1], dtype=np.intp)


def _f1(claimed: Mask, needed: Mask) -> float:
    """2 TP / (2 TP + FP + FN); 0 where nothing was claimed or needed."""
    return float(2 * (claimed & needed).sum() / max(1, claimed.sum() + needed.sum()))


def _resampled_f1(claimed: Mask, needed: Mask, cluster: Indices) -> Floats:
    """Resamples × skills: images drawn with replacement."""
    images, names = int(cluster.max()) + 1, claimed.shape[1]
    both, sums = np.zeros((images, names)), np.zeros((images, names))
    np.add.at(both, cluster, claimed & needed)
    np.add.at(sums, cluster, claimed.astype(float) + needed)
    rng = np.random.default_rng(0)
    counts = rng.multinomial(images, np.full(images, 1 / images), size=_RESAMPLES).astype(float)
    return np.asarray(2 * (counts @ both) / np.maximum(1, counts @ sums), dtype=np.float64)


def _purity(topics: Indices, classes: Indices) -> float:
    table = np.zeros((topics.max() + 1, classes.max() + 1))
    np.add.at(table, (topics, classes), 1)
    return float(table.max(axis=1).sum() / len(topics))


def _interval(value: float, draws: Floats, n: int) -> Rate:
    """The percentile interval, never leaving the value outside."""
    low, high = np.clip(np.quantile(draws, [0.025, 0.975]), 0, 1)
    return Rate(value=value, low=min(float(low), value), high=max(float(high), value), n=n)
