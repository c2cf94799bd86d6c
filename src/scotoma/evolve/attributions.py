"""Every failure that the diagnoses of a run attributed, read again: its mode, its kind of error, and how that is known.

The summary counts them and shows a few. The question, the answer, the truth and the evidence of each stand in the stage
of its diagnosis; its picture is among those of the run.

    for failure in attributions(run.ledger, "round1/targeted"):
        failure.mode_id, failure.kind, failure.evidence, run.images.get(failure.image_id)
"""

from __future__ import annotations

from scotoma.core import AttributedFailure
from scotoma.evolve.diagnosis import Diagnosis
from scotoma.store.ledger import Ledger

_STAGE = "/diagnose"


def attributions(ledger: Ledger, name: str = "round") -> list[AttributedFailure]:
    """Of the rounds and arms whose name begins with `name`, in the order in which they were diagnosed."""
    found: list[AttributedFailure] = []
    for stage in ledger.stages(name):
        if stage.endswith(_STAGE) and (document := ledger.done(stage)) is not None:
            found += Diagnosis.model_validate(document).attributions
    return found
