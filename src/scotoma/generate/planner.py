"""What to make for each failure mode: how many samples, from which failing structures.

A structure is a scene in which the candidate failed, with the question. New samples keep it (FINDINGS.md: the same
question texts on fresh random scenes teach nothing).

    plans = plan(mixture, modes, structures)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scotoma.core import Facts, FailureMode, Predicate, Tags
from scotoma.diagnose.mixture import Mixture


@dataclass(frozen=True)
class Structure:
    """A question that was answered wrongly, with the scene and the tags."""

    facts: Facts
    question: str
    tags: Tags


@dataclass(frozen=True)
class Plan:
    """`samples` questions for one mode, made from `structures`."""

    mode_id: str
    predicate: Predicate
    samples: int
    structures: tuple[Structure, ...]


def plan(mixture: Mixture, modes: Sequence[FailureMode], structures: Iterable[Structure]) -> list[Plan]:
    """One plan per mode of the mixture, with the failing structures that belong to it."""
    known = list(structures)
    by_id: Mapping[str, FailureMode] = {mode.id: mode for mode in modes}
    return [
        Plan(
            mode_id=share.name,
            predicate=by_id[share.name].predicate,
            samples=share.samples,
            structures=tuple(s for s in known if by_id[share.name].predicate.matches(s.tags)),
        )
        for share in mixture.shares
        if share.name in by_id and share.samples > 0
    ]
