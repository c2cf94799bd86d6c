"""The split of a picture follows from its content alone: not from its name, its place, or what lies beside it.

So it stays what it is when pictures are added, moved or renamed, and the same picture met in a folder and in a
dataset is in the same split.

>>> split_of("8" + 63 * "0")
'confirm'
"""

from __future__ import annotations

from collections.abc import Mapping

from scotoma.core import SPLITS, Split

SHARES: Mapping[Split, float] = {"discover": 0.4, "confirm": 0.2, "train": 0.2, "test": 0.2}
"""The share of the pictures that each split gets, on average; they sum to 1."""


def split_of(image_id: str) -> Split:
    """The split that a picture with this id (`ImageRecord.hash` of its bytes) belongs to."""
    position = int(image_id[:13], 16) / 16**13
    for split in SPLITS:
        position -= SHARES[split]
        if position < 0:
            return split
    return SPLITS[-1]
