"""`folder:PATH`: every picture below a folder, in four splits that no picture and no copy of it can straddle.

The split of a picture follows from the hash of its bytes alone, so it stays what it is when pictures are
added, moved or renamed. A `facts.jsonl` in the folder gives rendered pictures their exact facts (`sidecar`).

    source = FolderSource("photos")
    for record in source.images("discover", seed=0):
        ...
    source.skipped       # Counter({'truncated': 2})
"""

from __future__ import annotations

import io
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from scotoma.core import SPLITS, Facts, ImageError, ImageRecord, Split, World
from scotoma.images.sidecar import read_sidecar

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
SHARES: Mapping[Split, float] = {"discover": 0.4, "confirm": 0.2, "train": 0.2, "test": 0.2}
"""The share of the pictures that each split gets, on average; they sum to 1."""


class FolderSource:
    """A finite image source. Files and folders whose name starts with a dot are left out.

    A record's `source` names the file; a picture in a subfolder has that as its attribute `folder`. A picture
    that lies there twice counts once.

    Args:
        root: the folder; pictures in folders below it count too.
        world: opens the worlds that `facts.jsonl` names; without it the pictures have no facts.
        licence: the licence of the pictures, where `facts.jsonl` gives none.
        shares: the share of each split, in [0, 1], summing to 1.

    Raises:
        ImageError: there is no such folder, it holds no pictures, or its `facts.jsonl` cannot be read.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        world: Callable[[str], World] | None = None,
        licence: str = "unknown",
        shares: Mapping[Split, float] = SHARES,
    ) -> None:
        self.spec = f"folder:{root}"
        self.root = Path(root).expanduser()
        self.skipped: Counter[str] = Counter()
        """How many files were skipped so far, by reason: `unreadable`, `not an image`, `truncated`,
        `too large`, `copy` (the same bytes as another file)."""
        self._world = world
        self._worlds: dict[str, World] = {}
        self._licence = licence
        self._shares = shares
        self._files = _pictures(self.root)
        self._sidecar = read_sidecar(self.root)
        # What is known of the files read so far: their id (None: skipped), and which file an id belongs to.
        self._ids: dict[Path, str | None] = {}
        self._owners: dict[str, Path] = {}
        self._decoded: set[Path] = set()

    def images(self, split: Split, seed: int) -> Iterator[ImageRecord]:
        """The readable pictures of a split, read one by one as they are asked for, shuffled by `seed`.

        A folder is often sorted by class, and its first pictures would all be of one.

        Raises:
            ImageError: the split has no readable picture; the message counts what was skipped and why.
        """
        files = list(self._files)
        random.Random(seed).shuffle(files)
        empty = True
        for file in files:
            image_id = self._readable(file, split)
            if image_id is not None:
                empty = False
                yield self._record(file, image_id, split)
        if empty:
            skipped = ", ".join(f"{number} {reason}" for reason, number in sorted(self.skipped.items()))
            raise ImageError(
                f"{self.root} has no readable picture for the split {split!r}: {len(files)} files"
                + (f", skipped: {skipped}" if skipped else ""),
                hint="the four splits share the pictures by hash: give a folder with more of them",
            )

    def split_of(self, image_id: str) -> Split:
        """The split that a picture with this id belongs to."""
        position = int(image_id[:13], 16) / 16**13
        for split in SPLITS:
            position -= self._shares.get(split, 0.0)
            if position < 0:
                return split
        return SPLITS[-1]

    def _readable(self, file: Path, split: Split) -> str | None:
        """The id of the picture in `file` if it belongs to `split` and can be decoded; None otherwise."""
        data: bytes | None = None
        if file not in self._ids:
            try:
                data = file.read_bytes()
            except OSError:
                self._skip(file, "unreadable")
                return None
            image_id = ImageRecord.hash(data)
            if self._owners.setdefault(image_id, file) != file:
                self._skip(file, "copy")
                return None
            self._ids[file] = image_id
        known = self._ids[file]
        if known is None or self.split_of(known) != split:
            return None
        if file not in self._decoded:
            try:
                fault = _fault(file.read_bytes() if data is None else data)
            except OSError:
                fault = "unreadable"
            if fault is not None:
                self._skip(file, fault)
                return None
            self._decoded.add(file)
        return known

    def _skip(self, file: Path, reason: str) -> None:
        self._ids[file] = None
        self.skipped[reason] += 1

    def _record(self, file: Path, image_id: str, split: Split) -> ImageRecord:
        name = file.relative_to(self.root)
        line = self._sidecar.get(name.as_posix())
        facts: Facts | None = None
        if line is not None and self._world is not None:
            if line.world not in self._worlds:
                self._worlds[line.world] = self._world(line.world)
            facts = self._worlds[line.world].facts(line.facts)
        return ImageRecord(
            id=image_id,
            source=f"{self.spec}/{name.as_posix()}",
            licence=(line.licence if line else None) or self._licence,
            split=split,
            path=file,
            facts=facts,
            attributes={"folder": name.parent.as_posix()} if len(name.parts) > 1 else {},
        )


def _pictures(root: Path) -> list[Path]:
    """The picture files below `root`, sorted, so that every machine lists them alike."""
    if not root.exists():
        raise ImageError(f"there is no folder {root}", hint="give folder:PATH of a folder with pictures")
    if not root.is_dir():
        raise ImageError(f"{root} is a file, not a folder", hint="give folder:PATH of a folder with pictures")
    found: list[Path] = []

    def refused(error: OSError) -> None:
        raise ImageError(f"cannot list the folder {error.filename}: {error.strerror}") from error

    for folder, folders, files in os.walk(root, onerror=refused):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(folder, name)
            for name in files
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        ]
    if not found:
        raise ImageError(
            f"{root} holds no pictures", hint=f"pictures are files that end in {', '.join(sorted(SUFFIXES))}"
        )
    return sorted(found)


def _fault(data: bytes) -> str | None:
    """Why these bytes cannot be used, or None. Pillow notices a truncated picture only when it decodes it."""
    try:
        picture = Image.open(io.BytesIO(data))
    except Image.DecompressionBombError:
        return "too large"
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return "not an image"
    try:
        picture.load()
    except Image.DecompressionBombError:
        return "too large"
    except (OSError, ValueError, SyntaxError):
        return "truncated"
    return None
