"""Near-copies: the same picture saved again, smaller, recompressed or in another format, is one picture.

A near-copy in `confirm` of a picture in `discover` would let a suspicion prove itself. Two pictures are near-copies
when both of these hold, each wrong in its own way:

- their perceptual hashes (64 bits, `imagehash.phash`, luma only) differ in at most `distance` bits. Alone this takes a
  form filled in with other figures for the same form, and a red disc on grey for a blue one;
- no channel of any cell of their 32 × 32 copies differs by more than `LEVELS`;

or, where an `Embedder` is given, when the cosine similarity of their embeddings is at least its `similarity`: that
finds crops too, which the rule above mostly does not.

    near = NearDuplicates()
    near.met("a.jpg", picture)           # None: new, and from now on known
    near.met("b.jpg", the_same_smaller)  # "a.jpg"
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL.Image import Image, Resampling

from scotoma.core import ImageRecord

Vector = npt.NDArray[np.float32]

DISTANCE = 4
"""Bits of 64 in which the hashes of near-copies may differ."""

LEVELS = 24
"""Levels of 255 by which near-copies may differ in any channel of any cell: a third of the size at JPEG quality 75
stays below; one other figure in a form does not.
"""

_CELLS = 32
_BITS = 64


class Embedder(Protocol):
    """Turns pictures into vectors; `models.embedding.ImageEmbedder` is one.

    `name` goes into reports; `similarity` is the cosine, in [-1, 1], from which on two pictures are near-copies.
    """

    name: str
    similarity: float

    def embed(self, image: ImageRecord) -> Vector:
        """(d,) of any length; only its direction counts."""
        ...


@dataclass(frozen=True)
class Fingerprint:
    """`bits` is the perceptual hash as an integer in [0, 2⁶⁴), `cells` the small copy, (32, 32, 3) levels: 3 KB."""

    bits: int
    cells: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, picture: Image) -> Fingerprint:
        """Of an RGB picture; a copy of it at 64 pixels or more will do."""
        import imagehash

        # Not a plain mean of cells: where their edges fall differs between a picture and its smaller copy.
        cells = picture.resize((_CELLS, _CELLS), Resampling.BICUBIC)
        return cls(int(str(imagehash.phash(picture)), 16), np.asarray(cells))

    def near(self, other: Fingerprint, distance: int, levels: int = LEVELS) -> bool:
        """Whether these are near-copies."""
        if (self.bits ^ other.bits).bit_count() > distance:
            return False
        return bool(np.abs(self.cells.astype(np.int16) - other.cells).max() <= levels)


class NearDuplicates:
    """The pictures met so far; whoever is first stays.

    Hashes are found by multi-index hashing (Norouzi, Punjani and Fleet 2012, "Fast search in Hamming space"): two of
    at most `distance` differing bits agree in at least one of `distance` + 1 parts, so only those that share a part
    are compared. Embeddings are compared with all others, one matrix product a picture: good for some 100,000.

    Args:
        distance: in [0, 16].
        levels: in [0, 255].
        embedder: compares by meaning as well; costs a forward pass a picture.
    """

    def __init__(
        self, distance: int = DISTANCE, *, levels: int = LEVELS, embedder: Embedder | None = None
    ) -> None:
        self._distance = distance
        self._levels = levels
        self._embedder = embedder
        self._prints: dict[str, Fingerprint] = {}
        self._parts: dict[tuple[int, int], list[str]] = defaultdict(list)
        self._names: list[str] = []
        self._vectors: Vector = np.zeros((0, 0), dtype=np.float32)

    def met(self, name: str, picture: Image, record: ImageRecord | None = None) -> str | None:
        """The name of an earlier near-copy; None for a picture that is new, which is then known by this name.

        `record` is what the embedder is shown.
        """
        seen = Fingerprint.of(picture)
        earlier = self._same_pixels(seen)
        if earlier is not None:
            return earlier
        unit = self._embed(record)
        earlier = self._alike(unit)
        if earlier is None:
            self._remember(name, seen, unit)
        return earlier

    def add(self, name: str, picture: Image, record: ImageRecord | None = None) -> None:
        """Know a picture, be it a near-copy of an earlier one or not: what is near this one need not be near that."""
        self._remember(name, Fingerprint.of(picture), self._embed(record))

    def find(self, picture: Image, record: ImageRecord | None = None) -> str | None:
        """The name of an earlier near-copy, as `met` says it; but a picture that is new stays unknown."""
        return self._same_pixels(Fingerprint.of(picture)) or self._alike(self._embed(record))

    def _same_pixels(self, seen: Fingerprint) -> str | None:
        for part in enumerate(_parts(seen.bits, self._distance + 1)):
            for earlier in self._parts.get(part, ()):
                if seen.near(self._prints[earlier], self._distance, self._levels):
                    return earlier
        return None

    def _embed(self, record: ImageRecord | None) -> Vector | None:
        """A vector of length 1; None without an embedder or anything to show it."""
        if self._embedder is None or record is None:
            return None
        vector = self._embedder.embed(record)
        return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), dtype=np.float32)

    def _alike(self, unit: Vector | None) -> str | None:
        """The earlier picture whose embedding is nearest, where that is near enough."""
        if self._embedder is None or unit is None or not self._names:
            return None
        cosines = self._vectors[: len(self._names)] @ unit
        nearest = int(cosines.argmax())
        return self._names[nearest] if cosines[nearest] >= self._embedder.similarity else None

    def _remember(self, name: str, seen: Fingerprint, unit: Vector | None) -> None:
        self._prints[name] = seen
        for part in enumerate(_parts(seen.bits, self._distance + 1)):
            self._parts[part].append(name)
        if unit is None:
            return
        known = len(self._names)
        if known == len(self._vectors):  # doubled when full, so that growing stays cheap
            room = np.zeros((max(64, known), len(unit)), dtype=np.float32)
            self._vectors = np.concatenate([self._vectors, room]) if known else room
        self._vectors[known] = unit
        self._names.append(name)


def _parts(bits: int, parts: int) -> list[int]:
    """The hash cut into `parts` runs of bits, as even as they come."""
    edges = [_BITS * i // parts for i in range(parts + 1)]
    return [(bits >> low) & ((1 << (high - low)) - 1) for low, high in pairwise(edges)]
