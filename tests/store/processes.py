"""Starts `tests.store.worker` as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import scotoma

ROOT = Path(__file__).parents[2]


def start(run: Path, stages: int, limit: str = "") -> subprocess.Popen[str]:
    """A worker on `run`; its output can be read line by line."""
    code = Path(scotoma.__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.worker", str(run), str(stages), *([limit] if limit else [])],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{code}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE,
        text=True,
    )


def work(run: Path, stages: int, limit: str = "") -> tuple[int, str]:
    """Exit code and output of a worker that is left alone."""
    process = start(run, stages, limit)
    output, _ = process.communicate(timeout=60)
    return process.returncode, output
