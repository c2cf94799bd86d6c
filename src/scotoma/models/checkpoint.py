"""A vision-language checkpoint opened by the stock Auto classes, or an error that says why not.

checkpoint = open_checkpoint("runs/demo/checkpoints/round-1")
checkpoint.model, checkpoint.processor
"""

from __future__ import annotations

import gc
import importlib.util
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import constants
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    PreTrainedConfig,
    PreTrainedModel,
    ProcessorMixin,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from scotoma.core import ModelError
from scotoma.models.families import unwrapped
from scotoma.models.processor import open_processor
from scotoma.models.quiet import quiet
from scotoma.models.spec import is_folder


@dataclass(frozen=True)
class Checkpoint:
    """A model in evaluation mode and its processor (which pads on the left, as generation needs)."""

    model: PreTrainedModel
    processor: ProcessorMixin
    source: str
    """The path or id it was loaded from."""

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """See `eos_ids`."""
        return eos_ids(self.model, self.processor)

    @property
    def pad_id(self) -> int:
        """A token to fill rows with; masked everywhere."""
        pad = self.processor.tokenizer.pad_token_id
        return int(pad) if pad is not None else (self.eos_ids or (0,))[0]

    @property
    def context(self) -> int:
        """How many tokens a prompt and its completion may have together."""
        return int(getattr(self.model.config.get_text_config(), "max_position_embeddings", None) or 2**31)


def eos_ids(model: nn.Module, processor: ProcessorMixin) -> tuple[int, ...]:
    """Every token that ends a completion, asked or trained: the tokenizer's, and those that the model declares (as TRL
    has it). A fine-tune's `generation_config` may lack the end of turn that its chat template writes.
    """
    declared: Any = getattr(unwrapped(model).generation_config, "eos_token_id", None)
    own = processor.tokenizer.eos_token_id
    ids = [] if declared is None else [declared] if isinstance(declared, int) else list(declared)
    return tuple(dict.fromkeys([*([own] if own is not None and own not in ids else []), *ids]))


def open_checkpoint(
    source: str | os.PathLike[str],
    *,
    adapter: str | os.PathLike[str] | None = None,
    dtype: str = "auto",
    device: str | None = "auto",
    device_map: str | None = None,
    chat_template: str | os.PathLike[str] | None = None,
) -> Checkpoint:
    """Load a folder or a Hugging Face id. A LoRA folder may be given as `adapter`, or as `source` itself (then its
    own config names the base); the adapter is merged into the weights.

    `dtype` is a torch name (`float32`, `bfloat16` …); `auto` is the checkpoint's own on a GPU and float32 on a CPU,
    where half precision is slower. `device` `auto` is the first GPU if there is one; None leaves the model in main
    memory, for somebody else to place, as it would be opened for `auto`. `device_map` (`auto`, `balanced`,
    `sequential`) spreads a model over all GPUs instead; it needs accelerate. `chat_template` is a Jinja file in the
    place of the checkpoint's own. Nothing is downloaded when HF_HUB_OFFLINE is set.

    How a checkpoint says it wants to be sampled (its `generation_config`: temperature, repetition penalty …) is not
    in force here: `core.Sampling` alone decides. It is kept, and saved again with a trained policy.

    Raises:
        ModelError: no such folder, no vision-language model, missing weights, an adapter that does not fit, or a
            processor that needs a library that is not there.
    """
    where = os.path.expanduser(source if isinstance(source, str) else Path(source).absolute())
    if adapter is None and _is_adapter(where):
        adapter, where = where, _base_of(Path(where))
    declared = _check(where).dtype
    if device_map is not None and device != "auto":
        raise ModelError("device and device_map contradict each other", hint="give one of them")
    target = _device(device or "auto")
    release()  # a model that was let go of, if it hangs in a reference cycle: there may be no room for both
    with quiet():
        processor = open_processor(where, chat_template)
        model = _model(where, _dtype(dtype, target), device_map)
        if adapter is not None:
            model = _adapted(model, Path(adapter).expanduser())
    model.declared_dtype = declared
    # A model that was spread over devices is where it belongs.
    placed = model if device_map or device is None else model.to(target)
    return Checkpoint(placed.eval(), processor, str(source))


def declared_dtype(model: PreTrainedModel) -> torch.dtype | None:
    """What the config of the checkpoint that was opened says its weights are, whatever they were opened as: what
    `dtype="auto"` goes by. None where it says nothing, or the model was made in another way.
    """
    return getattr(model, "declared_dtype", None)


