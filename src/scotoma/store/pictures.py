"""The images of a run, each kept once under the hash of its bytes: `images/ab/abcdef….png`.

The folder makes a run whole: it can be copied elsewhere and still be read, reported and reproduced.

    kept = run.images.put(record)                               # the file
    run.ledger.finish("scenes", images=[kept])                  # what else is known of it
    again = run.images.get(record.id, facts=world.facts)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from scotoma.core import Facts, ImageError, ImageRecord, Split, StorageError
from scotoma.store.durable import write_durably
from scotoma.store.ledger import Ledger
from scotoma.store.rows import ImageEntry

FactsBuilder = Callable[[Mapping[str, Any]], Facts]
"""Rebuilds facts from their JSON: `World.facts` of the world that rendered the image."""

# What the bytes say, not what a file was called.
_SIGNATURES = (
    (b"\x89PNG", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
    (b"RIFF", ".webp"),
)


class Pictures:
    """The image files below `root`; what else is known of an image stands in the ledger."""

    def __init__(self, root: Path, ledger: Ledger, *, writable: bool = True) -> None:
        self.root = root
        self._ledger = ledger
        self._writable = writable

    def put(self, record: ImageRecord) -> ImageRecord:
        """Keep the bytes, once however often it is called; the record returned has the path of the kept file.

        Raises:
            ImageError: the record's bytes cannot be read, or are not those its id names.
            StorageError: the disk is full or the folder is read-only.
        """
        if not self._writable:
            raise StorageError(f"the run {self.root.parent} was opened to be read only")
        data = record.read()
        if ImageRecord.hash(data) != record.id:
            raise ImageError(f"the image {record.path or record.id[:12]} has changed since it was first read")
        path = self._folder(record.id) / f"{record.id}{_suffix(data)}"
        # A power cut may leave a file shorter than what was written: hence the size. No flush per file:
        # thousands would cost minutes on a slow disk, and `get` notices a damaged file.
        if not path.exists() or path.stat().st_size != len(data):
            write_durably(path, data, flush=False)
        return replace(record, path=path, data=None)

    def put_all(self, records: Iterable[ImageRecord]) -> list[ImageRecord]:
        """`put` for many."""
        return [self.put(record) for record in records]

    def get(self, image_id: str, *, facts: FactsBuilder | None = None) -> ImageRecord:
        """The image with this id, its bytes verified, its facts rebuilt by `facts` where it has some.

        Raises:
            ImageError: the run knows no such image, or its file is missing or damaged.
        """
        entry = self._ledger.image(image_id)
        if entry is None:
            raise ImageError(f"the run {self.root.parent} knows no image {image_id[:12]}")
        return self._record(entry, facts)

    def all(self, split: Split | None = None, *, facts: FactsBuilder | None = None) -> Iterator[ImageRecord]:
        """Every image that the ledger knows, verified, one after the other, in the order they were written.

        Raises:
            ImageError: the file of an image is missing or damaged.
        """
        for entry in self._ledger.images(split):
            yield self._record(entry, facts)

    def _record(self, entry: ImageEntry, facts: FactsBuilder | None) -> ImageRecord:
        path = next(self._folder(entry.id).glob(f"{entry.id}.*"), None)
        if path is None:
            raise ImageError(
                f"the file of image {entry.id[:12]} is missing from {self._folder(entry.id)}",
                hint="the run was copied without its images/ folder, or files were deleted",
            )
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ImageError(f"cannot read the image {path}: {error.strerror}") from error
        if ImageRecord.hash(data) != entry.id:
            raise ImageError(
                f"the image {path} is damaged: its bytes are not those that were kept",
                hint="restore it from a copy of the run",
            )
        return ImageRecord(
            id=entry.id,
            source=entry.source,
            licence=entry.licence,
            split=entry.split,
            path=path,
            facts=None if facts is None or entry.facts is None else facts(entry.facts),
            attributes=entry.attributes,
        )

    def _folder(self, image_id: str) -> Path:
        return self.root / image_id[:2]


def _suffix(data: bytes) -> str:
    return next((suffix for signature, suffix in _SIGNATURES if data.startswith(signature)), ".image")
