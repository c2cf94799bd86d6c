"""A block of steps: what discovery writes down together, so that a killed run repeats at most that much.

block = Block()
for step in range(start, start + settings.block):
    block.add(step, episodes.step(step, shown), shown)
block.check_asked(settings)
run.ledger.finish(stage, block.payload(), observations=block.observations, …)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from scotoma.core import ConfigError, ImageRecord, ModelError, Observation
from scotoma.discover.episode import Episode
from scotoma.discover.outage import describe_losses
from scotoma.discover.settings import DiscoverSettings
from scotoma.store.ledger import CurvePoint

_BESIDE = "not about what was wished"


@dataclass
class Block:
    """What its steps came to. `lost` and `words` are of the questioner's own proposals: errors, and what a server said
    of each.
    """

    observations: list[Observation] = field(default_factory=list)
    images: list[ImageRecord] = field(default_factory=list)
    curve: list[CurvePoint] = field(default_factory=list)
    unjudged: Counter[str] = field(default_factory=Counter)
    invalid: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    words: dict[str, str] = field(default_factory=dict)
    proposed: int = 0
    beside: int = 0

    def add(self, step: int, episode: Episode, shown: Sequence[ImageRecord]) -> None:
        """One more step, about these images."""
        self.observations += episode.observations
        self.images += shown
        self.curve += [CurvePoint(step, name, value) for name, value in episode.figures.items()]
        self.unjudged.update(episode.unjudged)
        self.invalid.update(episode.invalid)
        self.proposed += episode.proposed
        self.beside += episode.beside
        if (asking := episode.passages.get("questioner")) is not None:
            self.lost.update(asking.lost)
            self.words |= asking.words

    def payload(self) -> dict[str, Any]:
        """What was proposed and not asked, for the ledger."""
        return {
            "unjudged": dict(self.unjudged),
            "proposed": self.proposed,
            "invalid": dict(self.invalid),
        }

    def check_asked(self, settings: DiscoverSettings) -> None:
        """Refuse to go on with a questioner of which the first block brought nothing to ask, and which cannot learn to:
        it is frozen, or all its questions were refused alike and so earn alike.

        Raises:
            ConfigError: that is so.
            ModelError: its questions were lost to errors.
        """
        if not settings.looked_at or any(o.asked_by == "questioner" for o in self.observations):
            return
        if lost := describe_losses(self.lost, self.words):
            raise ModelError(
                f"not one question of {settings.questioner} could be put to the candidate: {lost}",
                hint="are the servers of questioner and judge well? The same command goes on",
            )
        refused = self.invalid + Counter({_BESIDE: self.beside})
        if settings.trains and 0 < refused[_BESIDE] < refused.total():
            return
        reasons = ", ".join(f"{count} × {reason}" for reason, count in refused.most_common(3))
        raise ConfigError(
            f"the questioner {settings.questioner} asked nothing in its first block that could be put to the "
            f"candidate: {reasons or 'it said nothing'}",
            hint="name a model that asks (--questioner SPEC), and see discover.prompts and discover.wishes",
        )
