"""An image source of somebody else's code (`module:Class`), held to the contract of `core.ImageSource`.

What it does wrong is told as its mistake, and a picture that it gives in two splits is refused: held out means held
out. A world of one's own is taken as it is, since what it can do is told by its methods.

    source = PluginSource("mine:Photos", Photos())
    next(source.images("confirm", 0))   # ImageError: "mine:Photos gave the picture 3f2a… in discover and in confirm"
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from scotoma.core import ImageError, ImageRecord, ImageSource, ScotomaError, Split
from scotoma.core.plugin import failure


class PluginSource:
    """Asks the source, and looks at what it gives (`core.ImageSource`). `skipped` and `converted` are the source's own
    counters where it has any: pictures that it left out or changed, by reason.
    """

    def __init__(self, target: str, source: ImageSource) -> None:
        self.spec = source.spec
        self.skipped: Mapping[str, int] = getattr(source, "skipped", {})
        self.converted: Mapping[str, int] = getattr(source, "converted", {})
        self._target = target
        self._source = source
        self._split: dict[str, Split] = {}

    def images(self, split: Split, seed: int) -> Iterator[ImageRecord]:
        """Its images of a split.

        Raises:
            ImageError: it failed, or gave something else than records of this split.
        """
        try:
            given: object = self._source.images(split, seed)
            if not isinstance(given, Iterable):
                raise ImageError(
                    f"{self._target} gave a {type(given).__name__}",
                    hint="images(split, seed) must yield scotoma.core.ImageRecord",
                )
            for record in given:
                yield self._checked(record, split)
        except ScotomaError:
            raise
        except Exception as error:  # somebody else's code raises what it likes
            raise ImageError(failure(self._target, self._source, error)) from error

    def _checked(self, record: object, split: Split) -> ImageRecord:
        if not isinstance(record, ImageRecord):
            raise ImageError(
                f"{self._target} gave {record!r:.80} as an image",
                hint="it must be a scotoma.core.ImageRecord",
            )
        if record.split != split:
            raise ImageError(
                f"{self._target} gave a record of the split {record.split} when it was asked for {split}",
                hint="scotoma.images.split.split_of(record.id) tells the split",
            )
        if record.data is not None and record.id != ImageRecord.hash(record.data):
            raise ImageError(
                f"{self._target} gave a picture the id {record.id[:20]!r}",
                hint="it must be ImageRecord.hash(data)",
            )
        before = self._split.setdefault(record.id, split)
        if before != split:
            raise ImageError(
                f"{self._target} gave the picture {record.id[:12]} in {before} and in {split}",
                hint="every picture belongs to one split: scotoma.images.split.split_of(record.id) tells which",
            )
        return record
