"""Every condition that tags can meet, as columns of a boolean table: the alphabet that failure modes are written in.

Each condition becomes one boolean column, so that thousands of conjunctions are counted by a few matrix products.

    table = tabulate(tags, weighty=failed, minimum=10)
    table.conditions[3], table.members[:, 3]      # "colour=blue", who meets it
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scotoma.core import Condition, Predicate, Tags
from scotoma.core.predicate import scalar_of, word_of

Mask = npt.NDArray[np.bool_]

_READING_ORDER = (
    *("skill", "skills", "type", "negated", "colour", "size", "shape", "relation", "digit", "landmark"),
    *("attributes", "operation", "wording", "complexity", "composed", "answer", "count", "things", "signs"),
    *("object", "attribute", "topic", "background", "occluded", "asks", "answer_kind"),
)

FORM = frozenset({"words"})
"""Tags of a question's form alone. Where there are few wordings its length is as good as a name for one of them, and
tells nobody what is asked: such tags come last, and name a mode only where no content explains it nearly as well.
"""


@dataclass(frozen=True)
class ConditionTable:
    """`members[i, c]` (rows × conditions) says whether row i meets `conditions[c]`."""

    conditions: tuple[Condition, ...]
    members: Mask

    def all_of(self, columns: Sequence[int]) -> Mask:
        """Rows that meet all of these conditions; every row for none."""
        return np.asarray(self.members[:, list(columns)].all(axis=1), dtype=np.bool_)


def tabulate(
    tags: Sequence[Tags], weighty: Mask, minimum: int, *, cuts: int = 6, ignore: Collection[str] = ()
) -> ConditionTable:
    """All conditions met by at least `minimum` of the `weighty` rows (the failures), and not by every row.

    Text, flags and sets give `key=value`; whole numbers also `>=` and `<=` at up to `cuts` points (quantiles, where
    there are more values). Of conditions met by exactly the same rows the first in reading order stays.
    """
    # By how a value is written, as conditions tell values apart: 3 and "3" are one, 1 and true are two.
    columns: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    numbers: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, tag in enumerate(tags):
        for key, value in tag.items():
            if key in ignore:
                continue
            for item in value if isinstance(value, tuple) else (value,):
                columns[key][word_of(item)].append(row)
            if isinstance(value, int) and not isinstance(value, bool):
                numbers[key][value].append(row)
    conditions: list[Condition] = []
    masks: list[Mask] = []
    seen: set[bytes] = set()
    for key in sorted(columns, key=reading_order):
        for condition, mask in _conditions(key, columns[key], numbers[key], len(tags), cuts):
            if int(np.sum(mask & weighty)) < minimum or mask.all():
                continue
            if (digest := np.packbits(mask).tobytes()) not in seen:
                seen.add(digest)
                conditions.append(condition)
                masks.append(mask)
    members = np.stack(masks, axis=1) if masks else np.zeros((len(tags), 0), dtype=bool)
    return ConditionTable(conditions=tuple(conditions), members=members)


def members(predicate: Predicate, tags: Iterable[Tags]) -> Mask:
    """Which of these tags the predicate holds for."""
    return np.array([predicate.matches(tag) for tag in tags], dtype=bool)


def reading_order(key: str) -> tuple[int, str]:
    """Sorts tag keys the way a sentence names them: skill, attributes, wording, answer, image, form."""
    if key in FORM:
        return (len(_READING_ORDER) + 1, key)
    return (_READING_ORDER.index(key) if key in _READING_ORDER else len(_READING_ORDER), key)


def _conditions(
    key: str, rows: dict[str, list[int]], rows_of: dict[int, list[int]], n: int, cuts: int
) -> Iterable[tuple[Condition, Mask]]:
    """`rows` by written value; `rows_of` by number, where the tag is one: text that reads like one is neither above
    nor below anything.
    """
    numbers = sorted(rows_of)
    many = {word_of(number) for number in numbers} if len(numbers) > 2 * cuts else set()
    for word, value in sorted(((word, scalar_of(word)) for word in rows), key=lambda pair: str(pair[1])):
        if word in many:
            continue
        mask = np.zeros(n, dtype=bool)
        mask[rows[word]] = True
        yield Condition(key=key, op="=", value=value), mask
    if len(numbers) < 3:
        return
    column = np.full(n, np.nan)
    for number in numbers:
        column[rows_of[number]] = number
    for cut in _cut_points(numbers, column, cuts):
        if cut > numbers[0]:
            yield Condition(key=key, op=">=", value=cut), column >= cut
        if cut < numbers[-1]:
            yield Condition(key=key, op="<=", value=cut), column <= cut


def _cut_points(numbers: list[int], column: npt.NDArray[np.float64], cuts: int) -> list[int]:
    if len(numbers) <= cuts + 2:
        return numbers
    quantiles = np.nanquantile(column, np.linspace(0, 1, cuts + 2), method="nearest")
    return sorted({int(q) for q in quantiles})
