"""The reference set: a world's templates, a file, or the ordinary questions that come along."""

from __future__ import annotations

from pathlib import Path

import pytest

from scotoma.core import ConfigError
from scotoma.discover.novelty import HashedWords
from scotoma.discover.reference import SIZE, naturalness_of, open_reference
from scotoma.discover.settings import DiscoverSettings
from scotoma.images.spec import open_images
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.store.run import Run
from tests import photographs
from tests.tagworld import observation

USUAL = [f"what colour is the {thing} ?" for thing in ("car", "cat", "cup", "door", "hat")] * 5
STRANGE = [f"fewer {a} below {b} ?" for a in ("stars", "digits") for b in ("signs", "words", "crosses")] * 4


def test_a_world_is_compared_with_its_templates() -> None:
    reference = open_reference(ShapesWorld(), DiscoverSettings(), seed=0)
    assert reference.name == "templates of worlds:shapes"
    assert len(reference.questions) == len(reference.tags) == SIZE
    assert reference.images is not None
    assert len(set(reference.images)) == SIZE / 10
    assert reference == open_reference(ShapesWorld(), DiscoverSettings(), seed=0)


def test_photos_are_compared_with_ordinary_questions(tmp_path: Path) -> None:
    photographs.write(tmp_path, 3)
    reference = open_reference(open_images(f"folder:{tmp_path}"), DiscoverSettings(), seed=0)
    assert len(set(reference.questions)) == len(reference.questions) >= 100
    assert all(question.endswith("?") for question in reference.questions)
    assert len({skill for tags in reference.tags for skill in tags["skill"]}) > 12  # type: ignore[union-attr]


def test_a_file_comes_before_both(tmp_path: Path) -> None:
    path = tmp_path / "questions.txt"
    path.write_text("\n".join(USUAL) + "\n\n", encoding="utf-8")
    reference = open_reference(ShapesWorld(), DiscoverSettings(reference=path), seed=0)
    assert reference.questions == tuple(USUAL)
    assert reference.name == str(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot read"), (b"\xff\xfe\x00", "not text"), (b"one ?\n", "20 are the least")],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "questions.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=told):
        open_reference(ShapesWorld(), DiscoverSettings(reference=path), seed=0)


def test_a_run_that_asks_strange_questions_lies_farther_off_than_its_baseline(tmp_path: Path) -> None:
    path = tmp_path / "questions.txt"
    path.write_text("\n".join(USUAL), encoding="utf-8")
    reference = open_reference(ShapesWorld(), DiscoverSettings(reference=path), seed=0)
    asked = {"discover": STRANGE, "baseline": USUAL}
    with Run.open(tmp_path / "run", command="discover", config={}) as run:
        assert naturalness_of(run.ledger, reference, HashedWords()) is None
        for phase, questions in asked.items():
            observations = [
                observation(f"{phase}/{i}", f"image{i}", {"skill": ("colour",)}, failed=False).model_copy(
                    update={"question": question, "phase": phase}
                )
                for i, question in enumerate(questions)
            ]
            run.ledger.finish(phase, observations=observations)
        found = naturalness_of(run.ledger, reference, HashedWords())
    assert found is not None
    assert found.baseline_squared_mmd is not None
    assert found.squared_mmd.low > max(0.0, found.baseline_squared_mmd.high)
    assert found.p_value < 0.01
    assert (found.squared_mmd.n, found.reference_questions) == (len(STRANGE), len(USUAL))
    assert (found.reference, found.embedder) == (str(path), HashedWords().name)
