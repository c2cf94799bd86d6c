"""Files that are either whole or not there, whatever happens while they are written.

A file is written beside its place, flushed to the disk and renamed over it; a reader, or a command resumed
after `kill -9` or a power cut, sees the old content or the new one and never half of either.

>>> import pathlib, tempfile
>>> path = pathlib.Path(tempfile.mkdtemp()) / "summary.json"
>>> write_durably(path, b"{}")
>>> path.read_bytes()
b'{}'
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scotoma.core import RunError, StorageError

_HINTS = {
    errno.ENOSPC: "the disk is full: free some space and run the same command again",
    errno.EDQUOT: "the disk quota is used up: free some space and run the same command again",
    errno.EFBIG: "the file may not grow any more: raise the limit and run the same command again",
    errno.EACCES: "no permission to write there: use a folder that is yours",
    errno.EPERM: "no permission to write there: use a folder that is yours",
    errno.EROFS: "the folder is read-only: use one that can be written",
}

_ROOM = 1 << 20
"""A disk with less than this much free, in bytes, is why a writer failed."""


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError` in the block into a `StorageError` that names `path` and says what to do."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(f"cannot write {path}: {reason}", hint=_HINTS.get(error.errno or 0)) from error


def write_durably(path: Path, data: bytes, *, flush: bool = True) -> None:
    """Put `data` at `path`, replacing what is there in one step. The parent folder is made if need be.

    `flush=False` leaves out the flush to the disk: safe against a killed process, not against a power cut.

    Raises:
        StorageError: the disk is full or the folder is read-only; what was at `path` is untouched.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            with partial.open("wb") as file:
                file.write(data)
                if flush:
                    file.flush()
                    os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        if flush:
            _flush_folder(path.parent)


def read_if_there(path: Path) -> bytes | None:
    """What was written at `path`, or None where nothing was.

    Raises:
        RunError: it is there, and cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from error


def replace_durably(path: Path, writer: Callable[[Path], None]) -> None:
    """Let `writer` make a file or folder at a temporary sibling, then move it to `path`, in place of the old.

    A folder cannot be swapped for another in one step; between the two steps the old one waits under the name
    that `recover` puts back.

    Raises:
        StorageError: the disk is full or the folder is read-only; what was at `path` is untouched.
    """
    partial, previous = _partial(path), _previous(path)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(partial)
        try:
            writer(partial)
            if not partial.exists():
                raise FileNotFoundError(errno.ENOENT, "the writer made nothing", str(partial))
            _flush_tree(partial)
        except Exception as error:
            # safetensors and torch report a full disk as errors of their own.
            full = not isinstance(error, OSError) and shutil.disk_usage(path.parent).free < _ROOM
            _remove(partial)
            if full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(partial)) from error
            raise
        if path.is_dir():
            _remove(previous)
            path.replace(previous)
        partial.replace(path)
        _flush_folder(path.parent)
        _remove(previous)


def recover(folder: Path) -> None:
    """Clear away what a killed writer left half-written below `folder`, and put back what it had moved aside."""
    with storage_errors(folder):
        for partial in sorted(folder.rglob(".*.partial")):
            _remove(partial)
        for previous in sorted(folder.rglob(".*.previous")):
            path = previous.with_name(previous.name[1 : -len(".previous")])
            if path.exists():
                _remove(previous)
            else:
                previous.replace(path)


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")


def _previous(path: Path) -> Path:
    return path.with_name(f".{path.name}.previous")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _flush_tree(path: Path) -> None:
    if path.is_dir():
        for child in path.iterdir():
            _flush_tree(child)
        _flush_folder(path)
    else:
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    # The rename itself lives in the folder, which has to reach the disk too.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
