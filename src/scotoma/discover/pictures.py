"""A run's pictures as they were asked about: pixels from the run, exact facts from whoever can rebuild them.

acquaint(source, run)
images = pictures_of(run, source, [observation.image_id for observation in earlier])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from scotoma.core import SPLITS, ImageError, ImageRecord, ImageSource, World
from scotoma.images.stream import StreamSource
from scotoma.store.run import Run

Pictures = Callable[[Iterable[str]], dict[str, ImageRecord]]
"""Opens earlier pictures by their ids."""


def acquaint(source: ImageSource, run: Run) -> None:
    """Tell a stream, which is never read whole, which pictures the run has used: no near-copy of one may lie on the
    other side of a split. Files know their near-copies from the beginning.

    Raises:
        ImageError: a picture of the run is missing or damaged.
    """
    if isinstance(source, StreamSource):
        source.remember(run.images.all())


def pictures_of(run: Run, source: ImageSource, ids: Iterable[str]) -> dict[str, ImageRecord]:
    """The pictures of a run, with their facts: rebuilt by a world, or found again in the source that knows them.

    Raises:
        ImageError: one is missing or damaged, or its facts are gone.
    """
    facts = source.facts if isinstance(source, World) else None
    images = {image: run.images.get(image, facts=facts) for image in dict.fromkeys(ids)}
    if facts is None:
        lost = {i for i in images if (entry := run.ledger.image(i)) is not None and entry.facts is not None}
        for split in SPLITS if lost else ():
            for record in source.images(split, 0):
                if record.id in lost:
                    images[record.id] = record
                    lost.discard(record.id)
                if not lost:
                    break
        if lost:
            raise ImageError(
                f"{len(lost)} pictures of {run.path} with facts are no longer in {source.spec}",
                hint="put them back: the facts lie beside them",
            )
    return images
