"""All checks, one after the other, and how often each reason struck.

>>> from scotoma.core import ImageRecord
>>> from scotoma.generate.checks.check import Draft
>>> from scotoma.generate.checks.leakage import Leakage
>>> checks = Checks([Leakage({"ab12"})])
>>> draft = Draft(ImageRecord(id="ab12", source="mine"), "is there a star ?", "yes")
>>> checks.passes(draft), dict(checks.rejected)
(False, {'leakage': 1})
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from scotoma.core import World
from scotoma.generate.checks.answer import Answer
from scotoma.generate.checks.check import Check, Draft
from scotoma.generate.checks.duplicate import Duplicate
from scotoma.generate.checks.form import Form
from scotoma.generate.checks.grounding import Grounding
from scotoma.generate.checks.leakage import Leakage
from scotoma.generate.checks.opinion import Reread
from scotoma.generate.checks.single_answer import SingleAnswer


class Checks:
    """Asks every check in order until one objects. `rejected` counts the reasons."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self.rejected: Counter[str] = Counter()
        self._checks = tuple(checks)

    @property
    def names(self) -> tuple[str, ...]:
        """The checks, in order."""
        return tuple(check.name for check in self._checks)

    def passes(self, draft: Draft) -> bool:
        """Whether the sample may be trained on; then it is kept, and later ones are compared with it."""
        return self.objection(draft) is None

    def objection(self, draft: Draft) -> str | None:
        """Why the sample may not be trained on, which is counted; None where it may, and then it is kept."""
        for check in self._checks:
            reason = check.reason(draft)
            if reason is not None:
                self.rejected[reason] += 1
                return reason
        self.keep(draft)
        return None

    def keep(self, draft: Draft) -> None:
        """It passed before, say: later ones are compared with it."""
        for check in self._checks:
            check.keep(draft)

    def reasons(self, draft: Draft) -> dict[str, str]:
        """Check name → reason, of every check that objects. The draft is kept where none does; nothing is counted."""
        found = {check.name: reason for check in self._checks if (reason := check.reason(draft)) is not None}
        if not found:
            self.keep(draft)
        return found


def usual_checks(world: World, held_out: Collection[str]) -> list[Check]:
    """What the pipeline asks of samples from a world: form, leakage, exact duplicates, one answer, the same answer, and
    that the picture is the scene's.

    The others are left out on purpose. Scenes are varied, so near-copies are no accident; answers are balanced as they
    are written; the licence is our own. `Duplicate(reworded=True)` and `Elsewhere` would each turn down two to five
    samples in a hundred: figures that were published are of samples made without them.
    """
    opinion = Reread(world)
    return [
        Form(),
        Leakage(held_out),
        Duplicate(),
        SingleAnswer(opinion),
        Answer(opinion),
        Grounding(world),
    ]
