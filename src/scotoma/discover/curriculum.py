"""Progressive complexity: what the questioner is to aim at rises as the failures at the present level saturate.

A question's complexity is the number of skills that it composes and the fine details that it turns on, by its tags. At
level L a share of what is asked has complexity L or more, and wishes that lead there are drawn more often. The rest is
simpler, so that no simple blind spot is given up; and a level that yields little has a small share.

    curriculum = Curriculum("progressive")
    wishes = curriculum.wishes(rng, settings.wishes, 4)
    curriculum.learn([("composition", tags)], [(tags, 0.7)])
    curriculum.level
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, variance
from typing import Any, Literal

from scotoma.core import ConfigError, Tags

Progression = Literal["off", "progressive"]

SHARE = 0.5
"""Of the questions asked, the share that is at most to be at the level or above; see `Curriculum.share_at_level`."""


def complexity(tags: Tags) -> int:
    """Skills composed (at least 1) and fine details: a small thing is named; something in the image is occluded; a
    thing is named by three attributes. From 1 upwards; each counts by the tags that there are: of photos only the
    wording tags, so there it is the number of skills.

    >>> complexity({"skill": ("counting", "horizontal"), "size": ("small",), "occluded": True})
    4
    """
    skills, size, attributes = tags.get("skill", ()), tags.get("size", ()), tags.get("attributes", 0)
    composed = len(skills) if isinstance(skills, tuple) else 1
    small = "small" in size if isinstance(size, tuple | str) else False
    detailed = isinstance(attributes, int) and attributes >= 3
    return max(1, composed) + small + (tags.get("occluded") is True) + detailed


@dataclass(frozen=True)
class Portion:
    """Some of the questions that could be asked (their indices), and how many of them to ask."""

    indices: tuple[int, ...]
    count: int


class Curriculum:
    """The level, and what it follows from. Equal for equal histories; `state` and `restore` carry it over a stop.

    The level is saturated when the yield of its last `window` answered questions is no higher than that of the `window`
    before, by a standard error of the difference. A question's yield is 1 − C_Q times its novelty, in [0, 1]: failures
    of one kind, found again and again, saturate too. (Ours: arXiv 2604.04733 names the idea.)

    Args:
        kind: `off` changes nothing and learns nothing.
        window: answered questions at the level or above, twice that many before it can rise.
    """

    def __init__(self, kind: Progression = "off", *, window: int = 48) -> None:
        if window < 2:
            raise ConfigError("a curriculum needs a window of at least 2")
        self.kind = kind
        self.window = window
        self.level = 1
        self._yields: list[float] = []
        self._below: list[float] = []
        self._proposed: dict[str, Counter[int]] = {}

    def wishes(self, rng: random.Random, wishes: Sequence[str], count: int) -> Sequence[str | None]:
        """`count` different wishes, drawn one after the other with weights: the share of a wish's valid proposals that
        reached the level, (r + 1) / (n + 2). With `off`, all alike. One `None` where there are no wishes.
        """
        if not wishes:
            return [None]
        if self.kind == "off":
            return rng.sample(wishes, count)
        # Efraimidis & Spirakis (2006): the largest u^(1/w) are a weighted draw without replacement.
        keys = {wish: rng.random() ** (1 / self._reach(wish)) for wish in wishes}
        return sorted(wishes, key=lambda wish: -keys[wish])[:count]

    def portions(self, tags: Sequence[Tags], count: int) -> list[Portion]:
        """Which of the questions with these tags are to be drawn from, and how many of each part."""
        everything = tuple(range(len(tags)))
        if self.kind == "off" or self.level == 1:
            return [Portion(everything, count)]
        high = tuple(i for i in everything if complexity(tags[i]) >= self.level)
        low = tuple(i for i in everything if complexity(tags[i]) < self.level)
        wanted = min(len(high), max(round(self.share_at_level() * count), count - len(low)))
        return [Portion(high, wanted), Portion(low, min(len(low), count - wanted))]

    def share_at_level(self) -> float:
        """The share of questions that are to be at the level or above: as the last `window` yields there are to those
        below it, h / (h + l), from a tenth to `SHARE`; `SHARE` while one of the two is not known yet.
        """
        if min(len(self._yields), len(self._below)) < self.window:
            return SHARE
        high, low = fmean(self._yields[-self.window :]), fmean(self._below[-self.window :])
        return min(SHARE, max(0.1, high / (high + low))) if high + low > 0 else SHARE

    def learn(
        self, proposed: Iterable[tuple[str | None, Tags]], answered: Iterable[tuple[Tags, float]]
    ) -> None:
        """Take note of valid proposals, each with its wish, and of answered questions, each with its yield."""
        if self.kind == "off":
            return
        for wish, tags in proposed:
            self._proposed.setdefault(wish or "", Counter())[complexity(tags)] += 1
        for tags, value in answered:
            (self._yields if complexity(tags) >= self.level else self._below).append(value)
        if self._saturated() and self.level < self._ceiling():
            self.level += 1
            self._yields, self._below = [], []
        # No more is ever looked at.
        self._yields, self._below = self._yields[-2 * self.window :], self._below[-self.window :]

    def _saturated(self) -> bool:
        if len(self._yields) < 2 * self.window:
            return False
        before, now = self._yields[-2 * self.window : -self.window], self._yields[-self.window :]
        error = math.sqrt((variance(before) + variance(now)) / self.window)
        return fmean(now) - fmean(before) <= error

    def _ceiling(self) -> int:
        """The highest complexity that at least one valid proposal in fifty has reached."""
        counts = sum(self._proposed.values(), Counter[int]())
        total, above = counts.total(), 0
        for level in sorted(counts, reverse=True):
            above += counts[level]
            if 50 * above >= total:
                return level
        return 1

    def _reach(self, wish: str) -> float:
        counts = self._proposed.get(wish, Counter())
        reached = sum(n for level, n in counts.items() if level >= self.level)
        return (reached + 1) / (counts.total() + 2)

    def state(self) -> dict[str, Any]:
        """Everything, as JSON values; `restore` takes it back."""
        proposed = {wish: sorted(counts.items()) for wish, counts in self._proposed.items()}
        return {"level": self.level, "yields": self._yields, "below": self._below, "proposed": proposed}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken.

        Raises:
            ConfigError: the state is damaged.
        """
        try:
            self.level = int(state["level"])
            self._yields = [float(value) for value in state["yields"]]
            self._below = [float(value) for value in state["below"]]
            self._proposed = {
                wish: Counter({int(level): int(n) for level, n in counts})
                for wish, counts in state["proposed"].items()
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"the saved curriculum cannot be read: {error}") from error
