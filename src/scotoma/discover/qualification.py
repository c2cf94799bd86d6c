"""What follows a proof: each confirmed mode's failures are looked at again, and a few are made as small as they get.

Nothing here changes a status. Both parts are stages of their own, so a run that was stopped goes on where it was.

    qualify(run, source, interview, ConfirmSettings(checks=12, shrink=2), seed=0)
    run.ledger.modes()[0].checks, run.ledger.modes()[0].shrunk
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scotoma.core import (
    ContrastWorld,
    FailureMode,
    ImageSource,
    Observation,
    ReducibleWorld,
)
from scotoma.discover.checks import QUERIES, Checker, summarise
from scotoma.discover.interview import Interview
from scotoma.discover.pictures import pictures_of
from scotoma.discover.progress import Progress, silent
from scotoma.discover.rewriting import Rewriter, writer_among
from scotoma.discover.settings import ConfirmSettings
from scotoma.discover.shrinking import Failing, Shrinker
from scotoma.models.spec import load_model
from scotoma.store.run import Run

CHECKS, SMALLEST = "confirm/checks", "confirm/smallest"
"""The stages."""

SHARE = 0.2
"""The checks take less than this share of the proof's own candidate queries."""


def qualify(
    run: Run,
    source: ImageSource,
    interview: Interview,
    settings: ConfirmSettings,
    seed: int,
    progress: Progress = silent,
) -> None:
    """Check and shrink failures of the confirmed modes, whatever of it is not done yet."""
    if settings.checks and run.ledger.done(CHECKS) is None:
        _check(run, source, interview, settings, seed, progress)
    if settings.shrink and isinstance(source, ReducibleWorld) and run.ledger.done(SMALLEST) is None:
        _shrink(run, source, interview, settings, progress)


def _check(
    run: Run,
    source: ImageSource,
    interview: Interview,
    settings: ConfirmSettings,
    seed: int,
    progress: Progress,
) -> None:
    proof = run.ledger.counts("confirm").questions + run.ledger.counts("confirm-base").questions
    modes = _proved(run)
    affordable = int(SHARE * proof) // QUERIES // max(1, len(modes))
    chosen = _failures(run, source, modes, min(settings.checks, affordable))
    # Modes overlap: a failure of several is asked about once.
    failures = {one.observation.key: one for some in chosen.values() for one in some}
    progress("check", 0, len(failures))
    checked = dict(
        zip(
            failures,
            Checker(interview, source, _writer(source, interview, settings), seed).check(
                list(failures.values())
            ),
            strict=True,
        )
    )
    pictures = [image for one in checked.values() for image in one.edited]
    run.images.put_all(pictures)
    run.ledger.finish(
        CHECKS,
        {
            "questions": len(checked),
            "queries": sum(one.queries for one in checked.values()),
            "proof_queries": proof,
        },
        observations=[reply for one in checked.values() for reply in one.again.values()],
        images=pictures,
        modes=[
            mode.model_copy(
                update={"checks": summarise([checked[one.observation.key] for one in chosen[mode.id]])}
            )
            for mode in modes
        ],
    )
    progress("check", len(failures), len(failures))


def _shrink(
    run: Run,
    world: ReducibleWorld,
    interview: Interview,
    settings: ConfirmSettings,
    progress: Progress,
) -> None:
    modes = _proved(run)
    chosen = _failures(run, world, modes, settings.shrink)
    shrinker = Shrinker(world, interview, most=settings.shrink_queries)
    order = [(mode_id, one) for mode_id, some in chosen.items() for one in some]
    found = shrinker.shrink([one for _, one in order], progress)
    run.images.put_all(item.image for item in found)
    run.ledger.finish(
        SMALLEST,
        {"examples": len(found), "queries": sum(item.example.queries for item in found)},
        observations=[item.observation for item in found],
        images=[item.image for item in found],
        modes=[
            mode.model_copy(
                update={
                    "shrunk": tuple(
                        item.example
                        for (mode_id, _), item in zip(order, found, strict=True)
                        if mode_id == mode.id
                    )
                }
            )
            for mode in modes
        ],
    )


def _proved(run: Run) -> list[FailureMode]:
    return [mode for mode in run.ledger.modes() if mode.proved]


def _failures(
    run: Run, source: ImageSource, modes: Sequence[FailureMode], each: int
) -> dict[str, list[Failing]]:
    """Failures of each mode on the `confirm` split by the mode's id: up to `each`, on different images first."""
    found = [
        item
        for phase in ("confirm", "confirm-base")
        for item in run.ledger.observations(phase, outcome="failure")
    ]
    chosen = {
        mode.id: _varied((item for item in found if mode.predicate.matches(item.tags)), each)
        for mode in modes
    }
    images = pictures_of(run, source, [item.image_id for some in chosen.values() for item in some])
    return {
        mode.id: [Failing(images[item.image_id], item, mode.predicate) for item in chosen[mode.id]]
        for mode in modes
    }


def _varied(items: Iterable[Observation], most: int) -> list[Observation]:
    first: list[Observation] = []
    later: list[Observation] = []
    seen: set[str] = set()
    for item in items:
        (later if item.image_id in seen else first).append(item)
        seen.add(item.image_id)
    return [*first, *later][:most]


def _writer(source: ImageSource, interview: Interview, settings: ConfirmSettings) -> Rewriter | None:
    if isinstance(source, ContrastWorld):
        return None
    if settings.writer is not None:
        return Rewriter(load_model(settings.writer))
    model = writer_among(interview.verifier)
    return Rewriter(model) if model is not None else None
