"""Outages: a server that is down, told from a candidate that fails, before anything is concluded or more is spent.

check_answered(observations, MOST_LOST)     # a part is over: is enough left of it?
outage = Outage()
outage.note(came=0, lost=Counter({"timeout": 40}), words={"timeout": "no reply within 60 s"})   # ModelError
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from scotoma.core import ModelError, Observation

MOST_LOST = 0.5
"""The share of a part's questions that errors may take: nothing is to be concluded because a server was down."""

ENOUGH_LOST = 32
"""Questions in a row that are lost to errors: after so many a server is taken for dead."""

LONGEST = 200
"""Characters of a server's own words that a message shows."""


def told(lost: Mapping[str, int], words: Mapping[str, str | None]) -> str:
    """The commonest errors, each with what its server said, where it said something.

    >>> told({"refused": 46}, {"refused": "401: Incorrect API key provided"})
    '46 × refused (401: Incorrect API key provided)'
    """
    return ", ".join(
        f"{count} × {error}" + (f" ({_short(said)})" if (said := words.get(error)) else "")
        for error, count in Counter(lost).most_common(3)
    )


class Outage:
    """What was lost since something last came through."""

    def __init__(self) -> None:
        self._lost: Counter[str] = Counter()
        self._words: dict[str, str] = {}

    def note(self, came: int, lost: Mapping[str, int], words: Mapping[str, str]) -> None:
        """A part of the work is over: so much came through, this was lost, with the servers' own words by error.

        Raises:
            ModelError: nothing came through for so long that a server must be down.
        """
        if came:
            self._lost.clear()
            return
        self._lost.update(lost)
        self._words.update(words)
        if self._lost.total() >= ENOUGH_LOST:
            raise ModelError(
                f"the last {self._lost.total()} questions were all lost to errors: {told(self._lost, self._words)}",
                hint="are the servers of candidate, questioner and judge well? The same command goes on",
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
        f"{who + ': ' if who else ''}{many} answered and judged: {told(errors, words)}",
        hint="does the candidate take images, and is its server well? The same command goes on",
    )


def _short(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
