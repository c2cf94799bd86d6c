"""A tiny random policy of each family, and a few images with questions."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import PreTrainedModel, ProcessorMixin

from scotoma.core import ImageRecord
from scotoma.grpo import Prompt, Rollout
from scotoma.models.checkpoint import open_checkpoint
from tests.models import checkpoints

QUESTIONS = ("is there a star ?", "what colour is the large circle ?", "how many squares are there ?")


@dataclass
class Policy:
    """A model with its processor, where it came from, and what was asked of it."""

    model: PreTrainedModel
    processor: ProcessorMixin
    path: Path

    def ids(self, text: str) -> tuple[int, ...]:
        return tuple(self.processor.tokenizer(text, add_special_tokens=False)["input_ids"])


def load(path: Path) -> Policy:
    checkpoint = open_checkpoint(path, dtype="float32", device="cpu")
    return Policy(checkpoint.model, checkpoint.processor, path)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("policies")
    return {
        "idefics3": checkpoints.idefics3(root / "idefics3"),
        "llava": checkpoints.llava(root / "llava", tower="siglip"),
    }


@pytest.fixture(params=["idefics3", "llava"])
def policy(request: pytest.FixtureRequest, saved: dict[str, Path]) -> Policy:
    """Freshly loaded: a test may train it."""
    return load(saved[request.param])


@pytest.fixture
def pupil(saved: dict[str, Path]) -> Policy:
    """One family, where the family does not matter."""
    return load(saved["idefics3"])


@pytest.fixture
def looking_closely(tmp_path: Path) -> Policy:
    """A policy for whom a larger picture has more tokens: 4 for 32 × 32 pixels, 49 for 112 × 112."""
    policy = load(checkpoints.qwen2_5_vl(tmp_path / "qwen"))
    policy.processor.image_processor.size.longest_edge = 112 * 112
    return policy


@pytest.fixture(scope="session")
def prompts() -> list[Prompt]:
    """Three images with three questions each."""
    return [
        Prompt(f"{image.id[:6]}/{number}", image, question)
        for image in map(picture, range(3))
        for number, question in enumerate(QUESTIONS)
    ]


def picture(seed: int, side: int = 32) -> ImageRecord:
    """A random square image."""
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return ImageRecord(id=ImageRecord.hash(buffer.getvalue()), source="test", data=buffer.getvalue())


@pytest.fixture
def answered(policy: Policy, prompts: list[Prompt]) -> list[Rollout]:
    """Groups of four rollouts of 1–3 tokens, some equal, all scored."""
    texts = ("yes <end_of_utterance>", "no <end_of_utterance>", "yes <end_of_utterance>", "red large circle")
    return [
        Rollout(prompt, policy.ids(text), text, reward=reward)
        for prompt in prompts
        for text, reward in zip(texts, (1.0, 0.0, 1.0, 0.25), strict=True)
    ]
