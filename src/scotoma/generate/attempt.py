"""What became of one attempt at a sample: kept, rejected by whom and why, or struck by infrastructure. None is lost.

>>> tally([Attempt(outcome="rejected", agent="validator", reason="another answer")]).rejected
{'validator: another answer': 1}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from scotoma.generate.handover import Role

Outcome = Literal["kept", "rejected", "infrastructure"]

SEARCH = "search"
"""In place of an agent: it is no attempt that ended, but a picture that was never taken."""


class Attempt(BaseModel):
    """One question about one picture, or a sketch that did not come so far.

    `agent` is whose work ended it (`checks` where it was finished and then rejected; None where it was kept), `reason`
    a word or two that can be counted, `detail` the particulars. `ruling` is the validator's own answer; `offered` the
    picture that the searcher offered first. `begins` is the sketch's first attempt: each question about it is one.
    `passed_over` are the pictures that the search for the sketch turned down, by reason; its first attempt has them.
    """

    model_config = ConfigDict(frozen=True)

    outcome: Outcome
    agent: Role | Literal["checks"] | None = None
    reason: str | None = None
    detail: str = ""
    purpose: str = "mode"
    shows: str = ""
    asks: str = ""
    found: str = ""
    offered: str | None = None
    begins: bool = True
    passed_over: dict[str, int] = Field(default_factory=dict)
    operations: tuple[str, ...] = ()
    image_id: str | None = None
    question: str | None = None
    answer: str | None = None
    ruling: str | None = None


class Tally(BaseModel):
    """Attempts by outcome. `rejected` and `infrastructure` count by `agent: reason`, the most frequent first; `said` is
    what was last said of each infrastructure error. `rejected` has the pictures too that a search turned down
    (`search: licence refused`): these are no attempts, and use up no tries.
    """

    model_config = ConfigDict(frozen=True)

    kept: int = 0
    rejected: dict[str, int] = Field(default_factory=dict)
    infrastructure: dict[str, int] = Field(default_factory=dict)
    said: dict[str, str] = Field(default_factory=dict)

    @property
    def turned_down(self) -> int:
        """Attempts that were rejected, whatever pictures were passed over."""
        return sum(count for reason, count in self.rejected.items() if not reason.startswith(f"{SEARCH}: "))


def attempts_of(document: Mapping[str, Any]) -> list[Attempt]:
    """Those of a batch, as a ledger keeps it."""
    return [Attempt.model_validate(attempt) for attempt in document["attempts"]]


def tally(attempts: Iterable[Attempt]) -> Tally:
    """How attempts ended, and what was passed over for them."""
    counts: dict[Outcome, Counter[str]] = {
        "kept": Counter(),
        "rejected": Counter(),
        "infrastructure": Counter(),
    }
    said: dict[str, str] = {}
    for attempt in attempts:
        reason = f"{attempt.agent}: {attempt.reason}"
        counts[attempt.outcome][reason] += 1
        counts["rejected"].update({f"{SEARCH}: {why}": n for why, n in attempt.passed_over.items()})
        if attempt.outcome == "infrastructure" and attempt.detail:
            said[reason] = attempt.detail
    return Tally(
        kept=counts["kept"].total(),
        rejected=dict(counts["rejected"].most_common()),
        infrastructure=dict(counts["infrastructure"].most_common()),
        said=said,
    )
