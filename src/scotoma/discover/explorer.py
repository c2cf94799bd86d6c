"""The explorer: asks for the sake of knowing, where the questioner asks for the sake of failures.

Part of its questions are drawn blindly from uniform ones; the rest follow up odd failures (`leads`), whoever met them,
among thousands of uniform questions that were proposed and not asked. So a small blind spot is met by chance once and
then known after a dozen questions, and no reward ever draws the exploring to where failures are many already.

    explorer = Explorer(Pool(source, settings, verifier), settings, seed=0)
    picks = explorer.pick(images, step=0)
    explorer.observe(picks, observations)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from scotoma.core import ImageRecord, Observation, Tag, Verdict
from scotoma.discover.leads import Leads, Numbers
from scotoma.discover.pictures import Pictures
from scotoma.discover.pool import Pool, ValidQuestion
from scotoma.discover.settings import DiscoverSettings

RESERVOIR = 4000
"""Questions that were proposed and not asked, the latest: what leads can choose among."""

_STATE = "explorer.json"


@dataclass(frozen=True)
class Pick:
    """A question to ask. `selection` in (0, 1] is the chance with which it was picked: 1 for one that follows a lead,
    which nothing random decides.
    """

    item: ValidQuestion
    selection: float
    led: bool


class Explorer:
    """`settings.explored_images` new images per step, about which the pool proposes questions."""

    def __init__(self, pool: Pool, settings: DiscoverSettings, seed: int) -> None:
        self.pool = pool
        self.leads = Leads(seed)
        self._settings = settings
        self._seed = seed
        self._reservoir: list[ValidQuestion] = []
        self._cells: list[Numbers] = []
        self._asked: set[tuple[str, str]] = set()

    def pick(self, images: Sequence[ImageRecord], step: int) -> list[Pick]:
        """What to ask in this step, `settings.explored` questions or all there are."""
        n = self._settings.explored
        fresh = self.pool.about(images, [f"explore/{self._seed}/{step}/{i}" for i in range(len(images))])
        # One question about an image is asked once; a world's templates may write it twice, a folder begins again.
        known = self._asked | {_name(item) for item in self._reservoir}
        fresh = [item for item in {_name(item): item for item in fresh}.values() if _name(item) not in known]
        offered = [*self._reservoir, *fresh]
        cells = [*self._cells, *(self.leads.encode(item.tags) for item in fresh)]
        led = self.leads.follow(cells, round(n * self._settings.lead_share))
        taken = set(led)
        left = [i for i in range(len(self._reservoir), len(offered)) if i not in taken]
        rng = np.random.default_rng([self._seed, step, 7])
        count = min(n - len(led), len(left))
        drawn = [left[int(i)] for i in rng.choice(len(left), count, replace=False)] if count else []
        taken.update(drawn)
        kept = [i for i in range(len(offered)) if i not in taken][-RESERVOIR:]
        self._reservoir, self._cells = [offered[i] for i in kept], [cells[i] for i in kept]
        return [
            *(Pick(offered[i], 1.0, led=True) for i in led),
            *(Pick(offered[i], count / len(left), led=False) for i in drawn),
        ]

    def observe(self, picks: Sequence[Pick], observations: Sequence[Observation]) -> None:
        """What was answered to the picks."""
        for led in (True, False):
            answered = [o for pick, o in zip(picks, observations, strict=True) if pick.led is led]
            self.learn(answered, random=not led)

    def learn(self, observations: Sequence[Observation], random: bool = False) -> None:
        """What was answered to anybody's questions."""
        self._asked |= {(o.image_id, o.question) for o in observations}
        answered = [o for o in observations if o.answered]
        self.leads.observe([o.tags for o in answered], [o.outcome == "failure" for o in answered], random)

    def save(self, folder: Path) -> None:
        """The reservoir and the leads; what was answered is in the ledger."""
        kept = [
            _Kept(image=item.image.id, question=item.question, tags=dict(item.tags), verdict=item.verdict)
            for item in self._reservoir
        ]
        state = _State(reservoir=kept, leads=self.leads.state())
        (folder / _STATE).write_text(state.model_dump_json())

    def restore(self, folder: Path, observations: Sequence[Observation], pictures: Pictures) -> None:
        """As it was when it was saved, after these observations."""
        state = _State.model_validate_json((folder / _STATE).read_text())
        self._asked = {(o.image_id, o.question) for o in observations}
        answered = [o for o in observations if o.answered]
        self.leads.restore(
            state.leads, [o.tags for o in answered], [o.outcome == "failure" for o in answered]
        )
        images = pictures([kept.image for kept in state.reservoir])
        self._reservoir = [
            ValidQuestion(images[kept.image], kept.question, kept.tags, kept.verdict)
            for kept in state.reservoir
        ]
        self._cells = [self.leads.encode(item.tags) for item in self._reservoir]


class _Kept(BaseModel):
    """A question of the reservoir, as it is saved."""

    image: str
    question: str
    tags: dict[str, Tag]
    verdict: Verdict


class _State(BaseModel):
    reservoir: list[_Kept]
    leads: dict[str, Any]


def _name(item: ValidQuestion) -> tuple[str, str]:
    return item.image.id, item.question
