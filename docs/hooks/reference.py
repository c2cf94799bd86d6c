"""The generated parts of the site: commands, settings, `summary.json`, exit codes and so on, read off the code.

A page says where a part goes: `<!-- generated: settings -->`. MkDocs calls `on_page_markdown` for each page.

>>> "--candidate" in fill("<!-- generated: command line -->", "a test")
True
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import annotated_types
import griffe
import typer.main
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from scotoma.cli.app import app
from scotoma.core import Rate, ScotomaError
from scotoma.diagnose.mixture import TargetedMixture
from scotoma.diagnose.subgroups import ModeSearch
from scotoma.discover import settings as discovery
from scotoma.discover.reward import RewardTerms
from scotoma.evolve import settings as evolution
from scotoma.evolve.compare import CompareSettings
from scotoma.generate import settings as generation
from scotoma.images.options import DatasetOptions, PictureOptions, StreamOptions
from scotoma.models.options import CheckpointOptions, EndpointOptions
from scotoma.report.export.export import FORMS
from scotoma.store.summary import Summary

SETTINGS: dict[type[BaseModel], str] = {
    discovery.DiscoverySettings: "",
    evolution.EvolveSettings: "",
    CompareSettings: "",
    discovery.DiscoverSettings: "discover",
    RewardTerms: "discover.reward",
    ModeSearch: "discover.search",
    discovery.ConfirmSettings: "confirm",
    discovery.JudgeSettings: "judge",
    discovery.AnswerSettings: "answers",
    discovery.TaggingSettings: "tagging",
    evolution.RepairSettings: "repair",
    TargetedMixture: "repair.mixture",
    evolution.TestSettings: "test",
    generation.GenerateSettings: "generate",
    generation.SearchSettings: "generate.search",
    generation.EditSettings: "generate.edit",
    generation.CheckSettings: "generate.checks",
}
"""Every settings class of a config file, with the key that it stands under."""

_PLACE = re.compile(r"^<!-- generated: (?P<part>[\w -]+) -->$", re.MULTILINE)
_BOUNDS = {
    annotated_types.Ge: ("ge", "≥"),
    annotated_types.Gt: ("gt", ">"),
    annotated_types.Le: ("le", "≤"),
    annotated_types.Lt: ("lt", "<"),
}


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:
    """MkDocs' event: fill the page's places."""
    return fill(markdown, page.file.src_uri)


def fill(markdown: str, where: str) -> str:
    """The page with its generated parts.

    Raises:
        KeyError: it asks for a part that nobody makes.
    """

    def part(place: re.Match[str]) -> str:
        if place["part"] not in PARTS:
            raise KeyError(f"{where}: nobody generates {place['part']!r}; there are {', '.join(PARTS)}")
        return "\n".join(PARTS[place["part"]]())

    return _PLACE.sub(part, markdown)


def command_line() -> Iterator[str]:
    """Every command: what it does, its arguments and its options, as `--help` has them."""
    yield from _commands(typer.main.get_command(app), "scotoma")


def _commands(command: Any, name: str) -> Iterator[str]:
    inner = getattr(command, "commands", {})
    if not inner:
        yield f"## `{name}`\n"
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        yield f"    {' '.join([name, *(one.metavar for one in arguments), '[OPTIONS]'])}\n"
        yield inspect.cleandoc(command.help or "") + "\n"
        yield "| option | type | default | meaning |"
        yield "|---|---|---|---|"
        types_of = typing.get_type_hints(command.callback)
        for one in command.params:
            spelt = [one.metavar] if one in arguments else one.opts
            kind = _written(types_of[one.name], flag=True)
            default = "**required**" if one.required else _plain_default(one.default)
            cells = (
                ", ".join(f"`{name}`" for name in spelt),
                kind,
                default,
                getattr(one, "help", None) or "",
            )
            yield f"| {' | '.join(map(_cell, cells))} |"
        yield ""
    for word, nested in inner.items():
        yield from _commands(nested, f"{name} {word}")


def _plain_default(value: object) -> str:
    value = value.value if isinstance(value, Enum) else value
    return "" if value is None or value is False or callable(value) or value == () else f"`{value}`"


def settings() -> Iterator[str]:
    """Every key of a config file."""
    for model, key in SETTINGS.items():
        yield f"## `{key}`\n" if key else f"## Top level: `{model.__name__}`\n"
        yield from _fields_of(model, key)


def options(*models: type[BaseModel]) -> Callable[[], Iterator[str]]:
    """The options that may stand behind the `?` of a spec."""

    def rows() -> Iterator[str]:
        for model in models:
            yield from _fields_of(model, "")

    return rows


def _fields_of(model: type[BaseModel], key: str) -> Iterator[str]:
    prose, meanings = _docstring(model)
    yield prose + "\n"
    inherited = [
        base for base in model.__mro__[1:] if base in SETTINGS or base in (PictureOptions, StreamOptions)
    ]
    if inherited:
        yield f"All keys of {f'`{inherited[0].__name__}`' if inherited[0] in SETTINGS else 'the table above'}, and:\n"
    told = any(meanings.get(name) for name in model.model_fields)
    yield "| key | type | default |" + (" meaning |" if told else "")
    yield "|---|---|---|" + ("---|" if told else "")
    for name, field in model.model_fields.items():
        if inherited and name in inherited[0].model_fields:
            continue
        nested = next((inner for inner in _models_in(field.annotation) if inner in SETTINGS), None)
        kind = f"[see below](#{SETTINGS[nested].replace('.', '')})" if nested else _kind(field)
        default = "" if nested or field.is_required() else _default(field)
        row = f"| `{key + '.' if key else ''}{name}` | {kind} | {default} |"
        yield row + (f" {_cell(meanings.get(name, ''))} |" if told else "")
    yield ""


def _docstring(model: type[BaseModel]) -> tuple[str, dict[str, str]]:
    """The prose of a class's docstring, and what it says of each attribute."""
    parsed = griffe.Docstring(inspect.getdoc(model) or "", lineno=1).parse("google", warnings=False)
    prose = [section.value for section in parsed if section.kind is griffe.DocstringSectionKind.text]
    meanings = {
        name.strip(): attribute.description
        for section in parsed
        if section.kind is griffe.DocstringSectionKind.attributes
        for attribute in section.value
        for name in _names(attribute)
    }
    return "\n\n".join(prose), meanings


