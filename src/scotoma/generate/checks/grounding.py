"""Grounding: the picture is the one that the question was written about.

Rows that slip, caches keyed on a row number, an edit that was not drawn: the question may even fit the wrong picture by
chance, and teaches it nothing. Where a picture is drawn from facts this is decided: draw them again, and compare.

    Grounding(world).reason(draft)       # "wrong_image" when the facts draw another picture
"""

from __future__ import annotations

from scotoma.core import World
from scotoma.generate.checks.check import Check, Draft


class Grounding(Check):
    """Rejects a picture that is not what the draft's facts look like. A photo has no facts and passes: whether a
    question fits it is for `SingleAnswer`, with a verifier's opinion, to say (`not_grounded`).
    """

    name = "grounding"

    def __init__(self, world: World) -> None:
        self._world = world
        self._drawn: tuple[object, str] | None = None

    def reason(self, draft: Draft) -> str | None:
        """`wrong_image`."""
        facts = draft.facts
        if facts is None:
            return None
        # The questions about one picture come one after the other, so the last drawing is kept.
        if self._drawn is None or self._drawn[0] is not facts:
            again = self._world.render(self._world.facts(facts.to_json()), draft.image.split)
            self._drawn = (facts, again.id)
        return "wrong_image" if self._drawn[1] != draft.image.id else None
