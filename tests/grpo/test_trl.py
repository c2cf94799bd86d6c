"""TRL's trainer, set up to do what the other engines do: as many prompts, and KL from where the policy began."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from scotoma.core import ConfigError, ImageRecord
from scotoma.grpo.checkpoint import save_checkpoint
from scotoma.grpo.config import GRPOConfig
from scotoma.grpo.engine import train
from scotoma.grpo.report import StepReport
from scotoma.grpo.rollout import Prompt, Rollout
from scotoma.grpo.trl import Scorer, build_trainer, gathered
from scotoma.models.checkpoint import Checkpoint, open_checkpoint
from tests.grpo.conftest import QUESTIONS, Policy, load, picture


def nothing(rollouts: list[Rollout]) -> list[float | None]:
    return [0.0 for _ in rollouts]


def config(**settings: Any) -> GRPOConfig:
    return GRPOConfig(steps=2, group_size=2, max_new_tokens=2, **settings)


def built(policy: Policy, prompts: list[Prompt], settings: GRPOConfig, out: Path) -> Any:
    scorer = Scorer(prompts, nothing, settings)
    return build_trainer(policy.model, policy.processor, prompts, scorer, settings, out)


@pytest.mark.parametrize("seed", range(6))
def test_arms_of_equal_samples_train_on_as_many_prompts_whatever_pictures_come_first(
    pupil: Policy, tmp_path: Path, seed: int
) -> None:
    # Every other picture has three questions, the others one.
    prompts = [
        Prompt(f"{i}/{question}", picture(i), question)
        for i in range(8)
        for question in QUESTIONS[: 3 if i % 2 else 1]
    ]
    arguments = built(pupil, prompts, config(images_per_step=2, seed=seed), tmp_path).args
    step = arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps
    assert step == 2 * 2 * 2  # pictures × questions of a picture on average × completions


def test_kl_is_measured_from_the_policy_as_it_begins_taught_in_memory_or_not(
    pupil: Policy, prompts: list[Prompt], tmp_path: Path
) -> None:
    with torch.no_grad():
        for parameter in pupil.model.parameters():
            parameter.add_(0.01)  # what a warm start leaves
    trainer = built(pupil, prompts, config(images_per_step=2, beta=0.1), tmp_path)
    held = dict(trainer.ref_model.named_parameters())
    assert all(torch.equal(held[name], weight) for name, weight in trainer.model.named_parameters())


def test_what_another_engine_began_is_refused_both_ways(
    pupil: Policy, prompts: list[Prompt], tmp_path: Path
) -> None:
    for begun, other in (("trl", "shared"), ("shared", "trl")):
        out = tmp_path / begun
        checkpoint = Checkpoint(pupil.model, pupil.processor, "test")
        train(checkpoint, prompts, nothing, config(), out=out, engine=begun, save_every=1)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="was begun by"):
            train(checkpoint, prompts, nothing, config(), out=out, engine=other)  # type: ignore[arg-type]


def test_a_step_that_does_not_fit_at_once_is_sampled_in_parts_of_whole_groups_and_counted_whole(
    pupil: Policy, prompts: list[Prompt], tmp_path: Path
) -> None:
    settings = config(images_per_step=3, tokens_per_minibatch=40)  # a minibatch holds one of its 18 rollouts
    scored: list[list[str]] = []

    def reward(rollouts: list[Rollout]) -> list[float | None]:
        scored.append([rollout.prompt.id for rollout in rollouts])
        return [None, *(0.0 for _ in rollouts[1:])]

    checkpoint = Checkpoint(pupil.model, pupil.processor, "test")
    report = train(checkpoint, prompts, reward, settings, out=tmp_path, engine="trl")
    assert len(scored) > settings.steps
    assert all(part[::2] == part[1::2] for part in scored)
    in_a_step = len(scored) // settings.steps
    assert [step.completions for step in report.steps] == [18] * settings.steps
    assert [step.masked for step in report.steps] == [in_a_step] * settings.steps
    assert all(18 <= step.tokens <= 36 for step in report.steps)


def test_a_step_that_is_trained_on_twice_is_told_of_once(
    pupil: Policy, prompts: list[Prompt], tmp_path: Path
) -> None:
    heard: list[StepReport] = []
    checkpoint, settings = Checkpoint(pupil.model, pupil.processor, "test"), config(num_iterations=2)
    report = train(checkpoint, prompts, nothing, settings, out=tmp_path, engine="trl", on_step=heard.append)
    assert [step.step for step in heard] == [0, 1]
    assert list(report.steps) == heard
    assert [step.completions for step in heard] == [18, 18]
    assert all(step.reward_mean == 0 and step.grad_norm is not None for step in heard)


def test_a_large_picture_makes_the_minibatches_small_though_its_question_is_short(
    looking_closely: Policy, tmp_path: Path
) -> None:
    settings = config(
        images_per_step=4, tokens_per_minibatch=8 * 19
    )  # 17 tokens of prompt and 2 of completion
    small = [Prompt(str(i), picture(i), "how many large red circles are there ?") for i in range(4)]
    large = [*small[:3], Prompt("large", picture(4, side=112), "how many ?")]
    found = [built(looking_closely, asked, settings, tmp_path).args for asked in (small, large)]
    assert [arguments.per_device_train_batch_size for arguments in found] == [8, 2]


def test_vllm_keeps_room_for_the_longest_prompt_and_its_completion_only(
    pupil: Policy, prompts: list[Prompt], tmp_path: Path
) -> None:
    long = Prompt("long", picture(0), "what colour is the large circle ? " * 150)
    arguments = built(pupil, [*prompts, long], config(), tmp_path).args
    assert arguments.vllm_max_model_length == 2048  # some 1,050 tokens


def test_a_picture_is_decoded_once_in_a_step_for_all_of_its_rollouts(
    pupil: Policy, prompts: list[Prompt], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(images_per_step=2, tokens_per_minibatch=100)
    trainer = built(pupil, prompts, settings, tmp_path)
    assert trainer.args.gradient_accumulation_steps > 1
    opened: list[str] = []
    decode = ImageRecord.open
    monkeypatch.setattr(ImageRecord, "open", lambda record: opened.append(record.id) or decode(record))
    trainer.train()
    assert 3 <= len(opened) <= 2 * settings.steps


@pytest.mark.parametrize("lora_rank", [0, 4])
def test_a_policy_gathered_from_shards_ends_its_completions_like_the_one_it_began_as(
    pupil: Policy, prompts: list[Prompt], tmp_path: Path, lora_rank: int
) -> None:
    pupil.model.generation_config.eos_token_id = [2, 5]
    trainer = built(pupil, prompts, config(lora_rank=lora_rank), tmp_path)
    trainer.is_fsdp_enabled = True  # one process gathers from itself
    fresh = gathered(trainer)
    assert fresh is not trainer.model
    merged = fresh.merge_and_unload() if lora_rank else fresh
    saved = open_checkpoint(save_checkpoint(merged, pupil.processor, tmp_path / "policy"))
    assert saved.eos_ids == (2, 5)
    held = saved.model.state_dict()
    assert all(
        torch.equal(held[name], weight) for name, weight in load(pupil.path).model.state_dict().items()
    )


def test_of_a_training_that_opened_its_model_itself_nothing_stays_in_memory(
    saved: dict[str, Path], prompts: list[Prompt], tmp_path: Path
) -> None:
    def models() -> int:
        return sum(isinstance(thing, PreTrainedModel) for thing in gc.get_objects())

    gc.collect()
    before = models()
    gc.disable()  # which might come by at any time
    try:
        train(saved["idefics3"], prompts, nothing, config(), out=tmp_path, engine="trl")
        assert models() == before
    finally:
        gc.enable()
