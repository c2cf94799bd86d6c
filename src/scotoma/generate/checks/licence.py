"""Licence: may the picture be trained on and passed on, and is it known where it is from?

>>> from scotoma.core import ImageRecord
>>> found = ImageRecord(id="ab12", source="https://example.org/cat.jpg", licence="CC BY-NC 4.0")
>>> Licence().reason(Draft(found, "is it a cat ?", "yes"))
'licence'
"""

from __future__ import annotations

from collections.abc import Collection

from scotoma.generate.checks.check import Check, Draft
from scotoma.images.licences import FREE, allowed


class Licence(Check):
    """Rejects pictures that came from elsewhere without an allowed licence or a named source.

    A picture that a world drew has none but ours, and passes.

    Args:
        families: of licences that are taken (`images.licences`).
        own: how the sources of pictures begin that are the user's own (`folder:photos/`), whatever their licence says.
    """

    name = "licence"

    def __init__(self, families: Collection[str] = FREE, own: Collection[str] = ()) -> None:
        self._families = tuple(families)
        self._own = tuple(own)

    def reason(self, draft: Draft) -> str | None:
        """`no_source` or `licence`."""
        image = draft.image
        if image.facts is not None or image.source.startswith(self._own):
            return None
        if not image.source.strip():
            return "no_source"
        return None if allowed(image.licence, self._families) else "licence"
