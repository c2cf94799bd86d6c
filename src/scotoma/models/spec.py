"""A model named by one string, on the command line and in configs.

| spec | model |
|---|---|
| `pupil` | the embedded candidate, shipped with the package |
| `questioner` | the embedded questioner, shipped likewise |
| `hf:PATH_OR_ID` | a checkpoint folder, a LoRA folder, or a Hugging Face id, run in this process |
| `openai:MODEL@BASE_URL` | a model behind any OpenAI-compatible server; without `@BASE_URL` OpenAI's own |
| `module:Class` | your own `core.ChatModel`: an importable class or function, called without arguments |

`hf:` and `openai:` take options after a `?` (`scotoma.models.options`): `hf:PATH?dtype=bfloat16`,
`openai:gpt-5-mini?key_env=MY_KEY&max_usd=5&price_in=0.25&price_out=2`. Specs are read without importing torch.

>>> parse_model_spec("openai:pupil@http://localhost:8000/v1?concurrency=8").base_url
'http://localhost:8000/v1'
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from scotoma.core import ChatModel, ModelError, SpecError
from scotoma.core.plugin import import_plugin, start_plugin
from scotoma.models.options import CheckpointOptions, EndpointOptions, read_options, write_options
from scotoma.models.plugin import PluginModel

if TYPE_CHECKING:
    from scotoma.models.checkpoint import Checkpoint

OPENAI = "https://api.openai.com/v1"

EMBEDDED = ("pupil", "questioner")
"""Models whose weights travel with the package."""

_ADDRESS = re.compile(r"localhost.*|.+:\d+(/.*)?|[^/]+\.[^/]+/.*")
"""What looks like a server's address without its `http://`."""

_PLUGIN = re.compile(r"(?P<module>[A-Za-z_][\w.]*):(?P<name>[A-Za-z_]\w*)")


@dataclass(frozen=True)
class ModelSpec:
    """A spec, taken apart: `target` is the embedded model's name, the path or id, the model's name on its server, or
    `module:Class`. Written out again (`str`) it is the same spec; no spec ever holds a key.
    """

    kind: Literal["embedded", "hf", "openai", "plugin"]
    target: str
    base_url: str | None = None
    options: CheckpointOptions | EndpointOptions | None = None

    def __str__(self) -> str:
        text = f"{self.kind}:{self.target}" if self.kind in ("hf", "openai") else self.target
        if self.base_url is not None:
            text += f"@{self.base_url}"
        written = write_options(self.options) if self.options is not None else ""
        return f"{text}?{written}" if written else text

    @property
    def served(self) -> EndpointOptions:
        """The options of an endpoint's spec; the defaults where it has none."""
        return self.options if isinstance(self.options, EndpointOptions) else EndpointOptions()


def server_of(base_url: str | None) -> str:
    """The base URL that requests go to: the one given, else OPENAI_BASE_URL, else OpenAI's own."""
    return (base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI).rstrip("/")


def same_model(one: str, other: str) -> bool:
    """Whether two specs name the same model, options and ways of writing aside: nobody judges or teaches himself.

    A checkpoint is the same where a server has it under its id or path; by another name it cannot be told.

    >>> same_model("openai:m@http://host/v1/?timeout=9", "openai:m@http://host/v1")
    True
    >>> same_model("openai:owner/m@http://host/v1", "hf:owner/m")
    True

    Raises:
        SpecError: one of them names no kind of model.
    """
    # Without their options: they change how a model is asked, not which it is.
    a, b = (parse_model_spec(text.partition("?")[0]) for text in (one, other))
    if a.kind == b.kind == "openai":
        return (a.target, server_of(a.base_url).lower()) == (b.target, server_of(b.base_url).lower())
    if "plugin" in (a.kind, b.kind):
        return a == b
    return _weights(a) == _weights(b)


def _weights(spec: ModelSpec) -> str:
    """Where a model's weights are, as far as its spec says: a folder of this machine, or an id."""
    if spec.kind == "embedded":
        return str(_folder(spec.target))
    path = Path(spec.target).expanduser()
    return str(path.resolve()) if path.exists() else spec.target


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
        return _checkpoint_spec(rest)
    if scheme == "openai":
        return _endpoint_spec(rest)
    if _PLUGIN.fullmatch(text):
        return ModelSpec("plugin", text)
    hint = "use pupil, hf:PATH_OR_ID, openai:MODEL@BASE_URL or module:Class"
    if text and Path(text).expanduser().exists():
        hint = f"for a checkpoint folder write hf:{text}"
    raise SpecError(f"{spec!r} names no model", hint=hint)