def _names(attribute: Any) -> list[str]:
    """The keys that a line of `Attributes` is about: griffe reads "beta, temperature: …" as the name "beta," and the
    type "temperature".
    """
    written = attribute.name + (str(attribute.annotation) if attribute.name.endswith(",") else "")
    return [name.strip() for name in written.split(",")]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models_in(part)


def _kind(field: FieldInfo) -> str:
    bounds = [
        f"{sign} {getattr(bound, name):,}"
        for bound in (*field.metadata, *_inner_metadata(field.annotation))
        for kind, (name, sign) in _BOUNDS.items()
        if isinstance(bound, kind)
    ]
    return _cell(", ".join([_written(field.annotation), *bounds]))


def _inner_metadata(annotation: Any) -> Iterator[Any]:
    for part in typing.get_args(annotation):
        yield from getattr(part, "__metadata__", ())


def _written(annotation: Any, flag: bool = False) -> str:
    """A type in words; `flag`: of a command, where a truth value needs no value."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _written(inner[0])
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_written(part, flag) for part in inner if part is not type(None))
    if annotation is bool and flag:
        return "flag"
    if origin in (tuple, list, frozenset):
        parts = [part for part in inner if part is not Ellipsis]
        return (
            f"{len(parts)} of: {_written(parts[0])}" if len(parts) > 1 else f"list of: {_written(parts[0])}"
        )
    if origin is dict:
        return f"{_written(inner[0])} → {_written(inner[1])}"
    words = {int: "whole number", float: "number", str: "text", bool: "`true`, `false`"}
    return words.get(annotation, getattr(annotation, "__name__", str(annotation)).lower())


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple | frozenset):
        return ", ".join(f"`{one}`" for one in value) or "empty"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def summary() -> Iterator[str]:
    """Every key of `summary.json`, nested ones below their parents."""
    yield from _keys_of(Summary, "The whole file", set())


def _keys_of(model: type[BaseModel], title: str, met: set[type[BaseModel]]) -> Iterator[str]:
    met.add(model)
    yield f"## {title}\n"
    yield _docstring(model)[0] + "\n"
    yield "| key | type | meaning |"
    yield "|---|---|---|"
    nested: list[tuple[type[BaseModel], str]] = []
    for name, field in model.model_fields.items():
        key = field.alias or name
        inner = next(_models_in(field.annotation), None)
        nullable = type(None) in typing.get_args(field.annotation)
        kind = _written(field.annotation)
        if inner is not None:
            kind = kind.replace(inner.__name__.lower(), "rate" if inner is Rate else "object")
            if inner is not Rate and inner not in met:
                nested.append((inner, key))
        yield f"| `{key}` | {_cell(kind)}{' or null' if nullable else ''} | {_cell(field.description or '')} |"
    yield ""
    for inner, key in nested:
        if inner not in met:
            yield from _keys_of(inner, f"`{key}`", met)


def exit_codes() -> Iterator[str]:
    """What a command returns, by the errors that lead there."""
    found: dict[int, list[type[ScotomaError]]] = {}
    pending: list[type[ScotomaError]] = [ScotomaError]
    while pending:
        kind = pending.pop(0)
        found.setdefault(kind.exit_code, []).append(kind)
        pending += kind.__subclasses__()
    yield "| code | error | when |"
    yield "|---|---|---|"
    yield "| 0 | | everything went well |"
    for code, kinds in sorted(found.items()):
        for kind in kinds:
            told = "any other error of Scotoma" if kind is ScotomaError else _docstring_line(kind)
            yield f"| {code} | `{kind.__name__}` | {_cell(told)} |"


def _docstring_line(kind: type) -> str:
    return (inspect.getdoc(kind) or "").partition("\n\n")[0]


def export_formats() -> Iterator[str]:
    """The formats of `scotoma export`."""
    yield "| format | what is written |"
    yield "|---|---|"
    for form in FORMS.values():
        yield f"| `{form.name}` | {_cell(form.about)} |"


def families() -> Iterator[str]:
    """The README's table of model families, which `tests/test_families.py` holds to its tests."""
    readme = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")
    yield readme.partition("<!-- families -->\n")[2].partition("\n<!-- /families -->")[0]


def _cell(text: str) -> str:
    """Text for one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


PARTS: dict[str, Callable[[], Iterator[str]]] = {
    "command line": command_line,
    "settings": settings,
    "summary": summary,
    "exit codes": exit_codes,
    "export formats": export_formats,
    "families": families,
    "checkpoint options": options(CheckpointOptions),
    "endpoint options": options(EndpointOptions),
    "picture options": options(PictureOptions, StreamOptions, DatasetOptions),
}
"""What can be asked for, and who makes it."""
