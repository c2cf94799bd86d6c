"""What to make for each failure mode: how many samples, from which failing structures.

A structure is a scene in which the candidate failed, with the question. New samples keep it (measured: the same
question texts on fresh random scenes teach nothing).

    plans = plan(mixture, targets, structures)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scotoma.core import Facts, Predicate, Tags
from scotoma.diagnose.mixture import Mixture


@dataclass(frozen=True)
class Target:
    """What a share of the mixture is aimed at: a failure mode; in a control arm a skill, or anything at all."""

    id: str
    predicate: Predicate


@dataclass(frozen=True)
class Structure:
    """A question with its scene and tags: one that was answered wrongly, or in a control arm any."""

    facts: Facts
    question: str
    tags: Tags


@dataclass(frozen=True)
class Plan:
    """`samples` questions for one target, made from `structures`."""

    mode_id: str
    predicate: Predicate
    samples: int
    structures: tuple[Structure, ...]


def plan(mixture: Mixture, targets: Sequence[Target], structures: Iterable[Structure]) -> list[Plan]:
    """One plan per share of the mixture, with the structures that belong to it."""
    known = list(structures)
    by_id = {target.id: target.predicate for target in targets}
    return [
        Plan(
            mode_id=share.name,
            predicate=by_id[share.name],
            samples=share.samples,
            structures=tuple(s for s in known if by_id[share.name].matches(s.tags)),
        )
        for share in mixture.shares
        if share.name in by_id and share.samples > 0
    ]
