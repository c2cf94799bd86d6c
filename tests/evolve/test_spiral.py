"""The spiral on the embedded Pupil, in small: every stage runs, volumes are equal, and a stop changes nothing.

The run that nobody stops is a fresh process on one core, which trains the arms one after another; the one that is
killed again and again may use two and trains them side by side, as far as it gets.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from scotoma.core import ConfigError
from scotoma.discover.settings import DiscoverSettings, JudgeSettings
from scotoma.evolve.attributions import attributions
from scotoma.evolve.plan import plan_spiral
from scotoma.evolve.settings import EvolveSettings, RepairSettings
from scotoma.evolve.spiral import open_resources
from scotoma.generate.settings import GenerateSettings
from scotoma.store.run import Run
from scotoma.store.summary import Summary
from tests import commands, photographs

CONFIG = {
    "candidate": "pupil",
    "images": "worlds:shapes",
    "rounds": 1,
    "arms": ["random", "targeted"],
    "discover": {
        "questioner": "tests.scripted:Questioner",
        "prompts": "chat",
        "reinforce": False,
        "steps": 6,
        "images": 9,
        "queries": 72,
        "block": 2,
        "search": {"min_z": 3.0},
    },
    "confirm": {
        **{"questions": 40, "base_questions": 200, "pool": 2000},
        **{"checks": 4, "shrink": 1, "shrink_queries": 40},
    },
    "repair": {
        **{"samples": 80, "steps": 2, "images_per_step": 4, "pass_samples": 4, "warm_start_steps": 4},
        "rehearsal": 40,
    },
    "test": {"mode_questions": 60, "retained_questions": 100, "pool": 1000},
}
COMMAND = ("evolve", "--config", "config.yaml", "--out", "run")
ROOT = Path(__file__).parents[2]


def summary_of(folder: Path) -> Summary:
    summary = Run.read(folder / "run").summary()
    assert summary is not None
    return summary


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    """As a user has it: the console script, in an interpreter of its own."""
    folder = tmp_path_factory.mktemp("spiral")
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    ended = subprocess.run(
        [Path(sys.executable).with_name("scotoma"), *COMMAND],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        preexec_fn=commands.one_core,
    )
    assert ended.returncode == 0, ended.stdout
    return folder, summary_of(folder)


def without_times(summary: Summary) -> dict[str, object]:
    document = summary.model_dump()
    document["wall_seconds"] = 0
    for turn in document["rounds"]:
        for arm in turn["arms"].values():
            arm["seconds"] = 0
    return document


def test_all_arms_get_the_same_volume_and_steps(whole: tuple[Path, Summary]) -> None:
    [turn] = whole[1].rounds
    assert set(turn.arms) == {"targeted", "random"}
    assert {(arm.samples, arm.steps) for arm in turn.arms.values()} == {(80, 2)}
    assert len({(arm.warm_start_steps, arm.rehearsed) for arm in turn.arms.values()}) == 1


def test_every_failure_of_the_diagnosis_is_kept_with_its_picture(whole: tuple[Path, Summary]) -> None:
    with Run.read(whole[0] / "run") as run:
        found = attributions(run.ledger)
        counted = [mode.error_kinds for mode in whole[1].rounds[0].arms["targeted"].diagnosis]
        assert len(found) == sum(sum(kinds.values()) for kinds in counted) > 0
        assert all(run.images.get(failure.image_id).split == "confirm" for failure in found)


def test_a_training_leaves_its_diagnostics_as_curves(whole: tuple[Path, Summary]) -> None:
    ledger = Run.read(whole[0] / "run").ledger
    for name, arm in whole[1].rounds[0].arms.items():
        done = ledger.done(f"round1/{name}/reinforce")
        assert done is not None
        assert arm.skipped_updates == done["skipped_updates"] == 0
        curves = {point.name for point in ledger.curve(f"round1/{name}/reinforce")}
        assert {"reward", "kl", "zero_variance_share", "entropy", "clip_share"} <= curves


def test_supervised_steps_are_told_with_the_modes_that_they_were_aimed_at(
    whole: tuple[Path, Summary],
) -> None:
    arms = whole[1].rounds[0].arms
    without_signal = {share.name for share in arms["targeted"].mixture if share.warm_start and share.samples}
    assert set(arms["targeted"].taught_first) == without_signal
    assert arms["targeted"].warm_start_steps == (4 if without_signal else 0)
    assert arms["random"].taught_first == []


def test_only_the_targeted_arm_was_told_the_modes(whole: tuple[Path, Summary]) -> None:
    _, summary = whole
    arms = summary.rounds[0].arms
    proven = {mode.id for mode in summary.modes if mode.status != "rejected"}
    assert {share.name for share in arms["targeted"].mixture} == proven
    assert {found.mode_id for found in arms["targeted"].diagnosis} == proven
    assert any(found.error_kinds for found in arms["targeted"].diagnosis)
    assert {share.reason for share in arms["random"].mixture} == {"drawn by chance"}
    assert not arms["random"].diagnosis


def test_the_proof_holds_the_targeted_arm_against_every_control(whole: tuple[Path, Summary]) -> None:
    _, summary = whole
    assert summary.comparison is not None
    assert set(summary.comparison.against) == {"random"}
    assert set(summary.efficiency) <= {"targeted_vs_random"}  # two steps need not gain anything
    assert summary.stability is not None
    assert summary.bias is not None


def test_a_fresh_questioner_looks_at_what_is_left_on_other_images(whole: tuple[Path, Summary]) -> None:
    folder, summary = whole
    found = summary.rediscovery
    assert found is not None
    assert found.before == summary.discovery.failure_rate  # type: ignore[union-attr]  # it was measured
    again = Run.read(folder / "run/rediscovery" / found.policy)
    assert again.config["candidate"].endswith(f"{found.policy}/policy")
    run = Run.read(folder / "run")
    asked = {o.image_id for o in again.ledger.observations("discover")}
    assert asked
    assert not asked & {entry.id for entry in run.ledger.images()}


def test_the_comparison_is_paired_on_untouched_questions(whole: tuple[Path, Summary]) -> None:
    folder, summary = whole
    assert summary.comparison is not None
    assert summary.comparison.targeted_minus_base is not None
    run = Run.read(folder / "run")
    test = {o.image_id for o in run.ledger.observations(phase_prefix="test/")}
    rehearsed = run.ledger.observations("rehearsal")
    assert len(rehearsed) == 40
    trained = {shown.image_id for shown in (*run.ledger.samples(), *rehearsed)}
    found = {o.image_id for phase in ("discover", "baseline") for o in run.ledger.observations(phase)}
    assert test
    assert trained
    assert not test & (trained | found)
    assert not trained & found


def test_a_trained_policy_is_a_stock_checkpoint(whole: tuple[Path, Summary]) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    policy = whole[0] / "run/checkpoints/round1/targeted/policy"
    AutoProcessor.from_pretrained(policy)
    assert AutoModelForImageTextToText.from_pretrained(policy).num_parameters() < 5_000_000


def test_the_report_says_why_each_mode_got_its_share_and_whether_it_was_the_targeting(
    whole: tuple[Path, Summary],
) -> None:
    report = (whole[0] / "run/report.html").read_text()
    arm = whole[1].rounds[0].arms["targeted"]
    assert "Was it the targeting?" in report
    assert all(share.reason in report for share in arm.mixture)
    kinds = {kind for found in arm.diagnosis for kind in found.error_kinds}
    assert kinds
    assert all(kind in report for kind in kinds)


def test_killed_at_any_moment_it_ends_with_the_same_summary(
    whole: tuple[Path, Summary], tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    for stage in ("discover/0002", "confirm", "round1/targeted/reinforce"):
        process = commands.start(*COMMAND, cwd=tmp_path)
        deadline = time.monotonic() + 300
        while process.returncode is None and time.monotonic() < deadline:
            if _finished(tmp_path / "run", stage):
                process.kill()
                break
            time.sleep(0.05)
        assert process.wait(60) == -signal.SIGKILL, process.stderr
    with Run.read(tmp_path / "run") as stopped:
        ended = {s.removesuffix("/gate") for s in stopped.ledger.stages("round") if s.endswith("/gate")}
    told = {f"round{turn.round}/{arm}" for turn in summary_of(tmp_path).rounds for arm in turn.arms}
    assert told <= ended
    assert len(ended - told) <= 1
    again = commands.run(*COMMAND, cwd=tmp_path, alone=True)
    assert again.returncode == 0, again.stderr
    assert without_times(summary_of(tmp_path)) == without_times(whole[1])


def test_what_could_not_train_or_ask_is_refused_before_any_work(tmp_path: Path) -> None:
    nowhere = RepairSettings(accelerate=tmp_path / "nowhere.yaml")
    for refuses in (open_resources, plan_spiral):
        with pytest.raises(ConfigError, match="no Accelerate config"):
            refuses(EvolveSettings(repair=nowhere))
        with pytest.raises(ConfigError, match="no weights that could be trained"):
            refuses(EvolveSettings(candidate="openai:m@http://localhost:1/v1"))
        with pytest.raises(ConfigError, match="add --frozen"):
            refuses(EvolveSettings(discover=DiscoverSettings(questioner="openai:q@http://localhost:1/v1")))
    photographs.write(tmp_path / "photos", 8)
    served = "openai:m@http://localhost:1/v1"
    for refuses in (open_resources, plan_spiral):
        with pytest.raises(ConfigError, match="knows worlds:shapes only"):
            refuses(
                EvolveSettings(
                    images=f"folder:{tmp_path / 'photos'}",
                    judge=JudgeSettings(model=served),
                    generate=GenerateSettings(agents="llm", planner=served, writer=served, validator=served),
                )
            )
    there = tmp_path / "there.yaml"
    there.write_text("num_processes: 1\n")
    assert open_resources(EvolveSettings(repair=RepairSettings(accelerate=there))).crew is None


def _finished(run: Path, stage: str) -> bool:
    if not (run / "ledger.sqlite").is_file():
        return False
    with Run.read(run) as reading:
        return reading.ledger.done(stage) is not None
