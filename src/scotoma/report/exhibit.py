"""Example pictures of a failure mode: image, question, what the candidate answered, what is true.

Pictures are embedded, so that the report is one file; large ones are made small, and a budget keeps the file light.

    exhibits = Gallery(run).of(mode, most=6)
    exhibits[0].source        # data:image/png;base64,…
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass

from PIL import Image

from scotoma.core import Example, FailureMode, ImageError, Observation, Sample
from scotoma.store import Run

_SMALL = 128
"""Images up to this many pixels wide and high are embedded as they are and drawn with hard pixels."""
_LARGEST = 384
_BUDGET = 1_800_000
"""Characters of embedded pictures in one report; beyond it an example is shown in words alone."""


@dataclass(frozen=True)
class Exhibit:
    """One failure to look at. `source` is a data URI, or None where the image is not in this copy of the run."""

    source: str | None
    pixelated: bool
    image_id: str
    question: str
    answer: str
    truth: str | None


@dataclass(frozen=True)
class Pair:
    """A failure and the smallest found that still fails; `things` and `words` are counted before and after."""

    original: Exhibit
    smallest: Exhibit
    things: tuple[int, int]
    words: tuple[int, int]


class Gallery:
    """Chooses and embeds the examples of one run, within one budget."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._left = _BUDGET
        failures = run.ledger.observations(outcome="failure")
        self._by_key = {item.key: item for item in failures}
        # Confirmed on fresh images first: discovery chose its questions for failing.
        self._pool = [item for item in failures if item.phase.startswith("confirm")]
        self._pool += [item for item in failures if item.phase.split("/")[0] in ("discover", "baseline")]

    def of(self, mode: FailureMode, *, most: int = 6) -> list[Exhibit]:
        """Up to `most` failures of a mode, each on another image: those the run named, then others like them."""
        named = [self._by_key[key] for key in mode.examples if key in self._by_key]
        alike = (item for item in self._pool if mode.predicate.matches(item.tags))
        return [self._exhibit(item) for item in _varied([*named, *alike], most)]

    def pairs(self, mode: FailureMode) -> list[Pair]:
        """What the mode's failures were shrunk to."""
        return [
            Pair(
                original=self._example(one.original),
                smallest=self._example(one.smallest),
                things=(one.original.things, one.smallest.things),
                words=(one.original.words, one.smallest.words),
            )
            for one in mode.shrunk
            if one.still_failing
        ]

    def of_sample(self, sample: Sample) -> Exhibit:
        """A training sample: what is asked, and the answer that was verified. Nobody was asked it."""
        source, pixelated = self._embed(sample.image_id)
        return Exhibit(source, pixelated, sample.image_id, sample.question, "", sample.answer)

    def _example(self, item: Example) -> Exhibit:
        source, pixelated = self._embed(item.image_id)
        return Exhibit(source, pixelated, item.image_id, item.question, item.answer, item.truth)

    def _exhibit(self, item: Observation) -> Exhibit:
        source, pixelated = self._embed(item.image_id)
        return Exhibit(
            source=source,
            pixelated=pixelated,
            image_id=item.image_id,
            question=item.question,
            answer=item.answer,
            truth=item.verdict.truth,
        )

    def _embed(self, image_id: str) -> tuple[str | None, bool]:
        try:
            picture = self._run.images.get(image_id).open()
        except ImageError:
            return None, False
        small = max(picture.size) <= _SMALL
        if not small:
            picture.thumbnail((_LARGEST, _LARGEST))
        data = io.BytesIO()
        if small:
            # Few colours: a palette halves the bytes and is not seen.
            picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=256).save(data, "PNG", optimize=True)
        else:
            picture.save(data, "JPEG", quality=80)
        kind = "png" if small else "jpeg"
        source = f"data:image/{kind};base64,{base64.b64encode(data.getvalue()).decode()}"
        if len(source) > self._left:
            return None, False
        self._left -= len(source)
        return source, small


def _varied(items: Iterable[Observation], most: int) -> list[Observation]:
    """The first `most` with an image each, other questions and answers before the same ones again."""
    candidates: dict[str, Observation] = {}
    for item in items:
        candidates.setdefault(item.image_id, item)
        if len(candidates) >= 8 * most:
            break
    seen: set[str] = set()
    first: list[Observation] = []
    later: list[Observation] = []
    for item in candidates.values():
        new = item.question not in seen
        seen.add(item.question)
        (first if new else later).append(item)
    return [*first, *later][:most]
