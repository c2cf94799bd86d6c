"""How large a model is: counted in its weights, or read off its name; never loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scotoma.core import ModelError
from scotoma.models.checkpoint import open_checkpoint
from scotoma.models.size import parameters
from tests.models import checkpoints


def test_the_headers_of_the_weights_are_counted(tmp_path: Path) -> None:
    folder = checkpoints.idefics3(tmp_path / "model")
    weights = open_checkpoint(folder).model.state_dict()
    tied = {tensor.data_ptr(): tensor.numel() for tensor in weights.values()}
    assert parameters(f"hf:{folder}") == sum(tied.values())


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ("hf:Qwen/Qwen2.5-VL-7B-Instruct", 7_000_000_000),
        ("hf:HuggingFaceTB/SmolVLM-256M-Instruct?dtype=bfloat16", 256_000_000),
        ("hf:somebody/model", None),
        ("openai:gpt-5", None),
    ],
)
def test_the_name_may_say_it(spec: str, count: int | None) -> None:
    assert parameters(spec) == count


def test_a_lora_folder_is_as_large_as_its_base(tmp_path: Path) -> None:
    named = {"base_model_name_or_path": "Qwen/Qwen2.5-VL-7B-Instruct"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(named))
    assert parameters(f"hf:{tmp_path}") == 7_000_000_000


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"short")
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        parameters(f"hf:{tmp_path}")


def test_a_folder_that_is_not_there_is_no_id_of_the_hub() -> None:
    with pytest.raises(ModelError, match=r"\./nowhere-7b does not exist"):
        parameters("hf:./nowhere-7b")
