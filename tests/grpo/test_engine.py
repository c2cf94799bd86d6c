"""One call trains a policy with either engine, and the same call again resumes what was killed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

from scotoma.core import ConfigError, ModelError
from scotoma.grpo import GRPOConfig, Prompt, Rollout, StepReport
from scotoma.grpo.engine import Engine, Look, choose_engine, open_policy, train
from scotoma.grpo.report import TrainingReport
from scotoma.models.checkpoint import Checkpoint
from tests.grpo.conftest import Policy, load

ENGINES: tuple[Engine, ...] = ("shared", "stock", "trl")


class Killed(Exception):
    """What happens to a process at the worst moment."""


def config(**changes: Any) -> GRPOConfig:
    settings = {"group_size": 4, "images_per_step": 2, "max_new_tokens": 2, "warmup_steps": 1, "steps": 4}
    return GRPOConfig(**{**settings, "learning_rate": 1e-3, **changes})


def reward(rollouts: Sequence[Rollout]) -> list[float | None]:
    """Anything that differs within a group; one completion cannot be scored."""
    return [None, *(float(sum(rollout.completion_ids) % 3) for rollout in rollouts[1:])]


def dies_at(step: int) -> Callable[[StepReport], None]:
    def on_step(report: StepReport) -> None:
        if report.step == step:
            raise Killed

    return on_step


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_file(path / "model.safetensors")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_policy_is_trained_from_a_folder(
    engine: Engine, pupil: Policy, prompts: list[Prompt], tmp_path: Path
) -> None:
    heard: list[StepReport] = []
    report = train(pupil.path, prompts, reward, config(), out=tmp_path, engine=engine, on_step=heard.append)
    assert report.engine == engine
    assert [step.step for step in report.steps] == [step.step for step in heard] == [0, 1, 2, 3]
    for step in report.steps:
        assert step.completions == 24
        assert step.masked == 1
        assert 24 <= step.tokens <= 48
        assert step.reward_mean is not None
        assert step.grad_norm is not None
        assert step.entropy > 0
    trained = load(report.checkpoint)
    before, after = pupil.model.state_dict(), trained.model.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)


def halved(policy: Policy, where: Path) -> Path:
    """The policy as checkpoints come: in bfloat16."""
    shutil.copytree(policy.path, where)
    AutoModelForImageTextToText.from_pretrained(policy.path, dtype=torch.bfloat16).save_pretrained(where)
    return where


def dtypes(folder: Path) -> set[str]:
    """What a checkpoint's config says of itself and of its parts."""
    config = json.loads((folder / "config.json").read_text())
    return {part["dtype"] for part in (config, config["text_config"], config["vision_config"])}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_policy_is_asked_in_the_dtype_of_its_base_and_keeps_all_that_it_learnt(
    engine: Engine, pupil: Policy, prompts: list[Prompt], tmp_path: Path
) -> None:
    """Trained in float32, or before and after would differ by more than the training."""
    base = halved(pupil, tmp_path / "base")
    tiny = config(learning_rate=1e-6, steps=2)  # too little for a bfloat16
    policy = train(base, prompts, reward, tiny, out=tmp_path / "out", engine=engine).checkpoint
    auto, before = (
        AutoModelForImageTextToText.from_pretrained(p, dtype="auto").state_dict() for p in (policy, base)
    )
    assert dtypes(policy) == dtypes(base) == {"bfloat16"}
    assert {weight.dtype for weight in auto.values()} == {torch.bfloat16}
    learnt, master = weights(policy), load(policy).model.state_dict()
    assert all(torch.equal(master[name], learnt[name]) for name in learnt)
    assert any(not torch.equal(learnt[name], before[name].float()) for name in learnt)


def test_of_a_float32_policy_nothing_else_is_said(
    pupil: Policy, prompts: list[Prompt], tmp_path: Path
) -> None:
    policy = train(pupil.path, prompts, reward, config(steps=1), out=tmp_path, engine="shared").checkpoint
    pupil.model.save_pretrained(tmp_path / "plain")
    assert (policy / "config.json").read_text() == (tmp_path / "plain" / "config.json").read_text()


