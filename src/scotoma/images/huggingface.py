"""`hf-dataset:` and `webdataset:`: pictures of a Hugging Face dataset or of WebDataset tars, through `datasets`.

Nothing is loaded whole: what `save_to_disk` left is memory-mapped, everything else is streamed, from many shards in
turn, so that the first pictures of a split are a sample of the whole. Pictures are taken as encoded bytes, so that an
id is the hash of what the dataset holds. Class names become the attribute `label`.

    source = open_dataset("nateraw/kitti", DatasetOptions(split="train"))
    source = open_shards("shards/{0000..0009}.tar", StreamOptions())
"""

from __future__ import annotations

import difflib
import logging
import random
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import datasets
from datasets.utils.file_utils import xopen
from huggingface_hub import DatasetCard, constants

from scotoma.core import ImageError, SpecError, Tag
from scotoma.images.duplicates import Embedder
from scotoma.images.options import DatasetOptions, StreamOptions, written
from scotoma.images.pattern import matching, spelt_out
from scotoma.images.stream import Row, StreamSource

_LOG = logging.getLogger(__name__)
_LICENCES = ("licence", "license")
"""Columns that tell the licence of a row."""

_UNLABELLED = -1
"""How `datasets` writes that a row has no class, in the `test` split of many a benchmark."""

_OPEN_SHARDS = 16
"""Shards that are read at a time. Each holds a connection, and of parquet a row group: tens of megabytes of photos."""

_Shard = TypeVar("_Shard")
_Read = TypeVar("_Read")


@dataclass(frozen=True)
class _Columns:
    """Which columns are read: the pictures, the labels (a column for each attribute), the licence."""

    image: str
    labels: Mapping[str, str]
    licence: str | None
    classes: Mapping[str, Sequence[str]]
    """The names of a label column's classes, where its type has them."""


def open_dataset(target: str, options: DatasetOptions, embedder: Embedder | None = None) -> StreamSource:
    """A dataset: a folder that `save_to_disk` wrote, a parquet file, a folder that `load_dataset` understands, or the
    id of one on the hub. Rows of what `save_to_disk` wrote are shuffled fully; others come from many shards in turn and
    are mixed in a buffer.

    Raises:
        SpecError: there is no such dataset, split, config or column; or there are several and none is named.
        ImageError: the dataset cannot be read, or has no pictures.
    """
    place = f"hf-dataset:{target}"
    spec = place + written(options)
    data, split = _split(_load(target, options, spec), options.split, spec)
    columns = _columns(data, options.column, spec)
    licence = data.info.license or _card_licence(target)
    data = _encoded(data, columns)

    def rows(seed: int) -> Iterator[Row]:
        yield from _rows(_shuffled(data, options, seed), columns, licence, spec)

    return StreamSource(spec, rows, options, place=f"{place}[{split}]", embedder=embedder)


def open_shards(target: str, options: StreamOptions, embedder: Embedder | None = None) -> StreamSource:
    """Tars in WebDataset format, by a pattern (`pattern`) or as URLs. Rows come from many tars in turn, in an order
    that follows from the seed; a tar that breaks off is counted as `broken shard`, and what was read of it counts.

    Raises:
        ImageError: no file matches, or one that is named is not there.
    """
    place = f"webdataset:{target}"
    spec = place + written(options)
    shards = spelt_out(target) if "://" in target else [str(path) for path in matching(target, whole=True)]

    def rows(seed: int) -> Iterator[Row]:
        return _in_turn(shards, lambda shard: _shard(shard, options, spec), options, seed)

    return StreamSource(spec, rows, options, place=place, embedder=embedder)


def _shard(shard: str, options: StreamOptions, spec: str) -> Iterator[Row]:
    """The rows of one tar; a fault in it ends it and nothing else."""
    try:
        data = datasets.load_dataset(
            "webdataset", data_files={"train": [shard]}, split="train", streaming=True
        )
        columns = _columns(data, options.column, spec)
        for row in _encoded(data, columns):
            for one in _pictures(row, columns, None):
                yield Row(one.data, f"/{Path(shard).name}{one.name}", one.licence, one.attributes)
    except (SpecError, ImageError):
        raise
    except (
        Exception
    ) as error:  # tarfile, json, pyarrow and fsspec raise what they like on a damaged or missing tar
        _LOG.warning("%s cannot be read on: %s: %s", shard, type(error).__name__, error)
        yield Row(None, shard, fault="broken shard")


