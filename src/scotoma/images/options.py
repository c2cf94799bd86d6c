"""What can be said behind a `?` in an image spec: `folder:photos?near_duplicates=off&max_pixels=50000000`.

An option that is not known, or has a wrong value, is an error and never ignored: a misspelt `near_duplicate=off` would
otherwise change a run silently.

>>> read_options("near_duplicates=2", PictureOptions, "folder:x").near_duplicates
2
"""

from __future__ import annotations

import re
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from scotoma.core import SpecError
from scotoma.images.decoding import MAX_PIXELS
from scotoma.images.duplicates import DISTANCE
from scotoma.store.spec_options import given_options, unknown_option, written_options

_OPTIONS = re.compile(r"\?(\w+=[^?]*)$")
"""The options of a spec: its last `?` with a `name=` behind it. A pattern's `?` (`IMG_????.jpg`) has none."""

PILLOWS_LIMIT = 178_956_970
"""Pixels above which Pillow refuses a picture whatever we say."""


class PictureOptions(BaseModel):
    """Options of every finite source.

    `near_duplicates`: bits of 64 in which the hashes of near-copies may differ, 0 to 16, or `off`. `max_pixels`: larger
    pictures are skipped as `too large`. `licence`: of the pictures, where nothing nearer to them tells it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    near_duplicates: Annotated[
        Annotated[int, Field(ge=0, le=16)] | None,
        BeforeValidator(lambda value: None if value == "off" else value),
    ] = DISTANCE
    max_pixels: int = Field(default=MAX_PIXELS, ge=1, le=PILLOWS_LIMIT)
    licence: str = "unknown"


class FolderOptions(PictureOptions):
    """Options of `folder:`. `world`: a world of your own, `MODULE:CLASS`, that `facts.jsonl` may name: its code is run,
    so no file that came with the pictures decides that.
    """

    world: str | None = None


class StreamOptions(PictureOptions):
    """Options of sources that are read as a stream.

    `column`: which holds the pictures, where there are several. `shuffle`: how many rows are mixed at a time; 0 keeps
    the order as stored.
    """

    column: str | None = None
    shuffle: int = Field(default=256, ge=0)


class DatasetOptions(StreamOptions):
    """Options of `hf-dataset:`. `split`, `config` and `revision` are the dataset's own, as `load_dataset` has them."""

    split: str | None = None
    config: str | None = None
    revision: str | None = None


Options = TypeVar("Options", bound=PictureOptions)


def cut_options(spec: str) -> tuple[str, str]:
    """A spec without its options, and the options (without the `?`; empty where there are none)."""
    match = _OPTIONS.search(spec)
    return (spec[: match.start()], match[1]) if match else (spec, "")


def written(options: PictureOptions) -> str:
    """The options as they stand in a spec, those that are not as by default; empty where all are."""
    changed = options.model_dump(exclude_defaults=True)
    said = written_options({name: "off" if value is None else value for name, value in changed.items()})
    return f"?{said}" if said else ""


def read_options(text: str, kind: type[Options], spec: str) -> Options:
    """Read `name=value&name=value` (`store.spec_options`), the options of `spec`.

    Raises:
        SpecError: an option is unknown (the nearest is named), given twice, without a value, or of a wrong value.
    """
    values = given_options(text)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            raise unknown_option(name, kind.model_fields) from error
        raise SpecError(f"{spec!r}: {name}={values[name]} cannot be: {first['msg']}") from error
