"""Duplicate: the same question about the same picture, in the same or in other words, teaches nothing twice.

>>> from scotoma.core import ImageRecord
>>> picture, check = ImageRecord(id="ab12", source="mine"), Duplicate(reworded=True)
>>> check.keep(Draft(picture, "how many red circles are there ?", "2"))
>>> check.reason(Draft(picture, "Count the red circles.", "2"))
'near_duplicate'
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np
import numpy.typing as npt

from scotoma.core import Tags
from scotoma.generate.checks.check import Check, Draft
from scotoma.images.duplicates import NearDuplicates

Vectors = npt.NDArray[np.float32]


class Embedder(Protocol):
    """Turns questions into unit vectors (n × d), as `HashedWords` (`discover`) and `SentenceEmbedder` (`models`) do."""

    def __call__(self, questions: Sequence[str], tags: Sequence[Tags]) -> Vectors: ...


class Duplicate(Check):
    """Rejects a question that was asked of this picture already.

    The same words always count. Everything else must also have the same answer, for the same words in another order
    may ask something else; and what the writer tells apart as another wording (`Draft.phrasing`) is said again on
    purpose, once.

    Args:
        reworded: compare the words that matter, in order (`gist`), so that "count the stars" is "how many stars".
        near: finds near-copies of earlier pictures, which then count as the same picture (`leakage.LEVELS` suits).
        embedder: compares by meaning as well.
        similarity: cosine, in [-1, 1], from which on two questions about a picture are one.
    """

    name = "duplicate"

    def __init__(
        self,
        *,
        reworded: bool = False,
        near: NearDuplicates | None = None,
        embedder: Embedder | None = None,
        similarity: float = 0.95,
    ) -> None:
        self._exact_only = not reworded and near is None and embedder is None
        self._reworded = reworded
        self._near = near
        self._embedder = embedder
        self._similarity = similarity
        self._exact: set[tuple[str, str]] = set()
        self._asked: set[tuple[str, tuple[str, ...], str]] = set()
        self._vectors: dict[tuple[str, str, str], list[Vectors]] = defaultdict(list)
        self._pictures: set[str] = set()
        self._last: tuple[str, str] = ("", "")

    def reason(self, draft: Draft) -> str | None:
        """`duplicate` in the same words about the same picture, otherwise `near_duplicate`."""
        if (draft.image.id, draft.question) in self._exact:
            return self.name
        if self._exact_only:
            return None
        picture = self._first_copy(draft)
        if not self._asked.isdisjoint(self._wordings(draft, picture)):
            return "near_duplicate"
        if self._embedder is not None and (
            others := self._vectors[picture, draft.bare_answer, draft.phrasing]
        ):
            vector = self._embedder([draft.question], [draft.tags])[0]
            if float((np.stack(others) @ vector).max()) >= self._similarity:
                return "near_duplicate"
        return None

    def keep(self, draft: Draft) -> None:
        """Remember the question."""
        self._exact.add((draft.image.id, draft.question))
        if self._exact_only:
            return
        picture = self._first_copy(draft)
        if self._near is not None and picture not in self._pictures:
            self._near.met(picture, draft.image.open(), draft.image)
            self._pictures.add(picture)
        self._asked.update(self._wordings(draft, picture))
        if self._embedder is not None:
            self._vectors[picture, draft.bare_answer, draft.phrasing].append(
                self._embedder([draft.question], [draft.tags])[0]
            )

    def _wordings(self, draft: Draft, picture: str) -> list[tuple[str, tuple[str, ...], str]]:
        words = [(draft.question,), *([(draft.phrasing, *gist(draft.question))] if self._reworded else [])]
        return [(picture, each, draft.bare_answer) for each in words]

    def _first_copy(self, draft: Draft) -> str:
        """The id of the earliest picture that this one is a near-copy of; its own where there is none."""
        if self._near is None:
            return draft.image.id
        # The questions about one picture come one after the other, so the last search is kept.
        if self._last[0] != draft.image.id:
            found = self._near.find(draft.image.open(), draft.image)
            self._last = (draft.image.id, found or draft.image.id)
        return self._last[1]


_SAME = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (
            r"\b(?:how many|(?:what|which|the) (?:total )?number of|(?:what is )?the total of|count(?: the)?)\b",
            "count",
        ),
        (r"\bdo (.+?) outnumber (.+)", r"more \1 than \2"),
        (r"\bdo (.+?) and (.+?) have the same (\w+)", r"\1 same \3 \2"),
        (r"\bis (.+?) (?:small or large|large or small)\b", r"size \1"),
        (r"\bwithout (.+?) ones\b", r"not \1"),
        (r"\bwithout\b", "no"),
        (r"\bhigher than\b|\bover\b", "above"),
        (r"\blower than\b|\bunder\b", "below"),
        (
            r"\bread the (\w+)|\bwhat does the (\w+) (?:say|read)|\b(?:what|which) (digit|word|sign|text)\b",
            r"read \1\2\3",
        ),
        (r"\bobject(s?)\b", r"thing\1"),
        (r"\bcolor", "colour"),
    )
)
"""Ways to say the same in questions about pictures, the common one on the right."""

_IDLE = frozenset(
    re.findall(
        r"\w+",
        "a an the is are was were there do does did you we i it that this these those see find have has had be can "
        "could here in of to as for what which please name tell me any picture image photo show shown",
    )
)


@lru_cache(maxsize=65536)
def gist(question: str) -> tuple[str, ...]:
    """The words that matter, in order, in the singular and in their commonest form (rules of ours, for English).

    >>> gist("do the stars outnumber the red circles ?") == gist("are there more stars than red circles ?")
    True
    """
    text = " ".join(re.findall(r"[^\W_]+", question.lower()))
    for pattern, replacement in _SAME:
        text = pattern.sub(replacement, text)
    return tuple(_singular(word) for word in text.split() if word not in _IDLE)


def _singular(word: str) -> str:
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
