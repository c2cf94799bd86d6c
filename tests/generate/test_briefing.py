"""A brief asks of agents only what their samples can be held to."""

from __future__ import annotations

from pathlib import Path

from scotoma.core import Predicate
from scotoma.generate.briefing import brief_for
from scotoma.generate.handover import Brief
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.store.run import Run

MODE = Predicate.parse("type=counting and things>=6 and skill=horizontal")


def briefed(run: Run, exact: bool) -> Brief:
    return brief_for(run, "m1", "many things", MODE, wanted=4, seed="0", source=ShapesWorld(), exact=exact)


def test_exact_agents_are_held_to_the_whole_mode_and_others_to_what_the_wording_tells(tmp_path: Path) -> None:
    with Run.open(tmp_path / "run", command="discover", config={}) as run:
        assert briefed(run, exact=True).decidable == MODE
        # Nobody tells the type of a language model's question or counts its things, world or not.
        assert [c.key for c in briefed(run, exact=False).decidable.conditions] == ["skill"]
        assert briefed(run, exact=False).predicate == MODE
