"""Jobs side by side: results and progress come through, errors too, and no process outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scotoma.core import ConfigError, ModelError
from scotoma.discover.progress import Progress, silent
from scotoma.evolve.worker import Job, processes_for, side_by_side

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Square:
    number: int

    def __call__(self, progress: Progress) -> tuple[int, int]:
        progress(f"square {self.number}", 1, 1)
        print("noise on stdout harms nothing")
        return self.number**2, os.getpid()


@dataclass(frozen=True)
class Refuse:
    def __call__(self, progress: Progress) -> None:
        raise ConfigError("no such thing", hint="try another")


@dataclass(frozen=True)
class Stumble:
    def __call__(self, progress: Progress) -> None:
        _ = {}["missing"]


@dataclass(frozen=True)
class Hold:
    """Cannot be pickled."""

    lock: Any = field(default_factory=threading.Lock)

    def __call__(self, progress: Progress) -> None: ...


@dataclass(frozen=True)
class BringBack:
    what: Callable[[], object]

    def __call__(self, progress: Progress) -> object:
        return self.what()


class Sealed(Exception):
    """Can be pickled, and not be read back."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(one + other)


def sealed() -> Sealed:
    return Sealed("one", "other")


@dataclass(frozen=True)
class Die:
    def __call__(self, progress: Progress) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Linger:
    note: Path

    def __call__(self, progress: Progress) -> None:
        self.note.write_text(str(os.getpid()))
        progress("lingering", 0, 1)
        time.sleep(600)


def test_two_jobs_run_in_two_processes_and_say_how_far_they_are() -> None:
    told: list[tuple[str, int, int]] = []
    jobs = {"a": Square(3), "b": Square(4)}
    results = dict(side_by_side(jobs, 2, lambda *said: told.append(said)))
    assert {name: result[0] for name, result in results.items()} == {"a": 9, "b": 16}
    assert len({os.getpid(), *(result[1] for result in results.values())}) == 3
    assert sorted(told) == [("square 3", 1, 1), ("square 4", 1, 1)]


def test_more_jobs_than_processes_wait_their_turn() -> None:
    results = dict(side_by_side({str(n): Square(n) for n in range(5)}, 2, silent))
    assert {name: result[0] for name, result in results.items()} == {str(n): n * n for n in range(5)}


def test_a_single_process_is_this_one() -> None:
    assert dict(side_by_side({"a": Square(5)}, 1, silent)) == {"a": (25, os.getpid())}


def test_a_job_s_error_comes_back_whole_and_stops_the_others(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with pytest.raises(ConfigError) as caught:
        dict(side_by_side({"slow": Linger(note), "bad": Refuse()}, 2, silent))
    assert caught.value.hint == "try another"
    assert not note.is_file() or _gone(int(note.read_text()))


def test_a_bug_shows_where_it_was() -> None:
    with pytest.raises(RuntimeError, match="KeyError: 'missing'"):
        dict(side_by_side({"a": Stumble(), "b": Square(1)}, 2, silent))


@pytest.mark.parametrize(
    ("job", "reason"),
    [(Hold(), "cannot pickle"), (BringBack(threading.Lock), "cannot pickle"), (BringBack(sealed), "'other'")],
    ids=["job", "result", "reading"],
)
def test_what_cannot_travel_between_processes_is_an_error_and_ends_them(
    job: Job, reason: str, tmp_path: Path
) -> None:
    note = tmp_path / "pid"
    with pytest.raises(RuntimeError, match=reason):
        dict(side_by_side({"slow": Linger(note), "bad": job}, 2, silent))
    assert not note.is_file() or _gone(int(note.read_text()))


def test_a_process_that_dies_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ModelError, match="ended without a result") as caught:
        dict(side_by_side({"a": Die(), "b": Square(1)}, 2, silent))
    assert caught.value.hint is not None
    assert "memory" in caught.value.hint


def test_no_process_outlives_a_killed_parent(tmp_path: Path) -> None:
    notes = [tmp_path / "a", tmp_path / "b"]
    script = (
        "from pathlib import Path\n"
        "from scotoma.discover.progress import silent\n"
        "from scotoma.evolve.worker import side_by_side\n"
        "from tests.evolve.test_worker import Linger\n"
        f"dict(side_by_side({{n: Linger(Path(n)) for n in {[str(n) for n in notes]!r}}}, 2, silent))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(ROOT)})
    _wait_for(lambda: all(n.is_file() and n.read_text() for n in notes))
    parent.kill()
    parent.wait()
    _wait_for(lambda: all(_gone(int(n.read_text())) for n in notes))


def test_an_accelerator_is_not_shared_and_a_cpu_gives_a_core_each() -> None:
    assert processes_for(2, accelerated=True) == 1
    assert 1 <= processes_for(2, accelerated=False) <= 2
    assert processes_for(1, accelerated=False) == 1


def _gone(pid: int) -> bool:
    """No such process, or one that has ended and waits for its parent to look."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def _wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")
