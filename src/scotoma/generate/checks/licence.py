"""Licence: may the picture be trained on and passed on, and is it known where it is from?

>>> from scotoma.core import ImageRecord
>>> found = ImageRecord(id="ab12", source="https://example.org/cat.jpg", licence="CC BY-NC 4.0")
>>> Licence().reason(Draft(found, "is it a cat ?", "yes"))
'licence'
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from scotoma.generate.checks.check import Check, Draft

FREE = (
    r"CC0\b.*",
    r"CC[ -]BY(?:[ -]SA)?(?:[ -]\d\.\d)?",
    r"public domain\b.*",
    r"PDM\b.*",
    r"(?:Apache|MIT|BSD|Unlicense)\b.*",
)
"""Licences that allow training and passing on, also for money and changed: whole-text patterns, in any case."""


class Licence(Check):
    """Rejects pictures that came from elsewhere without an allowed licence or a named source.

    A picture that a world drew has none but ours, and passes.

    Args:
        allowed: regular expressions, matched against the whole licence, in any case.
        own: sources whose pictures are the user's own (`folder:photos`), whatever their licence says.
    """

    name = "licence"

    def __init__(self, allowed: Sequence[str] = FREE, own: Sequence[str] = ()) -> None:
        self._allowed = re.compile(
            "|".join(f"(?:{pattern})" for pattern in allowed) or r"(?!)", re.IGNORECASE
        )
        self._own = tuple(own)

    def reason(self, draft: Draft) -> str | None:
        """`no_source` or `licence`."""
        image = draft.image
        if image.facts is not None or image.source in self._own:
            return None
        if not image.source.strip():
            return "no_source"
        return None if self._allowed.fullmatch(image.licence.strip()) else "licence"
