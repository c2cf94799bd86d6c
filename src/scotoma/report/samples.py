"""The samples of a `scotoma generate` run, for its report: what was kept and rejected for each mode, and a few of them.

for lot in lots(run, Gallery(run)):
    lot.delivery.kept, lot.exhibits
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scotoma.core import FailureMode, Sample
from scotoma.generate.delivery import Delivery, delivery_of
from scotoma.report.exhibit import Exhibit, Gallery
from scotoma.store import Run

SHOWN = 6
"""Samples of each mode that are shown."""


@dataclass(frozen=True)
class Lot:
    """The samples of one failure mode."""

    mode: FailureMode
    delivery: Delivery
    exhibits: tuple[Exhibit, ...]


def lots(run: Run, gallery: Gallery) -> tuple[Lot, ...]:
    """Every mode that samples were ordered for; none where the run is of another command."""
    wanted = run.config.get("samples")
    if run.header.command != "generate" or not isinstance(wanted, int):
        return ()
    return tuple(
        Lot(
            mode,
            delivery_of(run.ledger, mode, wanted),
            tuple(gallery.of_sample(sample) for sample in _some(run.ledger.samples(mode_id=mode.id))),
        )
        for mode in run.ledger.modes()
    )


def _some(samples: Sequence[Sample]) -> list[Sample]:
    """The first few, each of another picture."""
    by_picture: dict[str, Sample] = {}
    for sample in samples:
        by_picture.setdefault(sample.image_id, sample)
    return list(by_picture.values())[:SHOWN]
