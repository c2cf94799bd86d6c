"""A checkpoint opens, or the error says what is wrong with it and what to do."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForImageTextToText
from transformers.models.llama import LlamaConfig, LlamaForCausalLM

from scotoma.core import ModelError
from scotoma.models.checkpoint import open_checkpoint
from scotoma.models.families import family_of
from scotoma.models.transformers import TransformersModel
from tests.models import checkpoints
from tests.models.conftest import requests


@pytest.fixture
def copy(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A checkpoint of one's own, to be spoilt."""
    return Path(shutil.copytree(folders["idefics3"], tmp_path / "checkpoint"))


def _lora(base: Path, where: Path, target: str = "q_proj") -> Path:
    """An adapter whose weights are far from zero."""
    model = AutoModelForImageTextToText.from_pretrained(base)
    wrapped = get_peft_model(model, LoraConfig(r=4, target_modules=[target], init_lora_weights=False))
    wrapped.save_pretrained(where)
    return where


def test_a_checkpoint_knows_what_generation_needs(folders: dict[str, Path]) -> None:
    opened = open_checkpoint(folders["idefics3"])
    assert opened.eos_ids == (2,)
    assert opened.pad_id == 0
    assert opened.context == 2048
    assert not opened.model.training
    assert opened.model.dtype == torch.float32
    assert open_checkpoint(folders["idefics3"], dtype="bfloat16").model.dtype == torch.bfloat16


def test_what_ends_an_answer_is_what_model_or_tokenizer_say(copy: Path) -> None:
    """A fine-tune may declare the end of text only, where its chat template ends turns."""
    says = copy / "generation_config.json"
    for declared, ends in ((1, (2, 1)), ([1, 2], (1, 2)), (None, (2,))):
        says.write_text(json.dumps({**json.loads(says.read_text()), "eos_token_id": declared}))
        assert open_checkpoint(copy).eos_ids == ends


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere does not exist .*folder that holds config.json"):
        open_checkpoint(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"\./checkpoints/round-1 does not exist"):
        open_checkpoint("./checkpoints/round-1")


def test_a_file_or_a_folder_without_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"")
    with pytest.raises(ModelError, match="is a file, not a folder"):
        open_checkpoint(tmp_path / "weights.bin")
    with pytest.raises(ModelError, match=r"holds no checkpoint: there is no config\.json"):
        open_checkpoint(tmp_path)


def test_an_id_that_cannot_be_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"'scotoma/no-such-model' is neither .*HF_HUB_OFFLINE is set"):
        open_checkpoint("scotoma/no-such-model")


def test_a_language_model_is_no_vision_language_model(tmp_path: Path) -> None:
    config = LlamaConfig(
        vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    checkpoints.tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"is no vision-language model \(its model_type is 'llama'\)"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize("config", ["{", "{}", '{"model_type": "from_the_future"}'])
def test_an_unreadable_config(copy: Path, config: str) -> None:
    (copy / "config.json").write_text(config)
    with pytest.raises(ModelError, match=r"cannot read .*config\.json"):
        open_checkpoint(copy)


def test_torn_weights(copy: Path) -> None:
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ModelError, match="cannot load the weights of"):
        open_checkpoint(copy)


def test_weights_that_are_not_all_there(copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 1 of its weights, such as lm_head\.weight"):
        open_checkpoint(copy)


def test_a_checkpoint_without_a_processor(copy: Path) -> None:
    for name in ("processor_config.json", "preprocessor_config.json"):
        (copy / name).unlink(missing_ok=True)
    with pytest.raises(ModelError, match="processor"):
        open_checkpoint(copy)


def test_a_checkpoint_without_a_chat_template(copy: Path) -> None:
    (copy / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match=r"has no chat template .*chat_template\.jinja"):
        open_checkpoint(copy)


def test_a_device_or_a_dtype_that_is_not_here(folders: dict[str, Path]) -> None:
    with pytest.raises(ModelError, match="there is no device 'abacus' here"):
        open_checkpoint(folders["idefics3"], device="abacus")
    with pytest.raises(ModelError, match=r"unknown dtype 'float99' .*bfloat16"):
        open_checkpoint(folders["idefics3"], dtype="float99")


def test_an_adapter_is_merged_and_changes_the_answers(folders: dict[str, Path], tmp_path: Path) -> None:
    base = folders["idefics3"]
    adapter = _lora(base, tmp_path / "adapter")
    asked = requests(2, 5)
    bare = [r.text for r in TransformersModel(open_checkpoint(base)).answer(asked)]
    adapted = [r.text for r in TransformersModel(open_checkpoint(base, adapter=adapter)).answer(asked)]
    assert bare != adapted
    # An adapter names its base, so its folder is a checkpoint too.
    assert [r.text for r in TransformersModel(open_checkpoint(adapter)).answer(asked)] == adapted


def test_a_model_that_was_let_go_of_makes_room_for_the_next(
    folders: dict[str, Path], request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(gc.enable)
    gc.disable()  # what is collected by chance proves nothing
    model = open_checkpoint(folders["idefics3"]).model
    model.itself = [model]  # as trainers hold theirs: it takes more than to forget it
    gone = weakref.ref(model)
    del model
    open_checkpoint(folders["idefics3"])
    assert gone() is None


def test_a_wrapped_model_is_of_its_models_family(folders: dict[str, Path]) -> None:
    model = open_checkpoint(folders["llava-clip"]).model
    family = family_of(model)
    wrapped = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"]))
    assert family is not None
    assert family_of(wrapped) is family
    assert family.image_token_id(wrapped) == 4


def test_an_adapter_that_does_not_fit(folders: dict[str, Path], tmp_path: Path) -> None:
    adapter = _lora(folders["idefics3"], tmp_path / "adapter", target="q_proj")
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "target_modules": ["no_such_layer"]}))
    with pytest.raises(ModelError, match=r"the adapter .* does not fit the model"):
        open_checkpoint(folders["idefics3"], adapter=adapter)
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "target_modules": ["k_proj"]}))
    with pytest.raises(ModelError, match=r"the adapter .* does not fit the model"):
        open_checkpoint(folders["idefics3"], adapter=adapter)
    with pytest.raises(ModelError, match="does not exist"):
        open_checkpoint(folders["idefics3"], adapter=tmp_path / "nowhere")
    with pytest.raises(ModelError, match="does not fit the model"):
        open_checkpoint(folders["idefics3"], adapter=folders["idefics3"])
