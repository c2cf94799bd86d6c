"""The spiral on pictures of which nobody knows the facts: agents make the samples, a judge rules, the rest is as ever.

The candidate is the Pupil in this process; planner, writer and validator are behind a real OpenAI-compatible server on
loopback, and so are questioner and judge in `tests/cli/test_photos.py`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from scotoma.store.run import Run
from tests import commands, sighted
from tests.evolve.test_spiral import summary_of, without_times
from tests.generate.agents import spec
from tests.models.servers import HostileServer

COMMAND = ("evolve", "--config", "config.yaml", "--out", "run")


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    with HostileServer(sighted.look) as served:
        yield served


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sighted") / "photos"
    sighted.write(folder, 240)
    return folder


def config(photos: Path, server: HostileServer) -> dict[str, object]:
    agents = {role: spec(role, server) for role in ("planner", "writer", "validator")}
    return {
        "candidate": "pupil",
        "images": f"folder:{photos}?near_duplicates=off",
        "rounds": 1,
        "arms": ["targeted", "uniform"],
        "rediscover": False,
        "judge": {"model": "tests.sighted:Judge"},
        "tagging": {"topics": "never"},
        "discover": {
            **{"questioner": "tests.sighted:Questioner", "reinforce": False, "steps": 2, "images": 12},
            **{"turns": 1, "wishes": ["counting", "comparison", "colour"], "wishes_per_image": 3},
            **{"group_size": 2, "queries": 72, "search": {"min_failures": 5, "min_z": 2.0, "needed_z": 1.5}},
        },
        "confirm": {"questions": 30, "base_questions": 100, "pool": 1000, "checks": 0},
        "generate": {"agents": "llm", **agents, "search": {"words": "words"}},
        "repair": {
            **{"samples": 48, "steps": 2, "images_per_step": 4, "pass_samples": 2, "warm_start_steps": 2},
        },
        "test": {"mode_questions": 40, "retained_questions": 80, "pool": 400},
    }


@pytest.fixture(scope="module")
def whole(photos: Path, server: HostileServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nobody stopped."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "config.yaml").write_text(yaml.safe_dump(config(photos, server)))
    evolved(folder)
    return folder


def evolved(folder: Path) -> None:
    ended = commands.run(*COMMAND, cwd=folder, environment=cached(folder), alone=True)
    assert ended.returncode == 0, ended.stderr


def cached(folder: Path) -> dict[str, str]:
    return {"SCOTOMA_CACHE": str(folder / "cache.sqlite")}


def test_agents_fill_every_arm_and_the_unaimed_samples_are_the_same_for_both(whole: Path) -> None:
    [turn] = summary_of(whole).rounds
    assert {(arm.samples, arm.steps) for arm in turn.arms.values()} == {(48, 2)}
    targeted = turn.arms["targeted"]
    with Run.read(whole / "run") as run:
        samples = {arm: run.ledger.samples(f"round1/{arm}/generate") for arm in turn.arms}
        proven = {mode.id for mode in run.ledger.modes() if mode.proved}
    aimed = [sample for sample in samples["targeted"] if sample.mode_id is not None]
    kept = [sample for sample in samples["targeted"] if sample.mode_id is None]
    assert {sample.mode_id for sample in aimed} <= proven
    assert len(aimed) == sum(share.samples - share.shortfall for share in targeted.mixture)
    assert len(kept) == targeted.retention_made
    unaimed = [sample.id for sample in samples["uniform"]]
    assert [sample.id for sample in kept] == [name for name in unaimed if name in {s.id for s in kept}]
    assert {sample.purpose for sample in kept} == {"retention"}
    assert {sample.purpose for sample in samples["uniform"]} == {"uniform"}
    assert {sample.provenance["made_by"] for sample in [*aimed, *kept]} == {"agents:llm"}


def test_nothing_held_out_is_trained_on(whole: Path) -> None:
    with Run.read(whole / "run") as run:
        held_out = {
            entry.id for split in ("discover", "confirm", "test") for entry in run.ledger.images(split)
        }
        trained = {sample.image_id for sample in run.ledger.samples()}
        asked = run.ledger.observations(phase_prefix="test/base/")
        splits = {entry.split for o in asked if (entry := run.ledger.image(o.image_id)) is not None}
    assert trained
    assert not trained & held_out
    assert splits == {"test"}


def test_answers_are_ruled_on_and_the_account_is_whole(whole: Path) -> None:
    summary = summary_of(whole)
    assert summary.comparison is not None
    assert summary.comparison.targeted_minus_uniform is not None
    assert {mode.status for mode in summary.modes} & {"repaired", "open", "regressed"}
    with Run.read(whole / "run") as run:
        ruled = {o.verdict.decided_by for o in run.ledger.observations(phase_prefix="test/")}
    assert ruled <= {"rules", "judge"}


def test_a_run_that_was_killed_while_agents_were_at_work_comes_to_the_same(
    whole: Path, photos: Path, server: HostileServer, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config(photos, server)))
    started = commands.start(*COMMAND, cwd=tmp_path, environment=cached(tmp_path), alone=True)
    until = time.monotonic() + 240
    while time.monotonic() < until and not made_so_far(tmp_path):
        assert started.returncode is None, started.stderr
        time.sleep(0.05)
    started.kill()
    started.wait()
    assert not any("/generate" in stage for stage in stages(tmp_path))
    evolved(tmp_path)
    assert without_times(summary_of(tmp_path)) == without_times(summary_of(whole))
    with Run.read(tmp_path / "run") as run, Run.read(whole / "run") as other:
        assert run.ledger.samples() == other.ledger.samples()


def stages(folder: Path) -> list[str]:
    if not (folder / "run" / "ledger.sqlite").exists():
        return []
    with Run.read(folder / "run") as run:
        return run.ledger.stages()


def made_so_far(folder: Path) -> list[str]:
    return [stage for stage in stages(folder) if "/agents/" in stage]
