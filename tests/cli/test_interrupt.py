"""Ctrl-C: one line that says how to go on, exit code 130, and a run that the same command ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

import pytest

import scotoma.cli

COMMAND = (
    *("discover", "--candidate", "tests.scripted:Candidate", "--config", "config.yaml"),
    *("--out", "run", "--steps", "400"),
)
CONFIG = """
discover: {questioner: "tests.scripted:Questioner", reinforce: false, surrogate: false, images: 2, queries: 4, block: 1}
"""


def started(cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "scotoma", *COMMAND],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *filter(None, sys.path)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts background jobs with Ctrl-C ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_a_stop_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    process = started(tmp_path)
    assert process.stderr is not None
    assert "discover" in process.stderr.readline()  # it is at work
    process.send_signal(signal.SIGINT)
    said = " ".join(process.stderr.read().split())
    assert process.wait(timeout=60) == 130
    assert "stopped" in said
    assert "run the same command again" in said
    assert "Traceback" not in said
    assert (tmp_path / "run" / "ledger.sqlite").is_file()


def test_a_stop_before_anything_is_imported_shows_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Impatient(MetaPathFinder):
        def find_spec(self, fullname: str, *_: object) -> None:
            if fullname == "scotoma.cli.app":
                raise KeyboardInterrupt

    monkeypatch.delattr(scotoma.cli, "app", raising=False)
    monkeypatch.delitem(sys.modules, "scotoma.cli.app", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Impatient(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        scotoma.cli.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == ""
