"""A pool of pictures that can be searched: by words where the pictures have words, by looks where not.

What it can do depends on what is known of the pictures. Words find captions (`cups.txt` beside `cups.jpg`, or the lines
`{"file_name": …, "text": …}` of a `metadata.jsonl`, as Hugging Face's image folders have them), names of files and
folders, and attributes such as `dark`. No model looks at the pixels, so a picture of which none of these tells is found
by looks only: how alike it is to another one in colour and layout.

    pool = PicturePool(FolderSource("photos").images("train", 0), embed=SentenceEmbedder())
    pool.search("cups on a table", 5)[0].image
    pool.like(record, 5)
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scotoma.core import ImageRecord

Vectors = npt.NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vectors]
"""Texts → rows of length 1. `models.sentences.SentenceEmbedder` is one."""

CELLS = 8
"""A picture's looks are its colours in CELLS × CELLS cells."""

LONGEST_CAPTION = 1000

_WORDS = re.compile(r"[^\W\d_]{2,}")
_HASHED = 1024


@dataclass(frozen=True)
class Hit:
    """A picture with the cosine, in [-1, 1], of what was looked for and what is known of it."""

    image: ImageRecord
    score: float


class PicturePool:
    """Everything is in memory but the pictures themselves: some 4 KB each.

    Args:
        records: the pictures. They are opened once, when looks are first asked for.
        embed: how texts are compared; none: by the words they share.
    """

    def __init__(self, records: Iterable[ImageRecord], embed: Embed | None = None) -> None:
        self.records = tuple(records)
        self._embed = embed or shared_words
        self._texts = [text_of(record) for record in self.records]
        self._described: Vectors | None = None
        self._looks: Vectors | None = None

    def search(self, words: str, n: int) -> list[Hit]:
        """The `n` pictures whose words fit best; only those with a score above 0."""
        if not self.records or not words.strip():
            return []
        if self._described is None:
            self._described = self._embed(self._texts)
        scores = self._described @ self._embed([words])[0]
        return [hit for hit in self._best(scores, n) if hit.score > 0]

    def like(
        self, image: ImageRecord | None, n: int, where: Callable[[ImageRecord], bool] = lambda _: True
    ) -> list[Hit]:
        """The `n` pictures that look most like `image`, itself left out, among those that `where` lets pass; in the
        pool's order where there is no image to compare with.

        Raises:
            ImageError: a picture cannot be read.
        """
        passing = [
            i
            for i, record in enumerate(self.records)
            if where(record) and (image is None or record.id != image.id)
        ]
        if image is None or not passing:
            return [Hit(self.records[i], 0.0) for i in passing[:n]]
        if self._looks is None:
            self._looks = np.stack([looks(record) for record in self.records])
        scores = self._looks @ looks(image)
        order = sorted(passing, key=lambda i: -float(scores[i]))
        return [Hit(self.records[i], float(scores[i])) for i in order[:n]]

    def _best(self, scores: Vectors, n: int) -> list[Hit]:
        order = np.argsort(-scores, kind="stable")[:n]
        return [Hit(self.records[i], float(scores[i])) for i in order]


def text_of(record: ImageRecord) -> str:
    """Everything that is known of a picture in words; empty where nothing is."""
    name = Path(record.source.partition("#")[0])
    parts = [caption(record.path) if record.path is not None else ""]
    parts += _WORDS.findall(f"{record.attributes.get('folder', '')} {name.stem}")
    parts += [str(value) for key, value in record.attributes.items() if key != "folder" and value is not True]
    return " ".join(part for part in parts if part)


def caption(path: Path) -> str:
    """What stands beside a picture file: the text file of its name, else its line in `metadata.jsonl`."""
    beside = path.with_suffix(".txt")
    try:
        if beside.is_file():
            return beside.read_text(encoding="utf-8", errors="replace")[:LONGEST_CAPTION].strip()
    except OSError:
        return ""
    return _described_together(path.parent).get(path.name, "")


@lru_cache(maxsize=64)
def _described_together(folder: Path) -> dict[str, str]:
    """File name → caption, of a folder's `metadata.jsonl`; a line that is broken describes nothing, the others do."""
    try:
        lines = (folder / "metadata.jsonl").read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return {}
    rows = [_row(line) for line in lines]
    return {
        str(row["file_name"]): str(row.get("text") or row.get("caption") or "")[:LONGEST_CAPTION].strip()
        for row in reversed(rows)
        if "file_name" in row
    }


def shared_words(texts: Sequence[str]) -> Vectors:
    """Texts as hashed bags of words, rows of length 1: their cosine counts the words that they share.

    >>> one, other, third = shared_words(["a red cup", "the red cups", "blue"])
    >>> bool(one @ other > one @ third)
    True
    """
    rows = np.zeros((len(texts), _HASHED), dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word in _WORDS.findall(text.lower()):
            # CRC32 is the same in every process; a plural's s is no other word.
            row[zlib.crc32(word.rstrip("s").encode()) % _HASHED] = 1.0
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def looks(record: ImageRecord) -> Vectors:
    """(3 · CELLS²,) of length 1: the colours of a small copy, as they differ from middle grey.

    Raises:
        ImageError: the picture cannot be read.
    """
    small = np.asarray(record.open().resize((CELLS, CELLS)), dtype=np.float32).ravel() - 127.5
    return np.asarray(small / max(float(np.linalg.norm(small)), 1e-12), dtype=np.float32)


def _row(line: str) -> dict[str, object]:
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}
