"""Small pictures that no two are alike, and files of every kind."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from scotoma.core import SPLITS, ImageError, ImageRecord, ImageSource, Split


def picture(number: int, size: tuple[int, int] = (48, 36)) -> Image.Image:
    """Blots of colour: as different from those of another number as two photos."""
    blots = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(blots).resize(size, Image.Resampling.BICUBIC)


def noise(number: int, size: tuple[int, int], spread: float) -> Image.Image:
    """Grey noise about 128, the same each time: `Image.effect_noise` can't be seeded, and no test tosses coins."""
    grey = np.random.default_rng(number).normal(128, spread, (size[1], size[0]))
    return Image.fromarray(grey.clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def by_split(source: ImageSource, seed: int = 0) -> dict[Split, list[ImageRecord]]:
    """The usable pictures by split; a split may have none."""
    found: dict[Split, list[ImageRecord]] = {}
    for split in SPLITS:
        try:
            found[split] = list(source.images(split, seed))
        except ImageError:
            found[split] = []
    return found


def everything(source: ImageSource, seed: int = 0) -> list[ImageRecord]:
    """The usable pictures of all splits."""
    return [record for records in by_split(source, seed).values() for record in records]
