"""A command that is killed, locked out or out of disk, and started again: nothing is lost, nothing is there twice."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scotoma.core import RunLocked
from scotoma.store import Run
from tests.store.processes import start, work
from tests.store.worker import CONFIG, PER_STAGE, write_stages

STAGES = 18


def contents(path: Path) -> dict[str, Any]:
    """Everything a run holds, but for times."""
    with Run.read(path) as run:
        return {
            "stages": [(stage, run.ledger.done(stage)) for stage in run.ledger.stages()],
            "observations": run.ledger.observations(),
            "modes": run.ledger.modes(),
            "samples": run.ledger.samples(),
            "curve": run.ledger.curve(),
            "images": [(record.id, record.read()) for record in run.images.all()],
            "files": sorted(
                str(file.relative_to(path))
                for folder in ("images", "checkpoints")
                for file in (path / folder).rglob("*")
            ),
            "weights": (run.checkpoint("questioner/last") / "weights").read_text(),
        }


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("uninterrupted") / "run"
    with Run.open(path, command="discover", config=CONFIG) as run:
        write_stages(run, STAGES)
    return contents(path)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user can look into (pytest's own are closed to others)."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def test_a_run_killed_at_random_moments_ends_up_as_if_nothing_had_happened(
    tmp_path: Path, uninterrupted: dict[str, Any]
) -> None:
    path, chance, kills = tmp_path / "run", random.Random(7), 0
    while True:
        process = start(path, STAGES)
        assert process.stdout is not None
        # Strike at a random one of the next things it says (three a stage), a random moment later.
        for line in itertools.islice(process.stdout, chance.randrange(1, 16)):
            assert "Error" not in line
        time.sleep(chance.random() * 0.002)
        process.kill()
        process.stdout.close()
        kills += process.wait() == -signal.SIGKILL
        with Run.read(path) as run:
            finished = len(run.ledger.stages())
            assert run.ledger.counts().failure == PER_STAGE * finished
        if finished == STAGES:
            break
    assert kills >= 3
    assert work(path, STAGES)[1] == "open\ndone\n"
    assert contents(path) == uninterrupted


def test_a_kill_inside_the_transaction_leaves_nothing_of_the_stage(tmp_path: Path) -> None:
    path = tmp_path / "run"
    child = os.fork()
    if child == 0:
        run = Run.open(path, command="discover", config=CONFIG)
        with run.ledger._transaction() as cursor:
            cursor.execute("INSERT INTO journal VALUES ('half', '{}', 0)")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    with Run.open(path, command="discover", config=CONFIG) as run:
        assert run.ledger.done("half") is None


@pytest.mark.parametrize("name", ["", "run.yaml", "run.yaml and an empty ledger"])
def test_a_start_killed_before_anything_was_found_is_resumed(tmp_path: Path, name: str) -> None:
    path = tmp_path / "run"
    with Run.open(path, command="discover", config=CONFIG):
        pass
    (path / "ledger.sqlite").unlink()
    if not name:
        (path / "run.yaml").rename(path / ".run.yaml.17.partial")
    if "empty" in name:
        (path / "ledger.sqlite").touch()
    if name:
        with Run.read(path) as run:
            assert run.ledger.stages() == []
    assert work(path, 1)[0] == 0


def test_a_second_process_is_refused_and_told_which_one_is_at_work(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with Run.open(path, command="discover", config=CONFIG) as run:
        code, output = work(path, 1)
        assert code == 5
        assert output.startswith("RunLocked: another process")
        assert f"pid {os.getpid()}" in output
        assert "use another folder" in output
        assert run.ledger.stages() == []
    assert work(path, 1)[0] == 0


def test_the_same_process_cannot_open_a_run_twice_either(tmp_path: Path) -> None:
    with (
        Run.open(tmp_path / "run", command="discover", config=CONFIG),
        pytest.raises(RunLocked, match="is working in"),
    ):
        Run.open(tmp_path / "run", command="discover", config=CONFIG)


def test_a_worker_forked_by_a_killed_command_does_not_keep_the_run_locked(tmp_path: Path) -> None:
    path = tmp_path / "run"
    said, tell = os.pipe()
    parent = os.fork()
    if parent == 0:
        _held = Run.open(path, command="discover", config=CONFIG)
        orphan = os.fork()
        if orphan == 0:
            time.sleep(60)
            os._exit(0)
        os.write(tell, str(orphan).encode())
        os.kill(os.getpid(), signal.SIGKILL)
    orphan = int(os.read(said, 20))
    try:
        os.waitpid(parent, 0)
        Run.open(path, command="discover", config=CONFIG).close()
    finally:
        os.kill(orphan, signal.SIGKILL)


@pytest.mark.parametrize("limit", [1_000, 60_000, 200_000])
def test_a_full_disk_is_a_clear_error_and_the_run_resumes_when_there_is_room(
    tmp_path: Path, uninterrupted: dict[str, Any], limit: int
) -> None:
    path = tmp_path / "run"
    code, output = work(path, STAGES, str(limit))
    assert code == 6
    assert "StorageError: cannot write" in output
    assert "resume" in output
    if (path / "run.yaml").exists():
        with Run.read(path) as run:
            assert run.ledger.counts().failure == PER_STAGE * len(run.ledger.stages())
            assert len(run.ledger.stages()) < STAGES
    assert work(path, STAGES)[0] == 0
    assert contents(path) == uninterrupted


class TestReadOnlyFolder:
    """Seen by a user who may not write there; root may, and so becomes nobody for a while."""

    @pytest.fixture
    def limit(self) -> str:
        return "as-nobody" if os.geteuid() == 0 else ""

    def test_no_run_can_begin(self, open_folder: Path, limit: str) -> None:
        open_folder.chmod(0o555)
        code, output = work(open_folder / "run", 1, limit)
        open_folder.chmod(0o755)
        assert code == 6
        assert "StorageError: cannot write" in output
        assert "use a folder that is yours" in output
        assert list(open_folder.iterdir()) == []

    def test_no_run_can_go_on_and_the_run_stays_as_it_is(self, open_folder: Path, limit: str) -> None:
        path = open_folder / "run"
        assert work(path, 2)[0] == 0
        before = contents(path)
        for file in path.rglob("*"):
            file.chmod(0o555 if file.is_dir() else 0o444)
        path.chmod(0o555)
        code, output = work(path, 4, limit)
        path.chmod(0o755)
        assert code == 6
        assert "StorageError: cannot write" in output
        assert contents(path) == before

    def test_a_run_can_be_read_there_even_with_an_unfinished_log(self, open_folder: Path, limit: str) -> None:
        process = start(open_folder / "run", 10**6)
        assert process.stdout is not None
        while "stage 2" not in process.stdout.readline():
            pass
        process.kill()
        process.stdout.close()
        process.wait()
        path = open_folder / "run"
        with Run.read(path) as run:
            expected = run.ledger.stages()
        (path / "ledger.sqlite-shm").unlink(missing_ok=True)
        assert (path / "ledger.sqlite-wal").stat().st_size > 0
        path.chmod(0o555)
        if limit:
            os.seteuid(65534)
        try:
            with Run.read(path) as run:
                assert run.ledger.stages() == expected
        finally:
            if limit:
                os.seteuid(0)
            path.chmod(0o755)
        assert len(expected) >= 3
