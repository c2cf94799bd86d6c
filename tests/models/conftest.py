"""One tiny checkpoint per family, opened once; images and questions by the dozen."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scotoma.core import ImageRecord, Request
from scotoma.models.checkpoint import Checkpoint, open_checkpoint
from tests.models import checkpoints


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    return {
        "idefics3": checkpoints.idefics3(root / "idefics3"),
        "llava-clip": checkpoints.llava(root / "llava-clip", tower="clip"),
        "llava-siglip": checkpoints.llava(root / "llava-siglip", tower="siglip"),
    }


@pytest.fixture(scope="session")
def opened(folders: dict[str, Path]) -> dict[str, Checkpoint]:
    return {name: open_checkpoint(folder) for name, folder in folders.items()}


@pytest.fixture(scope="session", params=["idefics3", "llava-clip", "llava-siglip"])
def checkpoint(request: pytest.FixtureRequest, opened: dict[str, Checkpoint]) -> Checkpoint:
    """Every family in turn."""
    return opened[request.param]


@pytest.fixture(scope="session")
def idefics3(opened: dict[str, Checkpoint]) -> Checkpoint:
    return opened["idefics3"]


def picture(seed: int, size: tuple[int, int] = (32, 32)) -> ImageRecord:
    """An image of coarse coloured noise."""
    cells = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(cells).resize(size, Image.Resampling.NEAREST).save(out, "PNG")
    return ImageRecord(id=ImageRecord.hash(out.getvalue()), source="test", data=out.getvalue())


def question(seed: int) -> str:
    """Two to nine words that mean nothing."""
    rng = np.random.default_rng(seed)
    return " ".join(rng.choice(checkpoints.WORDS, rng.integers(2, 10)))


def requests(images: int, questions: int) -> list[Request]:
    """Questions about images, image by image."""
    return [
        Request((picture(i, (32, 32) if i % 2 else (48, 24)),), question(100 * i + q))
        for i in range(images)
        for q in range(questions)
    ]
