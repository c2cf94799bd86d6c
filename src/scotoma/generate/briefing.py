"""Briefs: what the agents are told of a weakness, out of the run that found it.

brief_for(run, mode.id, mode.description, mode.predicate, wanted=50, seed="0", source=source)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

from scotoma.core import FailureMode, ImageError, ImageSource, Predicate, World
from scotoma.generate.handover import Brief, FailedQuestion
from scotoma.images.attributes import KEYS
from scotoma.store import Run

FAILURES = 200
"""Failures of a mode that agents are told of, the first; each costs a look into the images of its run."""

_WORDING = ("skill", "skills", "asks", "words", "negated", "composed", "answer_kind")


def described(mode: FailureMode) -> str:
    """A mode in words, its title first where it has one."""
    return f"{mode.title}: {mode.description}" if mode.title else mode.description


def brief_for(
    run: Run,
    name: str,
    description: str,
    predicate: Predicate,
    *,
    wanted: int,
    seed: str,
    source: ImageSource,
    exact: bool = False,
    by_chance: bool = False,
    left: Collection[str] | None = None,
) -> Brief:
    """The brief of a mode, or of anything else that a predicate names; `exact`: the agents that get it tag by a world's
    facts; `by_chance`: its examples are uniform questions, right or wrong, and no failures; `left`: keys of the only
    failures to be told of."""
    tagging = run.config.get("tagging")
    tagged = isinstance(tagging, dict) and tagging.get("model") is not None
    # What a model or topics told of the questions of that run, nobody tells of new ones.
    known = KEYS if tagged else (*KEYS, *_WORDING)
    decidable = tuple(c for c in predicate.conditions if exact or c.key in known)
    return Brief(
        mode_id=name,
        description=description,
        predicate=predicate,
        wanted=wanted,
        decidable=Predicate(conditions=decidable),
        failures=tuple(
            islice(
                _examples(run, predicate, source, by_chance, None if left is None else set(left)), FAILURES
            )
        ),
        seed=seed,
    )


def _examples(
    run: Run, predicate: Predicate, source: ImageSource, by_chance: bool, left: set[str] | None
) -> Iterator[FailedQuestion]:
    """Of the `discover` split, with their pictures; one whose picture is gone is no example."""
    ledger = run.ledger
    asked = ledger.observations("baseline") if by_chance else ledger.each_observation(outcome="failure")
    for item in asked:
        if not item.answered or not predicate.matches(item.tags):
            continue
        if left is not None and item.key not in left:
            continue
        entry = run.ledger.image(item.image_id)
        if entry is None or entry.split != "discover":
            continue
        try:
            image = run.images.get(item.image_id, facts=source.facts if isinstance(source, World) else None)
        except ImageError:
            continue
        yield FailedQuestion(image, item.question, item.answer, item.verdict.truth or "", item.tags)
