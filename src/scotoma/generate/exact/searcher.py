"""The exact searcher: pictures by their facts, those that look most like the failure's first.

FactsSearcher(pool).search(sketch, 3)[0].how     # "the failure's own picture"
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from zlib import crc32

from scotoma.core import ImageRecord, Predicate
from scotoma.generate.handover import Found, Sketch
from scotoma.images.search.pool import PicturePool

FRESH = 5
"""Of so many sketches one is on a picture of the pool, where any will do: new samples keep the failure's
structure, but not all of them should descend from the few failures."""


class FactsSearcher:
    """Offers the picture of the sketch's failure, where it satisfies what the sketch asks of a picture (`things>=6`,
    `background=stripes`), and pictures of the pool that do. What the sketch asks of the question is the writer's.

    Whatever the split of a picture, the editor makes a new one of it.
    """

    def __init__(self, pool: Iterable[ImageRecord]) -> None:
        self._pool = PicturePool([record for record in pool if record.facts is not None])

    def search(self, sketch: Sketch, n: int) -> Sequence[Found]:
        """Up to `n` pictures."""
        own = sketch.like.image if sketch.like is not None else None
        known = (
            set(own.attributes) if own is not None else {k for r in self._pool.records for k in r.attributes}
        )
        shown = Predicate(conditions=tuple(c for c in sketch.must.conditions if c.key in known))
        fits = own is not None and shown.matches(own.attributes)
        if own is not None and fits and crc32(sketch.key.encode()) % FRESH:
            return [Found(own, "the failure's own picture")]
        hits = self._pool.like(own, n, where=lambda record: shown.matches(record.attributes))
        return [Found(hit.image, f"facts: {shown}") for hit in hits]
