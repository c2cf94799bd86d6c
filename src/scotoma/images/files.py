"""Picture files on a disk as an image source: looked at once, counted when skipped, near-copies left out.

Near-copies are looked for in the whole source before anything is handed out, as a near-copy may be in another split:
that reads every file once, on all cores, JPEGs at a fraction of their size. With `near_duplicates=off` files are read
one by one as they are asked for.

    source = FileSource("glob:*.png", files, named=lambda file: Named(f"glob:{file}"))
    for record in source.images("discover", seed=0):
        ...
    source.skipped        # Counter({'truncated': 2, 'near-duplicate': 1})
    source.converted      # Counter({'CMYK': 3})
"""

from __future__ import annotations

import errno
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from scotoma.core import Facts, ImageError, ImageRecord, Split, Tag
from scotoma.images.attributes import attributes
from scotoma.images.decoding import Look, look
from scotoma.images.duplicates import Embedder, NearDuplicates
from scotoma.images.options import PictureOptions
from scotoma.images.split import split_of

_WINDOW = 64
"""Files looked at together; their small copies are in memory at once."""


@dataclass(frozen=True)
class Named:
    """What is known of a file beside its pixels."""

    source: str
    licence: str | None = None
    facts: Facts | None = None
    attributes: Mapping[str, Tag] = field(default_factory=dict)


@dataclass(frozen=True)
class _Read:
    """A file after it was read: its id, and what was seen of it or why it is skipped. `id` is None if unreadable."""

    id: str | None
    seen: Look | str


class FileSource:
    """A finite image source over a list of files. The same bytes twice count once.

    A record's attributes are those of its `Named` and, where it has no facts, those of `images.attributes`.

    Args:
        spec: what the user wrote.
        files: the files; the first in sorted order stays where several are near-copies.
        named: tells what else is known of a file.
        options: limits and near-copies.
        embedder: finds near-copies by meaning as well.
    """

    def __init__(
        self,
        spec: str,
        files: Sequence[Path],
        *,
        named: Callable[[Path], Named],
        options: PictureOptions | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        self.spec = spec
        self.options = options or PictureOptions()
        self.skipped: Counter[str] = Counter()
        """How many files were skipped so far, by reason: those of `images.decoding`, `unreadable`, `copy` (the same
        bytes as another file) and `near-duplicate`."""
        self.converted: Counter[str] = Counter()
        """How many pictures were converted so far, and how (`core.pixels.Conversion`)."""
        self._named = named
        self._embedder = embedder
        self._files = sorted(files)
        self._surveyed = self.options.near_duplicates is None
        # What is known of the files read so far: their id (None: skipped), and which file an id belongs to.
        self._ids: dict[Path, str | None] = {}
        self._owners: dict[str, Path] = {}
        self._attributes: dict[Path, Mapping[str, Tag]] = {}

    def images(self, split: Split, seed: int) -> Iterator[ImageRecord]:
        """The usable pictures of a split, shuffled by `seed`: a folder is often sorted by class.

        Raises:
            ImageError: the split has no usable picture; the message counts what was skipped and why.
        """
        if not self._surveyed:
            self._survey()
        files = list(self._files)
        random.Random(seed).shuffle(files)
        empty = True
        for file in files:
            image_id = self._usable(file, split)
            if image_id is not None:
                empty = False
                yield self._record(file, image_id, split)
        if empty:
            raise no_picture(self.spec, split, f"{len(files)} files", self.skipped)

    def split_of(self, image_id: str) -> Split:
        """The split that a picture with this id belongs to."""
        return split_of(image_id)

    def _survey(self) -> None:
        """Look at every file, in sorted order, and leave out the near-copies of earlier ones."""
        near = NearDuplicates(self.options.near_duplicates or 0, embedder=self._embedder)
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
            for start in range(0, len(self._files), _WINDOW):
                window = self._files[start : start + _WINDOW]
                for file, read in zip(window, threads.map(self._read, window), strict=True):
                    if self._claim(file, read.id):
                        self._take(file, read, near)
        self._surveyed = True

    def _take(self, file: Path, read: _Read, near: NearDuplicates) -> None:
        if isinstance(read.seen, str):
            self._skip(file, read.seen)
            return
        facts = self._named(file).facts
        # Rendered pictures with exact facts are as different as their facts, however alike they look.
        if facts is None:
            shown = ImageRecord(id=read.id or "", source=self.spec, path=file)
            if near.met(str(file), read.seen.thumbnail, shown) is not None:
                self._skip(file, "near-duplicate")
                return
        self._accept(file, read.seen, described=facts is None)

    def _usable(self, file: Path, split: Split) -> str | None:
        """The id of the picture in `file` if it belongs to `split` and can be shown; None otherwise."""
        data: bytes | None = None
        if file not in self._ids:
            try:
                data = _contents(file)
            except OSError:
                self._claim(file, None)
                return None
            if not self._claim(file, ImageRecord.hash(data)):
                return None
        known = self._ids[file]
        if known is None or self.split_of(known) != split:
            return None
        if file not in self._attributes:
            read = self._read(file) if data is None else self._look(data)
            if isinstance(read.seen, str):
                self._skip(file, read.seen)
                return None
            self._accept(file, read.seen, described=self._named(file).facts is None)
        return known

    def _read(self, file: Path) -> _Read:
        try:
            data = _contents(file)
        except OSError:
            return _Read(None, "unreadable")
        return self._look(data)

    def _look(self, data: bytes) -> _Read:
        return _Read(ImageRecord.hash(data), look(data, self.options.max_pixels))

    def _claim(self, file: Path, image_id: str | None) -> bool:
        """Whether the file could be read (then it has an id), and is the first with these bytes."""
        if image_id is None:
            self._skip(file, "unreadable")
            return False
        if self._owners.setdefault(image_id, file) != file:
            self._skip(file, "copy")
            return False
        self._ids[file] = image_id
        return True

    def _accept(self, file: Path, seen: Look, *, described: bool) -> None:
        self._attributes[file] = attributes(seen.thumbnail, seen.size) if described else {}
        self.converted.update(seen.conversions)

    def _skip(self, file: Path, reason: str) -> None:
        self._ids[file] = None
        self.skipped[reason] += 1

    def _record(self, file: Path, image_id: str, split: Split) -> ImageRecord:
        named = self._named(file)
        return ImageRecord(
            id=image_id,
            source=named.source,
            licence=named.licence or self.options.licence,
            split=split,
            path=file,
            facts=named.facts,
            attributes={**self._attributes[file], **named.attributes},
        )


def no_picture(spec: str, split: Split, read: str, skipped: Counter[str]) -> ImageError:
    """The error of a split that turns out empty, with what was read (`12 files`) and skipped."""
    reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(skipped.items()))
    return ImageError(
        f"{spec} has no readable picture for the split {split!r}: {read}"
        + (f", skipped: {reasons}" if reasons else ""),
        hint="the four splits share the pictures by hash: give a source with more of them",
    )


def _contents(file: Path) -> bytes:
    """Of a regular file only: a pipe with a picture's name would never end."""
    if not file.is_file():
        raise OSError(errno.EINVAL, "no regular file", str(file))
    return file.read_bytes()