def test_adapters_rest_on_the_dtype_of_the_base_in_every_process(
    pupil: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are GPUs. The model waits in main memory for Accelerate to place it."""
    base = halved(pupil, tmp_path / "base")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for settings, dtype in ((config(lora_rank=2), torch.bfloat16), (config(), torch.float32)):
        for policy in (base, f"hf:{base}"):
            model = open_policy(policy, settings).model
            assert (model.dtype, model.device.type) == (dtype, "cpu")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_run_resumes_to_the_same_weights(
    engine: Engine, pupil: Policy, prompts: list[Prompt], tmp_path: Path
) -> None:
    whole = train(pupil.path, prompts, reward, config(), out=tmp_path / "a", engine=engine, save_every=2)
    with pytest.raises(Killed):
        train(
            pupil.path,
            prompts,
            reward,
            config(),
            out=tmp_path / "b",
            engine=engine,
            save_every=2,
            on_step=dies_at(2),
        )
    assert not (tmp_path / "b" / "policy").exists()
    torch.manual_seed(7)
    resumed = train(pupil.path, prompts, reward, config(), out=tmp_path / "b", engine=engine, save_every=2)
    assert [step.reward_mean for step in resumed.steps] == [step.reward_mean for step in whole.steps]
    ours, theirs = weights(resumed.checkpoint), weights(whole.checkpoint)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_finished_run_is_not_trained_again(pupil: Policy, prompts: list[Prompt], tmp_path: Path) -> None:
    first = train(pupil.path, prompts, reward, config(), out=tmp_path)
    again = train(pupil.path, prompts, lambda _: pytest.fail("trained"), config(), out=tmp_path)  # type: ignore[arg-type, return-value]
    assert again.steps == first.steps


@pytest.mark.parametrize("killed", [False, True])
def test_a_look_that_finds_the_policy_worse_ends_the_training_with_the_one_before(
    killed: bool, pupil: Policy, prompts: list[Prompt], tmp_path: Path
) -> None:
    seen: list[dict[str, torch.Tensor]] = []

    def good(checkpoint: Path) -> bool:
        seen.append(weights(checkpoint))
        return len(seen) < 2

    def run(dies: int | None = None) -> TrainingReport:
        return train(
            pupil.path,
            prompts,
            reward,
            config(steps=5),
            out=tmp_path,
            save_every=1,
            look=Look(every=2, good=good),
            on_step=dies_at(dies) if dies is not None else None,
        )

    if killed:
        with pytest.raises(Killed):
            run(dies=2)
    report = run()
    assert report.stopped
    assert len(report.steps) == 4
    assert report.steps_kept == 2
    kept = weights(report.checkpoint)
    assert all(torch.equal(kept[name], seen[0][name]) for name in kept)
    assert any(not torch.equal(kept[name], seen[1][name]) for name in kept)
    assert run().stopped  # asked again, nothing is trained
    assert len(seen) == 2


def test_where_no_look_was_good_the_policy_is_what_it_began_from(
    pupil: Policy, prompts: list[Prompt], tmp_path: Path
) -> None:
    report = train(
        pupil.path, prompts, reward, config(steps=4), out=tmp_path, look=Look(2, lambda checkpoint: False)
    )
    kept, before = weights(report.checkpoint), weights(pupil.path)
    assert all(torch.equal(kept[name], before[name]) for name in before)


def test_a_folder_with_another_run_is_refused(pupil: Policy, prompts: list[Prompt], tmp_path: Path) -> None:
    train(pupil.path, prompts, reward, config(), out=tmp_path)
    with pytest.raises(ConfigError, match="another GRPO config"):
        train(pupil.path, prompts, reward, config(seed=1), out=tmp_path)


def test_lora_trains_adapters_and_saves_whole_weights(
    pupil: Policy, prompts: list[Prompt], tmp_path: Path
) -> None:
    report = train(pupil.path, prompts, reward, config(lora_rank=2, steps=2), out=tmp_path)
    assert report.engine == "trl"
    trained = load(report.checkpoint).model.state_dict()
    before = pupil.model.state_dict()
    assert set(trained) == set(before)
    assert any(not torch.equal(before[name], trained[name]) for name in before)


def test_auto_is_shared_where_shared_can_do_it(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = Checkpoint(policy.model, policy.processor, "test")
    assert choose_engine(checkpoint, config(), "auto") == "shared"
    assert choose_engine(checkpoint, config(lora_rank=4), "auto") == "trl"
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert choose_engine(checkpoint, config(), "auto") == "trl"
    with pytest.raises(ConfigError, match="one process"):
        choose_engine(checkpoint, config(), "shared")


def test_an_unsupported_family_goes_to_trl_and_shared_says_so(pupil: Policy) -> None:
    pupil.model.config.model_type = "gemma3"
    checkpoint = Checkpoint(pupil.model, pupil.processor, "test")
    assert choose_engine(checkpoint, config(), "auto") == "trl"
    assert choose_engine(checkpoint, config(), "stock") == "stock"
    with pytest.raises(ModelError, match=r"'gemma3'.*engine: trl"):
        choose_engine(checkpoint, config(), "shared")


def test_what_is_spread_over_devices_is_not_packed(pupil: Policy) -> None:
    pupil.model.hf_device_map = {"model.vision_model": 0, "model.text_model": 0, "lm_head": 1}
    checkpoint = Checkpoint(pupil.model, pupil.processor, "test")
    assert choose_engine(checkpoint, config(), "auto") == "trl"
    with pytest.raises(ModelError, match="over several"):
        choose_engine(checkpoint, config(), "shared")


def test_what_trl_cannot_train_goes_to_stock(pupil: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    pupil.model.config.model_type = "paligemma"
    checkpoint = Checkpoint(pupil.model, pupil.processor, "test")
    assert choose_engine(checkpoint, config(), "auto") == "stock"
    with pytest.raises(ModelError, match=r"TRL cannot train 'paligemma'.*engine: stock"):
        choose_engine(checkpoint, config(), "trl")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="'stock' runs in one process"):
        choose_engine(checkpoint, config(), "auto")


def test_a_gradient_that_is_not_finite_is_left_out_by_trl(
    pupil: Policy, prompts: list[Prompt], tmp_path: Path
) -> None:
    """The next steps train on: the weights were never touched by it."""
    hooks = [pupil.model.lm_head.weight.register_hook(lambda gradient: gradient * float("nan"))]

    def heal(report: StepReport) -> None:
        if report.step == 1:
            hooks[0].remove()

    checkpoint = Checkpoint(pupil.model, pupil.processor, "test")
    report = train(checkpoint, prompts, reward, config(), out=tmp_path, engine="trl", on_step=heal)
    assert [step.skipped_updates for step in report.steps] == [1, 1, 0, 0]
    assert all(torch.isfinite(weight).all() for weight in weights(report.checkpoint).values())
