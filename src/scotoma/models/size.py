"""How large a model is, without loading it: from the headers of its weights, or from the number in its name.

What a plan needs to estimate memory (`scotoma evolve --dry-run`); no torch, nothing downloaded.

>>> parameters("hf:Qwen/Qwen2.5-VL-7B-Instruct")
7000000000
"""

from __future__ import annotations

import json
import math
import re
import struct
from pathlib import Path

from scotoma.core import ModelError
from scotoma.models.spec import checkpoint_path, is_folder, parse_model_spec

_IN_NAME = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s?([bm])(?![a-z])", re.IGNORECASE)
_SCALE = {"b": 1e9, "m": 1e6}
_LONGEST_HEADER = 100_000_000


def parameters(spec: str) -> int | None:
    """The number of parameters of a model that runs here; None for an endpoint, a plug-in, or where nothing tells.

    Raises:
        SpecError: the spec names no model.
        ModelError: the weights cannot be read, or are in no folder that is there.
    """
    parsed = parse_model_spec(spec)
    if parsed.kind not in ("embedded", "hf"):
        return None
    source = checkpoint_path(parsed.target if parsed.kind == "embedded" else f"hf:{parsed.target}")
    if isinstance(source, Path):
        if not (source / "config.json").is_file() and (based := _base_of(source)) is not None:
            return parameters(f"hf:{based}")
        counts = [_count(file) for file in sorted(source.glob("*.safetensors"))]
        return sum(counts) or None
    if is_folder(source):
        raise ModelError(
            f"the checkpoint {source} does not exist", hint="give a folder that holds a checkpoint"
        )
    found = _IN_NAME.search(source.rpartition("/")[2].replace("-", " ").replace("_", " "))
    return round(float(found[1]) * _SCALE[found[2].lower()]) if found else None


def _base_of(adapter: Path) -> str | None:
    """The model that a LoRA folder belongs to."""
    try:
        named = json.loads((adapter / "adapter_config.json").read_text()).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError):
        return None
    return str(named) if named else None


def _count(file: Path) -> int:
    """Parameters in a safetensors file: its header says the shapes (https://huggingface.co/docs/safetensors)."""
    try:
        with file.open("rb") as opened:
            (length,) = struct.unpack("<Q", opened.read(8))
            header = json.loads(opened.read(min(length, _LONGEST_HEADER)))
        return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
    except (OSError, struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"cannot read the weights {file}: {error}") from error
