"""What a run can tell so far: its `summary.json` and, until its proof is over, what the ledger says of the discovery.

A spiral writes its summary whenever it has got further, so repair is told by the summary alone. Only a discovery or a
proof that is at work, or was stopped, is ahead of it.

    account(Run.read("runs/demo")).discovery.failure_rate
"""

from __future__ import annotations

from typing import Any

from scotoma.core import Rate
from scotoma.discover.account import account_of_discovery, account_of_shrinking, proof_finished
from scotoma.store import ModeAccuracy, ModeSummary, Run, Summary
from scotoma.store.summary.figures import Figures


def account(run: Run) -> Summary:
    """The summary, as far as the run has come, without figures that rest on no observation.

    Raises:
        RunVersion: `summary.json` was written by another version.
    """
    told = run.summary() or _begun(run)
    if not told.proof_finished:
        modes = run.ledger.modes()
        told = told.model_copy(
            update={
                "discovery": account_of_discovery(run.ledger),
                "proof_finished": proof_finished(run.ledger),
                "modes": [ModeSummary.of(mode) for mode in modes],
                "shrunk": account_of_shrinking(modes),
            }
        )
    known = _known(told)
    assert isinstance(known, Summary)
    return known


def _begun(run: Run) -> Summary:
    candidate = run.config.get("candidate")
    return Summary(
        command=run.header.command,
        seed=run.header.seed or 0,
        wall_seconds=run.wall_seconds,
        candidate=candidate if isinstance(candidate, str) else "candidate",
    )


def _known(found: Any) -> Any:
    """The same, with null for a rate that rests on no observation, and without the pairs that hold one."""
    if isinstance(found, Rate):
        return found if found.n else None
    if isinstance(found, ModeAccuracy) and not (found.before.n and found.after.n):
        return None
    if isinstance(found, dict):
        return {name: known for name, value in found.items() if (known := _known(value)) is not None}
    if isinstance(found, list):
        return [_known(value) for value in found]
    if isinstance(found, Figures):
        optional = (name for name, field in type(found).model_fields.items() if not field.is_required())
        return found.model_copy(update={name: _known(getattr(found, name)) for name in optional})
    return found
