"""What every arm of a spiral shares: the run, the pictures, the proven modes and the held-out questions.

shop = Workshop(run, source, settings, modes, held_back, test, progress)
shop.interview(policy.weights)
"""

from __future__ import annotations

from dataclasses import dataclass

from scotoma.core import FailureMode, ImageSource
from scotoma.discover.interview import Interview
from scotoma.discover.progress import Progress
from scotoma.evolve.examination import Examination
from scotoma.evolve.lesson import interview
from scotoma.evolve.settings import EvolveSettings
from scotoma.generate.checks.leakage import Leakage
from scotoma.generate.production import Crew
from scotoma.store.run import Run


@dataclass(frozen=True)
class Workshop:
    """One per session of a run; nothing in it changes."""

    run: Run
    source: ImageSource
    settings: EvolveSettings
    modes: tuple[FailureMode, ...]
    held_back: Examination
    """On the `confirm` split: diagnosis and gate. Nobody trains on it."""
    test: Examination
    """On the `test` split: measures, decides nothing."""
    progress: Progress
    crew: Crew | None = None
    """Who makes the samples; None: failing scenes of a world are varied (`generate.pipeline`)."""
    leakage: Leakage | None = None
    """What no sample of the crew may come near."""

    def interview(self, weights: str) -> Interview:
        """Of the weights that a model spec names, judged as everywhere in this run."""
        return interview(weights, self.settings.answers, self.settings.judge)


@dataclass(frozen=True)
class Policy:
    """Weights (a model spec) and the name that they were examined under: `base`, `round1/targeted`."""

    name: str
    weights: str
