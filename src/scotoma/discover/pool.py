"""A stream of valid questions about fresh images of a split: from the world's template questioner, or from the frozen
questioner where the images have none. Facts say which are valid, or the judge.

    pool = Pool(source, settings, verifier)
    for item in pool.questions("confirm", seed=0): ...
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from scotoma.core import (
    Claim,
    ConfigError,
    ImageRecord,
    ImageSource,
    ModelError,
    Split,
    Tags,
    Verdict,
    Verifier,
    World,
)
from scotoma.core.seed import seed_of
from scotoma.discover.outage import describe_losses
from scotoma.discover.questioner import FrozenQuestioner, prompt_for, prompt_style
from scotoma.discover.settings import PER_IMAGE, DiscoverSettings, DiscoverySettings
from scotoma.discover.tagging import Tagger
from scotoma.images.spec import open_images
from scotoma.verify.facts import FactsVerifier

LOOK = 16
"""Images whose questions are proposed and judged together: a model answers many requests at once."""

SILENT = 2 * LOOK
"""Images in a row of which everything was lost to errors: after so many a server is taken for dead."""


@dataclass(frozen=True)
class ValidQuestion:
    """A valid question about an image, with its tags and the verdict that called it valid; not asked yet."""

    image: ImageRecord
    question: str
    tags: Tags
    verdict: Verdict

    def line(self) -> list[Any]:
        """For a stage of the ledger, the picture by its id; `read` is the other way round."""
        return [self.image.id, self.question, self.verdict.model_dump(), dict(self.tags)]

    @classmethod
    def read(cls, line: Sequence[Any], images: Mapping[str, ImageRecord]) -> ValidQuestion:
        """What was kept; JSON has no tuples."""
        image, question, verdict, tags = line
        told = {key: tuple(tag) if isinstance(tag, list) else tag for key, tag in tags.items()}
        return cls(images[image], question, told, Verdict.model_validate(verdict))


class Pool:
    """Uniform questions, `per_image` of them about each image.

    `unjudged` counts, by error, the questions that were lost or that nobody could judge: left out, and reported, with
    `words`, what a server last said of each error. `ruled` counts those that somebody judged, valid or not.
    """

    def __init__(
        self,
        source: ImageSource,
        settings: DiscoverSettings,
        verifier: Verifier | None = None,
        per_image: int = PER_IMAGE,
        tagger: Tagger | None = None,
    ) -> None:
        self.source = source
        self.per_image = per_image
        self.unjudged: Counter[str] = Counter()
        self._settings = settings
        self._verifier = verifier or FactsVerifier()
        self._tagger = tagger or Tagger()
        self._frozen: FrozenQuestioner | None = None
        self.words: dict[str, str] = {}
        self.ruled = 0

    @property
    def asked_by(self) -> str:
        """`template`, or `questioner` where the images come with no question language."""
        return "template" if isinstance(self.source, World) else "questioner"

    def questions(self, split: Split, seed: int) -> Iterator[ValidQuestion]:
        """Valid questions, image after image, without end.

        Raises:
            ConfigError: nobody can say what is right, or no question is ever valid.
            ModelError: questioner or judge fails at every question.
        """
        images = endless(self.source, split, seed)
        number = barren = silent = 0
        while True:
            shown = list(islice(images, LOOK))
            keys = [f"{split}/{seed}/{number + i}" for i in range(len(shown))]
            number += len(shown)
            barren += len(shown)
            ruled = self.ruled
            for item in self.about(shown, keys):
                barren = 0
                yield item
            silent = silent + len(shown) if self.ruled == ruled else 0
            if silent >= SILENT and self.unjudged:
                raise ModelError(
                    f"not one question about the last {silent} images could be judged: "
                    + describe_losses(self.unjudged, self.words),
                    hint="are the servers of questioner and judge well? The same command goes on",
                )
            if barren >= 50 * LOOK:
                raise ConfigError(
                    f"no valid question came of the last {barren} images of {self.source.spec}"
                    + (
                        f"; not judged: {describe_losses(self.unjudged, self.words)}" if self.unjudged else ""
                    ),
                    hint="look at the questioner's prompts and at the judge: "
                    "`scotoma calibrate --judge …` measures it",
                )

    def about(self, images: Sequence[ImageRecord], keys: Sequence[str]) -> list[ValidQuestion]:
        """Valid questions about these images; each image's key fixes what is proposed about it."""
        return list(self._valid(self._propose(images, keys))) if images else []

    def _valid(self, proposed: Sequence[tuple[ImageRecord, str]]) -> Iterator[ValidQuestion]:
        claims = [Claim(image=record, question=question) for record, question in proposed]
        verdicts = self._verifier.judge(claims)
        for claim, verdict, tags in zip(claims, verdicts, self._tagger.tags(claims, verdicts), strict=True):
            self.ruled += verdict.valid is not None
            if verdict.valid:
                yield ValidQuestion(claim.image, claim.question, tags, verdict)
            elif verdict.valid is None:
                self.unjudged[verdict.error or verdict.reason or "undecided"] += 1
                if verdict.error and verdict.reason:
                    self.words[verdict.error] = verdict.reason

    def _propose(self, images: Sequence[ImageRecord], keys: Sequence[str]) -> list[tuple[ImageRecord, str]]:
        if isinstance(self.source, World):
            return [
                (record, question)
                for record, key in zip(images, keys, strict=True)
                if record.facts is not None
                for question in self.source.questions(record.facts, seed_of(key), self.per_image)
            ]
        if self._frozen is None:
            self._frozen = FrozenQuestioner(self._settings.questioner, self._settings)
        style = prompt_style(self._settings)
        prompts = [
            prompt_for(record, wish=wish, earlier=(), style=style, name=f"{key}/{wish}")
            for record, key in zip(images, keys, strict=True)
            for wish in self._wishes(key)
        ]
        rollouts = self._frozen.propose(prompts, 1, keys[0])
        self.unjudged.update(self._frozen.lost)
        self._frozen.lost.clear()
        self.words |= self._frozen.words
        return [(rollout.prompt.image, rollout.text) for rollout in rollouts]

    def _wishes(self, key: str) -> Sequence[str | None]:
        """What is asked about an image: every wish or, where they are more than its questions, some by chance."""
        wishes = self._settings.wishes or (None,)
        most = min(self.per_image, len(wishes))
        chosen = random.Random(seed_of(key)).sample(range(len(wishes)), most)
        return [wishes[i] for i in sorted(chosen)]


