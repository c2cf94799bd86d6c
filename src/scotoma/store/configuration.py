"""A YAML file and flags become one typed, frozen settings object, or one clear line per mistake.

class EvolveSettings(Settings):
    rounds: int = 2

settings = load_settings(EvolveSettings, "configs/pupil.yaml", {"rounds": 3, "discover.questions": None})
"""

from __future__ import annotations

import difflib
import inspect
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from scotoma.core import ConfigError


class Settings(BaseModel):
    """What every settings class derives from: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _at_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:  # there is no such user, or this one has no home
        raise ValueError(f"{path}: {error}") from error


HomePath = Annotated[Path, AfterValidator(_at_home)]
"""A path in a config: `~` is the home folder, as a shell has it."""

SettingsType = TypeVar("SettingsType", bound=Settings)


def load_settings(
    model: type[SettingsType], path: str | Path | None = None, overrides: Mapping[str, Any] | None = None
) -> SettingsType:
    """The settings in the YAML file at `path`, under `overrides` (dotted keys; None: flag not given).

    Raises:
        ConfigError: the file is missing, empty, no YAML or no mapping, or a key is unknown, missing or of
            the wrong type; the message names file, key and what was expected, one line for each mistake.
    """
    document = {} if path is None else read_yaml(Path(path))
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    for key, value in given.items():
        _put(document, key, value, Path(path) if path is not None else None)
    return checked(model, document, "" if path is None else f"{path}: ", tuple(given))


def checked(
    model: type[SettingsType], document: Mapping[str, Any], where_from: str = "", flags: Sequence[str] = ()
) -> SettingsType:
    """The settings in a document that came from somewhere (`configs/pupil.yaml: `), with these keys given as flags.

    Raises:
        ConfigError: see `load_settings`.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        lines, hint = [], None
        for mistake in error.errors():
            keys = [str(part) for part in mistake["loc"]]
            name = ".".join(keys)
            flag = next((_flag(key) for key in flags if f"{name}.".startswith(f"{key}.")), None)
            where = flag or f"{where_from}{name}"
            if mistake["type"] == "extra_forbidden":
                lines.append(f"{where}: unknown key")
                near = difflib.get_close_matches(keys[-1], _keys(model, keys[:-1]), n=1)
                hint = hint or (f"did you mean {near[0]!r}?" if near else None)
                if not near:
                    hint = hint or f"the keys there are {', '.join(_keys(model, keys[:-1]))}"
            elif mistake["type"] == "missing":
                lines.append(f"{where}: this key is required")
                hint = hint or "give it in a --config FILE, or on the command line (see --help)"
            elif mistake["type"] in ("model_type", "dict_type"):
                lines.append(f"{where}: expected `key: value` lines below it, not {mistake['input']!r}")
            elif mistake["type"] == "value_error":  # one of ours, which says what it is about
                lines.append(f"{where}: {mistake['msg'].removeprefix('Value error, ')}")
            else:
                lines.append(f"{where}: {_lower(mistake['msg'])}, not {mistake['input']!r}")
        raise ConfigError("\n".join(lines), hint=hint) from error


def _flag(key: str) -> str:
    """The flag that gives a key: named after it, without section and underscores; `judge.model` is --judge."""
    *section, last = key.split(".")
    return f"--{(section[-1] if last == 'model' and section else last).replace('_', '-')}"


def dotted(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values by dotted keys.

    >>> dotted({"discover": {"steps": 9}, "seed": 0})
    {'discover.steps': 9, 'seed': 0}
    """
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict) and value:
            flat |= dotted(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        ConfigError: the file is missing, unreadable, empty, no YAML or no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        near = _neighbours(path)
        hint = f"did you mean {near[0]}?" if near else "give the path of a YAML file"
        raise ConfigError(f"{path}: there is no such file", hint=hint) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"{path}: cannot be read: {reason}") from error
    try:
        document = yaml.load(text, Loader=_StrictLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        raise ConfigError(
            f"{path}{line}: not valid YAML: {getattr(error, 'problem', None) or error}"
        ) from error
    if document is None:
        raise ConfigError(f"{path}: the file is empty", hint="expected `key: value` lines")
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: expected `key: value` lines, found a {type(document).__name__}")
    return document


class _StrictLoader(yaml.SafeLoader):
    """PyYAML lets the second of two equal keys win in silence; `{{ name }}`, a placeholder, is a key in braces; and a
    date that no calendar has is no YAML error to it.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(
                    problem="a key must be a word; text that begins with a brace or a bracket needs quotes",
                    problem_mark=key_node.start_mark,
                )
            key = key_node.value
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key!r} is there twice", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:  # 2026-13-45 looks like a date
            raise yaml.MarkedYAMLError(
                problem=f"{node.value!r}: {error}; text needs quotes", problem_mark=node.start_mark
            ) from error


def _put(document: dict[str, Any], key: str, value: Any, path: Path | None) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        child = document.setdefault(parent, {})
        if not isinstance(child, dict):
            raise ConfigError(
                f"{path or 'flag ' + key}: {parent}: expected `key: value` lines, found {child!r}"
            )
        document = child
    document[last] = value


def _keys(model: type[BaseModel], parents: Sequence[str]) -> list[str]:
    """The keys that the settings below `parents` have."""
    for parent in parents:
        field = model.model_fields.get(parent)
        inner = None if field is None else _settings_in(field.annotation)
        if inner is None:
            # A number in a list, a key in a mapping or a branch of a union: stay with the model it holds.
            continue
        model = inner
    return list(model.model_fields)


def _settings_in(annotation: Any) -> type[BaseModel] | None:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in typing.get_args(annotation) if (found := _settings_in(part))), None)


def _neighbours(path: Path) -> list[str]:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return []
    return [str(path.with_name(name)) for name in difflib.get_close_matches(path.name, names, n=1)]


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
