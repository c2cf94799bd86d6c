"""The `trl` engine: the same interface on TRL's GRPOTrainer, for every family that TRL can train (all but PaliGemma).

Slower on shared images (TRL encodes an image anew for each completion), but it brings every architecture,
LoRA through PEFT and Accelerate. Rewards of None become NaN inside TRL: such a completion stays out of its
group's mean and gets advantage 0; unlike `shared`, TRL still counts its tokens when it averages the loss. Where a
step's completions do not fit at once they are sampled and scored in parts (`grpo.partition`); `dapo` then averages over
the tokens of each part, and the parts count alike.

    report = train(model, processor, prompts, reward, GRPOConfig(steps=50), out=Path("trl"))
"""

from __future__ import annotations

import logging
import math
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from transformers import AutoModelForImageTextToText, PreTrainedModel, ProcessorMixin, TrainerCallback
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import get_last_checkpoint

from scotoma.grpo.adapters import lora
from scotoma.grpo.budget import longest
from scotoma.grpo.checkpoint import save_checkpoint, whole_checkpoints
from scotoma.grpo.config import GRPOConfig
from scotoma.grpo.partition import partition
from scotoma.grpo.report import StepReport, TrainingReport
from scotoma.grpo.rollout import Prompt, RewardFunction, Rollout, scored
from scotoma.grpo.schedule import prompts_of_step
from scotoma.models.checkpoint import declared_dtype
from scotoma.models.quiet import quiet
from scotoma.models.rows import RowEncoder

UNTRAINABLE = {
    "paligemma": "its processor does not tokenise prompts of different lengths, and TRL marks completions as prefix"
}
"""Families that TRL (1.16) cannot train, with the reason: PaliGemma sees a prefix from both sides, so completions
marked as prefix would see what they are to predict."""

_VLLM_ROUNDS_TO = 1024
"""Tokens: room for a prompt that has some more of them than the longest that was looked at."""


def train(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    prompts: Sequence[Prompt],
    reward: RewardFunction,
    config: GRPOConfig,
    out: Path,
    save_every: int = 25,
    on_step: Callable[[StepReport], None] | None = None,
) -> TrainingReport:
    """Train for `config.steps` rollout batches; a run that was killed goes on from its last checkpoint in
    `out`.

    Writes TRL's own checkpoints to `out/trl` every `save_every` steps and the policy to `out/policy` at the
    end (LoRA adapters merged), so that it is a stock checkpoint.
    """
    started = time.monotonic()
    scorer = Scorer(prompts, reward, config)
    guard = SkipNonFinite(config)
    with quiet():
        trainer = build_trainer(model, processor, prompts, scorer, config, out / "trl", save_every)
        trainer.add_callback(guard)
        if on_step is not None:
            trainer.add_callback(_Announce(config, lambda: on_step(step_reports(trainer, scorer, guard)[-1])))
        if trainer.accelerator.is_main_process:
            for half in {*(out / "trl").glob("checkpoint-*")} - {*whole_checkpoints(out / "trl")}:
                shutil.rmtree(half)  # from a process that was killed while it wrote
        trainer.accelerator.wait_for_everyone()
        last = get_last_checkpoint(str(out / "trl")) if (out / "trl").is_dir() else None
        trainer.train(resume_from_checkpoint=last)
        trained = gathered(trainer)
        if trainer.accelerator.is_main_process:
            if hasattr(trained, "merge_and_unload"):
                trained = trained.merge_and_unload()
            save_checkpoint(trained, processor, out / "policy")
            shutil.rmtree(out / "trl" / "reference", ignore_errors=True)
        trainer.accelerator.wait_for_everyone()
    steps = tuple(step_reports(trainer, scorer, guard))
    return TrainingReport(
        engine="trl",
        checkpoint=out / "policy",
        steps=steps,
        seconds=time.monotonic() - started,
        steps_kept=len(steps),
    )