def endless(source: ImageSource, split: Split, seed: int) -> Iterator[ImageRecord]:
    """The images of a split, without end: a finite source starts again.

    Raises:
        ConfigError: the split is empty.
    """
    while True:
        seen = 0
        for record in source.images(split, seed):
            seen += 1
            yield record
        if not seen:
            raise ConfigError(
                f"{source.spec} has no images in the split {split!r}", hint="give it more images"
            )


def open_source(settings: DiscoverySettings) -> ImageSource:
    """The images that the settings name, near-copies told by their embedder too, if they name one.

    Raises:
        SpecError, ImageError, ConfigError: see `scotoma.images.spec.open_images`.
        ModelError: the embedder cannot be opened.
    """
    if settings.embedder is None:
        return open_images(settings.images)
    from scotoma.models.embedding import ImageEmbedder  # torch, which nothing else here needs

    return open_images(settings.images, embedder=ImageEmbedder(settings.embedder, settings.similarity))


def pictures_so_far(source: ImageSource) -> dict[str, dict[str, int]]:
    """What a finite source has skipped and converted so far, by reason; empty for one that renders its images."""
    return {
        "skipped_images": dict(getattr(source, "skipped", {})),
        "converted_images": dict(getattr(source, "converted", {})),
    }


def check_source(source: ImageSource, seed: int, judged: bool = False) -> None:
    """Look at the first image, so that unusable images are refused before any model is loaded.

    Args:
        source: the images.
        seed: of the run.
        judged: whether a judge can say what is right where the images carry no facts.

    Raises:
        ImageError: nothing can be read.
        ConfigError: the images carry no facts, and there is no judge.
    """
    for record in islice(source.images("discover", seed), 1):
        if record.facts is None and not judged:
            raise ConfigError(
                f"the images of {record.source} carry no facts, so nothing says which answers are right",
                hint="name a judge (--judge SPEC, or judge.model in the config), use worlds:shapes, or put a "
                "facts.jsonl beside the images",
            )
