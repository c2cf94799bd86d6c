"""Topics: sets of questions that mean something alike, found in embeddings and named by their most telling terms.

A fitted model decides whether a new question belongs (nearest centroid, if near enough), so that a topic is a tag like
any other: `topic=cups, table` can name a failure mode, and be confirmed on questions that no fit has seen.

    labels = cluster(vectors)                                # or BERTopic's: scotoma.models.topics
    model = fit_topics(questions, vectors, labels, embedder="words", found_by="agglomerative")
    model.assign(other_vectors)[0].name                      # 'cups, table', or None: it is about none of them
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from math import floor, log

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.cluster import AgglomerativeClustering

from scotoma.diagnose.wording import content_words, wording_tags

Vectors = npt.NDArray[np.float32]
Labels = npt.NDArray[np.intp]

NO_TOPIC = -1
"""The label of a question that belongs to no cluster."""

_PLAIN_ASKING = frozenset({"is/are", "what", "which", "how", "instruction"})
"""Ways of asking that say nothing of what is asked; `how many` does."""


class Topic(BaseModel):
    """`name` is unique in its model, and what the tag `topic` says; `group` is the wider topic that holds it.

    `least` is the cosine to the centroid from which on a question belongs, in [0, 1]; `questions` counts those of the
    fit.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    group: str
    terms: tuple[str, ...]
    questions: int
    least: float


