"""A stream of valid questions about fresh images of a split: from the world's template questioner, or from the frozen
questioner where the images have none.

    pool = Pool(source, settings)
    for item in pool.questions("confirm", seed=0): ...
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from scotoma.core import ConfigError, Facts, ImageRecord, ImageSource, Split, Tags, World
from scotoma.discover.questioner import FrozenQuestioner, prompt_for, prompt_style
from scotoma.discover.settings import DiscoverSettings


@dataclass(frozen=True)
class Candidacy:
    """A valid question about an image, with its tags; not asked yet."""

    image: ImageRecord
    question: str
    tags: Tags


class Pool:
    """Uniform questions, `per_image` of them about each image."""

    def __init__(self, source: ImageSource, settings: DiscoverSettings, per_image: int = 10) -> None:
        self.source = source
        self.per_image = per_image
        self._settings = settings
        self._frozen: FrozenQuestioner | None = None

    @property
    def asked_by(self) -> str:
        """`template`, or `questioner` where the images come with no question language."""
        return "template" if isinstance(self.source, World) else "questioner"

    def images(self, split: Split, seed: int) -> Iterator[ImageRecord]:
        """The images of a split, without end: a finite source starts again, and its questions differ."""
        while True:
            seen = 0
            for record in self.source.images(split, seed):
                seen += 1
                yield record
            if not seen:
                raise ConfigError(
                    f"{self.source.spec} has no images in the split {split!r}", hint="give it more images"
                )

    def questions(self, split: Split, seed: int) -> Iterator[Candidacy]:
        """Valid questions, image after image.

        Raises:
            ConfigError: the images carry no facts, so nobody can say what is right.
        """
        images = self.images(split, seed)
        number = 0
        while True:
            for record in islice(images, 16):
                for question in self._ask(record, f"{split}/{seed}/{number}"):
                    examined = require_facts(record).examine(question)
                    if examined.valid:
                        yield Candidacy(record, question, examined.tags)
                number += 1

    def _ask(self, record: ImageRecord, key: str) -> list[str]:
        seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big")
        if isinstance(self.source, World):
            return list(self.source.questions(require_facts(record), seed, self.per_image))
        if self._frozen is None:
            self._frozen = FrozenQuestioner(self._settings.questioner, self._settings)
        wishes = self._settings.wishes
        prompts = [
            prompt_for(
                record, wish=wish, earlier=(), style=prompt_style(self._settings), name=f"{key}/{wish}"
            )
            for wish in wishes
        ]
        rollouts = self._frozen.propose(prompts, 1, key)
        return [rollout.text for rollout in rollouts][: self.per_image]


def require_facts(record: ImageRecord) -> Facts:
    """The image's facts.

    Raises:
        ConfigError: there are none, and no judge can stand in yet.
    """
    if record.facts is None:
        raise ConfigError(
            f"the images of {record.source} carry no facts, so nothing says which answers are right",
            hint="use worlds:shapes, or put a facts.jsonl beside the images; judges come with a later release",
        )
    return record.facts


def check_source(source: ImageSource, seed: int) -> None:
    """Look at the first image, so that unusable images are refused before any model is loaded.

    Raises:
        ImageError: nothing can be read.
        ConfigError: the images carry no facts.
    """
    for record in islice(source.images("discover", seed), 1):
        require_facts(record)
