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
from scotoma.images.worlds.shapes.language import parse, realise
from scotoma.images.worlds.shapes.program import Phrase, Program
from scotoma.images.worlds.shapes.templates import random_phrase
from scotoma.images.worlds.shapes.world import ShapesWorld

Kind = Literal[
    "wrong_answer", "wrong_image", "stale", "duplicate", "reworded", "resaved",
    "leaked", "leaked_resaved", "ambiguous", "blind", "unbalanced", "out_of_band", "unlicensed", "malformed",
]  # fmt: skip
"""`wrong_answer`: another answer of the same sort (a count is off by one). `wrong_image`: the picture of another
sample. `stale`: the scene was edited and the answer follows it, but the picture was not drawn again. `duplicate`: the
same again; `reworded`: the same in other words; `resaved`: about the picture saved again (`WAYS`). `leaked`: about a
picture of `test`; `leaked_resaved`: about one saved again. `ambiguous`: "the star" where there are two. `blind`: "are
there fewer red things than red stars ?", "is there a thing ?". `unbalanced`: one more "yes" of a mode in which three in
five say so already. `out_of_band`: a pass rate that teaches nothing. `unlicensed`: a picture of unknown or unfree
licence, or of no source. `malformed`: an unfilled slot, an excuse, no words, too many.
"""

KINDS: tuple[Kind, ...] = get_args(Kind)

COPIES: tuple[Kind, ...] = ("duplicate", "reworded", "resaved")
"""Kinds that repeat a sample of the batch."""

WAYS = ("jpeg", "larger", "smaller", "noise", "brighter")
"""How pictures are saved again: JPEG at quality 60 to 95; twice or three quarters of the size; noise of up to 8 levels;
up to 12 levels brighter.
"""

BAND = (3, 7)
"""Right answers of nine, least and most, that clean samples have: DPE's band."""

_MODE = "half"
"""The one failure mode of a batch. Clean samples belong to it, the first `_YES` with "yes" and `_NO` with "no"."""

_YES, _NO = 12, 8

_TRIES = 200


@dataclass(frozen=True)
class Item:
    """A sample and what is wrong with it; None for nothing."""

    draft: Draft
    kind: Kind | None = None


def clean_drafts(world: ShapesWorld, n: int, seed: int, per_image: int = 8) -> Iterator[Draft]:
    """Right samples of the uniform template questioner about `train` pictures, of a pass rate in `BAND`, without what
    it makes of the kinds itself: the same program twice about one picture, and comparisons of a set with a part of it.
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
            least, most = BAND
            rate = (least + found % (most - least + 1)) / 9
            facts, tags = record.facts, examined.tags
            yield Draft(record, question, examined.answer, facts=facts, tags=tags, pass_rate=rate)
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
    `spare`, clean samples that are not in the batch, each once, or it would be a copy as well.
    """
    clean = _with_a_mode(clean)
    forger = _Forger(world, clean, spare, held_out, random.Random(f"corruption/{seed}/{rate}"))
    placed = [(float(place), Item(draft)) for place, draft in enumerate(clean)]
    errors = round(len(clean) * rate / (1 - rate))
    placed += [forger.forge(KINDS[number % len(KINDS)]) for number in range(errors)]
    return [item for _, item in sorted(placed, key=lambda each: each[0])]


def _with_a_mode(clean: Sequence[Draft]) -> list[Draft]:
    wanted = {"yes": _YES, "no": _NO}
    found = []
    for draft in clean:
        left = wanted.get(draft.answer or "", 0)
        found.append(replace(draft, mode_id=_MODE) if left else draft)
        wanted[draft.answer or ""] = max(left - 1, 0)
    return found


