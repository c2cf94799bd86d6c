"""How new a question is: a long memory of what was asked, and two measures against it.

Novelty inside one batch is too weak to stop a questioner from collapsing onto its loudest failure, so the memory
outlives the batch. It is bounded: the oldest questions are forgotten.

    memory = Memory()
    asked = [embed(question, tags) …], [terms(question, tags) …]
    novelties = memory.novelty(*asked)
    memory.remember(*asked)
"""

from __future__ import annotations

import base64
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import HashingVectorizer

from scotoma.core import ConfigError, Tags, skills_of
from scotoma.diagnose.topics import unit
from scotoma.diagnose.wording import content_words

Vectors = npt.NDArray[np.float32]
Terms: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Novelty:
    """δ_emb and δ_ifreq of one question, each in [0, 1]; 1 is entirely new."""

    emb: float
    ifreq: float

    @property
    def mean(self) -> float:
        """Of the two."""
        return (self.emb + self.ifreq) / 2


class Embedder(Protocol):
    """Turns questions into unit vectors (n × d); `name` stands in reports."""

    name: str

    def __call__(self, questions: Sequence[str], tags: Sequence[Tags]) -> Vectors: ...


class HashedWords:
    """The embedder that needs no model: content words and skills hashed into `size` signed buckets, L2-normalised."""

    name = "hashed words"

    def __init__(self, size: int = 256) -> None:
        self.size = size
        self._hash = HashingVectorizer(analyzer=_identity, n_features=size, norm="l2", dtype=np.float32)

    def __call__(self, questions: Sequence[str], tags: Sequence[Tags]) -> Vectors:
        """Vectors of shape n × size; a question without any content word is the zero vector."""
        bags = [terms(question, tag) for question, tag in zip(questions, tags, strict=True)]
        if not bags:
            return np.zeros((0, self.size), dtype=np.float32)
        return np.asarray(self._hash.transform(bags).toarray(), dtype=np.float32)


def terms(question: str, tags: Tags) -> Terms:
    """The question's content words, its skills and their combination: what δ_ifreq counts."""
    names = skills_of(tags)
    combination = (f"skills:{'+'.join(sorted(names))}",) if names else ()
    return content_words(question) + tuple(f"skill:{name}" for name in sorted(names)) + combination


class Memory:
    """The last `size` questions asked: their vectors, and how often each term occurred.

    Equal for equal histories; `state` and `restore` carry it through a resume.
    """

    def __init__(self, size: int = 4096, neighbours: int = 5) -> None:
        if size < 1 or neighbours < 1:
            raise ConfigError("the memory needs room for at least one question and one neighbour")
        self.size = size
        self.neighbours = neighbours
        self._vectors: npt.NDArray[np.float16] | None = None
        self._bags: deque[Terms] = deque()
        self._counts: Counter[str] = Counter()
        self._next = 0

    def __len__(self) -> int:
        return len(self._bags)

    def novelty(self, vectors: Vectors, bags: Sequence[Terms]) -> list[Novelty]:
        """Both measures of each question of a batch against the memory and nothing else."""
        near, rare = self.delta_emb(vectors), self.delta_ifreq(bags)
        return [Novelty(emb=float(a), ifreq=float(b)) for a, b in zip(near, rare, strict=True)]

    def delta_emb(self, vectors: Vectors) -> Vectors:
        """δ_emb per row: 1 − mean cosine similarity to the k nearest neighbours, in [0, 1].

        The source's exact form is not public: ours. Negative similarities count 0, and so does a neighbour that the
        memory does not have yet; so remembering more never makes a question newer, and asking the same question
        again lowers δ_emb step by step until it was asked k times.
        """
        rows = unit(vectors)
        if len(rows) == 0:
            return np.zeros(0, dtype=np.float32)
        if self._vectors is None or not len(self):
            return np.ones(len(rows), dtype=np.float32)
        similar = np.clip(rows @ self._vectors[: len(self)].astype(np.float32).T, 0.0, 1.0)
        k = min(self.neighbours, similar.shape[1])
        nearest = np.partition(similar, similar.shape[1] - k, axis=1)[:, -k:]
        return np.asarray(1.0 - nearest.sum(axis=1) / self.neighbours, dtype=np.float32)

    def delta_ifreq(self, bags: Sequence[Terms]) -> Vectors:
        """δ_ifreq per question: mean over its distinct terms of 1 − log(1 + n_t) / log(1 + N), in [0, 1].

        n_t is the number of remembered questions with the term, N the number remembered: 1 for a term never used, 0
        for one that every question uses. Ours, as the source's form is not public. No terms: 0, nothing is rare.
        """
        total = len(self)
        if total == 0:
            return np.ones(len(bags), dtype=np.float32)
        scale = np.log1p(total)
        rare = [
            float(np.mean([1 - np.log1p(self._counts[term]) / scale for term in set(bag)])) if bag else 0.0
            for bag in bags
        ]
        return np.array(rare, dtype=np.float32)

    def remember(self, vectors: Vectors, bags: Sequence[Terms]) -> None:
        """Add a batch; the oldest questions make room."""
        for row, bag in zip(unit(vectors), bags, strict=True):
            if self._vectors is None:
                self._vectors = np.zeros((self.size, len(row)), dtype=np.float16)
            self._vectors[self._next] = row
            self._next = (self._next + 1) % self.size
            if len(self._bags) == self.size:
                self._forget(self._bags.popleft())
            self._bags.append(bag)
            self._counts.update(set(bag))

    def _forget(self, bag: Terms) -> None:
        for term in set(bag):
            self._counts[term] -= 1
            if not self._counts[term]:
                del self._counts[term]

    def state(self) -> dict[str, Any]:
        """Everything, as JSON values; `Memory.restore` rebuilds an equal memory."""
        held = np.zeros((0, 0), dtype=np.float16) if self._vectors is None else self._vectors[: len(self)]
        return {
            "size": self.size,
            "neighbours": self.neighbours,
            "next": self._next,
            "terms": [list(bag) for bag in self._bags],
            "shape": list(held.shape),
            "vectors": base64.b64encode(held.tobytes()).decode("ascii"),
        }

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Memory:
        """The memory that `state` was taken from.

        Raises:
            ConfigError: the state is damaged.
        """
        try:
            memory = cls(state["size"], state["neighbours"])
            held = np.frombuffer(base64.b64decode(state["vectors"]), dtype=np.float16).reshape(state["shape"])
            memory._bags = deque(tuple(bag) for bag in state["terms"])
            memory._counts = Counter(term for bag in memory._bags for term in set(bag))
            memory._next = int(state["next"])
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"the saved memory of questions cannot be read: {error}") from error
        if len(held):
            memory._vectors = np.zeros((memory.size, held.shape[1]), dtype=np.float16)
            memory._vectors[: len(held)] = held
        return memory


def _identity(bag: Terms) -> Terms:
    return bag
