"""The SQLite file under a ledger: its tables, how it is opened to write or to read, and what its errors mean.

connection = connect_to_write(Path("runs/demo/ledger.sqlite"))
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scotoma.core import RunError, RunVersion, StorageError

LEDGER_VERSION = 1
"""Raised with every change of the tables; a ledger of another version is refused, never guessed at."""

# Rows are read back in the order of rowid, which is the order in which they were first written.
TABLES = (
    """CREATE TABLE journal (
        stage TEXT NOT NULL PRIMARY KEY, payload TEXT NOT NULL, finished_at REAL NOT NULL)""",
    """CREATE TABLE observations (
        key TEXT NOT NULL PRIMARY KEY, stage TEXT NOT NULL, phase TEXT NOT NULL, image_id TEXT NOT NULL,
        question TEXT NOT NULL, outcome TEXT NOT NULL, skills TEXT NOT NULL, candidate TEXT NOT NULL,
        step INTEGER NOT NULL, document TEXT NOT NULL)""",
    "CREATE INDEX observations_by_phase ON observations (phase, outcome)",
    """CREATE TABLE images (
        id TEXT NOT NULL PRIMARY KEY, stage TEXT NOT NULL, split TEXT NOT NULL, source TEXT NOT NULL,
        licence TEXT NOT NULL, facts TEXT, attributes TEXT NOT NULL)""",
    "CREATE TABLE modes (id TEXT NOT NULL PRIMARY KEY, status TEXT NOT NULL, document TEXT NOT NULL)",
    """CREATE TABLE samples (
        stage TEXT NOT NULL, id TEXT NOT NULL, purpose TEXT NOT NULL, mode_id TEXT, image_id TEXT NOT NULL,
        document TEXT NOT NULL, PRIMARY KEY (stage, id))""",
    """CREATE TABLE events (
        stage TEXT NOT NULL, name TEXT NOT NULL, step INTEGER NOT NULL, value REAL,
        PRIMARY KEY (stage, name, step))""",
    """CREATE TABLE sessions (
        id INTEGER PRIMARY KEY, command TEXT NOT NULL, pid INTEGER NOT NULL, started REAL NOT NULL,
        active REAL NOT NULL)""",
)


def connect_to_write(path: Path) -> sqlite3.Connection:
    """Open the file, making it with its tables if it is not there.

    Raises:
        RunVersion: another version of Scotoma wrote it.
        RunError: it is damaged.
        StorageError: the disk is full or the folder is read-only.
    """
    with ledger_errors(path):
        # Autocommit: transactions begin and end where the ledger says so.
        connection = sqlite3.connect(path, isolation_level=None, timeout=10.0)
        try:
            # WAL lets a report read while we write; FULL keeps what was committed through a power cut.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            if _is_empty(connection):
                _make_tables(connection)
            _check(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open the file read-only; a run that was stopped before it had a ledger reads as an empty one.

    Raises:
        RunVersion: another version of Scotoma wrote it.
        RunError: it is damaged.
    """
    with ledger_errors(path):
        if not path.exists():
            return _empty()
        connection = _open_read_only(path)
        try:
            if not _is_empty(connection):
                _check(connection, path)
                return connection
        except BaseException:
            connection.close()
            raise
        connection.close()
        return _empty()


@contextmanager
def ledger_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors in the block into `StorageError` (disk) or `RunError` (damaged file)."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
            raise StorageError(
                f"cannot write {path}: {error}",
                hint="what was written before is intact: free some space and run it again; it resumes",
            ) from error
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
            raise StorageError(
                f"cannot write {path}: {error}", hint="the folder is read-only: use one that can be written"
            ) from error
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR")):
            raise RunError(
                f"the ledger {path} is damaged: {error}",
                hint="restore it from a copy, or start again in another folder",
            ) from error
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise StorageError(
                f"{path} is held by another program: {error}", hint="close it and run the same command again"
            ) from error
        raise


def _make_tables(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in (*TABLES, f"PRAGMA user_version = {LEDGER_VERSION}"):
            connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _is_empty(connection: sqlite3.Connection) -> bool:
    """Whether nothing was ever committed: the tables and their version are made in one transaction."""
    tables = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
    return not tables and _version(connection) == 0


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _check(connection: sqlite3.Connection, path: Path) -> None:
    version = _version(connection)
    if version != LEDGER_VERSION:
        raise RunVersion(
            f"the ledger {path} has version {version}; this Scotoma reads version {LEDGER_VERSION}",
            hint="use the Scotoma that wrote it (run.yaml names its version), or another folder",
        )
    finding = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if finding != "ok":
        raise RunError(
            f"the ledger {path} is damaged: {finding}",
            hint="restore it from a copy, or start again in another folder",
        )


def _empty() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    _make_tables(connection)
    return connection


def _open_read_only(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=10.0
    )
    try:
        connection.execute("SELECT COUNT(*) FROM sqlite_master")
        return connection
    except sqlite3.OperationalError as error:
        connection.close()
        if not error.sqlite_errorname.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
            raise
    # A WAL ledger in a folder we may not write to cannot be read in place (SQLite needs its shared-memory
    # file beside it). It is read into memory from a copy, its write-ahead log included.
    with tempfile.TemporaryDirectory(prefix="scotoma-") as folder:
        copy = Path(folder) / path.name
        for suffix in ("", "-wal"):
            original = path.with_name(path.name + suffix)
            if original.exists():
                shutil.copyfile(original, copy.with_name(copy.name + suffix))
        source = sqlite3.connect(copy)
        try:
            connection = sqlite3.connect(":memory:", isolation_level=None)
            source.backup(connection)
            return connection
        finally:
            source.close()
