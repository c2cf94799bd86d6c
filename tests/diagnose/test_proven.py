"""The failure modes that a run proved, and what to do where it has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from scotoma.core import ConfigError, FailureMode, Predicate, RunError
from scotoma.diagnose.proven import proven_modes
from scotoma.store import Run

MODE = FailureMode(
    id="m1", description="red things", predicate=Predicate.parse("colour=red"), status="confirmed"
)


def made_by(command: str, path: Path, *, proved: bool = False, modes: tuple[FailureMode, ...] = ()) -> Run:
    config = {"files": [{"name": "my log.jsonl"}]} if command == "import" else {}
    with Run.open(path, command=command, config=config) as run:
        run.ledger.put_modes(modes)
        if proved:
            run.ledger.finish("confirm", {})
    return Run.read(path)


def test_those_that_were_proved_all_or_the_ones_that_are_wanted(tmp_path: Path) -> None:
    rejected = MODE.model_copy(update={"id": "m2", "status": "rejected"})
    with made_by("discover", tmp_path, proved=True, modes=(MODE, rejected)) as run:
        assert proven_modes(run) == proven_modes(run, ["m1"]) == [MODE]
        with pytest.raises(ConfigError, match=r"no confirmed failure mode 'm2' \(it has m1\)"):
            proven_modes(run, ["m2"])


@pytest.mark.parametrize(
    ("command", "proved", "told"),
    [
        ("discover", False, r"still to come: scotoma confirm '.*a run'"),
        ("discover", True, "confirmed none: a longer discovery"),
        ("evolve", True, "confirmed none: a longer discovery"),
        ("import", False, r"scotoma import 'my log.jsonl' --out '.*a run', with the options"),
        ("import", True, "no failure mode stands out in its logs"),
        ("compare", False, "made by `scotoma compare`: give the folder of a discovery"),
        ("generate", False, "made by `scotoma generate`"),
    ],
)
def test_the_hint_can_be_followed_whatever_made_the_run(
    command: str, proved: bool, told: str, tmp_path: Path
) -> None:
    with made_by(command, tmp_path / "a run", proved=proved) as run, pytest.raises(RunError, match=told):
        proven_modes(run)
