"""Leakage: what is trained on must not be what is measured on.

>>> from scotoma.core import ImageRecord
>>> Leakage({"ab12"}).reason(Draft(ImageRecord(id="ab12", source="mine"), "is there a star ?", "yes"))
'leakage'
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from scotoma.core import ImageRecord
from scotoma.generate.checks.check import Check, Draft
from scotoma.images.duplicates import NearDuplicates

LEVELS = 64
"""Levels of 255 by which near-copies may differ in a cell: more than `images.duplicates` grants, for a false alarm
costs one sample here, and small pictures suffer. Chosen on the shapes world; on 150 other pictures of it, the greatest
difference was 46 at the median and 82 at most for JPEG at quality 60 to 95 (89 % of which are found), 34 at most for
other sizes, 14 for noise and brightness (98 % and more); of two pictures that are no copies 126 at least. Of scenes
with a single thing changed, 1.3 % pass for copies.
"""


class Leakage(Check):
    """Rejects pictures of held-out splits and, where their pixels are given, near-copies of them (`images.duplicates`).

    Args:
        held_out: ids of pictures in `discover`, `confirm` and `test`.
        pictures: the same pictures, or those of them whose near-copies count. Without them only ids are compared.
    """

    name = "leakage"

    def __init__(self, held_out: Collection[str], pictures: Iterable[ImageRecord] = ()) -> None:
        self._held_out = held_out
        self._near = NearDuplicates(levels=LEVELS)
        self._any = False
        for record in pictures:
            self._near.add(record.id, record.open(), record)
            self._any = True
        self._last: tuple[str, bool] = ("", False)

    def reason(self, draft: Draft) -> str | None:
        """`leakage` for the picture itself, `near_leakage` for a near-copy."""
        image = draft.image
        if image.id in self._held_out:
            return self.name
        if not self._any:
            return None
        # The questions about one picture come one after the other, so the last search is kept.
        if self._last[0] != image.id:
            self._last = (image.id, self._near.find(image.open(), image) is not None)
        return "near_leakage" if self._last[1] else None
