"""The failures that an arm's samples are made from: what discovery found, in later rounds what is left of it.

Discovery found what the untrained candidate fails on the `discover` split. A round of training mends much of it, and
the next would go on varying scenes that are answered rightly by now: so the policy is asked those questions again.

    left = failures_left(shop, "round2/targeted", weights, targets)     # keys
    failures_of(shop.run, targets, left)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from scotoma.core import Observation
from scotoma.discover.interview import Asked
from scotoma.discover.outage import MOST_LOST, check_answered
from scotoma.discover.pictures import pictures_of
from scotoma.evolve.workshop import Workshop
from scotoma.generate.planner import Target
from scotoma.store.run import Run

PER_TARGET = 300
"""Failures of a mode, or a category, that are asked again at the most, spread over all."""

LEAST = 24
"""A target keeps at least so many failures, mended ones for want of others: what is made of three scenes is alike."""

PHASES = ("discover", "baseline")


def failures_of(
    run: Run, targets: Sequence[Target], left: Collection[str] | None = None
) -> list[Observation]:
    """The untrained candidate's failures that belong to any target; of these, where it is given, what is `left`."""
    known = None if left is None else set(left)
    return [
        o
        for phase in PHASES
        for o in run.ledger.observations(phase, outcome="failure")
        if (known is None or o.key in known) and any(target.predicate.matches(o.tags) for target in targets)
    ]


def failures_left(shop: Workshop, name: str, weights: str, targets: Sequence[Target]) -> tuple[str, ...]:
    """Keys of the failures that these weights still fail, asked once each, and what `LEAST` adds to them.

    What was lost to an error of infrastructure counts as left: nobody knows it to be mended.

    Raises:
        ModelError: an outage left nothing to conclude from.
    """
    failures = failures_of(shop.run, targets)
    members = {
        target.id: _spread([o for o in failures if target.predicate.matches(o.tags)]) for target in targets
    }
    asked = list({o.key: o for own in members.values() for o in own}.values())
    shop.progress(f"diagnose {name}", 0, len(asked))
    pictures = pictures_of(shop.run, shop.source, [o.image_id for o in asked])
    answered = shop.interview(weights).ask(
        [
            Asked(o.key, pictures[o.image_id], o.question, verdict=o.verdict.of_the_question(), tags=o.tags)
            for o in asked
        ],
        f"{name}/failures",
    )
    check_answered(answered, MOST_LOST)
    failing = {o.key for o in answered if o.outcome != "correct"}
    left = set(failing)
    for own in members.values():
        mended = [o.key for o in own if o.key not in failing]
        left.update(mended[: max(0, LEAST - (len(own) - len(mended)))])
    return tuple(o.key for o in asked if o.key in left)


def _spread(failures: Sequence[Observation]) -> list[Observation]:
    n = min(len(failures), PER_TARGET)
    return [failures[i * len(failures) // n] for i in range(n)]