class TopicModel(BaseModel):
    """The topics of a run, the largest first: enough to decide on any question, embedded by the same `embedder`.

    `centroids` are the topics' unit vectors, float32 in base64, one row of `dimensions` numbers each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedder: str
    found_by: str
    topics: tuple[Topic, ...] = ()
    dimensions: int = Field(0, ge=0)
    centroids: str = ""

    def assign(self, vectors: Vectors) -> list[Topic | None]:
        """The topic of each row (n × dimensions): that of the nearest centroid, or None where even that is too far."""
        if not self.topics:
            return [None] * len(vectors)
        rows = np.frombuffer(base64.b64decode(self.centroids), dtype=np.float32)
        cosine = unit(vectors) @ rows.reshape(len(self.topics), self.dimensions).T
        nearest = cosine.argmax(axis=1)
        return [
            self.topics[topic] if cosine[row, topic] >= self.topics[topic].least else None
            for row, topic in enumerate(nearest)
        ]

    @property
    def groups(self) -> dict[str, str]:
        """Topic → the wider topic that holds it."""
        return {topic.name: topic.group for topic in self.topics}


def fit_topics(
    questions: Sequence[str], vectors: Vectors, labels: Labels, *, embedder: str, found_by: str
) -> TopicModel:
    """Name the clusters, and draw their borders so that 19 of 20 questions of a cluster lie within its own.

    Args:
        questions: the texts, each once.
        vectors: their embeddings, n × d.
        labels: their clusters, `NO_TOPIC` where they are in none.
        embedder: what made the vectors; whoever assigns later must use the same.
        found_by: what made the clusters.
    """
    rows = unit(vectors)
    clusters = [np.flatnonzero(labels == label) for label in sorted(set(labels.tolist()) - {NO_TOPIC})]
    clusters.sort(key=lambda members: (-len(members), int(members[0])))
    if not clusters:
        return TopicModel(embedder=embedder, found_by=found_by)
    centroids = unit(np.stack([rows[members].mean(axis=0) for members in clusters]))
    bags = [Counter(term for i in members.tolist() for term in _terms(questions[i])) for members in clusters]
    names = _distinct_names(distinctive_terms(bags))
    topics = tuple(
        Topic(
            name=name,
            group=group,
            terms=terms,
            questions=len(members),
            least=_least(rows[members] @ centroid),
        )
        for name, group, terms, members, centroid in zip(
            names, _groups(centroids, bags, names), distinctive_terms(bags), clusters, centroids, strict=True
        )
    )
    return TopicModel(
        embedder=embedder,
        found_by=found_by,
        topics=topics,
        dimensions=centroids.shape[1],
        centroids=base64.b64encode(centroids.astype(np.float32).tobytes()).decode("ascii"),
    )


def cluster(vectors: Vectors, smallest: int = 8, distance: float = 0.6) -> Labels:
    """Clusters without BERTopic: agglomerative, average linkage, cut at a cosine distance; the small ones are none.

    Memory grows with the square of the number of rows: 5,000 take about 200 MB.
    """
    if len(vectors) < 2:
        return np.full(len(vectors), NO_TOPIC, dtype=np.intp)
    # A zero vector (a question of stop words alone) has no cosine: a coordinate of its own keeps it apart.
    blank = ~vectors.any(axis=1, keepdims=True)
    rows = np.concatenate([vectors, blank.astype(np.float32)], axis=1)
    labels = AgglomerativeClustering(
        n_clusters=None, distance_threshold=distance, metric="cosine", linkage="average"
    ).fit_predict(rows)
    small = np.bincount(labels) < smallest
    return np.where(small[labels], NO_TOPIC, labels).astype(np.intp)


def distinctive_terms(bags: Sequence[Counter[str]], most: int = 6) -> list[tuple[str, ...]]:
    """The terms that tell each class from the others, most telling first, by c-TF-IDF (Grootendorst 2022, eq. 2).

    W = tf(t, c) · log(1 + A / f(t)): the term's share of the class's terms, times how rare it is in all classes
    together, A being the average number of terms per class.
    """
    everywhere: Counter[str] = sum(bags, Counter())
    average = everywhere.total() / max(1, len(bags))
    found = []
    for bag in bags:
        weights = {
            term: count / bag.total() * log(1 + average / everywhere[term]) for term, count in bag.items()
        }
        found.append(tuple(sorted(weights, key=lambda term: (-weights[term], term))[:most]))
    return found


def unit(vectors: Vectors) -> Vectors:
    """Rows of length 1; a zero row stays zero."""
    rows = np.atleast_2d(np.asarray(vectors, dtype=np.float32))
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1.0), dtype=np.float32)


def _least(cosines: Vectors) -> float:
    """The cosine that 19 of 20 reach, rounded down: questions that are all as near must all stay inside."""
    return max(0.05, floor((float(np.quantile(cosines, 0.05)) - 1e-5) * 1e4) / 1e4)


def _terms(question: str) -> tuple[str, ...]:
    """Its content words, and how it asks where that says something."""
    asks = str(wording_tags(question)["asks"])
    return content_words(question) + (() if asks in _PLAIN_ASKING else (asks,))


def _distinct_names(terms: Sequence[tuple[str, ...]]) -> list[str]:
    """Three terms each, and a fourth, fifth … or a number where another topic has the same."""
    names: list[str] = []
    for number, best in enumerate(terms, 1):
        options = [", ".join(best[:count]) for count in range(min(3, len(best)), len(best) + 1) if count]
        names.append(next((option for option in options if option not in names), f"topic {number}"))
    return names


def _groups(centroids: Vectors, bags: Sequence[Counter[str]], names: Sequence[str]) -> list[str]:
    """About √k wider topics (Ward linkage of the centroids), named like topics; one that holds a single topic is it."""
    if len(names) < 4:
        return list(names)
    tree = linkage(centroids, "ward")
    labels = fcluster(tree, t=round(len(names) ** 0.5), criterion="maxclust")
    held = [[i for i, label in enumerate(labels) if label == group] for group in sorted(set(labels))]
    wide = distinctive_terms([sum((bags[i] for i in members), Counter()) for members in held])
    group_of: dict[int, str] = {}
    for members, name in zip(held, _distinct_names([terms[:3] for terms in wide]), strict=True):
        group_of |= dict.fromkeys(members, names[members[0]] if len(members) == 1 else name)
    return [group_of[i] for i in range(len(names))]
