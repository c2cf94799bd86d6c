"""The ledger of a run: one SQLite file in which a stage is written whole, once, or not at all.

Work is cut into stages with stable names. `finish` writes all that a stage found together with its journal
entry in one transaction, so that a command killed at any moment repeats at most the stage it was in, and
nothing is there twice.

    if ledger.done("discover/step-3") is None:
        observed = ask(...)
        ledger.finish("discover/step-3", {"reward": 0.4}, observations=observed)
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from scotoma.core import FailureMode, ImageRecord, Observation, Outcome, RunError, Sample, Split
from scotoma.store.ledger_file import connect_to_read, connect_to_write, ledger_errors
from scotoma.store.rows import (
    ImageEntry,
    Row,
    image_entry,
    image_row,
    mode_row,
    observation_row,
    retagged_row,
    sample_row,
)


@dataclass(frozen=True)
class CurvePoint:
    """One point of a learning curve: `name` had `value` at `step`. `Ledger.finish` fills in `stage`."""

    step: int
    name: str
    value: float
    stage: str = ""


@dataclass(frozen=True)
class Counts:
    """How many observations there are of each outcome; the four kinds are never mixed."""

    correct: int = 0
    failure: int = 0
    invalid: int = 0
    infrastructure: int = 0

    @property
    def valid(self) -> int:
        """Valid questions that were answered."""
        return self.correct + self.failure

    @property
    def questions(self) -> int:
        """Every question that was put, whatever came of it."""
        return self.valid + self.invalid + self.infrastructure


class Ledger:
    """Open with `Ledger.open` (one writer, whom the run's lock protects) or `Ledger.read`."""

    def __init__(self, connection: sqlite3.Connection, path: Path, *, writable: bool) -> None:
        self.path = path
        self._connection = connection
        self._writable = writable
        self._session: int | None = None

    @classmethod
    def open(cls, path: Path) -> Ledger:
        """Open for writing; made if it is not there.

        Raises:
            RunVersion: another version of Scotoma wrote it.
            RunError: it is damaged.
            StorageError: the disk is full or the folder is read-only.
        """
        return cls(connect_to_write(path), path, writable=True)

    @classmethod
    def read(cls, path: Path) -> Ledger:
        """Open read-only: a copied run, one that is being written, or one on a read-only disk. A run that was
        stopped before it had a ledger reads as an empty one.

        Raises:
            RunVersion: another version of Scotoma wrote it.
            RunError: it is damaged.
        """
        return cls(connect_to_read(path), path, writable=False)

    def close(self) -> None:
        """Close the file; the write-ahead log is folded into it."""
        self._connection.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Writing

    def finish(
        self,
        stage: str,
        payload: Mapping[str, Any] | None = None,
        *,
        observations: Iterable[Observation] = (),
        modes: Iterable[FailureMode] = (),
        samples: Iterable[Sample] = (),
        images: Iterable[ImageRecord] = (),
        curve: Iterable[CurvePoint] = (),
        retagged: Iterable[Observation] = (),
    ) -> None:
        """Write everything a stage found, and that it is done, in one transaction. `payload` is JSON.

        Observations and images are kept once per key and id, samples once per stage and id (two arms may
        share one); a mode replaces the earlier state of the mode with its id, and of `retagged` observations
        the tags replace those that the ledger has under their keys. Finishing a finished stage
        again writes nothing.

        Raises:
            RunError: the stage was finished before with another payload: two stages share a name.
            StorageError: the disk is full or the folder is read-only; nothing of this stage was written.
        """
        document = json.dumps(dict(payload or {}))
        # Everything is turned into rows before the transaction begins, so that bad data cannot hold it open.
        rows: list[tuple[str, list[Row]]] = [
            (
                "INSERT OR IGNORE INTO images VALUES (?, ?, ?, ?, ?, ?, ?)",
                [image_row(stage, item) for item in images],
            ),
            (
                "INSERT OR IGNORE INTO observations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [observation_row(stage, item) for item in observations],
            ),
            (_UPSERT_MODE, [mode_row(item) for item in modes]),
            (
                "INSERT OR IGNORE INTO samples VALUES (?, ?, ?, ?, ?, ?)",
                [sample_row(stage, item) for item in samples],
            ),
            (
                "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?)",
                [(stage, point.name, point.step, point.value) for point in curve],
            ),
            (
                "UPDATE observations SET skills = ?, document = ? WHERE key = ?",
                [retagged_row(item) for item in retagged],
            ),
            ("INSERT INTO journal VALUES (?, ?, ?)", [(stage, document, time.time())]),
        ]
        with self._transaction() as cursor:
            earlier = cursor.execute("SELECT payload FROM journal WHERE stage = ?", (stage,)).fetchone()
            if earlier is None:
                for statement, batch in rows:
                    cursor.executemany(statement, batch)
                self._touch_session(cursor)
            elif _canonical(earlier[0]) != _canonical(document):
                raise RunError(
                    f"the stage {stage!r} was already finished with another payload in {self.path}"
                )

    def put_modes(self, modes: Iterable[FailureMode]) -> None:
        """Add modes or replace their state, outside any stage.

        Raises:
            StorageError: the disk is full or the folder is read-only.
        """
        rows = [mode_row(item) for item in modes]
        with self._transaction() as cursor:
            cursor.executemany(_UPSERT_MODE, rows)

    def begin_session(self, command: str, pid: int) -> None:
        """Note that a process started to work in this run; its time counts until its last finished stage."""
        now = time.time()
        with self._transaction() as cursor:
            cursor.execute(
                "INSERT INTO sessions (command, pid, started, active) VALUES (?, ?, ?, ?)",
                (command, pid, now, now),
            )
            self._session = cursor.lastrowid

    def end_session(self) -> None:
        """Note the time at which the process stopped working."""
        with self._transaction() as cursor:
            self._touch_session(cursor)
        self._session = None

    # Reading

    def done(self, stage: str) -> dict[str, Any] | None:
        """What `finish` was given for the stage, or None while it is not finished."""
        rows = self._rows("SELECT payload FROM journal", stage=stage)
        return dict(json.loads(rows[0][0])) if rows else None

    def stages(self, prefix: str = "") -> list[str]:
        """The finished stages whose name starts with `prefix`, in the order in which they were finished."""
        return [stage for (stage,) in self._rows("SELECT stage FROM journal", stage_prefix=prefix)]

    def observations(
        self,
        phase: str | None = None,
        *,
        phase_prefix: str | None = None,
        outcome: Outcome | None = None,
    ) -> list[Observation]:
        """The observations that meet every condition given, in the order in which they were written."""
        rows = self._rows(
            "SELECT document FROM observations",
            phase=phase,
            phase_prefix=phase_prefix,
            outcome=outcome,
        )
        return [Observation.model_validate_json(document) for (document,) in rows]

    def each_observation(self, *, outcome: Outcome | None = None) -> Iterator[Observation]:
        """The same one after the other, for readers that keep a part of them: a ledger may hold more than memory."""
        after = 0
        while True:
            condition = "WHERE rowid > :after" + (" AND outcome = :outcome" if outcome else "")
            with ledger_errors(self.path):
                rows = self._connection.execute(
                    f"SELECT rowid, document FROM observations {condition} ORDER BY rowid LIMIT 1000",
                    {"after": after, "outcome": outcome},
                ).fetchall()
            if not rows:
                return
            for after, document in rows:  # noqa: B007 - where the next page begins
                yield Observation.model_validate_json(document)

    def counts(self, phase: str | None = None) -> Counts:
        """How many of these observations there are per outcome, without loading them."""
        rows = self._rows(
            "SELECT outcome, COUNT(*) FROM observations",
            "GROUP BY outcome",
            phase=phase,
        )
        return Counts(**dict(rows))

    def skill_combinations(self, phase: str | None = None, *, outcome: Outcome = "failure") -> dict[str, int]:
        """How many observations have this outcome per set of skills (`colour+counting`), most first."""
        return dict(
            self._rows(
                "SELECT skills, COUNT(*) FROM observations",
                "GROUP BY skills ORDER BY COUNT(*) DESC, skills",
                phase=phase,
                outcome=outcome,
            )
        )

    def modes(self) -> list[FailureMode]:
        """Every failure mode in its latest state, in the order in which they were first named."""
        return [
            FailureMode.model_validate_json(document)
            for (document,) in self._rows("SELECT document FROM modes")
        ]

    def samples(
        self,
        stage: str | None = None,
        *,
        stage_prefix: str | None = None,
        purpose: str | None = None,
        mode_id: str | None = None,
    ) -> list[Sample]:
        """The training samples that meet every condition given, in the order in which they were written."""
        rows = self._rows(
            "SELECT document FROM samples",
            stage=stage,
            stage_prefix=stage_prefix,
            purpose=purpose,
            mode_id=mode_id,
        )
        return [Sample.model_validate_json(document) for (document,) in rows]

    def images(self, split: Split | None = None) -> list[ImageEntry]:
        """What is known of the images, in the order in which they were written."""
        return [image_entry(row) for row in self._rows("SELECT * FROM images", split=split)]

    def image(self, image_id: str) -> ImageEntry | None:
        """What is known of one image, or None."""
        rows = self._rows("SELECT * FROM images", id=image_id)
        return image_entry(rows[0]) if rows else None

    def curve(self, stage_prefix: str = "", *, name: str | None = None) -> list[CurvePoint]:
        """The points of the learning curves of these stages, in the order in which they were written."""
        rows = self._rows("SELECT stage, name, step, value FROM events", stage_prefix=stage_prefix, name=name)
        return [
            # SQLite keeps NaN as NULL.
            CurvePoint(step=step, name=name, value=float("nan") if value is None else value, stage=stage)
            for stage, name, step, value in rows
        ]

    def seconds(self) -> float:
        """The time worked on this run, all sessions together; a killed one counts until its last stage."""
        total = sum(
            active - started for started, active in self._rows("SELECT started, active FROM sessions")
        )
        if self._session is not None:
            [(active,)] = self._rows("SELECT active FROM sessions", id=self._session)
            total += max(0.0, time.time() - active)
        return float(total)

    # How

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        if not self._writable:
            raise RunError(f"{self.path} was opened to be read only")
        with ledger_errors(self.path):
            cursor = self._connection.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                # On a full disk SQLite may have rolled back by itself.
                if self._connection.in_transaction:
                    cursor.execute("ROLLBACK")
                raise
            finally:
                cursor.close()

    def _rows(self, select: str, group: str = "ORDER BY rowid", **conditions: str | int | None) -> list[Row]:
        """Run `select`, narrowed by the conditions given; `x_prefix`: column x starts with the value."""
        given = {name: value for name, value in conditions.items() if value is not None}
        where = " AND ".join(
            f"substr({name.removesuffix('_prefix')}, 1, length(:{name})) = :{name}"
            if name.endswith("_prefix")
            else f"{name} = :{name}"
            for name in given
        )
        with ledger_errors(self.path):
            return self._connection.execute(
                f"{select}{where and ' WHERE ' + where} {group}", given
            ).fetchall()

    def _touch_session(self, cursor: sqlite3.Cursor) -> None:
        if self._session is not None:
            cursor.execute("UPDATE sessions SET active = ? WHERE id = ?", (time.time(), self._session))


def _canonical(document: str) -> str:
    # Compared as text, for NaN is not equal to itself.
    return json.dumps(json.loads(document), sort_keys=True)


_UPSERT_MODE = (
    "INSERT INTO modes VALUES (?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET status = excluded.status, document = excluded.document"
)
