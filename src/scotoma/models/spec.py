"""A model named by one string, on the command line and in configs.

| spec | model |
|---|---|
| `pupil` | the embedded candidate, shipped with the package |
| `questioner` | the embedded questioner, shipped likewise |
| `hf:PATH_OR_ID` | a checkpoint folder, a LoRA folder, or a Hugging Face id, run in this process |
| `module:Class` | your own `core.ChatModel`: an importable class or function, called without arguments |

Specs are read without importing torch.

>>> parse_model_spec("hf:runs/demo/checkpoints/round-1").target
'runs/demo/checkpoints/round-1'
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from scotoma.core import ChatModel, ModelError, ScotomaError, SpecError

EMBEDDED = ("pupil", "questioner")
"""Models whose weights travel with the package."""

_PLUGIN = re.compile(r"(?P<module>[A-Za-z_][\w.]*):(?P<name>[A-Za-z_]\w*)")


@dataclass(frozen=True)
class ModelSpec:
    """A spec, taken apart: `target` is the embedded model's name, the path or id, or `module:Class`."""

    kind: Literal["embedded", "hf", "plugin"]
    target: str

    def __str__(self) -> str:
        return f"hf:{self.target}" if self.kind == "hf" else self.target


def parse_model_spec(spec: str) -> ModelSpec:
    """Take a spec apart; nothing is opened.

    Raises:
        SpecError: the string names no kind of model.
    """
    text = spec.strip()
    if text in EMBEDDED:
        return ModelSpec("embedded", text)
    scheme, _, rest = text.partition(":")
    if scheme == "hf":
        if not rest:
            raise SpecError(
                f"the model spec {spec!r} names no checkpoint", hint="write hf:PATH or hf:OWNER/NAME"
            )
        return ModelSpec("hf", rest)
    if scheme == "openai":
        raise SpecError(
            f"cannot open {spec!r}: endpoints arrive with a later release",
            hint="until then use pupil, hf:PATH_OR_ID or a module:Class of your own",
        )
    if _PLUGIN.fullmatch(text):
        return ModelSpec("plugin", text)
    hint = "use pupil, hf:PATH_OR_ID or module:Class"
    if text and Path(text).expanduser().exists():
        hint = f"for a checkpoint folder write hf:{text}"
    raise SpecError(f"{spec!r} names no model", hint=hint)


def checkpoint_path(spec: str) -> Path | str:
    """Where the weights of a trainable model are: a folder, or a Hugging Face id.

    Raises:
        SpecError: the spec names no model, or one without weights (a plug-in).
        ModelError: the embedded weights are not there.
    """
    parsed = parse_model_spec(spec)
    if parsed.kind == "embedded":
        return _embedded(parsed.target)
    if parsed.kind == "plugin":
        raise SpecError(f"{spec!r} has no weights that could be trained", hint="use pupil or hf:PATH_OR_ID")
    path = Path(parsed.target).expanduser()
    return path if path.exists() else parsed.target


def load_model(spec: str, **options: Any) -> ChatModel:
    """Open a model. `options` go to `open_checkpoint` (`adapter`, `dtype`, `device`) or to the plug-in.

    Raises:
        SpecError: the spec names no model, or its plug-in cannot be imported.
        ModelError: the checkpoint cannot be loaded.
    """
    parsed = parse_model_spec(spec)
    if parsed.kind == "plugin":
        return _plugin(parsed.target, options)
    path = checkpoint_path(spec)
    try:
        from scotoma.models.checkpoint import open_checkpoint
        from scotoma.models.transformers import TransformersModel
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("scotoma"):
            raise
        raise ModelError(
            f"running a checkpoint needs {error.name}, which the bare install leaves out",
            hint="pip install 'scotoma[train]'",
        ) from error
    return TransformersModel(open_checkpoint(path, **options), name=str(parsed))


def _embedded(name: str) -> Path:
    folder = Path(__file__).parent / name
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"the embedded model {name!r} is not in this installation ({folder} holds no weights)",
            hint="install a release, or build it with python recipes/pupil.py",
        )
    return folder


def _plugin(target: str, options: dict[str, Any]) -> ChatModel:
    module, _, name = target.partition(":")
    try:
        factory = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise SpecError(
            f"cannot import {module!r}: {error}", hint="it must be installed or on PYTHONPATH"
        ) from error
    except AttributeError as error:
        raise SpecError(f"the module {module!r} has no {name!r}") from error
    if not callable(factory):
        raise SpecError(f"{target} is not callable", hint="name a class or a function that returns a model")
    try:
        model = factory(**options)
    except ScotomaError:
        raise
    except Exception as error:
        raise ModelError(f"{target} could not be started: {type(error).__name__}: {error}") from error
    if not callable(getattr(model, "answer", None)) or not isinstance(getattr(model, "name", None), str):
        raise SpecError(f"{target} gives no ChatModel", hint="it needs `name` and `answer(requests)`")
    return model  # type: ignore[no-any-return]
