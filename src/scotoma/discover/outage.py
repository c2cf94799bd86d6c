"""Outages: a server that is down, told from a candidate that fails, before anything is concluded or more is spent.

check_answered(observations, MOST_LOST)     # a part is over: is enough left of it?
outage = Outage()
outage.note(Passage(0, Counter({"timeout": 96}), {"timeout": "no reply within 60 s"}), images=12)   # ModelError
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scotoma.core import ModelError, Observation

MOST_LOST = 0.5
"""The share of a part's questions that errors may take: nothing is to be concluded because a server was down."""

ENOUGH_LOST, ENOUGH_IMAGES = 32, 4
"""Questions in a row that are lost, about so many images at least: after so many a server is taken for dead. A model
may refuse every question about a single image.
"""

LONGEST = 200
"""Characters of a server's own words that a message shows."""


def describe_losses(lost: Mapping[str, int], words: Mapping[str, str | None]) -> str:
    """The commonest errors, each with what its server said, where it said something.

    >>> describe_losses({"refused": 46}, {"refused": "401: Incorrect API key provided"})
    '46 × refused (401: Incorrect API key provided)'
    """
    return ", ".join(
        f"{count} × {error}" + (f" ({_short(said)})" if (said := words.get(error)) else "")
        for error, count in Counter(lost).most_common(3)
    )


@dataclass(frozen=True)
class Passage:
    """What got past the servers in a part of the work: how much `came`, what was `lost`, by error, and what a server
    last said of each.
    """

    came: int
    lost: Counter[str]
    words: dict[str, str]

    @classmethod
    def of(
        cls,
        observations: Sequence[Observation],
        judged: int,
        unjudged: Mapping[str, int],
        words: Mapping[str, str],
    ) -> Passage:
        """Of questions that were asked and, before, of so many proposals that were judged, and those that were not.
        Judged ones count where nothing was asked.
        """
        lost = [o for o in observations if o.outcome == "infrastructure"]
        answered = sum(o.answered for o in observations)
        return cls(
            answered or (0 if observations else judged),
            Counter(unjudged) + Counter(o.verdict.error or "undecided" for o in lost),
            {
                **words,
                **{o.verdict.error: o.verdict.reason for o in lost if o.verdict.error and o.verdict.reason},
            },
        )


class Outage:
    """What was lost since something last came through."""

    def __init__(self) -> None:
        self._lost: Counter[str] = Counter()
        self._words: dict[str, str] = {}
        self._images = 0

    def note(self, passage: Passage, images: int) -> None:
        """A part of the work, on so many images, is over.

        Raises:
            ModelError: nothing came through for so long that a server must be down.
        """
        if passage.came:
            self._lost.clear()
            self._images = 0
        if passage.came or not passage.lost:
            return
        self._lost.update(passage.lost)
        self._words.update(passage.words)
        self._images += images
        if self._lost.total() >= ENOUGH_LOST and self._images >= ENOUGH_IMAGES:
            losses = describe_losses(self._lost, self._words)
            raise ModelError(
                f"the last {self._lost.total()} questions all came to nothing: {losses}",
                hint="are the servers of candidate, questioner and judge well, and can their replies be read? "
                "The same command goes on",
            )


def check_answered(observations: Sequence[Observation], most_lost: float = 1.0, who: str = "") -> None:
    """Refuse to go on, before anything is written down, where an outage left nothing to conclude from.

    Args:
        observations: asked together.
        most_lost: the share of them that errors of models or servers may take, (0, 1]; a judge's undecided ones count
            only where nothing else is left.
        who: the candidate, where there are several.

    Raises:
        ModelError: so many are lost, or not one was answered and judged.
    """
    lost = [o for o in observations if o.outcome == "infrastructure"]
    failed = sum(o.verdict.error is not None for o in lost)
    if not lost or (len(lost) < len(observations) and failed < most_lost * len(observations)):
        return
    errors = Counter(o.verdict.error or "undecided" for o in lost)
    words = {o.verdict.error: o.verdict.reason for o in lost if o.verdict.error}
    answered = len(observations) - len(lost)
    many = (
        f"only {answered} of {len(observations)} questions were"
        if answered
        else f"none of {len(observations)} questions was"
    )
    raise ModelError(
        f"{who + ': ' if who else ''}{many} answered and judged: {describe_losses(errors, words)}",
        hint="does the candidate take images, and is its server well? The same command goes on",
    )


def _short(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
