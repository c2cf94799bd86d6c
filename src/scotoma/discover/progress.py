"""How long work reports on itself: a function that is told the phase, how much is done, and of how much.

>>> silent("discover", 3, 30)
"""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much is done, and of how much."""


def silent(phase: str, done: int, total: int) -> None:
    """The progress of nobody watching."""