def _load(target: str, options: DatasetOptions, spec: str) -> Any:
    """The dataset, or the dict of its splits."""
    path = Path(target).expanduser()
    try:
        if (path / "state.json").is_file() or (path / "dataset_dict.json").is_file():
            return datasets.load_from_disk(str(path))
        if path.is_file():
            if path.suffix != ".parquet":
                raise SpecError(
                    f"{spec!r} names a file that is no parquet file",
                    hint="for tars write webdataset:TARS, for pictures glob:PATTERN",
                )
            return datasets.load_dataset("parquet", data_files=str(path), streaming=True)
        return datasets.load_dataset(
            str(path) if path.exists() else target,
            name=options.config,
            revision=options.revision,
            streaming=True,
        )
    except SpecError:
        raise
    except Exception as error:  # fsspec, pyarrow, yaml, the hub's client: each has its own
        raise _unreadable(target, path.exists(), spec, error) from error


def _unreadable(target: str, local: bool, spec: str, error: Exception) -> SpecError | ImageError:
    told = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if "config" in told.lower():
        return SpecError(f"{spec!r}: {told}", hint="say which with ?config=NAME")
    if local:
        return ImageError(f"cannot read the dataset {target}: {told}")
    hint = "check the id and the connection, or give a folder"
    if constants.HF_HUB_OFFLINE:
        hint = "HF_HUB_OFFLINE is set: unset it, or download the dataset first with `hf download`"
    return SpecError(f"{target!r} is neither here nor a dataset that could be fetched: {told}", hint=hint)


