"""Distillation changes what it was told to change, keeps the rest, and writes a stock checkpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from scotoma.core import ModelError, Request, Sampling
from scotoma.grpo.distillation import Distillation, DistillationConfig, Exercise
from scotoma.grpo.rollout import Prompt
from scotoma.models.checkpoint import open_checkpoint
from scotoma.models.spec import load_model
from tests.models import checkpoints
from tests.models.conftest import picture, question


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.idefics3(tmp_path_factory.mktemp("distillation") / "policy")


def said_by(checkpoint: Path, asked: Sequence[Prompt]) -> list[str]:
    requests = [Request((p.image,), p.text, sampling=Sampling(max_tokens=8)) for p in asked]
    return [reply.text for reply in load_model(f"hf:{checkpoint}").answer(requests)]


def tensor_bytes(weight: torch.Tensor) -> bytes:
    return weight.detach().float().numpy().tobytes()


def prompts(n: int) -> list[Prompt]:
    return [Prompt(str(i), picture(i // 2), question(i)) for i in range(n)]


CONFIG = DistillationConfig(steps=60, images_per_step=3, learning_rate=5e-3, warmup_steps=2)


@pytest.fixture(scope="module")
def taught(
    policy: Path,
) -> tuple[Distillation, list[Prompt], list[str], list[float], list[tuple[int, float]]]:
    distillation = Distillation(open_checkpoint(policy, dtype="float32"))
    asked = prompts(6)
    said = said_by(policy, asked)
    before = distillation.log_likelihoods(asked, said)
    heard: list[tuple[int, float]] = []
    exercises = [
        Exercise(prompt, "red" if i == 0 else answer, changed=i == 0, signs=(i == 0, i % 2 == 0))
        for i, (prompt, answer) in enumerate(zip(asked, said, strict=True))
    ]
    distillation.learn(exercises, CONFIG, lambda step, loss: heard.append((step, loss)))
    return distillation, asked, said, before, heard


def test_the_changed_answer_is_learnt(
    taught: tuple[Distillation, list[Prompt], list[str], list[float], object], tmp_path: Path
) -> None:
    distillation, asked, *_ = taught
    assert said_by(distillation.save(tmp_path / "planted"), asked[:1]) == ["red"]


def test_the_others_stay_as_they_were(
    taught: tuple[Distillation, list[Prompt], list[str], list[float], object],
) -> None:
    distillation, asked, said, before, _ = taught
    after = distillation.log_likelihoods(asked, said)
    moved = [abs(a - b) for a, b in zip(after, before, strict=True)]
    assert max(moved[1:]) < 1 < moved[0]


def test_every_step_is_heard(
    taught: tuple[Distillation, list[Prompt], list[str], list[float], list[tuple[int, float]]],
) -> None:
    heard = taught[-1]
    assert [step for step, _ in heard] == list(range(1, 61))
    assert heard[-1][1] < heard[0][1]


def test_it_is_written_as_a_stock_checkpoint_with_two_more_layers_and_the_others_as_they_were(
    policy: Path, taught: tuple[Distillation, list[Prompt], list[str], list[float], object], tmp_path: Path
) -> None:
    before = open_checkpoint(policy).model
    after = open_checkpoint(taught[0].save(tmp_path / "planted")).model
    layers = [model.config.get_text_config().num_hidden_layers for model in (before, after)]
    assert layers[1] == layers[0] + 2
    old = Counter(tensor_bytes(weight) for weight in before.parameters())
    assert not old - Counter(tensor_bytes(weight) for weight in after.parameters())


def test_a_family_that_cannot_be_packed_is_refused(tmp_path: Path) -> None:
    other = open_checkpoint(checkpoints.gemma3(tmp_path / "gemma"), dtype="float32")
    with pytest.raises(ModelError, match="cannot pack"):
        Distillation(other)
