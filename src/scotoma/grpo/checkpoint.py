"""Policies on disk: always whole, always stock Hugging Face checkpoints.

A checkpoint is written beside its place and then moved there, so that a killed process leaves the old one or the new
one, if need be under the name that `store.durable.recover` puts back when the run is opened again.

    save_checkpoint(model, processor, run / "checkpoints" / "round-1")
    AutoModelForImageTextToText.from_pretrained(run / "checkpoints" / "round-1")
"""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, ProcessorMixin

from scotoma.core import StorageError
from scotoma.models.checkpoint import declared_dtype
from scotoma.models.quiet import quiet


def save_checkpoint(model: PreTrainedModel, processor: ProcessorMixin, path: Path) -> Path:
    """Write model and processor to the directory `path`, replacing what was there.

    The weights are written as they are; the config names the dtype of the checkpoint that they were trained from. So
    `dtype="auto"` asks the policy as it asked that one, and `float32` has all that was learnt.

    Raises:
        StorageError: the disk is full or the folder cannot be written; what was there before is intact.
    """
    half, old = path.with_name(f".{path.name}.partial"), path.with_name(f".{path.name}.previous")
    try:
        shutil.rmtree(half, ignore_errors=True)
        half.parent.mkdir(parents=True, exist_ok=True)
        with quiet():
            model.save_pretrained(half)
            _declare_dtype(model, half)
            processor.save_pretrained(half)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
            path.rename(old)
        half.rename(path)
    except (OSError, RuntimeError) as error:
        shutil.rmtree(half, ignore_errors=True)
        if old.exists() and not path.exists():
            old.rename(path)
        raise StorageError(f"cannot write the checkpoint {path}: {error}") from error
    shutil.rmtree(old, ignore_errors=True)
    return path


def _declare_dtype(model: PreTrainedModel, folder: Path) -> None:
    dtype = declared_dtype(model)
    if dtype is None or dtype == model.dtype:
        return
    config = copy.deepcopy(model.config)
    for part in (config, *(getattr(config, name, None) for name in config.sub_configs)):
        if part is not None:
            part.dtype = dtype
    config.save_pretrained(folder)


def save_state(state: dict[str, Any], path: Path) -> None:
    """Write a trainer's state (tensors and plain values) to one file, atomically.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    half = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, half)
        half.replace(path)
    except (OSError, RuntimeError) as error:
        half.unlink(missing_ok=True)
        raise StorageError(f"cannot write the training state {path}: {error}") from error


def load_state(path: Path) -> dict[str, Any]:
    """Read what `save_state` wrote. Only tensors and plain values are unpickled."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def whole_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of Transformers' trainer below `folder` that were written to their end: its state comes last."""
    return [state.parent for state in folder.glob("checkpoint-*/trainer_state.json")]
