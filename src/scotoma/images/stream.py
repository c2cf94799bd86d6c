"""Pictures that come as a stream: rows read one after the other, never all at once, never counted beforehand.

Rows of other splits are passed over after their bytes were hashed. Those of the split are mixed `shuffle` at a time,
looked at, and left out where they are near-copies of a picture that was handed out before: the first seen stays. What
an earlier process handed out a source must be told (`remember`).

    source = StreamSource("hf-dataset:mnist", rows=lambda seed: iter(rows), options=StreamOptions())
    for record in source.images("discover", seed=0):
        ...
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from scotoma.core import ImageRecord, Split, Tag
from scotoma.images.attributes import attributes
from scotoma.images.decoding import look
from scotoma.images.duplicates import Embedder, NearDuplicates
from scotoma.images.files import no_picture
from scotoma.images.options import StreamOptions
from scotoma.images.split import split_of


@dataclass(frozen=True)
class Row:
    """One picture as a dataset holds it. `data` are its encoded bytes; without them `fault` is why it is skipped.

    `name` says where in the dataset it is; empty where the dataset has no name for it.
    """

    data: bytes | None
    name: str = ""
    licence: str | None = None
    attributes: Mapping[str, Tag] = field(default_factory=dict)
    fault: str = "no image"


class StreamSource:
    """A finite image source over rows.

    Args:
        spec: what the user wrote.
        rows: all rows, in an order that follows from the seed alone.
        options: limits, near-copies, and how many rows are mixed at a time.
        place: what the names of rows are relative to; goes into `ImageRecord.source`.
        embedder: finds near-copies by meaning as well.
    """

    def __init__(
        self,
        spec: str,
        rows: Callable[[int], Iterator[Row]],
        options: StreamOptions,
        *,
        place: str = "",
        embedder: Embedder | None = None,
    ) -> None:
        self.spec = spec
        self.options = options
        self.converted: Counter[str] = Counter()
        """How many pictures were converted so far, and how (`core.pixels.Conversion`)."""
        self._rows = rows
        self._place = place or spec
        self._near = (
            None
            if options.near_duplicates is None
            else NearDuplicates(options.near_duplicates, embedder=embedder)
        )
        # What was seen of a picture: its attributes, or why it is skipped.
        self._seen: dict[str, Mapping[str, Tag] | str] = {}
        # Conversions of remembered pictures, counted when the stream comes to them.
        self._uncounted: dict[str, tuple[str, ...]] = {}
        # A row without bytes is in no split (None). A row that is met again in a later pass is not counted again.
        self._skipped: dict[Split | None, Counter[str]] = defaultdict(Counter)

    @property
    def skipped(self) -> Counter[str]:
        """How many rows were skipped so far, by reason: those of `images.decoding`, `no image`, `broken shard`, `copy`
        and `near-duplicate`."""
        return sum(self._skipped.values(), Counter())

    def images(self, split: Split, seed: int) -> Iterator[ImageRecord]:
        """The usable pictures of a split, read as they are asked for.

        Raises:
            ImageError: the split has no usable picture (the message counts what was read and skipped), or the stream
                breaks off.
        """
        read: Counter[str] = Counter()
        met: set[str] = set()
        tally: Counter[str] = Counter()
        empty = True
        for row, image_id in _mixed(self._of(split, seed, read), self.options.shuffle, seed):
            if image_id in met:
                seen: Mapping[str, Tag] | str = "copy"
            else:
                met.add(image_id)
                seen = self._look(image_id, row.data or b"")
            if isinstance(seen, str):
                tally[seen] += 1
                self._skipped[split] |= tally
                continue
            empty = False
            yield ImageRecord(
                id=image_id,
                source=self._place + (row.name or f"#{image_id[:12]}"),
                licence=row.licence or self.options.licence,
                split=split,
                data=row.data,
                attributes={**seen, **row.attributes},
            )
        if empty:
            counted = f"{read['rows']} rows, {read['passed over']} of other splits"
            raise no_picture(self.spec, split, counted, self.skipped)

    def remember(self, records: Iterable[ImageRecord]) -> None:
        """Know pictures that an earlier process handed out: none of their near-copies is, in any split.

        Raises:
            ImageError: the bytes of one cannot be read.
        """
        for record in records:
            if record.id not in self._seen:
                seen = look(record.read(), self.options.max_pixels)
                if not isinstance(seen, str):
                    if self._near is not None:
                        self._near.add(record.id, seen.thumbnail, record)
                    self._seen[record.id] = attributes(seen.thumbnail, seen.size)
                    self._uncounted[record.id] = tuple(seen.conversions)

    def split_of(self, image_id: str) -> Split:
        """The split that a picture with this id belongs to."""
        return split_of(image_id)

    def _of(self, split: Split, seed: int, read: Counter[str]) -> Iterator[tuple[Row, str]]:
        """The rows of a split with the ids of their pictures."""
        tally: Counter[str] = Counter()
        for row in self._rows(seed):
            read["rows"] += 1
            if row.data is None:
                tally[row.fault] += 1
                self._skipped[None] |= tally
                continue
            image_id = ImageRecord.hash(row.data)
            if self.split_of(image_id) == split:
                yield row, image_id
            else:
                read["passed over"] += 1

    def _look(self, image_id: str, data: bytes) -> Mapping[str, Tag] | str:
        if image_id not in self._seen:
            self._seen[image_id] = self._first_look(image_id, data)
        self.converted.update(self._uncounted.pop(image_id, ()))
        return self._seen[image_id]

    def _first_look(self, image_id: str, data: bytes) -> Mapping[str, Tag] | str:
        seen = look(data, self.options.max_pixels)
        if isinstance(seen, str):
            return seen
        if self._near is not None:
            shown = ImageRecord(id=image_id, source=self.spec, data=data)
            if self._near.met(image_id, seen.thumbnail, shown) is not None:
                return "near-duplicate"
        self.converted.update(seen.conversions)
        return attributes(seen.thumbnail, seen.size)


def _mixed(rows: Iterable[tuple[Row, str]], size: int, seed: int) -> Iterator[tuple[Row, str]]:
    """The rows in random order, as far as a buffer of `size` rows can mix a stream."""
    stream = iter(rows)
    rng = random.Random(seed)
    buffer = list(islice(stream, size))
    for row in stream:
        if not buffer:
            yield row
            continue
        at = rng.randrange(len(buffer))
        yield buffer[at]
        buffer[at] = row
    rng.shuffle(buffer)
    yield from buffer