class _Forger:
    def __init__(
        self,
        world: ShapesWorld,
        clean: Sequence[Draft],
        spare: Sequence[Draft],
        held_out: Sequence[ImageRecord],
        rng: random.Random,
    ) -> None:
        self._world, self._clean, self._held_out, self._rng = world, clean, held_out, rng
        self._spare = list(spare)
        self._mode_ends = max(place for place, draft in enumerate(clean) if draft.mode_id == _MODE)
        answers: dict[str, dict[str, None]] = {}
        for draft in clean:
            answers.setdefault(str(draft.tags["operation"]), {})[draft.answer or ""] = None
        self._answers: Mapping[str, list[str]] = {
            operation: list(found) for operation, found in answers.items()
        }

    def forge(self, kind: Kind) -> tuple[float, Item]:
        """An error of this kind, and where in the batch it stands."""
        for _ in range(_TRIES):
            of = self._clean if kind in COPIES else self._spare
            if not of:
                break
            place = self._rng.randrange(len(of))
            draft = self._forged(kind, of[place])
            if draft is not None:
                after = {"unbalanced": self._mode_ends + 0.5}.get(kind, 0.0)
                if kind in COPIES:
                    after = place + 0.5
                else:
                    self._spare.pop(place)
                return self._rng.uniform(after, len(self._clean)), Item(draft, kind)
        raise ValueError(f"too few clean samples to make a {kind} of")

    def _forged(self, kind: Kind, draft: Draft) -> Draft | None:
        if kind == "wrong_answer":
            answer = self._other_answer(draft)
            return None if answer is None else replace(draft, answer=answer)
        if kind == "wrong_image":
            other = self._rng.choice(self._clean)
            return None if other.image.id == draft.image.id else replace(draft, image=other.image)
        if kind == "stale":
            return self._stale(draft)
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
        if kind == "unbalanced":
            return replace(draft, mode_id=_MODE) if draft.answer == "yes" else None
        if kind == "out_of_band":
            least, most = BAND
            right = self._rng.choice([n for n in range(10) if not least <= n <= most])
            return replace(draft, pass_rate=right / 9)
        if kind == "unlicensed":
            return self._unlicensed(draft)
        if kind == "malformed":
            return self._malformed(draft)
        return self._leaked(resaved=kind == "leaked_resaved")

    def _other_answer(self, draft: Draft) -> str | None:
        if draft.tags["operation"] == "count":
            count = int(draft.answer or "0")
            return str(count + self._rng.choice((-1, 1)) if count else 1)
        others = [a for a in self._answers[str(draft.tags["operation"])] if a != draft.answer]
        return self._rng.choice(others) if others else None

    def _stale(self, draft: Draft) -> Draft | None:
        """The facts after an edit of one thing that changes the answer, with the picture from before it."""
        assert draft.facts is not None
        for edited in self._world.counterfactuals(draft.facts, draft.question, self._rng.getrandbits(32)):
            answer = edited.facts.examine(draft.question).answer
            if answer not in (None, draft.answer):
                image = replace(draft.image, facts=edited.facts)
                return replace(draft, image=image, facts=edited.facts, answer=answer)
        return None

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
        answer, rate = examined.answer, BAND[0] / 9
        return Draft(shown, question, answer, facts=facts, tags=examined.tags, pass_rate=rate)

    def _ambiguous(self, draft: Draft) -> Draft | None:
        """A question about another picture that could mean two things in this one, with the answer it has there."""
        other = self._rng.choice(self._clean)
        assert draft.facts is not None
        examined = draft.facts.examine(other.question)
        if examined.reason != "ambiguous":
            return None
        return replace(draft, question=other.question, answer=other.answer, tags=examined.tags)

    def _unlicensed(self, draft: Draft) -> Draft:
        """As it might have come from the web: without facts."""
        page = "https://example.org/picture"
        licence, source = self._rng.choice(
            (("CC BY-NC 4.0", page), ("CC BY-ND 2.0", page), ("unknown", page), ("CC BY 4.0", " "))
        )
        image = replace(draft.image, licence=licence, source=source, facts=None)
        return replace(draft, image=image, facts=None)

    def _malformed(self, draft: Draft) -> Draft:
        question, answer = self._rng.choice(
            (
                (draft.question.replace(" ", " {noun} ", 1), draft.answer),
                (draft.question, "As an AI, I cannot see the picture."),
                ("?", draft.answer),
                (draft.question, " . "),
                (50 * draft.question, draft.answer),
            )
        )
        return replace(draft, question=question, answer=answer)

    def _blind(self, draft: Draft) -> Draft | None:
        """Whether a part is more, or the whole fewer; whether there is anything: answered without a look."""
        whole = random_phrase(self._rng) if self._rng.random() < 0.4 else Phrase("thing")
        like = random_phrase(self._rng)
        part = Phrase(
            like.noun if whole.noun == "thing" else whole.noun,
            whole.colour or like.colour,
            whole.size or like.size,
        )
        if part == whole:
            return None
        program, answer = self._rng.choice(
            (
                (Program("more", part, whole), "no"),
                (Program("fewer", whole, part), "no"),
                (Program("more", part, whole), "no"),
                (Program("fewer", whole, part), "no"),
                (Program("exist", Phrase("thing")), "yes"),
            )
        )
        question = realise(program, self._rng)
        assert draft.facts is not None
        examined = draft.facts.examine(question)
        return replace(draft, question=question, answer=answer, tags=examined.tags)


def _covers(whole: Phrase, part: Phrase) -> bool:
    return (
        whole.noun in ("thing", part.noun)
        and whole.colour in (None, part.colour)
        and whole.size in (None, part.size)
    )


def _resaved(record: ImageRecord, rng: random.Random) -> ImageRecord:
    data = resaved(record, rng.choice(WAYS), rng)
    return replace(record, id=ImageRecord.hash(data), data=data)


def resaved(record: ImageRecord, way: str, rng: random.Random) -> bytes:
    """The picture in other bytes; `way` is one of `WAYS`."""
    picture, buffer = record.open(), io.BytesIO()
    if way == "jpeg":
        picture.save(buffer, "JPEG", quality=rng.randint(60, 95))
        return buffer.getvalue()
    if way in ("larger", "smaller"):
        factor = 2 if way == "larger" else 0.75
        width, height = (round(factor * side) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    else:
        levels = np.asarray(picture, dtype=np.int16)
        most = rng.randint(3, 8)
        noise = np.random.default_rng(rng.getrandbits(32)).integers(-most, most + 1, levels.shape)
        changed = levels + (noise if way == "noise" else rng.randint(4, 12))
        picture = Image.fromarray(np.clip(changed, 0, 255).astype(np.uint8))
    picture.save(buffer, "PNG")
    return buffer.getvalue()
