"""Formulas: whether two expressions are worth the same, by math-verify (Kydlíček 2025) on sympy.

math-verify guards itself with a signal timer, which works in no thread; so its timer is off, and only expressions go in
that cannot take long: short, from a small vocabulary, without an equation to solve. Everything else is no formula.

>>> compare("√16 / 3", "4/3"), compare("x + 1", "1 + x"), compare("2^3", "9")
('correct', 'correct', 'incorrect')
>>> compare("a red circle", "2/3") is None
True
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST = 48
_COMMANDS = (
    "frac", "dfrac", "tfrac", "sqrt", "pi", "cdot", "times", "div", "left", "right", "circ", "theta", "alpha", "beta",
)  # fmt: skip
_VOCABULARY = re.compile(
    rf"(?:\\(?:{'|'.join(_COMMANDS)})(?![A-Za-z])|\\[%,;! ]|(?<![A-Za-z])[A-Za-z](?![A-Za-z])|\d|[-+*/^(){{}}.,%|\s])+"
)
_OPERATION = re.compile(
    r"\\(?:[dt]?frac|sqrt|pi|cdot|times|div)(?![A-Za-z])|[√π]|[\w)}]\s*[+*/=^×÷·]\s*[-\w({\\√π]"
)
_SLOW = re.compile(
    r"\^\s*\{?-?\d{3}|\d{16}"  # large numbers
    r"|\^\s*\{?-?\w+\s*\}?\s*\^|\^\s*-?[\\(]|\^\s*\{(?!-?\w{1,2}\s*\})"  # powers of powers
    r"|[)}]\s*\^\s*\{?-?(?:\d\d|[A-Za-z])|[)}]\s*\^.*[)}]\s*\^"  # large powers of sums: they would be expanded
)
_ASSIGNMENT = re.compile(r"^[\s$]*([A-Za-z])\s*=(?!=)")
_DATE = re.compile(r"\d\s*/\s*\d+\s*/\s*\d")
_SIDE_BY_SIDE = re.compile(r"\d\s+\d")
_MIXED = re.compile(r"-?\d+\s+(?:\d+\s*/\s*\d+|\\[dt]?frac\s*\{\s*\d+\s*\}\s*\{\s*\d+\s*\})")
_SIGNS = {"π": r"\pi ", "−": "-", "·": r"\cdot ", "×": r"\times ", "÷": "/"}


def compare(answer: str, truth: str) -> Literal["correct", "incorrect", "undecided"] | None:
    """Compare two texts of which at least one is a formula; None where neither is, or one cannot be read as such.

    Different formulas are `incorrect` where both come down to a number, and otherwise `undecided`.
    """
    if not (_is_formula(answer) or _is_formula(truth)):
        return None
    if not _installed():
        return "undecided"
    names = {found[1] for text in (answer, truth) if (found := _ASSIGNMENT.match(text))}
    if len(names) > 1:
        return None
    # `x = 3` says the same as 3; what is left holds no equation, which would have to be solved.
    said, right = (_parse(_ASSIGNMENT.sub("", text)) for text in (answer, truth))
    if not said or not right:
        return None
    if _equal(right, said) or _equal(said, right):
        return "correct"
    return "incorrect" if _is_number(said) and _is_number(right) else "undecided"


def _installed() -> bool:
    try:
        import math_verify  # noqa: F401
    except ImportError:
        return False
    # It warns that its timer is off.
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    return True


def _is_formula(text: str) -> bool:
    return bool(_OPERATION.search(text))


@lru_cache(maxsize=4096)
def _parse(text: str) -> tuple[Any, ...] | None:
    """What math-verify reads: expressions of sympy, then the text that it took for them."""
    bare = text.strip().rstrip(".").strip("$ ").rstrip(". ")
    bare = re.sub(r"√\s*(\d+|[A-Za-z]|\([^()]*\))", r"\\sqrt{\1}", bare)
    for sign, command in _SIGNS.items():
        bare = bare.replace(sign, command)
    if len(bare) > _LONGEST or bare.count("^") > 2 or not _VOCABULARY.fullmatch(bare):
        return None
    if _SLOW.search(bare) or _DATE.search(bare):
        return None
    # Two numbers, which math-verify would add or multiply.
    if _SIDE_BY_SIDE.search(bare) and not _MIXED.fullmatch(bare):
        return None
    try:
        from math_verify import LatexExtractionConfig, parse

        read: Sequence[Any] = parse(f"${bare}$", [LatexExtractionConfig()], parsing_timeout=None)
    except Exception:  # sympy raises whatever comes to its mind on odd input
        return None
    # Where only its text comes back, math-verify made nothing of it.
    return tuple(read) if read and not isinstance(read[0], str) else None


def _equal(gold: tuple[Any, ...], said: tuple[Any, ...]) -> bool:
    from math_verify import verify

    try:
        return bool(verify(list(gold), list(said), timeout_seconds=None))
    except Exception:  # as above: what cannot be compared is not equal, and `compare` leaves it open
        return False


def _is_number(read: tuple[Any, ...]) -> bool:
    return bool(getattr(read[0], "is_number", False))
