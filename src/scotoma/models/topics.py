"""BERTopic's clusters of sentence embeddings (Grootendorst 2022): UMAP to few dimensions, then HDBSCAN.

    labels = bertopic_labels(questions, vectors, seed=0)       # −1: in no cluster

Seeded, and so the same on every run of one machine. What the clusters are called and which new question belongs to
one is decided by `diagnose.topics`, which needs none of this. Part of the extra `topics`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from scotoma.core import ModelError

FEWEST = 60
"""Different questions below which UMAP has too few neighbours to draw a map of."""

_NEIGHBOURS = 15
_DIMENSIONS = 5


def bertopic_labels(
    questions: Sequence[str], vectors: npt.NDArray[np.float32], seed: int, smallest: int = 8
) -> npt.NDArray[np.intp]:
    """The cluster of each question, −1 for none.

    Args:
        questions: the texts, each once, at least `FEWEST`.
        vectors: their embeddings, n × d.
        seed: of UMAP.
        smallest: questions in the smallest cluster.

    Raises:
        ModelError: the extra `topics` is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # syntax and deprecation warnings of old dependencies
            from bertopic import BERTopic
            from hdbscan import HDBSCAN
            from umap import UMAP
    except ModuleNotFoundError as error:
        raise ModelError(
            f"topics of sentence embeddings need {error.name}, which the bare install leaves out",
            hint="pip install 'scotoma[topics]', or set tagging.embedder: words",
        ) from error
    model = BERTopic(
        umap_model=UMAP(
            n_neighbors=_NEIGHBOURS,
            n_components=_DIMENSIONS,
            min_dist=0.0,
            metric="cosine",
            random_state=seed,
        ),
        hdbscan_model=HDBSCAN(min_cluster_size=smallest, metric="euclidean", cluster_selection_method="eom"),
        verbose=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a seed means one thread
        labels, _ = model.fit_transform(list(questions), vectors)
    return np.asarray(labels, dtype=np.intp)
