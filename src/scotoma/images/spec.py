"""Image specs: one string says where images come from.

| spec                      | images                                                                             |
|---------------------------|------------------------------------------------------------------------------------|
| `worlds:NAME`             | rendered, with exact facts, without end                                            |
| `folder:PATH`             | the pictures below a folder                                                        |
| `glob:PATTERN`            | the files that a pattern matches: `glob:photos/**/*.jpg`                           |
| `hf-dataset:PATH_OR_ID`   | a Hugging Face dataset: saved by `save_to_disk`, a parquet file, a folder, the hub |
| `webdataset:TARS`         | tars in WebDataset format: `webdataset:shards/{0000..0009}.tar`, or URLs           |
| `MODULE:CLASS`            | your own `ImageSource`: a class made without arguments                             |

Options stand behind a `?` (`options`): `hf-dataset:mnist?split=train&column=image&near_duplicates=off`.

    source = open_images("worlds:shapes")
"""

from __future__ import annotations

import difflib
import inspect
from functools import partial
from pathlib import Path
from typing import cast

from scotoma.core import ConfigError, ImageError, ImageSource, SpecError, World
from scotoma.core.plugin import import_plugin, start_plugin
from scotoma.images.duplicates import Embedder
from scotoma.images.folder import FolderSource
from scotoma.images.options import (
    DatasetOptions,
    FolderOptions,
    PictureOptions,
    StreamOptions,
    cut_options,
    read_options,
)
from scotoma.images.pattern import open_pattern
from scotoma.images.plugin import PluginSource

WORLDS = {"shapes": "scotoma.images.worlds.shapes:ShapesWorld"}
"""The worlds that come with Scotoma. They are imported when they are asked for."""

_SCHEMES = ("worlds", "folder", "glob", "hf-dataset", "webdataset")
_KINDS = "worlds:NAME, folder:PATH, glob:PATTERN, hf-dataset:PATH_OR_ID, webdataset:TARS or MODULE:CLASS"


def open_images(spec: str, *, embedder: Embedder | None = None) -> ImageSource:
    """The image source that `spec` names. `embedder` finds near-copies by meaning, in sources of files and streams.

    Every finite source has `skipped` and `converted`, counters of what was left out or changed, and why.

    Raises:
        SpecError: it names nothing we can open, or has an option that is wrong; the message says what would be near.
        ImageError: the folder or the files are not there, or hold no pictures.
        ConfigError: it needs a library that the bare install leaves out.
    """
    place, said = cut_options(spec)
    kind, colon, name = place.partition(":")
    if not colon or not name:
        raise SpecError(f"{spec!r} is no image spec", hint=_suggestion(spec))
    if kind == "folder":
        options = read_options(said, FolderOptions, spec)
        world = partial(open_world, trusted=options.world, flag="folder:PATH?world=")
        return FolderSource(name, world=world, options=options, embedder=embedder)
    if kind == "glob":
        return open_pattern(name, read_options(said, PictureOptions, spec), embedder)
    if kind in ("hf-dataset", "webdataset"):
        return _rows_of(kind, name, said, spec, embedder)
    if said:
        raise SpecError(f"{spec!r} has options, and {kind}: takes none", hint=f"write {place}")
    if kind == "worlds":
        return _own_world(name)
    return _own_source(spec, kind, name)


def open_world(spec: str, *, trusted: str | None, flag: str) -> World:
    """The world that a file names, not the user: one of Scotoma's, or the one whose code the user told to run.

    Raises:
        SpecError: it is another's code, and not `trusted`: the hint says that `flag` would tell so; or no world.
    """
    if not spec.startswith("worlds:") and spec != trusted:
        raise SpecError(
            f"facts.jsonl names the world {spec!r}, whose code would be run",
            hint=f"if you trust it, say so: {flag}{spec}",
        )
    source = open_images(spec)
    if not isinstance(source, World):
        raise SpecError(f"facts.jsonl names {spec!r}, which is no world and cannot read facts")
    return source


def _rows_of(kind: str, name: str, said: str, spec: str, embedder: Embedder | None) -> ImageSource:
    try:
        from scotoma.images import huggingface
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("scotoma"):
            raise
        raise ConfigError(
            f"{kind}: needs {error.name}, which the bare install leaves out",
            hint="pip install 'scotoma[train]'",
        ) from error
    if kind == "webdataset":
        return huggingface.open_shards(name, read_options(said, StreamOptions, spec), embedder)
    return huggingface.open_dataset(name, read_options(said, DatasetOptions, spec), embedder)


def _own_world(name: str) -> ImageSource:
    if name not in WORLDS:
        near = difflib.get_close_matches(name, WORLDS, n=1)
        known = ", ".join(f"worlds:{known}" for known in WORLDS)
        raise SpecError(
            f"there is no world {name!r}",
            hint=f"did you mean worlds:{near[0]}?" if near else f"there is {known}",
        )
    source: ImageSource = start_plugin(WORLDS[name], ImageError)
    return source


def _own_source(spec: str, module: str, attribute: str) -> ImageSource:
    near = difflib.get_close_matches(module, _SCHEMES, n=1, cutoff=0.7)
    if near or "/" in module or not all(part.isidentifier() for part in (*module.split("."), attribute)):
        hint = f"did you mean {near[0]}:{attribute}?" if near else f"an image spec is {_KINDS}"
        raise SpecError(f"{spec!r} is no image spec", hint=hint)
    try:
        inspect.signature(import_plugin(spec)).bind()
    except ValueError:
        pass  # A builtin does not say what it needs.
    except TypeError as error:
        raise SpecError(
            f"{spec!r}: {attribute} cannot be made without arguments", hint="name a class that needs none"
        ) from error
    source = start_plugin(spec, ImageError)
    if not isinstance(getattr(source, "spec", None), str) or not callable(getattr(source, "images", None)):
        raise SpecError(
            f"{spec!r} is no image source: it needs `spec` and a method images(split, seed)",
            hint="see scotoma.core.ImageSource",
        )
    return source if isinstance(source, World) else PluginSource(spec, cast(ImageSource, source))


def _suggestion(spec: str) -> str:
    if spec and Path(spec).is_dir():
        return f"did you mean folder:{spec}?"
    if spec in WORLDS:
        return f"did you mean worlds:{spec}?"
    if any(character in spec for character in "*?["):
        return f"did you mean glob:{spec}?"
    return f"an image spec is {_KINDS}"
