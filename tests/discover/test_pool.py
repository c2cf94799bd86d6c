"""The pool of uniform questions: a server that fails at every question ends it soon, one that fails at some not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pytest

from scotoma.core import Claim, ModelError, Reply, Request, Verdict
from scotoma.discover.pool import SILENT, Pool
from scotoma.discover.settings import DiscoverSettings
from scotoma.images.spec import open_images
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.verify.facts import FactsVerifier
from tests import photographs


class Failing:
    """The facts, but for the pictures (by number) whose questions are lost."""

    def __init__(self, lost: range) -> None:
        self.lost = lost
        self.seen: list[str] = []

    def judge(self, claims: Sequence[Claim]) -> list[Verdict]:
        for claim in claims:
            if claim.image.id not in self.seen:
                self.seen.append(claim.image.id)
        known = FactsVerifier().judge(claims)
        lost = {self.seen[i] for i in self.lost if i < len(self.seen)}
        return [
            Verdict(error="judge:crashed") if claim.image.id in lost else verdict
            for claim, verdict in zip(claims, known, strict=True)
        ]


def test_a_dead_judge_is_not_asked_about_hundreds_of_pictures() -> None:
    judge = Failing(range(10_000))
    with pytest.raises(ModelError, match=rf"the last {SILENT} images could be judged: \d+ × judge:crashed"):
        next(Pool(ShapesWorld(), DiscoverSettings(), judge).questions("confirm", 0))
    assert len(judge.seen) == SILENT


def test_a_judge_that_is_away_for_a_while_is_waited_for_and_what_was_lost_is_counted() -> None:
    judge = Failing(range(SILENT - 1))
    pool = Pool(ShapesWorld(), DiscoverSettings(), judge)
    assert len(list(islice(pool.questions("confirm", 0), 200))) == 200
    assert pool.unjudged["judge:crashed"] > SILENT


class Echo:
    """Asks what it was told to ask about."""

    name = "echo"

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        return [Reply(next(wish for wish in WISHES if wish in request.text)) for request in requests]


class Credulous:
    """Everything is a question, and valid."""

    def judge(self, claims: Sequence[Claim], errors: Sequence[str | None] | None = None) -> list[Verdict]:
        return [Verdict(valid=True, truth="yes", decided_by="judge") for _ in claims]


WISHES = tuple(f"wish {letter}" for letter in "abcdefghijk")


def test_every_wish_comes_up_where_they_are_more_than_an_image_has_questions(tmp_path: Path) -> None:
    photographs.write(tmp_path / "photos", 60)
    settings = DiscoverSettings(questioner="tests.discover.test_pool:Echo", prompts="chat", wishes=WISHES)
    pool = Pool(open_images(f"folder:{tmp_path / 'photos'}"), settings, Credulous())
    asked = Counter(item.question for item in islice(pool.questions("discover", 0), 200))
    assert set(asked) == set(WISHES)
    assert max(asked.values()) <= 20  # once for an image at the most
