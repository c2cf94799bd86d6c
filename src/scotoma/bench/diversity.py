"""How varied a set of samples is: what a set aimed at a few failure modes loses against one aimed at nothing.

diversity(made.samples).self_similarity
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from scotoma.core import Sample
from scotoma.discover.novelty import Embedder, HashedWords

_SPOKEN_OF = ("operation", "colour", "shape", "size", "relation", "digit", "negated")


class Diversity(BaseModel):
    """Of `n` samples: different `pictures`, question texts, `skills` (sets of skills) and `combinations` (of
    operation, colours, shapes, sizes, relations, digits); `self_similarity`, the mean cosine of two different
    samples' questions, in [-1, 1]; `vendi`, the effective number of different questions (Friedman and Dieng 2023,
    arXiv 2210.02410), in [1, n]; None where the package vendi-score is not installed.
    """

    model_config = ConfigDict(frozen=True)

    n: int
    pictures: int
    questions: int
    skills: int
    combinations: int
    self_similarity: float
    vendi: float | None


def diversity(samples: Sequence[Sample], embedder: Embedder | None = None) -> Diversity:
    """Counts depend on n: compare sets of equal size. At least two samples."""
    tags = [sample.tags for sample in samples]
    vectors = np.asarray(
        (embedder or HashedWords())([sample.question for sample in samples], tags), dtype=np.float64
    )
    n = len(samples)
    total, own = vectors.sum(axis=0), float((vectors**2).sum())
    return Diversity(
        n=n,
        pictures=len({sample.image_id for sample in samples}),
        questions=len({sample.question for sample in samples}),
        skills=len({str(tag.get("skill")) for tag in tags}),
        combinations=len({tuple(str(tag.get(key)) for key in _SPOKEN_OF) for tag in tags}),
        self_similarity=(float(total @ total) - own) / (n * (n - 1)),
        vendi=_vendi(vectors),
    )


def _vendi(vectors: npt.NDArray[np.float64]) -> float | None:
    if find_spec("vendi_score") is None:
        return None
    # Without types, and no part of the bare install (extra `topics`).
    vendi = importlib.import_module("vendi_score.vendi")
    return float(vendi.score_dual(vectors))
