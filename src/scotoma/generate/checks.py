"""Quality checks on made samples; every rejection is counted with its reason.

>>> checks = Checks(held_out={"ab12"})
>>> checks.passes("ab12", "is there a star ?", "yes", "yes"), dict(checks.rejected)
(False, {'leakage': 1})
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

PASSED = ("leakage", "answer", "duplicate")


class Checks:
    """Leakage (the picture is in a split that is held out), answer (a second execution on the facts as they are read
    back from JSON agrees), duplicate (same picture, same question)."""

    def __init__(self, held_out: Collection[str]) -> None:
        self.rejected: Counter[str] = Counter()
        self._held_out = held_out
        self._seen: set[tuple[str, str]] = set()

    def passes(self, image_id: str, question: str, answer: str | None, again: str | None) -> bool:
        """Whether the sample may be trained on."""
        reason = None
        if image_id in self._held_out:
            reason = "leakage"
        elif answer is None or answer != again:
            reason = "answer"
        elif (image_id, question) in self._seen:
            reason = "duplicate"
        if reason is not None:
            self.rejected[reason] += 1
            return False
        self._seen.add((image_id, question))
        return True
