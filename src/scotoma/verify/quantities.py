"""Numbers and measurements, read exactly: 1,200; 1/2; 50 %; 3 cm; five kilograms; $2.50; 2 million.

Two quantities agree when they are equal after conversion. Where a rounding could lie between them, or one lacks the
unit of the other, rules do not decide.

>>> compare("30 mm", "3 cm"), compare("5 kilograms", "5 kg"), compare("50 %", "1/2"), compare("4 cm", "3 cm")
('correct', 'correct', 'correct', 'incorrect')
>>> compare("a red circle", "3 cm") is None
True
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
"""The number words that are read one by one, by their number."""

_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SPELT = re.compile(
    rf"\b(?:(?P<ten>{'|'.join(_TENS)})(?:[-‑\s](?P<one>{'|'.join(WORDS[1:10])}))?"
    r"|(?P<dozen>(?:a|one) dozen)|(?P<hundred>a hundred))\b",
    re.IGNORECASE,
)
_MINUS = re.compile(
    rf"(?<![\d)])(?<![\d)]\s)(?:\b(?:minus|negative)\s+(?:(?=\.?\d)|(?P<word>{'|'.join(WORDS)})\b)|[−–](?=\.?\d))",
    re.IGNORECASE,
)
"""A sign before a number; after one it takes away, or says "to"."""
_PARTS = {
    "half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fourth": 4, "fourths": 4,
    "fifth": 5, "fifths": 5, "sixth": 6, "sixths": 6, "seventh": 7, "sevenths": 7, "eighth": 8, "eighths": 8,
    "ninth": 9, "ninths": 9, "tenth": 10, "tenths": 10,
}  # fmt: skip
_UNREAD = frozenset(
    {
        "dozen", "dozens", "hundred", "hundreds", "thousand", "thousands", "million", "millions", "billion",
        "billions", "trillion", "trillions", "lakh", "lakhs", "crore", "crores", "pair", "pairs", "couple",
        "couples", "half", "halves", "quarter", "quarters",
    }
)  # fmt: skip
"""Words that make another number of the one before them."""


def is_unread(words: Sequence[str]) -> bool:
    """Whether words make another number of the digits among them: "2 hundred", "1 third".

    >>> is_unread(["about", "1", "third"]), is_unread(["2", "in", "third", "row"])
    (True, False)
    """
    return bool(_UNREAD & set(words)) or any(
        one.isdecimal() and other in _PARTS for one, other in pairwise(words)
    )


def spelt(text: str) -> str:
    """The text with number words of two digits (and `a dozen`, `a hundred`) as digits, and every minus as "-".

    >>> spelt("thirty-two people, a dozen dogs and two cats"), spelt("minus five or −6")
    ('32 people, 12 dogs and two cats', '-5 or -6')
    """

    def digits(match: re.Match[str]) -> str:
        if match["ten"]:
            ones = WORDS.index(match["one"].lower()) if match["one"] else 0
            return str(10 * (_TENS.index(match["ten"].lower()) + 2) + ones)
        return "12" if match["dozen"] else "100"

    def minus(match: re.Match[str]) -> str:
        return f"-{WORDS.index(match['word'].lower())}" if match["word"] else "-"

    return _MINUS.sub(minus, _SPELT.sub(digits, text))


Decision = Literal["correct", "incorrect", "undecided"]

SHARE = "share"
"""The dimension of per cent."""


@dataclass(frozen=True)
class Unit:
    """`value × factor + offset` is the quantity in the first unit of its dimension."""

    dimension: str
    factor: Fraction
    offset: Fraction = Fraction(0)


@dataclass(frozen=True)
class Quantity:
    """A number as it was written, and its unit if it has one. `exact` is False for fractions, which get rounded.

    `worded` is a fraction in words, which may be one of anything: "half" of six is 3, and "three quarters" three coins.
    """

    value: Fraction
    unit: Unit | None = None
    exact: bool = True
    worded: bool = False

    @property
    def base(self) -> Fraction:
        """The value in the first unit of its dimension."""
        return self.value if self.unit is None else self.value * self.unit.factor + self.unit.offset


_TABLE: dict[str, dict[str, str]] = {
    "length": {
        "1": "m metre metres meter meters",
        "1/1000": "mm millimetre millimetres millimeter millimeters",
        "1/100": "cm centimetre centimetres centimeter centimeters",
        "1000": "km kilometre kilometres kilometer kilometers",
        "0.0254": "inch inches",
        "0.3048": "ft foot feet",
        "0.9144": "yd yard yards",
        "1609.344": "mile miles",
    },
    "mass": {
        "1": "g gram grams gramme grammes",
        "1/1000": "mg milligram milligrams",
        "1000": "kg kgs kilo kilos kilogram kilograms",
        "1000000": "t tonne tonnes",
        "453.59237": "lb lbs pound pounds",
        "28.349523125": "oz ounce ounces",
    },
    "time": {
        "1": "s sec secs second seconds",
        "1/1000": "ms millisecond milliseconds",
        "60": "min mins minute minutes",
        "3600": "h hr hrs hour hours",
        "86400": "day days",
        "604800": "week weeks",
    },
    "volume": {
        "1": "l litre litres liter liters",
        "1/1000": "ml millilitre millilitres milliliter milliliters",
        "1/100": "cl",
    },
    "speed": {
        "1": "km/h kmh kph",
        "3.6": "m/s",
        "1.609344": "mph",
    },
    "area": {"1": "m2 m² sqm", "1/10000": "cm2 cm²", "1000000": "km2 km²"},
    "share": {"1/100": "% percent per-cent pct percentage"},
    "angle": {"1": "° degree degrees deg"},
    "dollar": {"1": "$ dollar dollars usd", "1/100": "cent cents ¢"},
    "euro": {"1": "€ euro euros eur"},
    "sterling": {"1": "£ gbp"},
    "yen": {"1": "¥ yen jpy"},
}
_UNITS = {
    name: Unit(dimension, Fraction(factor))
    for dimension, units in _TABLE.items()
    for factor, names in units.items()
    for name in names.split()
} | {
    name: Unit("temperature", factor, offset)
    for letter, word, factor, offset in (
        ("c", "celsius", Fraction(1), Fraction(0)),
        ("f", "fahrenheit", Fraction(5, 9), Fraction(-160, 9)),
    )
    for name in (
        word,
        *(f"{degree}{letter}" for degree in ("°", "° ", "deg ", "degrees ")),
        *(f"{degree} {word}" for degree in ("°", "deg", "degree", "degrees")),
    )
}
_SIZES = {
    "hundred": 100,
    "thousand": 1000,
    "k": 1000,
    "lakh": 10**5,
    "lakhs": 10**5,
    "million": 10**6,
    "m": 10**6,
    "crore": 10**7,
    "crores": 10**7,
    "billion": 10**9,
    "bn": 10**9,
    "b": 10**9,
    "trillion": 10**12,
}

_CURRENCY = r"[$€£¥]"
_PLAIN = r"(?:(?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,15})?|\.\d{1,15})(?:e[+-]?\d{1,2}(?!\w))?"
_NUMBER_WORD = "|".join(WORDS)
_QUANTITY = re.compile(
    rf"(?<![\w.,:/^])(?<!\d[-‑–])(?P<sign>[-−])?\s?(?P<currency>{_CURRENCY})?\s?"
    rf"(?:(?:(?P<whole>\d{{1,9}})\s)?(?P<top>\d{{1,9}})\s?[/⁄]\s?(?P<bottom>\d{{1,9}})(?![\d.,:/])"
    rf"|(?:\b(?P<mixed>\d{{1,9}}|{_NUMBER_WORD})\sand\s)?"
    rf"(?:(?:\b(?P<parts>\d{{1,9}}|an?|{_NUMBER_WORD})[\s-])?\b(?P<half>half)"
    rf"|\b(?P<some>\d{{1,9}}|an?|{_NUMBER_WORD})[\s-](?P<part>{'|'.join(_PARTS)}))\b(?:\san?\b)?"
    rf"|(?P<plain>{_PLAIN})|(?P<word>\b(?:{_NUMBER_WORD})\b))"
    r"(?:[\s-]?(?P<size>hundred|thousand|lakhs?|million|crores?|billion|trillion|bn|k|(?(currency)[mb]|(?!)))\b)?"
    rf"(?:[\s-]?(?P<unit>(?:{'|'.join(sorted(map(re.escape, _UNITS), key=len, reverse=True))})(?![\w²/])))?"
    r"(?![\d:/]|[.,]\d|[-‑–]\d|(?<=\d)[a-z])",
    re.IGNORECASE,
)  # fmt: skip
_BULLET = re.compile(r"\s*[-–−]\s")
"""The first sign of "- 5" may be that of a list."""
_ROUNDING = Fraction(1, 100)


def compare(answer: str, truth: str) -> Decision | None:
    """Compare two texts of which the truth is a single quantity; None where it is not, or the answer has none.

    An answer may be a sentence, if there is exactly one quantity in it.
    """
    right = read(truth)
    said = read(answer) if right is not None else None
    if right is not None and said is None and right.unit is not None:
        found = find(answer)
        said = found[0] if len(found) == 1 else None
    if right is None or said is None:
        return None
    if said.base != right.base and (_part_of(said, right) or _part_of(right, said)):
        return "undecided"
    if said.base == -right.base != 0 and _BULLET.match(answer):
        return "undecided"
    if (said.unit is None) != (right.unit is None):
        return _unit_missing(said, right)
    return _measured(said, right)


def read(text: str) -> Quantity | None:
    """The quantity that a text consists of; None where it is something else, or more."""
    bare = spelt(text).strip().strip(".!*_`\"'").strip()
    match = _QUANTITY.fullmatch(bare)
    return _quantity(match) if match else None


def find(text: str) -> list[Quantity]:
    """The different quantities in a text."""
    found = (_quantity(match) for match in _QUANTITY.finditer(spelt(text)))
    return list(dict.fromkeys(quantity for quantity in found if quantity is not None))


def _part_of(part: Quantity, other: Quantity) -> bool:
    """Whether a fraction in words could be one of the whole things that the other counts or measures."""
    whole = other.value.denominator == 1 if other.unit is None else other.unit.dimension != SHARE
    return part.worded and part.unit is None and whole


def _measured(said: Quantity, right: Quantity) -> Decision:
    """Both have a unit, or neither has."""
    if said.unit is not None and right.unit is not None and said.unit.dimension != right.unit.dimension:
        # 5 pounds may be £5, and 20 degrees 20 °C, or 68 °F.
        if {said.unit.dimension, right.unit.dimension} == {"angle", "temperature"}:
            bare, full = (said, right) if said.unit.dimension == "angle" else (right, said)
            alike = _unit_missing(Quantity(bare.value, None, bare.exact), full)
            return "incorrect" if alike == "incorrect" else "undecided"
        return "undecided" if said.value == right.value else "incorrect"
    if said.base == right.base:
        return "correct"
    return "undecided" if _near(said, right) else "incorrect"


def _unit_missing(said: Quantity, right: Quantity) -> Decision:
    """One has a unit: equal numbers are meant alike; 30 may stand for 3 cm; 0.5 is 50 %; but 4 is not 3 cm."""
    bare, full = (said, right) if said.unit is None else (right, said)
    assert full.unit is not None
    if bare.value == full.value or (full.unit.dimension == SHARE and bare.value == full.base):
        return "correct"
    if full.unit == _UNITS["m"] and bare.value == full.value * _SIZES["m"]:
        return "undecided"  # 30m: metres, or 30 million
    meant = (Quantity(bare.value, unit, bare.exact) for unit in _UNITS.values())
    same = (other for other in meant if other.unit and other.unit.dimension == full.unit.dimension)
    if any(other.base == full.base or _near(other, full) for other in same):
        return "undecided"
    return "undecided" if full.unit.dimension == SHARE and _near(bare, full) else "incorrect"


def _near(said: Quantity, right: Quantity) -> bool:
    """Whether a rounding may lie between them: a fraction against a decimal, or a conversion between units."""
    if said.exact and right.exact and said.unit == right.unit:
        return False
    return abs(said.base - right.base) <= _ROUNDING * max(abs(said.base), abs(right.base))


def _quantity(match: re.Match[str]) -> Quantity | None:
    worded = match["half"] is not None or match["part"] is not None
    if match["word"]:
        value = Fraction(WORDS.index(match["word"].lower()))
    elif match["plain"]:
        value = Fraction(match["plain"].replace(",", ""))
    elif worded:
        tops = _whole(match["parts"] or match["some"] or "a")
        value = _whole(match["mixed"] or "zero") + Fraction(
            tops, _PARTS[(match["half"] or match["part"]).lower()]
        )
    elif int(match["bottom"]) == 0:
        return None
    else:
        value = Fraction(int(match["top"]), int(match["bottom"])) + int(match["whole"] or 0)
    value *= _SIZES[match["size"].lower()] if match["size"] else 1
    written = match["currency"] or match["unit"]
    unit = _UNITS[written.lower()] if written else None
    exact = match["top"] is None and not worded
    return Quantity(-value if match["sign"] else value, unit, exact, worded)


def _whole(word: str) -> int:
    if word.isdecimal():
        return int(word)
    return 1 if word.lower() in ("a", "an") else WORDS.index(word.lower())
