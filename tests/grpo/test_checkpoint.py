"""Checkpoints are whole or not there, whenever the process is killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from scotoma.core import StorageError
from scotoma.grpo.checkpoint import save_checkpoint, whole_checkpoints
from scotoma.models.checkpoint import open_checkpoint
from scotoma.store.durable import recover
from tests.models import checkpoints


def test_one_replaces_another_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    opened = open_checkpoint(checkpoints.idefics3(tmp_path / "first"))
    for _ in range(2):
        save_checkpoint(opened.model, opened.processor, tmp_path / "run" / "policy")
    assert [entry.name for entry in (tmp_path / "run").iterdir()] == ["policy"]
    open_checkpoint(tmp_path / "run" / "policy")


def test_what_a_killed_process_left_is_put_right_when_the_run_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_checkpoint(checkpoints.idefics3(tmp_path / "first"))
    policy = tmp_path / "run" / "policy"
    save_checkpoint(opened.model, opened.processor, policy)
    rename = Path.rename

    def killed_between_the_two(self: Path, target: Path) -> Path:
        if target == policy:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", killed_between_the_two)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(opened.model, opened.processor, policy)
    monkeypatch.setattr(Path, "rename", rename)
    assert not policy.exists()
    recover(tmp_path / "run")
    assert [entry.name for entry in (tmp_path / "run").iterdir()] == ["policy"]
    open_checkpoint(policy)


def test_a_full_disk_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_checkpoint(checkpoints.idefics3(tmp_path / "first"))
    policy = save_checkpoint(opened.model, opened.processor, tmp_path / "run" / "policy")

    def full(*rest: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(opened.processor), "save_pretrained", full)
    with pytest.raises(StorageError, match="cannot write the checkpoint"):
        save_checkpoint(opened.model, opened.processor, policy)
    assert [entry.name for entry in (tmp_path / "run").iterdir()] == ["policy"]


def test_a_checkpoint_of_trl_without_the_trainers_state_is_a_half_one(tmp_path: Path) -> None:
    for name, whole in (("checkpoint-20", True), ("checkpoint-40", False)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").touch()
        if whole:
            (tmp_path / name / "trainer_state.json").touch()
    assert whole_checkpoints(tmp_path) == [tmp_path / "checkpoint-20"]
    assert whole_checkpoints(tmp_path / "none") == []
