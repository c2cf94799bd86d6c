"""A questioner trained against one candidate asks another, as it was left: a stock checkpoint in the run's folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from statistics import fmean

import pytest
from safetensors.torch import load_file

from scotoma.core import ConfigError
from scotoma.discover import loop
from scotoma.discover.interview import Interview
from scotoma.discover.questioner import KEPT, prompt_style
from scotoma.discover.settings import DiscoverSettings
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.models.spec import checkpoint_path
from scotoma.store.run import Run
from scotoma.verify.facts import FactsVerifier
from tests.scripted import Candidate

SETTINGS = DiscoverSettings(
    steps=2, images=3, turns=1, wishes_per_image=3, group_size=4, queries=12, temperature=0.7, block=1
)


def discover(path: Path, settings: DiscoverSettings) -> Path:
    with Run.open(path, command="discover", config={}) as run:
        loop.ask_all(run, ShapesWorld(), Interview(Candidate(), FactsVerifier()), settings, seed=0)
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return discover(tmp_path_factory.mktemp("runs") / "first", SETTINGS)


@pytest.fixture(scope="module")
def elsewhere(trained: Path) -> DiscoverSettings:
    return SETTINGS.model_copy(update={"questioner": f"hf:{trained}/checkpoints/{KEPT}", "reinforce": False})


def test_it_is_a_whole_checkpoint_with_the_weights_after_the_last_step(trained: Path) -> None:
    kept = load_file(trained / "checkpoints" / KEPT / "model.safetensors")
    before = load_file(Path(checkpoint_path("questioner")) / "model.safetensors")
    shared = [name for name in kept if name in before]
    assert shared
    assert any(not (kept[name].float() == before[name].float()).all() for name in shared)


def test_its_training_is_told_in_curves(trained: Path) -> None:
    with Run.read(trained) as run:
        curves = {
            name: [point.value for point in run.ledger.curve("discover", name=name)]
            for name in ("zero_variance_share", "entropy", "clip_share", "grad_norm")
        }
    assert [len(curves[name]) for name in ("zero_variance_share", "entropy", "clip_share")] == [2, 2, 2]
    assert all(0 <= share <= 1 for share in curves["zero_variance_share"])
    assert all(entropy > 0 for entropy in curves["entropy"])
    assert all(norm > 0 for norm in curves["grad_norm"])


def test_it_is_prompted_as_it_was_trained_without_being_told(elsewhere: DiscoverSettings) -> None:
    assert prompt_style(elsewhere) == prompt_style(SETTINGS) == "short"
    assert prompt_style(elsewhere.model_copy(update={"prompts": "chat"})) == "chat"
    assert prompt_style(SETTINGS.model_copy(update={"questioner": "hf:nobody/knows"})) == "chat"


@pytest.mark.parametrize("text", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_damaged_card_of_a_questioner_is_told(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "questioner.json").write_bytes(text)
    settings = SETTINGS.model_copy(update={"questioner": f"hf:{tmp_path}"})
    with pytest.raises(ConfigError, match=r"questioner\.json is damaged"):
        prompt_style(settings)
    assert prompt_style(settings.model_copy(update={"prompts": "chat"})) == "chat"


def test_it_asks_another_candidate_valid_questions_and_learns_nothing(
    elsewhere: DiscoverSettings, tmp_path: Path
) -> None:
    path = discover(tmp_path / "second", elsewhere)
    with Run.read(path) as run:
        asked = run.ledger.observations("discover")
        valid = [point.value for point in run.ledger.curve("discover", name="valid_rate")]
        kl = [point.value for point in run.ledger.curve("discover", name="kl")]
        assert not run.ledger.curve("discover", name="entropy")
    assert len(asked) == SETTINGS.steps * SETTINGS.queries
    assert all(o.verdict.valid and o.asked_by == "questioner" for o in asked)
    assert len({o.question for o in asked}) > 6
    assert fmean(valid) > 0.5
    assert set(kl) == {0.0}
    assert not (path / "checkpoints" / KEPT).exists()  # its spec names it already


def test_a_run_that_was_stopped_before_it_was_kept_keeps_the_same(trained: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(trained, again)
    shutil.rmtree(again / "checkpoints" / KEPT)
    discover(again, SETTINGS)
    for name in ("model.safetensors", "questioner.json"):
        files = [folder / "checkpoints" / KEPT / name for folder in (trained, again)]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_a_run_without_its_states_is_left_as_it_is(trained: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(trained, bare, ignore=shutil.ignore_patterns("checkpoints"))
    discover(bare, SETTINGS)
    assert not (bare / "checkpoints" / KEPT).exists()
