"""One process at a time works in a run directory; the second is told which process holds it.

The lock is the kernel's (`flock`), so it goes with the process however that ends, `kill -9` included: there
is never a stale lock file to delete.

    with RunLock(path / "lock"):
        ...
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from scotoma.core import RunLocked
from scotoma.store.durable import storage_errors

_HELD: set[RunLock] = set()


class RunLock:
    """An exclusive lock on a file, held from construction to `release`.

    Raises:
        RunLocked: another process holds it.
        StorageError: the lock file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        import fcntl  # not on Windows, where runs can still be read

        self.path = path
        self._descriptor: int | None = None
        with storage_errors(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise RunLocked(
                f"another process{f' (pid {holder})' if holder else ''} is working in {path.parent}",
                hint="wait for it, stop it, or use another folder",
            ) from error
        with storage_errors(path):
            try:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            except OSError:
                os.close(descriptor)
                raise
        self._descriptor = descriptor
        _HELD.add(self)

    def release(self) -> None:
        """Let go. The file stays: deleting it would let two later processes lock two different files."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            _HELD.discard(self)

    def __enter__(self) -> RunLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _release_in_child() -> None:
    # A forked worker shares the lock; if it outlived a killed parent, nobody could resume the run.
    for lock in list(_HELD):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_in_child)
