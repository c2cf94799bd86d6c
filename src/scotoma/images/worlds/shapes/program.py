"""What a question means: an operation over noun phrases and places, free of any wording.

>>> Program("count", Phrase("circle", colour="red"), places=(Place("left", Phrase("star")),)).skills
('counting', 'horizontal')
"""

from __future__ import annotations

from dataclasses import dataclass

HORIZONTAL = ("left", "right")
VERTICAL = ("above", "below")
OPERATIONS = (
    "exist", "none", "count", "colour", "shape", "size", "relate",
    "more", "fewer", "equal", "read", "same_colour", "same_shape", "sides",
)  # fmt: skip
_SKILL = {
    "exist": ("existence",),
    "none": ("existence", "negation"),
    "count": ("counting",),
    "colour": ("colour",),
    "shape": ("shape",),
    "size": ("size",),
    "relate": (),
    "more": ("comparison",),
    "fewer": ("comparison",),
    "equal": ("comparison",),
    "read": ("reading",),
    "same_colour": ("colour", "comparison"),
    "same_shape": ("comparison", "shape"),
    "sides": ("comparison",),
}
SKILLS = (
    "existence", "counting", "colour", "shape", "size", "horizontal", "vertical",
    "comparison", "reading", "negation",
)  # fmt: skip


@dataclass(frozen=True)
class Phrase:
    """A noun phrase about things: `noun` is a shape or `thing`; colour and size narrow it."""

    noun: str
    colour: str | None = None
    size: str | None = None

    @property
    def attributes(self) -> int:
        """How many attributes the phrase names (shape, colour, size), 0 to 3."""
        return (self.noun != "thing") + (self.colour is not None) + (self.size is not None)


@dataclass(frozen=True)
class SignPhrase:
    """A noun phrase about signs: `digit`, `word` or `sign`, perhaps with its text ("the digit 4")."""

    kind: str
    text: str | None = None


@dataclass(frozen=True)
class Place:
    """`relation` (left, right, above, below) of exactly one landmark."""

    relation: str
    landmark: Phrase | SignPhrase


@dataclass(frozen=True)
class Program:
    """One question's meaning.

    The subject's set is narrowed by `places` and by `without` (a colour, shape or size that its things must not have).
    `other` is the second set of a comparison. For `sides` the single place names the landmark, and the question asks
    whether more of the subject lie on that side than on the opposite one.
    """

    operation: str
    subject: Phrase | SignPhrase
    other: Phrase | None = None
    places: tuple[Place, ...] = ()
    without: str | None = None

    @property
    def skills(self) -> tuple[str, ...]:
        """The abilities that the question needs, sorted."""
        needed = set(_SKILL[self.operation])
        for place in self.places:
            needed.add("horizontal" if place.relation in HORIZONTAL else "vertical")
            if isinstance(place.landmark, SignPhrase) and place.landmark.text is not None:
                needed.add("reading")
        if self.without is not None:
            needed.add("negation")
        return tuple(sorted(needed))

    @property
    def type(self) -> str:
        """The kind of question: a single skill, `negation`, or `composition` of several."""
        if self.operation == "none" and not self.places:
            return "negation"
        if self.operation == "count" and self.without is not None and not self.places:
            return "negation"
        skills = self.skills
        return skills[0] if len(skills) == 1 else "composition"

    @property
    def phrases(self) -> tuple[Phrase, ...]:
        """Every noun phrase about things, in the order of the sentence."""
        found = [self.subject, *(place.landmark for place in self.places)]
        if self.other is not None:
            found.insert(1, self.other)
        return tuple(phrase for phrase in found if isinstance(phrase, Phrase))
