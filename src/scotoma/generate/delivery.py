"""What came of the samples that were ordered for a failure mode: how many are kept, what was rejected and why.

delivery_of(run.ledger, mode, wanted=50).shortfall
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from scotoma.core import FailureMode
from scotoma.generate.attempt import Tally, attempts_of, tally
from scotoma.store.ledger import Ledger

FILLED = "filled"
"""How a mode ends of which every sample was made; where more are wanted now, it has not ended."""


class Delivery(BaseModel):
    """What came of one mode. `ended`: `filled`, or why it was given up; None while it is being worked on."""

    model_config = ConfigDict(frozen=True)

    mode_id: str
    description: str
    wanted: int
    kept: int
    ended: str | None
    tally: Tally

    @property
    def shortfall(self) -> int:
        """Samples that could not be made."""
        return self.wanted - self.kept


def stages_of(ledger: Ledger, mode_id: str) -> list[str]:
    """The batches that were made for a mode, in order."""
    return ledger.stages(f"generate/{mode_id}/")


def delivery_of(ledger: Ledger, mode: FailureMode, wanted: int) -> Delivery:
    """The account of one mode, as far as it has come."""
    stages = stages_of(ledger, mode.id)
    told = tally(attempt for stage in stages for attempt in attempts_of(ledger.done(stage) or {}))
    ended = (ledger.done(stages[-1]) or {}).get("ended") if stages else None
    return Delivery(
        mode_id=mode.id,
        description=mode.description,
        wanted=wanted,
        kept=told.kept,
        ended=None if ended == FILLED and told.kept < wanted else ended,
        tally=told,
    )