def accelerated() -> bool:
    """Whether `device="auto"` means something else than the CPU."""
    return _device("auto").type != "cpu"


def release() -> None:
    """Give back what models that nobody holds any more occupy, also where they hold one another."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def check_checkpoint(source: str | os.PathLike[str]) -> None:
    """Refuse what `open_checkpoint` would refuse at once; no weight is read.

    Raises:
        ModelError: no such folder, or no vision-language model.
    """
    where = os.path.expanduser(source)
    _check(_base_of(Path(where)) if _is_adapter(where) else where)


def _is_adapter(where: str) -> bool:
    return Path(where, "adapter_config.json").is_file() and not Path(where, "config.json").is_file()


def _check(source: str) -> PreTrainedConfig:
    """Its config; what is no vision-language checkpoint is refused before any weight is read."""
    if is_folder(source) and not Path(source).is_dir():
        found = "is a file, not a folder" if Path(source).exists() else "does not exist"
        raise ModelError(
            f"the checkpoint {source} {found}", hint="give a folder that holds config.json and weights"
        )
    if is_folder(source) and not Path(source, "config.json").is_file():
        raise ModelError(f"{source} holds no checkpoint: there is no config.json in it")
    try:
        with quiet():
            config = AutoConfig.from_pretrained(source)
    except (OSError, ValueError, KeyError) as error:
        raise _unreachable(source, error) from error
    if config.model_type not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        raise ModelError(
            f"{source} is no vision-language model (its model_type is {config.model_type!r})",
            hint="Scotoma examines models that AutoModelForImageTextToText loads",
        )
    return config


def _unreachable(source: str, error: Exception) -> ModelError:
    if is_folder(source):
        return ModelError(f"cannot read {source}/config.json: {_first_line(error)}")
    hint = "check the id and the connection, or give a folder"
    if constants.HF_HUB_OFFLINE:
        hint = "HF_HUB_OFFLINE is set: unset it, or download the model first with `hf download`"
    return ModelError(f"{source!r} is neither a folder here nor a model that could be fetched", hint=hint)


def _model(source: str, dtype: torch.dtype | str, device_map: str | None) -> PreTrainedModel:
    if device_map is not None and importlib.util.find_spec("accelerate") is None:
        raise ModelError("device_map needs the library accelerate", hint="pip install 'scotoma[train]'")
    try:
        model, report = AutoModelForImageTextToText.from_pretrained(
            source, dtype=dtype, device_map=device_map, output_loading_info=True
        )
    except ImportError as error:
        raise ModelError(f"loading {source} needs a library that is missing: {_first_line(error)}") from error
    except Exception as error:  # safetensors, pickle, shape and config errors come in every type
        raise ModelError(f"cannot load the weights of {source}: {_first_line(error)}") from error
    if missing := sorted(report["missing_keys"]):
        raise ModelError(f"{source} lacks {len(missing)} of its weights, such as {missing[0]}")
    return model


def _base_of(adapter: Path) -> str:
    try:
        base = json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"]
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"cannot read {adapter / 'adapter_config.json'}: {_first_line(error)}") from error
    if not base:
        raise ModelError(
            f"the adapter {adapter} names no base model", hint="name the base, and give this as adapter"
        )
    return str(base)


def _adapted(model: PreTrainedModel, adapter: Path) -> PreTrainedModel:
    try:
        from peft import PeftConfig, PeftModel
    except ImportError as error:
        raise ModelError(
            "a LoRA adapter needs the library peft", hint="pip install 'scotoma[train]'"
        ) from error
    if not adapter.is_dir():
        raise ModelError(f"the adapter {adapter} does not exist")
    try:
        config = PeftConfig.from_pretrained(str(adapter))
        wrapped = PeftModel(model, config)
        report = wrapped.load_adapter(str(adapter), wrapped.active_adapter)
    except Exception as error:  # target modules, shapes, files: PEFT raises every type
        raise ModelError(f"the adapter {adapter} does not fit the model: {_first_line(error)}") from error
    if astray := [key for key in report.unexpected_keys if "lora" in key]:
        raise ModelError(f"the adapter {adapter} does not fit the model: nothing is named {astray[0]}")
    merged: PreTrainedModel = wrapped.merge_and_unload()
    return merged


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"there is no device {name!r} here: {_first_line(error)}") from error


def _dtype(name: str, device: torch.device) -> torch.dtype | str:
    if name == "auto":
        return torch.float32 if device.type == "cpu" else "auto"
    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype):
        raise ModelError(f"unknown dtype {name!r}", hint="use auto, float32, bfloat16 or float16")
    return dtype


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
