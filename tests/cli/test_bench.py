"""`scotoma bench`: a result that could not be written is refused before anything is measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from scotoma.bench import endpoint, false_discovery, grpo, quality, repair, study
from scotoma.cli import console
from scotoma.cli.app import app
from scotoma.core import StorageError

MODULES = {
    "grpo": grpo,
    "endpoint": endpoint,
    "false-discovery": false_discovery,
    "quality": quality,
    "discovery": study,
    "repair": repair,
}


@pytest.mark.parametrize("command", MODULES)
def test_a_file_that_cannot_be_written(tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(*arguments: object, **keywords: object) -> None:
        pytest.fail("it began")

    monkeypatch.setattr(MODULES[command], "measure", measure)
    for path in (tmp_path / "nowhere" / "x.json", tmp_path):
        ended = CliRunner().invoke(app, ["bench", command, "--json", str(path)])
        assert isinstance(ended.exception, StorageError), ended
        assert str(path) in ended.exception.message
        assert ended.exception.hint
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_folder_that_the_command_makes_itself(tmp_path: Path) -> None:
    made = tmp_path / "run"
    console.check_file(made / "x.json", beside=made)
    console.check_file(tmp_path / "x.json", beside=made)
    console.check_file(Path("-"))
    console.check_file(None)
    with pytest.raises(StorageError, match="no folder"):
        console.check_file(made / "deeper" / "x.json", beside=made)
    with pytest.raises(StorageError, match="it is a folder"):
        console.check_file(tmp_path, beside=tmp_path)


def test_a_folder_that_is_not_mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(StorageError, match="no permission"):
        console.check_file(tmp_path / "x.json")
