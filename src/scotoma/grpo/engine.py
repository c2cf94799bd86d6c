"""One door to the engines: a policy, prompts and a reward function in, a better policy out.

    report = train("pupil", prompts, reward, GRPOConfig(steps=100), out=Path("runs/demo/checkpoints/round-1"))
    report.checkpoint  # a stock Hugging Face checkpoint

A run that was killed goes on where it stood when the same call is made again, and ends with the same weights.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from transformers import PreTrainedModel, ProcessorMixin

from scotoma.core import ConfigError, ModelError
from scotoma.grpo import trl
from scotoma.grpo.budget import check_budget
from scotoma.grpo.checkpoint import load_state, save_state, whole_checkpoints
from scotoma.grpo.config import GRPOConfig
from scotoma.grpo.report import StepReport, TrainingReport
from scotoma.grpo.rollout import Prompt, RewardFunction
from scotoma.grpo.schedule import prompts_of_step
from scotoma.grpo.shared import SharedTrainer, packable_family
from scotoma.grpo.stock import StockTrainer
from scotoma.grpo.trainer import Trainer
from scotoma.models.checkpoint import Checkpoint, open_checkpoint, release
from scotoma.models.families import family_of
from scotoma.models.spec import open_weights

Engine = Literal["auto", "shared", "stock", "trl"]


@dataclass(frozen=True)
class Look:
    """A look at the policy every `every` steps, but for the last: `good` is given a stock checkpoint of it and says
    whether to go on. If not, the training ends with the last one that was good, or with what it began from.
    """

    every: int
    good: Callable[[Path], bool]


def train(
    policy: str | Path | Checkpoint,
    prompts: Sequence[Prompt],
    reward: RewardFunction,
    config: GRPOConfig,
    *,
    out: Path,
    engine: Engine = "auto",
    save_every: int = 25,
    on_step: Callable[[StepReport], None] | None = None,
    look: Look | None = None,
) -> TrainingReport:
    """Train for `config.steps` steps and write the policy to `out/policy`.

    `policy` is a spec (`pupil`, `hf:PATH_OR_ID`), the path of a checkpoint folder, or an open checkpoint, which is
    trained in place. What a resume needs is saved in `out` every `save_every` steps. `on_step` hears of every
    finished step. `look` can end the training early; under `trl` nobody looks.

    Raises:
        BudgetError: prompts, images or completions do not fit the model; found before the first step.
        ModelError: the checkpoint cannot be loaded, or `shared` was asked for and cannot pack its family.
        ConfigError: the engine cannot do what the config asks for, or `out` holds a run with another config.
        StorageError: `out` cannot be written.
    """
    checkpoint = policy if isinstance(policy, Checkpoint) else open_policy(policy, config)
    chosen = choose_engine(checkpoint, config, engine)
    _check_begun(out, chosen)
    check_budget(checkpoint.model, checkpoint.processor, prompts, config)
    if chosen == "trl":
        report = trl.train(
            checkpoint.model, checkpoint.processor, prompts, reward, config, out, save_every, on_step
        )
        del checkpoint
        release()  # Transformers' trainer and its model refer to each other
        return report
    trainer = {"shared": SharedTrainer, "stock": StockTrainer}[chosen]
    return _train_here(
        trainer(checkpoint.model, checkpoint.processor, config),
        chosen,
        prompts,
        reward,
        out,
        save_every,
        on_step,
        look,
    )


def open_policy(policy: str | Path, config: GRPOConfig) -> Checkpoint:
    """Open a spec, or the folder that a path names, to train it as the config says.

    Raises:
        SpecError, ModelError: as `open_weights` has it.
    """
    # Full precision: at small learning rates a bfloat16 weight rounds its updates away. Under LoRA the weights rest.
    options: dict[str, Any] = {} if config.lora_rank else {"dtype": "float32"}
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # Accelerate gives each process its device, and its part of the weights.
        options |= {"device": None, "device_map": None}
    if isinstance(policy, Path):
        return open_checkpoint(policy.expanduser(), **options)
    return open_weights(policy, **options)


def trainer_for(model: PreTrainedModel, processor: ProcessorMixin, config: GRPOConfig) -> Trainer:
    """A trainer in this process for any family: on packed trees where they can do the job, else row by row."""
    packed = family_of(model) is not None and not config.lora_rank
    return (SharedTrainer if packed else StockTrainer)(model, processor, config)


def choose_engine(
    checkpoint: Checkpoint, config: GRPOConfig, engine: Engine
) -> Literal["shared", "stock", "trl"]:
    """`auto` is `shared` where it can do the job (a family it can pack, one process, no LoRA, no vLLM), else `trl`, and
    `stock` for the families that TRL cannot train.

    Raises:
        ModelError, ConfigError: the engine that was asked for cannot do it.
    """
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    kind = checkpoint.model.config.model_type
    if engine == "auto":
        if (
            family_of(checkpoint.model) is not None
            and processes == 1
            and not (config.lora_rank or config.vllm)
        ):
            return "shared"
        engine = "stock" if kind in trl.UNTRAINABLE else "trl"
    if engine == "trl":
        if kind in trl.UNTRAINABLE:
            raise ModelError(f"TRL cannot train {kind!r}: {trl.UNTRAINABLE[kind]}", hint="use engine: stock")
        return "trl"
    if engine == "shared":
        packable_family(checkpoint.model)
    if processes > 1:
        raise ConfigError(
            f"the engine {engine!r} runs in one process, not {processes}",
            hint="use engine: trl, or one process",
        )
    return engine


def _check_begun(out: Path, engine: str) -> None:
    """What one engine began another would begin anew, from weights that had no warm start, say."""
    here, with_trl = (out / "state.pt").is_file(), any(whole_checkpoints(out / "trl"))
    if (engine == "trl" and here) or (engine != "trl" and with_trl):
        began = "an engine of one process" if here else "engine: trl"
        raise ConfigError(
            f"{out} was begun by {began}, and would not go on the same by engine: {engine}",
            hint="resume as it was begun (--accelerate, repair.vllm), or begin a new run",
        )


def _train_here(
    trainer: Trainer,
    engine: str,
    prompts: Sequence[Prompt],
    reward: RewardFunction,
    out: Path,
    save_every: int,
    on_step: Callable[[StepReport], None] | None,
    look: Look | None,
) -> TrainingReport:
    """The loop of the engines that are one `Trainer` in this process."""
    started, config = time.monotonic(), trainer.config
    saved, good = out / "state.pt", out / "good"
    reports: list[StepReport] = []
    stopped, kept = False, 0
    if saved.is_file():
        state = load_state(saved)
        trainer.load_state(state["trainer"])
        reports = [StepReport.model_validate(row) for row in state["reports"]]
        stopped = state.get("stopped", False)
        kept = state.get("kept", 0)
    if look is not None and not stopped and trainer.steps_done < config.steps and not good.is_dir():
        trainer.save(good)
    while trainer.steps_done < config.steps and not stopped:
        report = trainer.step(prompts_of_step(prompts, config, trainer.steps_done), reward)
        reports.append(report)
        if on_step is not None:
            on_step(report)
        done = trainer.steps_done
        due = look is not None and done % look.every == 0 and done < config.steps
        if look is not None and due:
            # Before the state is saved: what was not looked at is trained again after a stop, and then looked at.
            stopped = not look.good(trainer.save(out / "seen"))
            if not stopped:
                trainer.save(good)
                kept = done
        if due or done % save_every == 0 or done == config.steps:
            rows = [row.model_dump() for row in reports]
            save_state({"trainer": trainer.state(), "reports": rows, "stopped": stopped, "kept": kept}, saved)
    policy = out / "policy"
    if stopped and good.is_dir():
        shutil.copytree(good, policy, dirs_exist_ok=True)
    elif not stopped:
        trainer.save(policy)
    for folder in (good, out / "seen"):
        shutil.rmtree(folder, ignore_errors=True)
    return TrainingReport(
        engine=engine,
        checkpoint=policy,
        steps=tuple(reports),
        seconds=time.monotonic() - started,
        stopped=stopped,
        steps_kept=kept if stopped else len(reports),
    )
