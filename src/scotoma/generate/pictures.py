"""Searcher and editor of photos: a pool and the web, operations with a known effect and generative editing.

PhotoSearcher(PicturePool(records)).search(sketch, 3)
PhotoEditor(painter=None).edit(sketch, found)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from zlib import crc32

from pydantic import BaseModel, ConfigDict, Field

from scotoma.core import ImageError, ImageRecord
from scotoma.core.pixels import decode
from scotoma.generate.handover import Declined, Edited, Finds, Found, Outage, Sketch
from scotoma.images.editing import edited, encoded
from scotoma.images.licences import allowed
from scotoma.images.search.fetching import Limits, Refusal, Unfetchable
from scotoma.images.search.pool import PicturePool, text_of
from scotoma.images.search.web import WebSearch, fetched
from scotoma.models.painting import Painter

LEAST_SCORE = 0.2
"""The cosine from which on a picture's words count as found; below it the web, or looks, are the better guess."""

_WIDER = 4
"""Of so many times the wanted pictures those come first that were offered least so far."""


_REFUSED: dict[Refusal, str] = {
    "address": "private address",
    "redirects": "too many redirects",
    "type": "no picture",
    "size": "too large",
    "time": "too slow",
    "status": "not there",
    "unreachable": "unreachable",
    "unreadable": "unreadable",
}
"""Why a hit was passed over that was not fetched, as it is counted."""


@dataclass(frozen=True)
class Web:
    """The engines that are asked, the limits of what is fetched, and the licences that are taken (none: any)."""

    engines: tuple[WebSearch, ...]
    limits: Limits = field(default_factory=Limits)
    licences: tuple[str, ...] = ()


class PhotoSearcher:
    """The pool by words; then the web, where it is allowed; then what of the pool looks most like the failure.

    A picture that was offered before comes after those that were not, or one caption would make all samples. A hit of
    the web that is not taken, for its licence or since it cannot be fetched, is told (`Finds.passed_over`).
    """

    def __init__(self, pool: PicturePool, web: Web | None = None) -> None:
        self._pool = pool
        self._web = web

    def search(self, sketch: Sketch, n: int) -> Finds:
        """Up to `n` pictures.

        Raises:
            Outage: nothing was found, and an engine did not answer.
        """
        hits = [
            hit
            for hit in self._pool.search(sketch.search, _WIDER * n)
            if hit.score >= LEAST_SCORE and _shows(sketch, hit.image)
        ]
        found = _rarest(sketch, [Found(hit.image, f"words: {sketch.search}") for hit in hits], n)
        outage: Outage | None = None
        passed_over: Counter[str] = Counter()
        if len(found) < n and self._web is not None and sketch.search:
            try:
                found += self._from_the_web(self._web, sketch.search, n - len(found), passed_over)
            except Outage as error:
                outage = error
        if not found:
            own = sketch.like.image if sketch.like is not None else None
            # With nothing to compare with, all are alike: those come first that were offered least.
            most = _WIDER * n if own is not None else len(self._pool.records)
            alike = self._pool.like(own, most, where=lambda image: _shows(sketch, image))
            how = "looks like a failure" if own is not None else "any picture"
            found = _rarest(sketch, [Found(hit.image, how) for hit in alike], n)
        if not found and outage is not None:
            raise outage
        return Finds(found, passed_over)

    def _from_the_web(self, web: Web, words: str, n: int, passed_over: Counter[str]) -> list[Found]:
        found: list[Found] = []
        silent: Unfetchable | None = None
        for engine in web.engines:
            try:
                hits = engine.search(words, _WIDER * n)
            except Unfetchable as error:
                silent = error
                continue
            for hit in hits:
                if len(found) == n:
                    return found
                if web.licences and not allowed(hit.licence, web.licences):
                    passed_over["licence refused"] += 1
                    continue
                try:
                    found.append(Found(fetched(hit, web.limits), f"{engine.name}: {words}"))
                except Unfetchable as error:
                    # One of many strangers' servers: the next hit will do.
                    passed_over[_REFUSED[error.reason]] += 1
        if not found and silent is not None:
            raise Outage("timeout" if silent.reason == "time" else "crashed", silent.message, passed_over)
        return found


def _rarest(sketch: Sketch, found: Sequence[Found], n: int) -> list[Found]:
    def place(each: Found) -> tuple[int, int]:
        chance = crc32(f"{sketch.draw}/{each.image.id}".encode()) if sketch.draw else 0
        return sketch.offered.get(each.image.id, 0), chance

    return sorted(found, key=place)[:n]


def _shows(sketch: Sketch, image: ImageRecord) -> bool:
    """Whether a picture is as the sketch's conditions on pictures have it (`brightness=dark`)."""
    return all(c.matches(image.attributes) for c in sketch.must.conditions if c.key in image.attributes)


class PhotoEditor:
    """Carries out what has a known effect; then, where there is a painter, the sketch's instruction."""

    def __init__(self, painter: Painter | None = None, max_pixels: int = 50_000_000) -> None:
        self._painter = painter
        self._max_pixels = max_pixels

    def edit(self, sketch: Sketch, found: Found) -> Edited:
        """The picture, of split `train`; as it is where nothing is to be done to it.

        Raises:
            ImageError: the picture cannot be read, or too little of it is left.
            Outage: the painter failed.
            Declined: what it painted is no picture.
        """
        image = edited(found.image, sketch.edits) if sketch.edits else replace(found.image, split="train")
        operations: list[str] = [edit.operation for edit in sketch.edits]
        effects = [edit.effect for edit in sketch.edits]
        if sketch.instruction and self._painter is not None:
            image = self._painted(image, sketch.instruction, self._painter)
            operations.append("paint")
            effects.append(f"a model was told to change it: {sketch.instruction!r}; see what it made of that")
        return Edited(image, tuple(operations), tuple(effects))

    def _painted(self, image: ImageRecord, instruction: str, painter: Painter) -> ImageRecord:
        data = painter.paint(image, instruction)
        if not isinstance(data, bytes):
            raise Outage(data.kind, data.message)
        try:
            picture = decode(data, max_pixels=self._max_pixels).image
        except ImageError as error:
            raise Declined("painted no picture", hint=str(error)) from error
        return encoded(image, picture, ["paint", painter.name])


class SearchWords(BaseModel):
    """What the planner looks for."""

    model_config = ConfigDict(frozen=True)

    words: str = Field(min_length=1, max_length=200, description="two to six common words")


class SearchResults(BaseModel):
    """What is known of the pictures that were found, best first."""

    model_config = ConfigDict(frozen=True)

    pictures: tuple[str, ...]


class PoolSearch:
    """A `core.Tool`: what the pool has for some words, so that a planner does not plan what cannot be found."""

    name = "search_images"
    about = "Search the pool of pictures by words. Returns what is known of the best ones; nothing where none fits."
    cost = 0.0

    def __init__(self, pool: PicturePool, n: int = 8) -> None:
        self._pool = pool
        self._n = n

    def __call__(self, arguments: SearchWords) -> SearchResults:
        """Up to `n` descriptions."""
        hits = [hit for hit in self._pool.search(arguments.words, self._n) if hit.score >= LEAST_SCORE]
        return SearchResults(pictures=tuple(text_of(hit.image)[:200] for hit in hits))
