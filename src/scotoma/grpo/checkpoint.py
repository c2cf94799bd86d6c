"""Policies on disk: always whole, always stock Hugging Face checkpoints.

A checkpoint is written beside its place and moved there in one rename, so that a killed process leaves either
the old one or the new one, never half of one.

    save_checkpoint(model, processor, run / "checkpoints" / "round-1")
    AutoModelForImageTextToText.from_pretrained(run / "checkpoints" / "round-1")
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, ProcessorMixin

from scotoma.core import StorageError
from scotoma.models.quiet import quiet


def save_checkpoint(model: PreTrainedModel, processor: ProcessorMixin, path: Path) -> Path:
    """Write model and processor to the directory `path`, replacing what was there.

    Raises:
        StorageError: the disk is full or the folder cannot be written; what was there before is intact.
    """
    half = path.with_name(f".{path.name}.writing-{os.getpid()}")
    old = path.with_name(f".{path.name}.replaced-{os.getpid()}")
    try:
        shutil.rmtree(half, ignore_errors=True)
        half.parent.mkdir(parents=True, exist_ok=True)
        with quiet():
            model.save_pretrained(half)
            processor.save_pretrained(half)
        if path.exists():
            path.rename(old)
        half.rename(path)
    except (OSError, RuntimeError) as error:
        shutil.rmtree(half, ignore_errors=True)
        if old.exists() and not path.exists():
            old.rename(path)
        raise StorageError(f"cannot write the checkpoint {path}: {error}") from error
    shutil.rmtree(old, ignore_errors=True)
    return path


def save_state(state: dict[str, Any], path: Path) -> None:
    """Write a trainer's state (tensors and plain values) to one file, atomically.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    half = path.with_name(f".{path.name}.writing-{os.getpid()}")
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
