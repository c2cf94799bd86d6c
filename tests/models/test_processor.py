"""The stock processor opens wherever it can, is saved as it was, and otherwise the error says what to install."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from scotoma.core import ModelError
from scotoma.models import processor as room
from scotoma.models.checkpoint import open_checkpoint
from scotoma.models.families import family_of
from scotoma.models.processor import open_processor, torchvision_hint
from scotoma.models.stock import StockGeneration
from scotoma.models.transformers import TransformersModel
from tests.models import checkpoints
from tests.models.conftest import requests

TORCHVISION = importlib.util.find_spec("torchvision") is not None
without_torchvision = pytest.mark.skipif(TORCHVISION, reason="torchvision is installed: nothing is missing")


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.qwen2_5_vl(tmp_path_factory.mktemp("qwen") / "checkpoint")


def as_on_the_hub(source: Path, where: Path) -> Path:
    """Laid out as Qwen2.5-VL is on the Hub: image processor and chat template in files of their own."""
    shutil.copytree(source, where)
    whole = json.loads((where / "processor_config.json").read_text())
    (where / "processor_config.json").unlink()
    image = {**whole["image_processor"], "processor_class": "Qwen2_5_VLProcessor"}
    image["image_processor_type"] = "Qwen2VLImageProcessor"
    (where / "preprocessor_config.json").write_text(json.dumps(image))
    template = (where / "chat_template.jinja").read_text()
    (where / "chat_template.jinja").unlink()
    (where / "chat_template.json").write_text(json.dumps({"chat_template": template}))
    return where


def test_a_checkpoint_in_the_layout_of_the_hub_answers_alike(qwen: Path, tmp_path: Path) -> None:
    hub = as_on_the_hub(qwen, tmp_path / "hub")
    asked = requests(2, 2)
    replies = [StockGeneration(open_checkpoint(folder)).answer(asked) for folder in (qwen, hub)]
    assert [reply.text for reply in replies[0]] == [reply.text for reply in replies[1]]


@without_torchvision
def test_images_need_no_torchvision_and_videos_are_refused(qwen: Path) -> None:
    processor: Any = open_processor(str(qwen))
    assert type(processor).__name__ == "Qwen2_5_VLProcessor"
    with pytest.raises(ModelError, match=r"videos need torchvision.*pip install"):
        processor.video_processor(videos=[])


def test_what_is_saved_is_whole_again_where_torchvision_is_installed(qwen: Path, tmp_path: Path) -> None:
    kept = json.loads((qwen / "processor_config.json").read_text())
    assert kept["video_processor"]["video_processor_type"] == "Qwen2VLVideoProcessor"
    open_processor(str(qwen)).save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "processor_config.json").read_text())
    assert saved["processor_class"] == "Qwen2_5_VLProcessor"
    assert saved["video_processor"].items() >= kept["video_processor"].items()
    assert saved["image_processor"] == kept["image_processor"]


@pytest.mark.parametrize(
    ("version", "cuda", "command"),
    [
        ("2.13.0+cpu", None, "'torchvision==0.28.*' --index-url https://download.pytorch.org/whl/cpu"),
        ("2.6.0+cu124", "12.4", "'torchvision==0.21.*' --index-url https://download.pytorch.org/whl/cu124"),
        ("2.9.1", "12.8", "'torchvision==0.24.*' --index-url https://download.pytorch.org/whl/cu128"),
        ("2.9.1", None, "'torchvision==0.24.*'"),
    ],
)
def test_the_torchvision_that_fits_this_torch(
    version: str, cuda: str | None, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "__version__", version)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    assert torchvision_hint() == f"pip install {command}"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("\nAriaProcessor requires the Torchvision library but it was not found.\nSee there.",
         r"needs torchvision: AriaProcessor .*pip install 'torchvision==0\."),
        ("Package `num2words` is required to run SmolVLM processor.", r"needs num2words.*pip install num2words"),
        ("NewProcessor requires the abacus library.", r"NewProcessor requires the abacus library"),
    ],
)  # fmt: skip
def test_a_library_that_is_missing_is_named(
    message: str, expected: str, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(source: str) -> None:
        raise ImportError(message)

    monkeypatch.setattr(room.AutoProcessor, "from_pretrained", missing)
    with pytest.raises(ModelError, match=expected):
        open_processor(str(folders["idefics3"]))


def test_a_chat_template_may_be_given(folders: dict[str, Path], tmp_path: Path) -> None:
    template = tmp_path / "shouting.jinja"
    template.write_text(checkpoints.TEMPLATE.replace("answer :", "answer : ! ! !"))
    own = open_checkpoint(folders["idefics3"])
    given = open_checkpoint(folders["idefics3"], chat_template=template)
    asked = requests(1, 3)
    lengths = [[r.tokens_in for r in StockGeneration(c).answer(asked)] for c in (own, given)]
    assert lengths[1] == [length + 3 for length in lengths[0]]
    with pytest.raises(ModelError, match=r"cannot read the chat template .*nowhere\.jinja"):
        open_checkpoint(folders["idefics3"], chat_template=tmp_path / "nowhere.jinja")


def test_a_base_model_is_told_how_to_get_a_chat_template(folders: dict[str, Path], tmp_path: Path) -> None:
    base = Path(shutil.copytree(folders["idefics3"], tmp_path / "base"))
    (base / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match=r"no chat template .*chat_template=FILE"):
        open_checkpoint(base)
    assert open_checkpoint(base, chat_template=folders["idefics3"] / "chat_template.jinja")


def test_the_prompt_of_paligemma_is_a_prefix(tmp_path: Path) -> None:
    """Images, start of text, the question, a newline: what the family was trained on."""
    processor: Any = open_processor(str(checkpoints.paligemma(tmp_path / "paligemma")))
    text = processor.apply_chat_template(
        [
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "is there a star ?"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "no"}]},
            {"role": "user", "content": "what colour ?"},
        ],
        add_generation_prompt=True,
    )
    assert text == "<image>is there a star ? no what colour ?"
    picture = requests(1, 1)[0].images[0].open()
    ids = processor(text=[text], images=[[picture]], return_tensors="pt")["input_ids"][0]
    words = processor.tokenizer.convert_ids_to_tokens(ids)
    assert words[:18] == ["<image>"] * 16 + ["<bos>", "is"]


def test_a_model_may_be_spread_over_devices(folders: dict[str, Path]) -> None:
    asked = requests(2, 2)
    spread = open_checkpoint(folders["llava-clip"], device_map="auto")
    plain = open_checkpoint(folders["llava-clip"])
    assert family_of(spread.model) is not None  # all of it on the one device that there is
    expected = [r.text for r in StockGeneration(plain).answer(asked)]
    assert [r.text for r in StockGeneration(spread).answer(asked)] == expected
    spread.model.hf_device_map = {"model.vision_tower": 0, "model.language_model": 1}
    assert family_of(spread.model) is None  # its parts cannot be called apart: trees would
    assert [r.text for r in TransformersModel(spread).answer(asked)] == expected
    with pytest.raises(ModelError, match="contradict"):
        open_checkpoint(folders["llava-clip"], device_map="auto", device="cpu")


def test_a_device_map_needs_accelerate(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "accelerate" else real(name)
    )
    with pytest.raises(ModelError, match=r"needs the library accelerate.*scotoma\[train\]"):
        open_checkpoint(folders["idefics3"], device_map="auto")
