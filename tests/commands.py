"""`scotoma` in real processes that start at once: forked from one that has imported torch and the rest of it already.

A fresh interpreter takes 14 s of a slow core to import what `scotoma evolve` needs; a fork of one that has it, none.
All else is as in a shell: its own pid, process group, folder, environment and exit code, and `kill -9` ends it. Where
the fresh interpreter matters (no torch, no editable install, the first Ctrl-C), tests start one themselves.

    ended = run("report", "run", cwd=folder)
    ended.returncode, ended.stdout, ended.stderr

    process = start("evolve", "--config", "config.yaml", cwd=folder)
    process.kill()
    process.wait()  # -9
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["scotoma.cli", "scotoma.evolve.spiral", "scotoma.models.endpoint", "scotoma.report.build"]
)


@dataclass(frozen=True)
class Started:
    """A `scotoma` at work."""

    process: ForkServerProcess
    printed: Path
    complained: Path

    @property
    def returncode(self) -> int | None:
        """None while it is at work; −9 after `kill`."""
        return self.process.exitcode

    @property
    def stdout(self) -> str:
        """What it has printed so far."""
        return self.printed.read_text()

    @property
    def stderr(self) -> str:
        """What it has complained of so far."""
        return self.complained.read_text()

    def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()

    def wait(self, seconds: float | None = None) -> int | None:
        """Its exit code."""
        self.process.join(seconds)
        return self.returncode


def start(
    *arguments: str, cwd: Path, environment: Mapping[str, str] | None = None, alone: bool = False
) -> Started:
    """`scotoma` with these arguments; `environment` in addition to this process's, `alone` on one core."""
    folder = Path(tempfile.mkdtemp(prefix="scotoma"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    printed, complained = folder / "stdout", folder / "stderr"
    variables = {**os.environ, **(environment or {})}
    process = _CONTEXT.Process(
        target=_work, args=(arguments, cwd, variables, alone, printed, complained), name="scotoma"
    )
    # One hash seed for all: that nothing depends on it, a fresh interpreter beside them has to show.
    process.start()
    return Started(process, printed, complained)


def run(
    *arguments: str, cwd: Path, environment: Mapping[str, str] | None = None, alone: bool = False
) -> Started:
    """The same, ended."""
    started = start(*arguments, cwd=cwd, environment=environment, alone=alone)
    started.wait()
    return started


def one_core() -> None:
    """From now on this process, and whatever it starts, is content with one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _work(
    arguments: tuple[str, ...],
    cwd: Path,
    environment: dict[str, str],
    alone: bool,
    printed: Path,
    complained: Path,
) -> None:
    """The process's side."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    if alone:
        one_core()
    for descriptor, file in ((1, printed), (2, complained)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
    sys.argv = ["scotoma", *arguments]
    from scotoma.cli import main

    main()
