"""How far a tagger's names can be trusted: the things, attributes, relations and kinds of answer that it says, against
a world's exact tags, in so far as the two share a vocabulary.

A world tags colours, sizes, shapes and relations each under their own key; a sheet has `attribute`, `object` and
`relation`. What is said outside the world's vocabulary is counted, and in no rate: the world cannot say that it is
wrong.

    found = naming_error(said, exact, images)
    found["attribute"].values["red"].recall.percent()      # '98.0 % [95.1, 99.2] n=208'
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from scotoma.core import Rate, Tags
from scotoma.diagnose.tagging_error import SkillError, tagging_error
from scotoma.diagnose.wording import wording_tags

_SHOWN = 20
"""Names outside the vocabulary that are told, the commonest."""

_PLACES = {
    "left": "left", "right": "right", "above": "above", "below": "below", "higher": "above", "lower": "below",
    "over": "above", "top": "above", "under": "below", "beneath": "below", "underneath": "below",
}  # fmt: skip
"""Words in the name of a relation ("to the left of") by the relation that a world tags."""


class NamingError(BaseModel):
    """One kind of tag. `values` by name, `macro_f1` their unweighted mean, `same` the share of questions whose whole
    set is right; `outside` counts names that the world's tags do not know.
    """

    model_config = ConfigDict(frozen=True)

    questions: int
    values: dict[str, SkillError]
    macro_f1: Rate
    same: Rate
    outside: dict[str, int] = Field(default_factory=dict)


def naming_error(
    said: Sequence[Tags], exact: Sequence[Tags], images: Sequence[Hashable]
) -> dict[str, NamingError]:
    """By kind of tag: `attribute`, `object`, `relation`, `answer_kind`; those that the tagger never speaks of, or the
    world, are left out. Intervals as in `tagging_error`.

    Args:
        said: the tagger's tags, question by question.
        exact: the world's; the answer among them says of what kind it is.
        images: what each question is about.
    """
    found: dict[str, NamingError] = {}
    for kind, reading in _READINGS.items():
        # Where a question speaks of two sides, the exact tags have but the first of them.
        asked = [i for i, tags in enumerate(exact) if kind != "relation" or tags.get("operation") != "sides"]
        claimed = [reading.said(said[i]) for i in asked]
        needed = [reading.exact(exact[i]) for i in asked]
        if any(claimed) and any(needed):
            error = tagging_error(claimed, needed, [images[i] for i in asked])
            found[kind] = NamingError(
                questions=error.questions,
                values=error.skills,
                macro_f1=error.macro_f1,
                same=error.same,
                outside=dict(list(error.outside.items())[:_SHOWN]),
            )
    return found


def _names(*keys: str) -> Callable[[Tags], frozenset[str]]:
    """What tags have under any of these keys."""

    def read(tags: Tags) -> frozenset[str]:
        values = (tags.get(key, ()) for key in keys)
        return frozenset(
            str(item) for value in values for item in (value if isinstance(value, tuple) else (value,))
        )

    return read


def _relations(tags: Tags) -> frozenset[str]:
    """Their places, and the names that hold none as they are."""
    found: set[str] = set()
    for name in _names("relation")(tags):
        found |= {_PLACES[word] for word in re.findall(r"\w+", name) if word in _PLACES} or {name}
    return frozenset(found)


def _kind_of_answer(tags: Tags) -> frozenset[str]:
    kind = wording_tags("", str(tags.get("answer", ""))).get("answer_kind")
    return frozenset() if kind is None else frozenset({str(kind)})


@dataclass(frozen=True)
class _Reading:
    """How the names of one kind are read off what a tagger says, and off a world's exact tags."""

    said: Callable[[Tags], frozenset[str]]
    exact: Callable[[Tags], frozenset[str]]


_READINGS = {
    "attribute": _Reading(_names("attribute"), _names("colour", "size")),
    "object": _Reading(_names("object"), _names("shape")),
    "relation": _Reading(_relations, _relations),
    "answer_kind": _Reading(_names("answer_kind"), _kind_of_answer),
}
