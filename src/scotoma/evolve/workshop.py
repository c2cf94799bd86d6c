"""What every arm of a spiral shares: the run, the world, the proven modes and the held-out questions.

shop = Workshop(run, world, settings, modes, held_back, test, progress)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scotoma.core import EditableWorld, FailureMode
from scotoma.discover.progress import Progress
from scotoma.evolve.examination import Examination
from scotoma.evolve.settings import EvolveSettings
from scotoma.store.run import Run


@dataclass(frozen=True)
class Workshop:
    """One per session of a run; nothing in it changes."""

    run: Run
    world: EditableWorld
    settings: EvolveSettings
    modes: tuple[FailureMode, ...]
    held_back: Examination
    """On the `confirm` split: diagnosis and gate. Nobody trains on it."""
    test: Examination
    """On the `test` split: measures, decides nothing."""
    progress: Progress


@dataclass(frozen=True)
class Policy:
    """Weights and the name that they were examined under: `base`, `round1/targeted`."""

    name: str
    weights: str | Path
