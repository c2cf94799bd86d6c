"""Training on many processes: the call of `engine.train`, made by `accelerate launch` on each of them.

One process has the run and its ledger; it starts the others for a training and reads what came of it. They end when it
does. Which devices, how many, sharded or not, an Accelerate config says (`configs/accelerate/fsdp-8.yaml`).

    report = launch(Path("configs/accelerate/fsdp-8.yaml"), policy, prompts, reward, config, out=out)
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scotoma.core import ConfigError, ModelError, ScotomaError
from scotoma.grpo.config import GRPOConfig
from scotoma.grpo.report import StepReport, TrainingReport
from scotoma.grpo.rollout import Prompt, RewardFunction
from scotoma.store.configuration import read_yaml

_LOOK = 0.5
"""Seconds between two looks at how far the processes are, or at whether the one that launched them lives."""


@dataclass(frozen=True)
class Job:
    """The call, and who made it. All of it can be pickled; the reward is a function of a module."""

    policy: str | Path
    prompts: Sequence[Prompt]
    reward: RewardFunction
    config: GRPOConfig
    out: Path
    save_every: int
    launcher: int


def check_accelerate(config: Path) -> None:
    """Refuse what `launch` would refuse.

    Raises:
        ConfigError: there is no such config, it is no YAML, or it names DeepSpeed or several machines.
    """
    if not config.is_file():
        raise ConfigError(
            f"there is no Accelerate config {config}",
            hint="write one with `accelerate config --config_file FILE`, or take one of configs/accelerate",
        )
    told = read_yaml(config)
    if told.get("distributed_type") == "DEEPSPEED":
        # What ZeRO-3 has sharded would be saved as empty weights.
        raise ConfigError(
            f"the Accelerate config {config} names DeepSpeed, whose policies cannot be saved here",
            hint="shard with FSDP, as configs/accelerate/fsdp-8.yaml does",
        )
    if told.get("num_machines", 1) != 1:
        # The processes on the others would look for one of this machine's, and end.
        raise ConfigError(
            f"the Accelerate config {config} names {told['num_machines']} machines, and training is launched on one",
            hint="set num_machines: 1, and num_processes to the GPUs of this machine",
        )


def launch(
    accelerate: Path,
    policy: str | Path,
    prompts: Sequence[Prompt],
    reward: RewardFunction,
    config: GRPOConfig,
    *,
    out: Path,
    save_every: int = 25,
    on_step: Callable[[StepReport], None] | None = None,
) -> TrainingReport:
    """`train` with `engine="trl"` on the processes that the Accelerate config names; the same call resumes.

    What the processes print goes to `out/launch.log`.

    Raises:
        ConfigError: see `check_accelerate`.
        ScotomaError: the processes' own.
        ModelError: they ended without a report; the message shows the end of the log.
    """
    check_accelerate(accelerate)
    out.mkdir(parents=True, exist_ok=True)
    job, report, steps = out / "job.pkl", out / "report.json", out / "steps.jsonl"
    for stale in (report, steps, out / "error.pkl"):
        stale.unlink(missing_ok=True)
    job.write_bytes(pickle.dumps(Job(policy, prompts, reward, config, out, save_every, os.getpid())))
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(accelerate)]
    command += ["-m", "scotoma.grpo.launch", str(job)]
    with (out / "launch.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            told = 0
            while process.poll() is None:
                time.sleep(_LOOK)
                told = _tell(steps, told, on_step)
            _tell(steps, told, on_step)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if (out / "error.pkl").is_file():
        error: ScotomaError = pickle.loads((out / "error.pkl").read_bytes())
        raise error
    if process.returncode != 0 or not report.is_file():
        raise ModelError(
            f"the launched training ended with {process.returncode}: {_last_line(out / 'launch.log')}",
            hint=f"read {out / 'launch.log'}; the same command goes on from the last checkpoint",
        )
    return TrainingReport.model_validate_json(report.read_text())


def main(path: Path) -> None:
    """One of the processes: train; the first of them says how far it is, any of them what it refused."""
    from scotoma.grpo.engine import train

    job: Job = pickle.loads(path.read_bytes())
    threading.Thread(target=_die_with, args=(job.launcher,), daemon=True).start()
    first = int(os.environ.get("RANK", "0")) == 0

    def on_step(step: StepReport) -> None:
        if first:
            with (job.out / "steps.jsonl").open("a") as steps:
                steps.write(step.model_dump_json() + "\n")

    try:
        report = train(
            job.policy, job.prompts, job.reward, job.config,
            out=job.out, engine="trl", save_every=job.save_every, on_step=on_step,
        )  # fmt: skip
    except ScotomaError as error:
        # Whichever process fails first tells it: the others are ended before they could.
        half = job.out / f"error.{os.getpid()}"
        half.write_bytes(pickle.dumps(error))
        half.replace(job.out / "error.pkl")
        raise
    if first:
        (job.out / "report.json").write_text(report.model_dump_json())


def _die_with(launcher: int) -> None:
    """End this process when the one that launched it has ended, however it did."""
    while True:
        try:
            os.kill(launcher, 0)
        except ProcessLookupError:
            os._exit(1)
        time.sleep(_LOOK)


def _tell(steps: Path, told: int, on_step: Callable[[StepReport], None] | None) -> int:
    """Pass on the steps that are new; a line without its end is still being written."""
    whole = steps.read_text().split("\n")[:-1] if steps.is_file() else []
    if on_step is not None:
        for line in whole[told:]:
            on_step(StepReport.model_validate_json(line))
    return len(whole)


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


if __name__ == "__main__":
    # The job was pickled by `scotoma.grpo.launch`; here this file is `__main__`, so the work is that module's.
    from scotoma.grpo import launch as module

    module.main(Path(sys.argv[1]))
