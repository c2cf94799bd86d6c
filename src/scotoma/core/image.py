"""Images, where they come from, and the exact facts that may travel with them.

An image is known by the hash of its bytes, so that a cache, a ledger and a split can never confuse two images.
A rendered image carries `Facts`: it can say whether a question about it is valid, and what the answer is.

    for record in source.images("discover", seed=0):
        record.facts.examine("how many red circles are there ?")
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from scotoma.core.errors import ImageError
from scotoma.core.pixels import Undecodable, decode, size_of
from scotoma.core.predicate import Tag, Tags

if TYPE_CHECKING:
    from PIL.Image import Image

Split = Literal["discover", "confirm", "train", "test"]
"""Disjoint by image id and seed. `discover` finds modes, `confirm` proves them, `train` mends, `test` measures."""

SPLITS: tuple[Split, ...] = ("discover", "confirm", "train", "test")


@dataclass(frozen=True)
class Examination:
    """What exact facts say of one question about one image.

    `reason` says why an invalid question is invalid (`unparsable`, `no_referent`, `ambiguous`, `borderline` …; what
    `core.invalidity` does not know counts as `not_answerable`) and is None for a valid one. `answer` is None when
    invalid. `tags` is empty when the question cannot be parsed. `answers` are all that such a question can have, for
    instance every colour, where they are known: then a wordy answer that mentions one of them can be compared.
    """

    valid: bool
    reason: str | None = None
    answer: str | None = None
    tags: Tags = field(default_factory=dict)
    answers: Collection[str] = ()


@runtime_checkable
class Facts(Protocol):
    """Exact ground truth of one image: a scene graph and an executor."""

    def examine(self, question: str) -> Examination:
        """Validity, answer and tags of a question (English, one sentence) about this image. Never raises."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Enough to rebuild the facts (`World.facts`) without the pixels."""
        ...


@dataclass(frozen=True)
class ImageRecord:
    """One image. `id` is the SHA-256 of the encoded bytes (64 hex digits); `data` or `path` holds those bytes."""

    id: str
    source: str
    licence: str = "unknown"
    split: Split = "discover"
    path: Path | None = None
    data: bytes | None = field(default=None, repr=False)
    facts: Facts | None = field(default=None, repr=False, compare=False)
    attributes: Mapping[str, Tag] = field(default_factory=dict, compare=False)

    @staticmethod
    def hash(data: bytes) -> str:
        """The id of an image with these encoded bytes."""
        return hashlib.sha256(data).hexdigest()

    def read(self) -> bytes:
        """The encoded bytes (PNG, JPEG …).

        Raises:
            ImageError: the file is gone or unreadable.
        """
        if self.data is not None:
            return self.data
        if self.path is None:
            raise ImageError(f"image {self.id[:12]} has neither bytes nor a path")
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise ImageError(f"cannot read the image {self.path}: {error.strerror}") from error

    def open(self) -> Image:
        """The decoded RGB image, upright and on white where it is transparent (`core.pixels`).

        Raises:
            ImageError: the bytes are no readable image.
        """
        # Converted here, not by rewriting the file: the id stays the hash of the bytes as they came.
        with self._named():
            return decode(self.read()).image

    def size(self) -> tuple[int, int]:
        """(width, height) as the file has it: its header alone is read, so that many pictures can be compared.

        Raises:
            ImageError: the bytes are no image.
        """
        with self._named():
            return size_of(self.read())

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except Undecodable as error:
            where = self.path or self.id[:12]
            raise ImageError(f"{where} is not an image that can be read: {error}") from error


class ImageSource(Protocol):
    """A lazy, seeded stream of images by split; unlimited where images are rendered."""

    spec: str

    def images(self, split: Split, seed: int) -> Iterator[ImageRecord]:
        """The images of a split, always in the same order for the same seed."""
        ...


@runtime_checkable
class World(ImageSource, Protocol):
    """An image source that renders its images and speaks a question language with exact answers."""

    def facts(self, document: Mapping[str, Any]) -> Facts:
        """Rebuild facts from `Facts.to_json`."""
        ...

    def render(self, facts: Facts, split: Split) -> ImageRecord:
        """Draw a scene, edited or not; the same scene is always the same bytes."""
        ...

    def questions(self, facts: Facts, seed: int, n: int) -> Sequence[str]:
        """`n` valid questions from the uniform template questioner: every question type equally often."""
        ...


@runtime_checkable
class TwiceAnsweredWorld(World, Protocol):
    """A world that answers in a second way too, so that an error in its facts' own executor is found out."""

    def second_opinion(self, facts: Facts, question: str) -> str | None:
        """The answer to a valid question, by other code than `Facts.examine`; None where there is none to be had."""
        ...


@runtime_checkable
class EditableWorld(World, Protocol):
    """A world whose scenes can be edited with known consequences: what repair needs."""

    def vary(self, facts: Facts, question: str, seed: int) -> Facts:
        """A new scene that keeps the structure in which `question` was asked, edited with known consequences."""
        ...

    def similar(self, facts: Facts, question: str, seed: int, n: int) -> Sequence[str]:
        """Up to `n` different valid questions of the same kind about this scene."""
        ...


@dataclass(frozen=True)
class Variant:
    """A scene that was changed a little and a question about it; `edit` names the change in a word ("recolour")."""

    facts: Facts
    question: str
    edit: str


@runtime_checkable
class ReducibleWorld(World, Protocol):
    """A world whose scenes and questions can be made smaller: what a shrinker needs."""

    def reductions(self, facts: Facts, question: str) -> Iterator[Variant]:
        """Everything that is one step smaller, the largest steps first, always in the same order.

        Whether a question is valid about the smaller scene is for `Facts.examine` to say. Every step is strictly
        smaller, so a chain of steps ends.
        """
        ...

    def things(self, facts: Facts) -> int:
        """How many things the picture shows, in whatever the world counts."""
        ...


@runtime_checkable
class ComposedWorld(World, Protocol):
    """A world that knows what its questions are made of: what tells an error of seeing from one of thinking."""

    def parts(self, facts: Facts, question: str) -> Sequence[str]:
        """Simpler valid questions about the same scene that one must be able to answer to answer this one."""
        ...


@runtime_checkable
class ContrastWorld(World, Protocol):
    """A world that can say a question in other words, and change what it asks about: the two halves of a contrast set
    (Gardner et al. 2020, arXiv 2004.02709).
    """

    def paraphrases(self, facts: Facts, question: str, seed: int, n: int) -> Sequence[str]:
        """Up to `n` valid wordings of the same question, all different and none of them `question`."""
        ...

    def counterfactuals(self, facts: Facts, question: str, seed: int) -> Iterator[Variant]:
        """The same question about scenes in which one thing was changed, in random order: `Facts.examine` says what
        that did to the answer.
        """
        ...


@runtime_checkable
class RetouchableWorld(World, Protocol):
    """A world whose scenes can be edited by name: what the exact editor needs. `operations` names the edits."""

    operations: Sequence[str]

    def edit(self, facts: Facts, question: str, operation: str, seed: int) -> Facts | None:
        """The scene after one edit, at a thing that the question speaks of where there is one; None where there is no
        room for it, or nothing to do it to. What that does to an answer, `Facts.examine` says.
        """
        ...
