"""A run is a directory, and one command works in it at a time; started again, the command resumes.

runs/demo/
  run.yaml         command, whole resolved config, seed, versions       (`RunHeader`)
  ledger.sqlite    everything that was found, stage by stage            (`Ledger`)
  images/          every image, under the hash of its bytes             (`Pictures`)
  checkpoints/     each whole or not there                              (`Run.save_checkpoint`)
  summary.json     every headline figure, for scripts                   (`Summary`)
  lock             held by the process at work

with Run.open("runs/demo", command="evolve", config=settings.model_dump()) as run:
    ...
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from scotoma.core import ConfigError, RunError, StorageError
from scotoma.store.configuration import SettingsType, checked
from scotoma.store.durable import read_if_there, recover, replace_durably, storage_errors, write_durably
from scotoma.store.header import RunHeader, plain_config
from scotoma.store.ledger import Ledger
from scotoma.store.lock import RunLock
from scotoma.store.pictures import Pictures
from scotoma.store.summary import Summary

_CHECKPOINT_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*")
_LEDGER = "ledger.sqlite"
_COPIED = {"calibration"}
_LOG = logging.getLogger(__name__)


class Run:
    """Make one with `Run.open` (to work in it) or `Run.read` (to look at it); use it as a context manager."""

    def __init__(self, path: Path, header: RunHeader, ledger: Ledger, lock: RunLock | None) -> None:
        self.path = path
        self.header = header
        self.ledger = ledger
        self.images = Pictures(path / "images", ledger, writable=lock is not None)
        self._lock = lock

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        command: str,
        config: Mapping[str, Any] | None,
        may_grow: Collection[str] = ("rounds",),
        may_change: Collection[str] = ("out",),
    ) -> Run:
        """Begin a run at `path`, or resume the one that is there.

        `config` is the whole resolved config (what JSON can hold; paths become strings). On a resume it must
        equal the stored one, except for `may_grow` (numbers that may get larger) and `may_change` (keys that
        change no result); both hold top-level or dotted keys. `config=None` works in an existing run of any
        command, under its stored config: `scotoma confirm DIR`. A run that stopped before it found anything is begun
        anew under another config or command.

        Raises:
            RunLocked: another process is working there.
            RunVersion: another version of Scotoma made the run.
            ConfigError: the run was made by another command or with another config; the message lists them.
            RunError: there is no run and no `config` to begin one with, the folder holds something else, or
                the ledger is damaged.
            StorageError: the disk is full or the folder is read-only.
        """
        path = Path(path)
        _check_folder(path, fresh_ok=config is not None)
        # A run of another version is refused before anything, even a lock, is written there.
        RunHeader.read(path)
        with storage_errors(path):
            path.mkdir(parents=True, exist_ok=True)
        lock = RunLock(path / "lock")
        try:
            plain = plain_config(config or {})
            header = RunHeader.read(path)
            if header is None:
                header = _begun(path, command, plain)
            elif config is not None:
                header = _resume(path, header, command, plain, may_grow, may_change)
            recover(path)
            ledger = Ledger.open(path / _LEDGER)
            try:
                ledger.begin_session(command, os.getpid())
            except BaseException:
                ledger.close()
                raise
        except BaseException:
            lock.release()
            raise
        return cls(path, header, ledger, lock)

    @classmethod
    def read(cls, path: str | Path) -> Run:
        """Look at a run without locking or changing it: finished, unfinished, at work, or a copy.

        Raises:
            RunError: there is no run, or its ledger is damaged.
            RunVersion: another version of Scotoma made it.
        """
        path = Path(path)
        header = RunHeader.read(path)
        if header is None:
            raise RunError(
                f"there is no run in {path}", hint="a run folder holds a run.yaml; give that folder"
            )
        return cls(path, header, Ledger.read(path / _LEDGER), None)

    @property
    def config(self) -> dict[str, Any]:
        """The whole resolved config."""
        return self.header.config

    def settings(self, model: type[SettingsType], section: str | None = None) -> SettingsType:
        """The stored config, or a section of it, as settings; a section that is not there has its defaults.

        Raises:
            ConfigError: `run.yaml` was edited, and does not hold such settings any more.
        """
        found = self.config if section is None else self.config.get(section) or {}
        within = "config." if section is None else f"config.{section}."
        return checked(model, found, f"{self.path / 'run.yaml'}: {within}")

    @property
    def read_only(self) -> bool:
        """Whether this run was opened with `Run.read`."""
        return self._lock is None

    @property
    def wall_seconds(self) -> float:
        """The time worked on this run, all sessions together; a killed one counts until its last stage."""
        return self.ledger.seconds()

    def checkpoint(self, name: str) -> Path:
        """Where the checkpoint of this name lies, or would lie. What is there is whole."""
        if not _CHECKPOINT_NAME.fullmatch(name):
            raise RunError(
                f"{name!r} is no name for a checkpoint", hint="letters, digits, . _ - and / between parts"
            )
        return self.path / "checkpoints" / name

    def save_checkpoint(self, name: str, writer: Callable[[Path], None]) -> Path:
        """Let `writer` make a file or folder at the path it is given, then put it in place in one step.

        Save before `ledger.finish` names the checkpoint: a kill in between repeats the stage and replaces it.

        Raises:
            StorageError: the disk is full or the folder is read-only; an earlier one of this name is safe.
        """
        path = self.checkpoint(name)
        self._must_be_writable()
        replace_durably(path, writer)
        return path

    def drop_checkpoint(self, name: str) -> None:
        """Delete a checkpoint to which nothing goes back; where there is none, do nothing."""
        path = self.checkpoint(name)
        self._must_be_writable()
        shutil.rmtree(path, ignore_errors=True)

    def write_summary(self, summary: Summary) -> Path:
        """Write `summary.json`.

        Raises:
            StorageError: the disk is full or the folder is read-only; an earlier summary is untouched.
        """
        self._must_be_writable()
        write_durably(self.path / "summary.json", summary.to_json().encode())
        return self.path / "summary.json"

    def summary(self) -> Summary | None:
        """What `summary.json` says, or None while the run has none.

        Raises:
            RunVersion: another version of Scotoma wrote it.
        """
        text = read_if_there(self.path / "summary.json")
        return None if text is None else Summary.from_json(text)

    def close(self) -> None:
        """Close the ledger and let go of the lock."""
        if self._lock is not None:
            # Only the clock is lost when the disk has no room for it; the reason for closing matters more.
            with suppress(StorageError):
                self.ledger.end_session()
        self.ledger.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _must_be_writable(self) -> None:
        if self.read_only:
            raise RunError(f"the run {self.path} was opened to be read only")


def _check_folder(path: Path, *, fresh_ok: bool) -> None:
    """Refuse, before anything is written, a place where no run can be."""
    if path.exists() and not path.is_dir():
        raise RunError(f"{path} is a file, not a folder", hint="use another folder")
    if (path / "run.yaml").exists():
        return
    if not fresh_ok:
        raise RunError(f"there is no run in {path}", hint="begin one with `scotoma discover --out DIR`")
    # A killed start leaves a lock and hidden files; logs are often sent to the folder of the run.
    strangers = sorted(
        entry.name
        for entry in (path.iterdir() if path.is_dir() else ())
        if entry.name != "lock" and not entry.name.startswith(".") and entry.suffix != ".log"
    )
    if strangers:
        raise RunError(
            f"{path} holds {', '.join(strangers[:3])}{' …' if len(strangers) > 3 else ''} but no run.yaml",
            hint="a run needs a folder of its own: use another one",
        )


def _begun(path: Path, command: str, config: dict[str, Any]) -> RunHeader:
    header = RunHeader.new(command, config)
    header.write(path)
    return header


def _resume(
    path: Path,
    header: RunHeader,
    command: str,
    config: dict[str, Any],
    may_grow: Collection[str],
    may_change: Collection[str],
) -> RunHeader:
    if header.command != command:
        if _holds_nothing(path):
            return _begin_anew(path, command, config)
        raise ConfigError(
            f"{path} holds a run of `scotoma {header.command}`, not of `scotoma {command}`",
            hint="choose another --out",
        )
    differing = header.differences(config, may_grow=may_grow, may_change=may_change)
    if differing and _holds_nothing(path):
        return _begin_anew(path, command, config)
    if differing:
        raise ConfigError(
            f"{path} holds a run with another config: {', '.join(differing)}",
            hint="use another --out, or the same config to resume",
        )
    if header.config == config:
        return header
    grown = header.model_copy(update={"config": config})
    grown.write(path)
    return grown


def _holds_nothing(path: Path) -> bool:
    """Whether the run there stopped before it finished anything: a wrong address must not keep its folder. Stages that
    only copy a file of the config are no work.
    """
    with Ledger.read(path / _LEDGER) as ledger:
        return set(ledger.stages()) <= _COPIED


def _begin_anew(path: Path, command: str, config: dict[str, Any]) -> RunHeader:
    """Leave nothing of a run that holds nothing: what it took over from its config is another's now."""
    _LOG.warning("%s held a run that had stopped before it found anything: it is begun anew", path)
    with storage_errors(path):
        for leftover in (_LEDGER, f"{_LEDGER}-wal", f"{_LEDGER}-shm"):
            (path / leftover).unlink(missing_ok=True)
    return _begun(path, command, config)
