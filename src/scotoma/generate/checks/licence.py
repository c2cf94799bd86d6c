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
        families: of licences that are taken (`images.licences`); None: any, but a source must be named.
        own: how the sources of pictures begin that are the user's own (`folder:photos/`), whatever their licence says.
        elsewhere: how the sources of pictures begin that are not (`openverse:`), where all others are; None: all are
            from elsewhere that are not `own`.
    """

    name = "licence"

    def __init__(
        self,
        families: Collection[str] | None = FREE,
        own: Collection[str] = (),
        elsewhere: Collection[str] | None = None,
    ) -> None:
        self._families = None if families is None else tuple(families)
        self._own = tuple(own)
        self._elsewhere = None if elsewhere is None else tuple(elsewhere)

    def reason(self, draft: Draft) -> str | None:
        """`no_source` or `licence`."""
        image = draft.image
        if image.facts is not None or image.source.startswith(self._own):
            return None
        if not image.source.strip():
            return "no_source"
        if self._elsewhere is not None and not image.source.startswith(self._elsewhere):
            return None
        return None if self._families is None or allowed(image.licence, self._families) else "licence"
