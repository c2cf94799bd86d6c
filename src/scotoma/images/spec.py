"""Image specs: one string says where images come from.

| spec              | images                                                  |
|-------------------|---------------------------------------------------------|
| `worlds:NAME`     | rendered, with exact facts, without end                 |
| `folder:PATH`     | the pictures below a folder                             |
| `MODULE:CLASS`    | your own `ImageSource`: a class made without arguments  |

    source = open_images("worlds:shapes")
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable
from pathlib import Path

from scotoma.core import ImageSource, SpecError, World
from scotoma.images.folder import FolderSource

WORLDS = {"shapes": "scotoma.images.worlds.shapes:ShapesWorld"}
"""The worlds that come with Scotoma. They are imported when they are asked for."""

_KINDS = "worlds:NAME, folder:PATH or MODULE:CLASS"


def open_images(spec: str) -> ImageSource:
    """The image source that `spec` names.

    Raises:
        SpecError: it names nothing we can open; the message says what is meant, or what would be near.
        ImageError: the folder is not there, or holds no pictures.
    """
    kind, colon, name = spec.partition(":")
    if not colon or not name:
        raise SpecError(f"{spec!r} is no image spec", hint=_suggestion(spec))
    if kind == "worlds":
        return _own_world(name)
    if kind == "folder":
        return FolderSource(name, world=_open_world)
    return _own_source(spec, kind, name)


def _own_world(name: str) -> ImageSource:
    if name not in WORLDS:
        near = difflib.get_close_matches(name, WORLDS, n=1)
        known = ", ".join(f"worlds:{known}" for known in WORLDS)
        raise SpecError(
            f"there is no world {name!r}",
            hint=f"did you mean worlds:{near[0]}?" if near else f"there is {known}",
        )
    module, _, attribute = WORLDS[name].partition(":")
    source: ImageSource = _factory(WORLDS[name], module, attribute)()
    return source


def _open_world(spec: str) -> World:
    """The world that a folder's `facts.jsonl` names."""
    source = open_images(spec)
    if not isinstance(source, World):
        raise SpecError(f"facts.jsonl names {spec!r}, which is no world and cannot read facts")
    return source


def _own_source(spec: str, module: str, attribute: str) -> ImageSource:
    near = difflib.get_close_matches(module, ("worlds", "folder"), n=1, cutoff=0.7)
    if near or "/" in module or not all(part.isidentifier() for part in (*module.split("."), attribute)):
        hint = f"did you mean {near[0]}:{attribute}?" if near else f"an image spec is {_KINDS}"
        raise SpecError(f"{spec!r} is no image spec", hint=hint)
    source = _factory(spec, module, attribute)()
    if not callable(getattr(source, "images", None)):
        raise SpecError(
            f"{spec!r} is no image source: it has no method images(split, seed)",
            hint="see scotoma.core.ImageSource",
        )
    return source


def _factory(spec: str, module: str, attribute: str) -> Callable[[], ImageSource]:
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise SpecError(
            f"{spec!r}: there is no module {error.name!r}", hint="is it installed, or on PYTHONPATH?"
        ) from error
    found = getattr(loaded, attribute, None)
    if found is None:
        names = [name for name, _ in inspect.getmembers(loaded, inspect.isclass)]
        near = difflib.get_close_matches(attribute, names, n=1)
        raise SpecError(
            f"{spec!r}: {module} has no {attribute!r}", hint=f"did you mean {near[0]!r}?" if near else None
        )
    try:
        inspect.signature(found).bind()
    except ValueError:
        pass  # A builtin does not say what it needs.
    except TypeError as error:
        raise SpecError(
            f"{spec!r}: {attribute} cannot be made without arguments", hint="name a class that needs none"
        ) from error
    factory: Callable[[], ImageSource] = found
    return factory


def _suggestion(spec: str) -> str:
    if spec and Path(spec).is_dir():
        return f"did you mean folder:{spec}?"
    if spec in WORLDS:
        return f"did you mean worlds:{spec}?"
    return f"an image spec is {_KINDS}"
