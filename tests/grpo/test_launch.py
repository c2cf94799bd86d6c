"""Training on several processes: launched for real, two of them on this machine's cores."""

from __future__ import annotations

from pathlib import Path

import pytest

from scotoma.core import ConfigError, ScotomaError
from scotoma.grpo.config import GRPOConfig
from scotoma.grpo.launch import launch
from scotoma.grpo.report import StepReport
from scotoma.grpo.rollout import Prompt, Rollout
from scotoma.models.checkpoint import open_checkpoint
from tests.models import checkpoints
from tests.models.conftest import picture, question

TWO = """
compute_environment: LOCAL_MACHINE
distributed_type: MULTI_GPU
num_machines: 1
num_processes: 2
machine_rank: 0
main_training_function: main
mixed_precision: 'no'
rdzv_backend: static
same_network: true
use_cpu: false
"""
CONFIG = GRPOConfig(
    steps=2, group_size=4, images_per_step=2, max_new_tokens=3, learning_rate=1e-3, warmup_steps=0
)


def longest(rollouts: list[Rollout]) -> list[float]:
    return [float(len(rollout.text)) for rollout in rollouts]


def prompts(n: int = 4) -> list[Prompt]:
    return [Prompt(str(i), picture(i), question(i)) for i in range(n)]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("accelerate") / "two.yaml"
    file.write_text(TWO)
    return file


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.idefics3(tmp_path_factory.mktemp("launch") / "policy")


def test_two_processes_train_one_policy(two: Path, policy: Path, tmp_path: Path) -> None:
    heard: list[StepReport] = []
    config = CONFIG.model_copy(update={"lora_rank": 4})
    report = launch(two, policy, prompts(), longest, config, out=tmp_path / "out", on_step=heard.append)
    assert [step.step for step in report.steps] == [step.step for step in heard] == [0, 1]
    before, after = open_checkpoint(policy).model, open_checkpoint(report.checkpoint).model
    old = dict(before.named_parameters())
    assert any(not weight.equal(old[name]) for name, weight in after.named_parameters())


def test_what_a_process_refuses_is_said_as_if_it_had_been_here(
    two: Path, policy: Path, tmp_path: Path
) -> None:
    (tmp_path / "state.pt").touch()
    with pytest.raises(ConfigError, match="was begun by an engine of one process"):
        launch(two, policy, prompts(), longest, CONFIG, out=tmp_path)


def test_what_does_not_divide_by_the_processes_is_rounded(two: Path, policy: Path, tmp_path: Path) -> None:
    odd = CONFIG.model_copy(update={"images_per_step": 1, "group_size": 3})
    report = launch(two, policy, prompts(1), longest, odd, out=tmp_path)
    assert len(report.steps) == 2  # of two prompts, one for each process


def test_a_config_that_is_not_there(policy: Path, tmp_path: Path) -> None:
    with pytest.raises(ScotomaError, match="no Accelerate config"):
        launch(tmp_path / "none.yaml", policy, prompts(), longest, CONFIG, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("of", "to", "said"),
    [
        ("num_machines: 1", "num_machines: 2", "2 machines"),
        ("MULTI_GPU", "DEEPSPEED", "DeepSpeed"),
        (TWO, "a: [", "other.yaml"),
    ],
)
def test_a_config_that_would_lose_processes_or_weights_is_refused_before_anything_is_written(
    policy: Path, tmp_path: Path, of: str, to: str, said: str
) -> None:
    (tmp_path / "other.yaml").write_text(TWO.replace(of, to))
    with pytest.raises(ConfigError, match=said):
        launch(tmp_path / "other.yaml", policy, prompts(), longest, CONFIG, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
