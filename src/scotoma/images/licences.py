"""Licences of pictures, told apart by family: versions, creators and ways of writing aside.

>>> allowed("CC BY 2.0 (Jane Doe)", ["CC BY"]), allowed("cc-by-sa-3.0", FREE), allowed("CC BY-NC 2.0", FREE)
(True, True, False)
"""

from __future__ import annotations

import re
from collections.abc import Collection

FREE = (
    "CC0", "CC BY", "CC BY-SA", "PDM", "Public Domain Mark", "Public domain", "Apache", "MIT", "BSD", "Unlicense",
)  # fmt: skip
"""Families that allow training and passing on, also for money and changed."""

_CREATOR = re.compile(r"\s*\(.*\)$")
_VERSION = re.compile(r"[\s-]+v?\d+(\.\d+)*\b.*$| licen[cs]e$")
_COMMONS = re.compile(r"^cc[\s-]+")


def allowed(licence: str, families: Collection[str]) -> bool:
    """Whether a licence is of one of these families."""
    return _family(licence) in map(_family, families)


def _family(licence: str) -> str:
    plain = _CREATOR.sub("", licence.strip().lower())
    return _COMMONS.sub("cc ", _VERSION.sub("", plain))
