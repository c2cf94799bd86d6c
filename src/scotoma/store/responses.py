"""Replies that were paid for, kept across runs: one SQLite file that any number of processes share.

The key is a hash over everything that the reply depends on, the images by their bytes; only good replies are kept. Each
is on disk before it is used, so a run that was killed and is started again pays for nothing twice. Without a cache that
can be written the money would be lost in silence: that is an error, with the way out in its hint.

    cache = ResponseCache.open(default_cache())
    key = response_key("gpt-5-mini", "https://api.openai.com/v1", request)
    cache.get([key])  # {} or {key: Reply(…)}
    cache.put(key, "gpt-5-mini", reply)
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scotoma.core import Reply, Request, StorageError

CACHE_VERSION = 1
"""Raised when the table or the meaning of a key changes; a file of another version is refused."""

_TABLE = """CREATE TABLE IF NOT EXISTS responses (
    key TEXT NOT NULL PRIMARY KEY, model TEXT NOT NULL, text TEXT NOT NULL, tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL, latency REAL NOT NULL) WITHOUT ROWID"""

_AT_ONCE = 500
"""Keys looked up by one statement."""

_PATIENCE = 30.0
"""Seconds that other processes may hold the file."""


def default_cache() -> Path:
    """`$SCOTOMA_CACHE` if it is set, else `~/.cache/scotoma/responses.sqlite`."""
    named = os.environ.get("SCOTOMA_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "scotoma" / "responses.sqlite"


def response_key(
    model: str, base_url: str, request: Request, extra: Mapping[str, str | int] | None = None
) -> str:
    """SHA-256 (hex) over the images' ids, text, history, sampling, model and base URL, and whatever else (`extra`) the
    reply depends on.
    """
    document = [
        CACHE_VERSION,
        base_url,
        model,
        [record.id for record in request.images],
        request.text,
        [[turn.role, turn.text] for turn in request.history],
        vars(request.sampling),  # `asdict` copies deeply, which takes longer than the hash
        dict(extra or {}),
    ]
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


class ResponseCache:
    """Safe for several processes (SQLite's write-ahead log) and threads (one lock)."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: Path) -> ResponseCache:
        """Open the file, making it and its folder if they are not there.

        Raises:
            StorageError: it cannot be written, is damaged, or is of another version.
        """
        with _cache_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                path, isolation_level=None, timeout=_PATIENCE, check_same_thread=False
            )
            try:
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                if version not in (0, CACHE_VERSION):
                    raise StorageError(
                        f"the response cache {path} is of version {version}, this Scotoma reads {CACHE_VERSION}",
                        hint="name another file in SCOTOMA_CACHE",
                    )
                _write_ahead(connection)
                # What was committed survives a killed process; only a power cut could take the last replies.
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute(_TABLE)
                connection.execute(f"PRAGMA user_version = {CACHE_VERSION}")
            except BaseException:
                connection.close()
                raise
        return cls(path, connection)

    def get(self, keys: Sequence[str]) -> dict[str, Reply]:
        """The replies that are there.

        Raises:
            StorageError: the file is damaged.
        """
        found: dict[str, Reply] = {}
        with _cache_errors(self.path), self._lock:
            for start in range(0, len(keys), _AT_ONCE):
                some = keys[start : start + _AT_ONCE]
                marks = ",".join("?" * len(some))
                rows = self._connection.execute(
                    f"SELECT key, text, tokens_in, tokens_out, latency FROM responses WHERE key IN ({marks})",
                    some,
                )
                for key, text, tokens_in, tokens_out, latency in rows:
                    found[key] = Reply(text, tokens_in, tokens_out, latency)
        return found

    def put(self, key: str, model: str, reply: Reply) -> None:
        """Keep a good reply; it is on disk when this returns. `model` is for people who look into the file.

        Raises:
            ValueError: the reply is an error.
            StorageError: the disk is full, or the file damaged.
        """
        if reply.error is not None:
            raise ValueError("only good replies are kept")
        row: tuple[Any, ...] = (key, model, reply.text, reply.tokens_in, reply.tokens_out, reply.latency)
        with _cache_errors(self.path), self._lock:
            self._connection.execute("INSERT OR REPLACE INTO responses VALUES (?, ?, ?, ?, ?, ?)", row)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _write_ahead(connection: sqlite3.Connection) -> None:
    """SQLite does not wait for others at this one change, whatever its timeout: of processes that start together all
    but one would fail."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)


@contextmanager
def _cache_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StorageError(
            f"the response cache {path} cannot be used: {error}",
            hint="it is a folder: name a file in SCOTOMA_CACHE"
            if path.is_dir()
            else "name another file in SCOTOMA_CACHE, delete this one, or go without: ?cache=off",
        ) from error
