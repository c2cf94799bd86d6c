"""A second opinion: what somebody who did not write the sample says of it; asked once for all checks that need it.

opinion = Reread(world)                   # worlds: the executor, on the facts as they are read back from JSON
opinion.of(draft).correct
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from scotoma.core import Claim, ImageRecord, Verdict, World
from scotoma.generate.checks.check import Draft
from scotoma.verify.facts import FactsVerifier


class SecondOpinion(Protocol):
    """Judges a draft's question and answer on its picture."""

    def of(self, draft: Draft) -> Verdict:
        """V_Q, the answer it holds to be right, and C_Q of the draft's answer."""
        ...


class Reread:
    """The facts of the picture itself, written to JSON and read back, executed once more.

    So a sample whose picture was mixed up is judged by the picture it now has. No other program answers: an error in
    the executor itself goes unnoticed.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._verifier = FactsVerifier()
        self._picture: tuple[ImageRecord, ImageRecord] | None = None
        self._last: tuple[Draft, Verdict] | None = None

    def of(self, draft: Draft) -> Verdict:
        """See `SecondOpinion`; no verdict (`valid` None) for a picture without facts."""
        # Two checks ask about a draft, one after the other.
        if self._last is None or self._last[0] is not draft:
            claim = Claim(image=self._reread(draft.image), question=draft.question, answer=draft.answer)
            self._last = (draft, self._verifier.judge([claim])[0])
        return self._last[1]

    def _reread(self, image: ImageRecord) -> ImageRecord:
        """The picture with its facts read back; the questions about one come one after the other, so it is kept."""
        if self._picture is None or self._picture[0] is not image:
            facts = None if image.facts is None else self._world.facts(image.facts.to_json())
            self._picture = (image, replace(image, facts=facts))
        return self._picture[1]