def build_trainer(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    prompts: Sequence[Prompt],
    scorer: Scorer,
    config: GRPOConfig,
    out: Path,
    save_every: int = 0,
) -> Any:
    """TRL's `GRPOTrainer`, set up to do what `shared` does: one rollout batch a step, one update per
    iteration.

    TRL wants the same number of prompts in every step: `prompts_per_step`, or what `images_per_step` images hold on
    average.
    """
    from trl import GRPOConfig as TrlConfig
    from trl import GRPOTrainer

    logging.getLogger("trl").setLevel(logging.ERROR)  # it prints every prompt whose reward is None

    for name, parameter in model.named_parameters():
        if any(re.search(pattern, name) for pattern in config.frozen):
            parameter.requires_grad_(False)
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    length = max(len(row.ids) for _, row in longest(RowEncoder(model, processor), prompts))
    cut = partition(prompts, length, config, processes)
    cpu = not torch.cuda.is_available()
    arguments = TrlConfig(
        output_dir=str(out),
        learning_rate=config.learning_rate,
        lr_scheduler_type="linear" if config.schedule == "linear" else "constant_with_warmup",
        warmup_steps=config.warmup_steps * config.num_iterations,
        max_steps=config.steps * config.num_iterations,
        per_device_train_batch_size=cut.minibatch,
        gradient_accumulation_steps=cut.minibatches,
        steps_per_generation=cut.sampled,
        num_generations=config.group_size,
        num_iterations=config.num_iterations,
        max_completion_length=config.max_new_tokens,
        temperature=config.temperature,
        epsilon=config.epsilon_low,
        epsilon_high=config.epsilon_high,
        beta=config.beta,
        loss_type=config.loss_type,
        use_vllm=config.vllm,
        vllm_mode="colocate",
        # Without a bound vLLM keeps room for the longest context that the model could have, and does not start; without
        # sleep its weights stay beside those that are trained.
        vllm_max_model_length=_VLLM_ROUNDS_TO * math.ceil((length + config.max_new_tokens) / _VLLM_ROUNDS_TO),
        vllm_enable_sleep_mode=True,
        scale_rewards="group" if config.scale_rewards else "none",
        max_grad_norm=config.max_grad_norm,
        weight_decay=config.weight_decay,
        seed=config.seed,
        shuffle_dataset=False,
        disable_dropout=True,
        # A 7B model would keep some 70 GiB of activations; on a CPU there is time to save, not memory.
        gradient_checkpointing=not cpu,
        use_cpu=cpu,
        bf16=not cpu and torch.cuda.is_bf16_supported(),
        dataloader_pin_memory=not cpu,
        report_to="none",
        disable_tqdm=True,
        logging_steps=1,
        log_multimodal=False,
        save_strategy="steps" if save_every else "no",
        save_steps=max(1, save_every * config.num_iterations),
        save_total_limit=2,
    )
    # One process trains on one GPU; TRL refuses to spread a batch over all it can see.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    if config.beta and not config.lora_rank:
        with arguments.main_process_first(local=False):
            model.config._name_or_path = str(_reference(model, processor, out))
    trainer = GRPOTrainer(
        model=model,
        args=arguments,
        processing_class=processor,
        reward_funcs=scorer.score,
        train_dataset=_dataset(prompts, config, cut.prompts),
        peft_config=lora(config),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _reference(model: PreTrainedModel, processor: ProcessorMixin, out: Path) -> Path:
    """The policy as it begins, on disk. TRL loads what KL is measured from by the place that the model's config names:
    the weights before a warm start, or the bare base of an adapter.
    """
    folder = out / "reference"
    return folder if folder.is_dir() else save_checkpoint(model, processor, folder)


def gathered(trainer: Any) -> Any:
    """The trained model with all of its weights, on every process; where they are sharded, on the first only."""
    trained = trainer.accelerator.unwrap_model(trainer.model)
    if not trainer.is_fsdp_enabled:
        return trained
    weights = trainer.accelerator.get_state_dict(trainer.model)  # gathers: every process must ask
    if not trainer.accelerator.is_main_process:
        return trained
    base = trained.get_base_model() if hasattr(trained, "get_base_model") else trained
    fresh = AutoModelForImageTextToText.from_config(base.config, dtype=next(iter(weights.values())).dtype)
    fresh.declared_dtype = declared_dtype(trained)
    fresh.generation_config = base.generation_config  # with all tokens that end a completion
    if hasattr(trained, "peft_config"):
        from peft import get_peft_model

        fresh = get_peft_model(fresh, trained.peft_config["default"])
    fresh.load_state_dict(weights)
    return fresh


def messages(prompt: Prompt) -> list[dict[str, str]]:
    """The conversation of a prompt; TRL puts the image before the first user turn."""
    turns = [{"role": turn.role, "content": turn.text} for turn in prompt.history]
    return [*turns, {"role": "user", "content": prompt.text}]


def step_reports(trainer: Any, scorer: Scorer, guard: SkipNonFinite) -> list[StepReport]:
    """TRL's log, as ours: one report per rollout batch, of its last iteration; of rewards TRL tells in the first.

    What TRL does not log (counts) is known for the steps of this process only.
    """
    iterations = scorer.config.num_iterations
    reports = []
    row: dict[str, Any] = {}
    for logged in trainer.state.log_history:
        row |= logged
        if "loss" not in logged or row["step"] % iterations:
            continue
        step = row["step"] // iterations - 1
        counts = scorer.counts.get(step, Counts())
        reports.append(
            StepReport(
                step=step,
                reward_mean=row["reward"],
                reward_std=row.get("reward_std"),
                zero_variance_share=row.get("frac_reward_zero_std") or 0.0,
                kl=row.get("kl") or 0.0,
                entropy=row.get("entropy") or 0.0,
                clip_share=row.get("clip_ratio/region_mean") or 0.0,
                loss=row.get("loss"),
                grad_norm=row.get("grad_norm"),
                learning_rate=row.get("learning_rate") or 0.0,
                completions=counts.completions,
                masked=counts.masked,
                tokens=counts.tokens,
                skipped_updates=guard.skipped.get(step, 0),
                seconds={"step": row.get("step_time") or 0.0, "reward": counts.seconds},
            )
        )
    return reports


@dataclass(frozen=True)
class Counts:
    """What was scored in one step."""

    completions: int = 0
    masked: int = 0
    tokens: int = 0
    seconds: float = 0.0


class Scorer:
    """Our reward function in TRL's dress; counts what TRL does not log, by step."""

    def __init__(self, prompts: Sequence[Prompt], reward: RewardFunction, config: GRPOConfig) -> None:
        self.prompts, self.reward, self.config = prompts, reward, config
        self.counts: dict[int, Counts] = {}

    def score(
        self,
        completions: Sequence[list[dict[str, str]]],
        completion_ids: Sequence[Sequence[int]],
        prompt_index: Sequence[int],
        trainer_state: Any,
        **_: Any,
    ) -> list[float | None]:
        """Called by TRL with one entry per completion that was sampled at once, a step or a part of one;
        `prompt_index` is a column of our dataset.
        """
        started = time.perf_counter()
        rollouts = [
            Rollout(self.prompts[index], tuple(ids), completion[0]["content"].strip())
            for completion, ids, index in zip(completions, completion_ids, prompt_index, strict=True)
        ]
        rewards = [rollout.reward for rollout in scored(rollouts, self.reward)]
        step = trainer_state.global_step // self.config.num_iterations
        before = self.counts.get(step, Counts())
        self.counts[step] = Counts(
            completions=before.completions + len(rewards),
            masked=before.masked + rewards.count(None),
            tokens=before.tokens + sum(map(len, completion_ids)),
            seconds=before.seconds + time.perf_counter() - started,
        )
        return rewards


class SkipNonFinite(TrainerCallback):  # type: ignore[misc]  # transformers is untyped
    """Drops an update whose gradient is not finite: one NaN would otherwise poison every weight."""

    def __init__(self, config: GRPOConfig) -> None:
        self.config = config
        self.skipped: dict[int, int] = {}

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Without gradients AdamW leaves weights and moments alone."""
        from accelerate.utils import reduce

        gradients = [p.grad for p in kwargs["model"].parameters() if p.grad is not None]
        # Of a sharded gradient every process sees its own part, and all must skip or none.
        parts = [gradient.to_local() if hasattr(gradient, "to_local") else gradient for gradient in gradients]
        broken = sum(not torch.isfinite(part).all() for part in parts)
        if reduce(torch.tensor(float(broken), device=args.device), "sum") > 0:
            step = state.global_step // self.config.num_iterations
            self.skipped[step] = self.skipped.get(step, 0) + 1
            kwargs["model"].zero_grad(set_to_none=True)


class _Announce(TrainerCallback):  # type: ignore[misc]  # transformers is untyped
    """Tells the caller about each finished step."""

    def __init__(self, config: GRPOConfig, tell: Callable[[], None]) -> None:
        self.config, self.tell = config, tell

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if "loss" in (logs or {}) and state.global_step % self.config.num_iterations == 0:
            self.tell()


def _dataset(prompts: Sequence[Prompt], config: GRPOConfig, per_step: int) -> Any:
    """Rows in the order of training: `per_step` prompts for each step. Images are opened only when they are needed, and
    once for a step: TRL asks for its rows anew for every minibatch, and copies as many pictures as there are objects.
    """
    from datasets import Dataset

    position = {prompt.id: index for index, prompt in enumerate(prompts)}
    order: list[int] = []
    step = 0
    while len(order) < config.steps * per_step:
        order += [position[prompt.id] for prompt in prompts_of_step(prompts, config, step)]
        step += 1
    rows = Dataset.from_dict({"prompt_index": order[: config.steps * per_step]})
    records = {prompt.image.id: prompt.image for prompt in prompts}

    @lru_cache(maxsize=per_step)  # a step has no more pictures than prompts
    def picture(image_id: str) -> Image:
        return records[image_id].open()

    def opened(batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        chosen = [prompts[index] for index in batch["prompt_index"]]
        return {
            "prompt_index": batch["prompt_index"],
            "prompt": [messages(prompt) for prompt in chosen],
            "image": [picture(prompt.image.id) for prompt in chosen],
        }

    return rows.with_transform(opened)