def _split(loaded: Any, wanted: str | None, spec: str) -> tuple[Any, str]:
    """The dataset's own split, and its name. Which one is never guessed."""
    if not isinstance(loaded, Mapping):
        own = str(loaded.split or "data")
        if wanted not in (None, own):
            raise SpecError(f"{spec!r}: there is no split {wanted!r}", hint=f"there is {own}")
        return loaded, own
    names = [str(name) for name in loaded]
    if wanted is None and len(names) == 1:
        return loaded[names[0]], names[0]
    if wanted is None:
        raise SpecError(f"{spec!r}: say which split with ?split=NAME", hint=f"there are {', '.join(names)}")
    if wanted not in names:
        near = difflib.get_close_matches(wanted, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
        raise SpecError(f"{spec!r}: there is no split {wanted!r}", hint=hint)
    return loaded[wanted], wanted


def _columns(data: Any, wanted: str | None, spec: str) -> _Columns:
    if (
        data.features is None
    ):  # known only after a look at the first rows; `datasets` has no public way to ask
        data = data._resolve_features()
    features: Mapping[str, Any] = data.features or {}
    pictures = [name for name, feature in features.items() if _holds_pictures(feature)]
    if wanted is not None and wanted not in features:
        near = difflib.get_close_matches(wanted, features, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(features)}"
        raise SpecError(f"{spec!r}: there is no column {wanted!r}", hint=hint)
    if wanted is not None and not (wanted in pictures or getattr(features[wanted], "dtype", "") == "binary"):
        raise SpecError(
            f"{spec!r}: the column {wanted!r} holds no pictures", hint=f"it holds {features[wanted]}"
        )
    if wanted is None and len(pictures) != 1:
        if not pictures:
            raise ImageError(
                f"{spec} has no column of pictures",
                hint=f"its columns are {', '.join(features)}; name one of bytes with ?column=NAME",
            )
        raise SpecError(
            f"{spec!r}: say which column with ?column=NAME", hint=f"there are {', '.join(pictures)}"
        )
    classes = {
        name: feature.names for name, feature in features.items() if isinstance(feature, datasets.ClassLabel)
    }
    labels = {name if len(classes) > 1 else "label": name for name in classes}
    labels = {attribute: name for attribute, name in labels.items() if re.fullmatch(r"\w+", attribute)}
    if "cls" in features and not labels:  # WebDataset's name for it, a plain number
        labels = {"label": "cls"}
    licence = next((name for name in _LICENCES if name in features), None)
    return _Columns(wanted or pictures[0], labels, licence, classes)


def _holds_pictures(feature: Any) -> bool:
    """A picture, a list of them, or what is one in a parquet file that nobody typed: a struct with `bytes`."""
    inner = getattr(feature, "feature", feature)
    return isinstance(inner, datasets.Image) or (isinstance(inner, Mapping) and "bytes" in inner)


def _encoded(data: Any, columns: _Columns) -> Any:
    """The dataset with the columns that are read alone, pictures as bytes."""
    feature = data.features[columns.image]
    names = [columns.image, *columns.labels.values(), *((columns.licence,) if columns.licence else ())]
    data = data.select_columns(names)
    if isinstance(feature, datasets.Image):
        return data.cast_column(columns.image, datasets.Image(decode=False))
    if isinstance(getattr(feature, "feature", None), datasets.Image):
        return data.cast_column(columns.image, datasets.List(datasets.Image(decode=False)))
    return data


def _shuffled(data: Any, options: StreamOptions, seed: int) -> Iterator[Mapping[str, Any]]:
    """The rows of a dataset on disk fully shuffled; of a stream from many shards in turn."""
    if isinstance(data, datasets.Dataset):
        # In memory is the order, not the data.
        yield from data.shuffle(seed=seed, keep_in_memory=True) if options.shuffle else data
        return
    shards = range(data.num_shards)
    yield from _in_turn(shards, lambda at: data.shard(num_shards=len(shards), index=at), options, seed)


def _in_turn(
    shards: Iterable[_Shard], read: Callable[[_Shard], Iterable[_Read]], options: StreamOptions, seed: int
) -> Iterator[_Read]:
    """What is read of the shards, one from each in turn; `_OPEN_SHARDS` at a time, and where one ends the next begins.

    Unshuffled they are read one after the other, as stored. `datasets` interleaves too, but a shard that breaks off
    takes the others with it there. What a shard holds is mixed by `StreamSource`, which mixes its split alone.
    """
    order = list(shards)
    if options.shuffle:
        random.Random(seed).shuffle(order)
    waiting = (iter(read(shard)) for shard in order)
    under_way = deque(islice(waiting, _OPEN_SHARDS if options.shuffle else 1))
    while under_way:
        shard = under_way.popleft()
        if (one := next(shard, None)) is None:
            under_way.extend(islice(waiting, 1))
        else:
            under_way.append(shard)
            yield one


def _rows(
    data: Iterable[Mapping[str, Any]], columns: _Columns, licence: str | None, spec: str
) -> Iterator[Row]:
    read = 0
    try:
        for row in data:
            read += 1
            yield from _pictures(row, columns, licence)
    except (
        Exception
    ) as error:  # a connection, a damaged parquet page: the libraries below have no common root
        raise ImageError(f"{spec} broke off after {read} rows: {type(error).__name__}: {error}") from error


def _pictures(row: Mapping[str, Any], columns: _Columns, licence: str | None) -> Iterator[Row]:
    """The pictures of one row of the dataset: one, or those of a list."""
    value = row[columns.image]
    told = row.get(columns.licence) if columns.licence else None
    labels: dict[str, Tag] = {
        attribute: _class(row[name], columns.classes.get(name))
        for attribute, name in columns.labels.items()
        if row[name] is not None and row[name] != _UNLABELLED
    }
    for one in value if isinstance(value, list) else [value]:
        data, name = _bytes(one)
        yield Row(data, f"/{name}" if name else "", str(told) if told else licence, labels)


def _class(value: Any, names: Sequence[str] | None) -> str:
    return names[value] if names is not None and isinstance(value, int) else str(value)


def _bytes(value: Any) -> tuple[bytes | None, str | None]:
    """The encoded picture and its file's name, as far as the row has them."""
    if isinstance(value, bytes):
        return value, None
    if not isinstance(value, Mapping):
        return None, None
    path = value.get("path")
    data = value.get("bytes")
    if data is None and path:
        try:
            with xopen(path, "rb") as file:
                data = file.read()
        except OSError:
            data = None
    return data, Path(path).name if path else None


def _card_licence(target: str) -> str | None:
    """The licence on the dataset's card, where there is one that can be read."""
    path = Path(target).expanduser()
    try:
        card = DatasetCard.load(path / "README.md" if path.exists() else target)
    except Exception:  # no card, no connection, no valid YAML: then the licence is simply not known
        return None
    licence = card.data.to_dict().get("license")
    return ", ".join(licence) if isinstance(licence, list) else licence