def _checkpoint_spec(text: str) -> ModelSpec:
    target, _, options = text.partition("?")
    if not target:
        raise SpecError(
            f"the model spec {'hf:' + text!r} names no checkpoint", hint="write hf:PATH or hf:OWNER/NAME"
        )
    return ModelSpec("hf", target, options=read_options(CheckpointOptions, options) if options else None)


def _endpoint_spec(text: str) -> ModelSpec:
    """`MODEL@BASE_URL?options`. A model's own name may hold an @ (`claude@20250929`): the server is a URL."""
    where, _, options = text.partition("?")
    model, at, url = where, "", None
    if (found := re.search(r"@(?=[A-Za-z][\w+.-]*://)", where)) is not None:
        model, at, url = where[: found.start()], "@", where[found.end() :]
    elif _ADDRESS.fullmatch(tail := where.rpartition("@")[2]) and "@" in where:
        raise SpecError(f"{tail!r} is no base URL", hint=f"write openai:MODEL@http://{tail}")
    if not model:
        raise SpecError("the model spec names no model on its server", hint="write openai:MODEL@BASE_URL")
    if at:
        url = _base_url(url or "")
    return ModelSpec("openai", model, url, read_options(EndpointOptions, options) if options else None)


def _base_url(url: str) -> str:
    """The URL without a slash at its end; never repeated in an error, as it may hold a password."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SpecError("the base URL of the endpoint is no http:// or https:// address")
    if parts.username is not None or parts.password is not None:
        raise SpecError(
            "the base URL of the endpoint holds a name or password",
            hint="put the key into an environment variable and name it with ?key_env=NAME",
        )
    return url.rstrip("/")


def trained(spec: str, folder: Path) -> str:
    """The spec of weights in `folder` that were trained from those of `spec`: opened with the same options, so that
    both are asked alike, but for an adapter and a chat template, which are in the folder now.

    >>> trained("hf:my/model?dtype=bfloat16&adapter=mine", Path("policy"))
    'hf:policy?dtype=bfloat16'

    Raises:
        SpecError: the string names no kind of model.
    """
    options = parse_model_spec(spec).options
    if isinstance(options, CheckpointOptions):
        kept = options.model_fields_set - {"adapter", "chat_template"}
        options = CheckpointOptions.model_validate(options.model_dump(include=kept))
    return str(ModelSpec("hf", str(folder), options=options))


def checkpoint_path(spec: str) -> Path | str:
    """Where the weights of a trainable model are: a folder, or a Hugging Face id.

    Raises:
        SpecError: the spec names no model, one without weights (a plug-in, an endpoint), or one with options that make
            other weights of those in the folder.
        ModelError: the embedded weights are not there.
    """
    parsed = parse_model_spec(spec)
    if parsed.kind == "embedded":
        return _embedded(parsed.target)
    if parsed.kind in ("plugin", "openai"):
        raise SpecError(f"{parsed} has no weights that could be trained", hint="use pupil or hf:PATH_OR_ID")
    if isinstance(parsed.options, CheckpointOptions) and parsed.options.adapter is not None:
        raise SpecError(
            f"{parsed} cannot be trained as it stands: an adapter is no checkpoint",
            hint=f"name the adapter's own folder, which knows its base: hf:{parsed.options.adapter}",
        )
    return _source(parsed.target)


def open_weights(spec: str, **options: Any) -> Checkpoint:
    """Open the weights that a spec names, for training, with the spec's own options; `options` go before those.

    Raises:
        SpecError, ModelError: as `checkpoint_path` and `open_checkpoint` have it.
    """
    from scotoma.models.checkpoint import open_checkpoint

    source, chosen = checkpoint_path(spec), parse_model_spec(spec).options
    given = chosen.model_dump(include=chosen.model_fields_set - {"token_budget"}) if chosen else {}
    return open_checkpoint(source, **given | options)


def load_model(spec: str, **options: Any) -> ChatModel:
    """Open a model. `options` go before those of the spec: to `open_checkpoint` (`adapter`, `dtype`, `device` …), to
    `EndpointOptions`, or to the plug-in.

    Raises:
        SpecError: the spec names no model, or its plug-in cannot be imported.
        ModelError: the checkpoint cannot be loaded, or a hosted server's key is not in the environment.
        StorageError: an endpoint's response cache cannot be used.
    """
    parsed = parse_model_spec(spec)
    if parsed.kind == "plugin":
        return _plugin(parsed.target, options)
    given = parsed.options.model_dump(include=parsed.options.model_fields_set) if parsed.options else {}
    if parsed.kind == "openai":
        return _endpoint(parsed, given | options)
    return _checkpoint(parsed, given | options)


def check_model(spec: str) -> None:
    """Refuse a model that cannot be opened, before any work, by what can be looked at fast: an endpoint's key, whether
    a plug-in can be imported, the folder and config of a checkpoint, its adapter and chat template. No weight is read.

    Raises:
        SpecError, ModelError, StorageError: see `load_model`.
    """
    parsed = parse_model_spec(spec)
    if parsed.kind == "plugin":
        import_plugin(parsed.target)
        return
    if parsed.kind == "openai":
        load_model(spec)
        return
    if isinstance(parsed.options, CheckpointOptions):
        for name in ("adapter", "chat_template"):
            told = getattr(parsed.options, name)
            if told is not None and not Path(told).expanduser().exists():
                raise ModelError(f"the {name} {told} of {parsed} does not exist", hint="give the path of one")
    try:
        from scotoma.models.checkpoint import check_checkpoint
    except ModuleNotFoundError as error:
        raise _left_out(error) from error
    check_checkpoint(_embedded(parsed.target) if parsed.kind == "embedded" else _source(parsed.target))


def _endpoint(parsed: ModelSpec, options: dict[str, Any]) -> ChatModel:
    # aiohttp takes its time to import: only those who ask an endpoint wait for it.
    from scotoma.models.endpoint import EndpointModel

    return EndpointModel(parsed.target, parsed.base_url, EndpointOptions.model_validate(options))


def _checkpoint(parsed: ModelSpec, options: dict[str, Any]) -> ChatModel:
    if parsed.kind == "embedded":
        path: Path | str = _embedded(parsed.target)
    else:
        path = _source(parsed.target)
    try:
        from scotoma.models.checkpoint import open_checkpoint
        from scotoma.models.transformers import TransformersModel
    except ModuleNotFoundError as error:
        raise _left_out(error) from error
    own = {name: options.pop(name) for name in ("token_budget",) if name in options}
    return TransformersModel(open_checkpoint(path, **options), name=str(parsed), **own)


def _left_out(error: ModuleNotFoundError) -> Exception:
    """What to tell of a package that is not there; of one of our own modules, the error itself."""
    if (error.name or "").startswith("scotoma"):
        return error
    return ModelError(
        f"running a checkpoint needs {error.name}, which the bare install leaves out",
        hint="pip install 'scotoma[train]'",
    )


def is_folder(target: str) -> bool:
    """Whether this names a place on disk, which need not be there; a Hugging Face id is `name` or `owner/name`.

    >>> is_folder("./mine"), is_folder("owner/name")
    (True, False)
    """
    return Path(target).expanduser().exists() or target.startswith((".", "/", "~")) or target.count("/") > 1


def _source(target: str) -> Path | str:
    path = Path(target).expanduser()
    return path if path.exists() else target


def _embedded(name: str) -> Path:
    folder = _folder(name)
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"the embedded model {name!r} is not in this installation ({folder} holds no weights)",
            hint="install a release, or build it with python recipes/pupil.py",
        )
    return folder


def _folder(name: str) -> Path:
    return Path(__file__).resolve().parent / name


def _plugin(target: str, options: dict[str, Any]) -> ChatModel:
    model = start_plugin(target, ModelError, **options)
    if not callable(getattr(model, "answer", None)) or not isinstance(getattr(model, "name", None), str):
        raise SpecError(f"{target} gives no ChatModel", hint="it needs `name` and `answer(requests)`")
    return PluginModel(target, model)
