"""Rediscovery: what the repaired model is found to fail in is put to the untrained one, or nothing is concluded."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

import tests.scripted
from scotoma.core import FailureMode, ModelError, Reply, ReplyError, Request
from scotoma.diagnose.statistics import holm
from scotoma.discover.confirm import confirm
from scotoma.discover.progress import silent
from scotoma.discover.settings import ConfirmSettings, DiscoverSettings
from scotoma.evolve import rediscovery
from scotoma.evolve.rediscovery import account_of_rediscovery, rediscover
from scotoma.evolve.settings import EvolveSettings
from scotoma.evolve.workshop import Policy
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.store.run import Run
from tests.scripted import Candidate

POLICY = Policy("round1/targeted", "tests.scripted:Candidate")
SETTINGS = EvolveSettings(
    candidate="tests.evolve.test_rediscovery:Untrained",
    discover=DiscoverSettings(
        questioner="tests.scripted:Questioner", prompts="chat", reinforce=False, steps=6, images=9, queries=72
    ),
    confirm=ConfirmSettings(questions=40, base_questions=200, pool=2000),
)


class Untrained:
    """Knows everything, unless its server is down."""

    name = "untrained"
    down: ClassVar = False

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Reply:
        if self.down:
            return Reply(error=ReplyError("crashed", "no memory"))
        facts = request.images[0].facts
        assert facts is not None
        return Reply(facts.examine(request.text).answer or "")


def test_the_repaired_model_makes_room_for_the_untrained_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    repaired = weakref.WeakSet[Candidate]()

    class Repaired(Candidate):
        def __init__(self) -> None:
            opened.append("repaired")
            repaired.add(self)

    def untrained(self: Untrained) -> None:
        opened.append("untrained")
        gc.collect()  # as `open_checkpoint` does
        assert not repaired

    monkeypatch.setattr(tests.scripted, "Candidate", Repaired)
    monkeypatch.setattr(Untrained, "__init__", untrained)
    with Run.open(tmp_path, command="evolve", config={}) as run:
        rediscover(run, ShapesWorld(), SETTINGS, POLICY, silent)
    assert opened == ["repaired", "untrained"]


def test_an_outage_of_the_untrained_model_is_not_taken_for_a_repair_that_opened_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Run.open(tmp_path, command="evolve", config={}) as run:
        monkeypatch.setattr(Untrained, "down", True)
        with pytest.raises(ModelError, match=r"none of \d+ questions was answered and judged: \d+ × crashed"):
            rediscover(run, ShapesWorld(), SETTINGS, POLICY, silent)
        assert account_of_rediscovery(run, POLICY.name) is None
        monkeypatch.setattr(Untrained, "down", False)
        rediscover(run, ShapesWorld(), SETTINGS, POLICY, silent)
        found = account_of_rediscovery(run, POLICY.name)
    assert found is not None
    assert found.confirmed_modes == len(found.opened) > 0


def test_all_that_were_suspected_count_as_tests_of_what_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corrected: list[int] = []

    def counted(p_values: Sequence[float]) -> list[float]:
        corrected.append(len(p_values))
        return holm(p_values)

    def unsure(*given: Any) -> list[FailureMode]:
        *sure, last = confirm(*given)
        return [*sure, last.model_copy(update={"status": "rejected"})]

    monkeypatch.setattr(rediscovery, "holm", counted)
    monkeypatch.setattr(rediscovery, "confirm", unsure)
    with Run.open(tmp_path, command="evolve", config={}) as run:
        rediscover(run, ShapesWorld(), SETTINGS, POLICY, silent)
        found = account_of_rediscovery(run, POLICY.name)
    with Run.read(tmp_path / "rediscovery" / "round1" / "targeted") as looking:
        suspected = len(looking.ledger.modes())
    assert found is not None
    # Else the answers that confirmed a mode would be tested again as if no other had been looked for.
    assert corrected == [suspected] == [found.confirmed_modes + 1]
