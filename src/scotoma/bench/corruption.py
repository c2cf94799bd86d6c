"""Errors put into good samples on purpose, so that it is known which samples ought to be rejected.

Every error is one that a maker of samples really makes: a wrong label, rows that slipped by one, the same question
twice, a picture of the examination, a question that could mean either star, one that nobody needs a picture for.

    batch = corrupted(world, clean, spare, held_out, rate=0.1, seed=0)
    [item.kind for item in batch]        # None: clean
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from PIL import Image

from scotoma.core import ImageRecord
from scotoma.generate.checks import Draft
from scotoma.images.worlds.shapes.language import parse, pluralise
from scotoma.images.worlds.shapes.program import Phrase, Program
from scotoma.images.worlds.shapes.scene import COLOURS, SHAPES
from scotoma.images.worlds.shapes.world import ShapesWorld

Kind = Literal[
    "wrong_answer", "wrong_image", "duplicate", "reworded", "resaved",
    "leaked", "leaked_resaved", "ambiguous", "blind",
]  # fmt: skip
"""`wrong_answer`: another answer of the same sort (a count is off by one). `wrong_image`: the picture of another
sample. `duplicate`: the same again; `reworded`: the same in other words; `resaved`: about the picture saved again
(JPEG, twice the size, faint noise). `leaked`: about a picture of `test`; `leaked_resaved`: about one saved again.
`ambiguous`: "the star" where there are two. `blind`: "are there fewer things than stars ?".
"""

KINDS: tuple[Kind, ...] = get_args(Kind)

COPIES: tuple[Kind, ...] = ("duplicate", "reworded", "resaved")
"""Kinds that repeat a sample of the batch."""

_TRIES = 200


@dataclass(frozen=True)
class Item:
    """A sample and what is wrong with it; None for nothing."""

    draft: Draft
    kind: Kind | None = None


def clean_drafts(world: ShapesWorld, n: int, seed: int, per_image: int = 8) -> Iterator[Draft]:
    """Right samples of the uniform template questioner about `train` pictures, without what it makes of the kinds
    itself: the same program twice about one picture, and comparisons of a set with a part of it.
    """
    found = 0
    for number, record in enumerate(world.images("train", seed)):
        assert record.facts is not None
        programs: set[Program] = set()
        for question in world.questions(record.facts, number, per_image):
            parsed = parse(question)
            assert parsed is not None
            if parsed.program in programs or tautological(parsed.program):
                continue
            programs.add(parsed.program)
            examined = record.facts.examine(question)
            yield Draft(record, question, examined.answer, facts=record.facts, tags=examined.tags)
            found += 1
            if found == n:
                return


def tautological(program: Program) -> bool:
    """Whether it compares how many there are of a set and of a part of it ("more things than stars")."""
    subject, other = program.subject, program.other
    if (
        program.operation not in ("more", "fewer", "equal")
        or not isinstance(subject, Phrase)
        or other is None
    ):
        return False
    return _covers(subject, other) or _covers(other, subject)


def corrupted(
    world: ShapesWorld,
    clean: Sequence[Draft],
    spare: Sequence[Draft],
    held_out: Sequence[ImageRecord],
    rate: float,
    seed: int,
) -> list[Item]:
    """All of `clean`, and so many errors that they are a share `rate` of the whole, every kind equally often.

    Copies are made of clean samples and come after them; pictures of `held_out` leak; everything else is made of
    `spare`, clean samples that are not in the batch, or it would be a copy as well.
    """
    forger = _Forger(world, clean, spare, held_out, random.Random(f"corruption/{seed}/{rate}"))
    placed = [(float(place), Item(draft)) for place, draft in enumerate(clean)]
    errors = round(len(clean) * rate / (1 - rate))
    placed += [forger.forge(KINDS[number % len(KINDS)]) for number in range(errors)]
    return [item for _, item in sorted(placed, key=lambda each: each[0])]


class _Forger:
    def __init__(
        self,
        world: ShapesWorld,
        clean: Sequence[Draft],
        spare: Sequence[Draft],
        held_out: Sequence[ImageRecord],
        rng: random.Random,
    ) -> None:
        self._world, self._clean, self._spare, self._held_out, self._rng = world, clean, spare, held_out, rng
        answers: dict[str, dict[str, None]] = {}
        for draft in clean:
            answers.setdefault(str(draft.tags["operation"]), {})[draft.answer or ""] = None
        self._answers: Mapping[str, list[str]] = {
            operation: list(found) for operation, found in answers.items()
        }

    def forge(self, kind: Kind) -> tuple[float, Item]:
        """An error of this kind, and where in the batch it stands."""
        for _ in range(_TRIES):
            place = self._rng.randrange(len(self._clean))
            draft = self._forged(
                kind, self._clean[place] if kind in COPIES else self._rng.choice(self._spare)
            )
            if draft is not None:
                after = place + 0.5 if kind in COPIES else 0.0
                return self._rng.uniform(after, len(self._clean)), Item(draft, kind)
        raise ValueError(f"too few clean samples to make a {kind} of")

    def _forged(self, kind: Kind, draft: Draft) -> Draft | None:
        if kind == "wrong_answer":
            answer = self._other_answer(draft)
            return None if answer is None else replace(draft, answer=answer)
        if kind == "wrong_image":
            other = self._rng.choice(self._clean)
            return None if other.image.id == draft.image.id else replace(draft, image=other.image)
        if kind == "duplicate":
            return replace(draft)
        if kind == "reworded":
            return self._reworded(draft)
        if kind == "resaved":
            # Whoever met this picture has no facts to draw it from; that the answer is right shall still be known.
            return replace(draft, image=_resaved(draft.image, self._rng), facts=None)
        if kind == "ambiguous":
            return self._ambiguous(draft)
        if kind == "blind":
            return self._blind(draft)
        return self._leaked(resaved=kind == "leaked_resaved")

    def _other_answer(self, draft: Draft) -> str | None:
        if draft.tags["operation"] == "count":
            count = int(draft.answer or "0")
            return str(count + self._rng.choice((-1, 1)) if count else 1)
        others = [a for a in self._answers[str(draft.tags["operation"])] if a != draft.answer]
        return self._rng.choice(others) if others else None

    def _reworded(self, draft: Draft) -> Draft | None:
        assert draft.facts is not None
        found = self._world.paraphrases(draft.facts, draft.question, self._rng.getrandbits(32), 1)
        return replace(draft, question=found[0]) if found else None

    def _leaked(self, resaved: bool) -> Draft:
        record = self._rng.choice(self._held_out)
        assert record.facts is not None
        [question] = self._world.questions(record.facts, self._rng.getrandbits(32), 1)
        examined = record.facts.examine(question)
        shown = _resaved(record, self._rng) if resaved else record
        facts = None if resaved else record.facts
        return Draft(shown, question, examined.answer, facts=facts, tags=examined.tags)

    def _ambiguous(self, draft: Draft) -> Draft | None:
        """A question about another picture that could mean two things in this one, with the answer it has there."""
        other = self._rng.choice(self._clean)
        assert draft.facts is not None
        examined = draft.facts.examine(other.question)
        if examined.reason != "ambiguous":
            return None
        return replace(draft, question=other.question, answer=other.answer, tags=examined.tags)

    def _blind(self, draft: Draft) -> Draft | None:
        """A comparison of everything with a part of it, or whether there is anything: true, without a look."""
        part = pluralise(self._rng.choice(SHAPES))
        if self._rng.random() < 0.5:
            part = f"{self._rng.choice(list(COLOURS))} {part}"
        question, answer = self._rng.choice(
            (
                (f"are there fewer things than {part} ?", "no"),
                (f"are there more things than {part} ?", "yes"),
                (f"are there more {part} than things ?", "no"),
                (f"do you see fewer {part} than objects ?", "yes"),
                ("is there a thing ?", "yes"),
            )
        )
        assert draft.facts is not None
        examined = draft.facts.examine(question)
        if examined.answer != answer:
            return None
        return replace(draft, question=question, answer=answer, tags=examined.tags)


def _covers(whole: Phrase, part: Phrase) -> bool:
    return (
        whole.noun in ("thing", part.noun)
        and whole.colour in (None, part.colour)
        and whole.size in (None, part.size)
    )


def _resaved(record: ImageRecord, rng: random.Random) -> ImageRecord:
    """The picture in other bytes."""
    picture, buffer = record.open(), io.BytesIO()
    way = rng.choice(("jpeg", "larger", "noise"))
    if way == "jpeg":
        picture.save(buffer, "JPEG", quality=90)
    elif way == "larger":
        width, height = picture.size
        picture.resize((2 * width, 2 * height), Image.Resampling.BICUBIC).save(buffer, "PNG")
    else:
        levels = np.asarray(picture, dtype=np.int16)
        noise = np.random.default_rng(rng.getrandbits(32)).integers(-3, 4, levels.shape)
        Image.fromarray(np.clip(levels + noise, 0, 255).astype(np.uint8)).save(buffer, "PNG")
    data = buffer.getvalue()
    return replace(record, id=ImageRecord.hash(data), data=data)
