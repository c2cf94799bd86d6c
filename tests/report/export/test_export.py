"""An export is whole or not there; it never lands on anything but an older one; its README tells what is in it."""

from __future__ import annotations

import importlib.util
import io
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from scotoma.core import ConfigError, ImageError, ImageRecord, RunError, ScotomaError, StorageError
from scotoma.report.export import FORMS, Selection, export
from scotoma.report.export.picture import encoded
from scotoma.store import Run
from tests.report.export.conftest import Exporter
from tests.report.export.small import picture, small

PLAIN = [name for name, form in FORMS.items() if not form.parquet]


def files(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    # SQLite keeps these two beside a ledger that is read.
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in found
        if not path.name.endswith(("-shm", "-wal"))
    }


def test_the_ten_formats() -> None:
    assert list(FORMS) == [
        *("trl", "verl", "easyr1", "ms-swift", "llama-factory", "openai"),
        *("lmms-eval", "vlmevalkit", "inspect", "hf"),
    ]


@pytest.mark.parametrize("form", FORMS)
def test_the_readme_is_a_card_with_modes_rates_licences_and_the_next_command(
    exported: Exporter, form: str
) -> None:
    text = (exported(form, what="questions") / "README.md").read_text()
    header = yaml.safe_load(text.split("---\n")[1])
    assert header["license"] == "apache-2.0"
    assert "| m1 | questions with a \\| in them where composed=true |" in text
    assert "50.0 % [25.0, 75.0] n=30" in text
    assert "m4" not in text  # rejected: no failure mode
    assert "| worlds:shapes | Apache-2.0 (rendered) | 13 |" in text
    assert "without a known answer" in text
    assert str(exported(form, what="questions")) in text
    assert "{{" not in text


@pytest.mark.parametrize("form", FORMS)
def test_the_next_command_can_be_pasted_whatever_the_folder_is_called(
    run: Path, tmp_path: Path, form: str
) -> None:
    usage = export(run, form, Selection(what="questions"), out=tmp_path / "my exports").usage
    lines = [line.rstrip("\\") for line in usage.splitlines() if "my exports" in line]
    assert lines
    for line in lines:
        assert not any(word.endswith("/my") for word in shlex.split(line)), line


@pytest.mark.parametrize("form", FORMS)
def test_the_same_run_gives_the_same_files(run: Path, tmp_path: Path, form: str) -> None:
    first = export(run, form, out=tmp_path / "first").path
    again = export(run, form, out=tmp_path / "again").path
    one, other = files(first), files(again)
    assert one.keys() == other.keys()
    assert {name for name in one if one[name] != other[name]} <= {"README.md"}  # it names its folder


@pytest.mark.parametrize("form", FORMS)
def test_nothing_in_it_points_outside_and_no_picture_is_written_twice(exported: Exporter, form: str) -> None:
    folder = exported(form)
    pictures = list((folder / "images").glob("*"))
    assert len({path.read_bytes() for path in pictures}) == len(pictures)
    moved = [name for name, data in files(folder).items() if str(folder).encode() in data]
    assert moved == ["README.md"]  # everything else may be moved to another machine


def test_the_folder_is_in_the_run_by_default(tmp_path: Path) -> None:
    run = small(tmp_path / "run")
    assert export(run, "openai").path == run / "exports" / "openai"
    with Run.open(run, command="evolve", config=None):  # and the run is still one
        pass


def test_a_folder_that_is_not_empty_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    for force in (False, True):  # nobody's export, so nothing that may be replaced
        with pytest.raises(StorageError, match="holds more than an export"):
            export(run, "openai", out=tmp_path / "out", force=force)
    assert files(tmp_path / "out") == {"mine.txt": b"mine"}
    export(run, "openai", out=tmp_path / "again")
    with pytest.raises(StorageError, match="--force"):
        export(run, "openai", out=tmp_path / "again")


def test_force_replaces_it_whole(run: Path, tmp_path: Path) -> None:
    export(run, "inspect", Selection(what="questions"), out=tmp_path / "out")
    export(run, "openai", out=tmp_path / "out", force=True)
    assert set(files(tmp_path / "out")) == {
        *("train.jsonl", "metadata.jsonl", "README.md", ".scotoma-export.json")
    }
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_force_never_replaces_a_run_a_repository_or_where_somebody_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = small(tmp_path / "run")
    (tmp_path / "code/.git").mkdir(parents=True)
    (tmp_path / "here/deep").mkdir(parents=True)
    (tmp_path / "home/photos").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here/deep")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    before = files(tmp_path)
    for folder in (run, tmp_path, tmp_path / "code", tmp_path / "here", tmp_path / "home"):
        with pytest.raises(StorageError, match="holds more than an export"):
            export(run, "openai", out=folder, force=True)
    assert files(tmp_path) == before


def test_a_missing_picture_leaves_nothing_half_written(tmp_path: Path) -> None:
    run = small(tmp_path / "run")
    next((run / "images").rglob(f"{picture('discover', 0).id}.*")).unlink()
    with pytest.raises(ImageError, match="images/"):
        export(run, "ms-swift", Selection(what="questions"), out=tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_an_error_in_the_middle_leaves_the_older_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = small(tmp_path / "run")
    export(run, "inspect", out=tmp_path / "out")
    before = files(tmp_path / "out")
    monkeypatch.setattr("scotoma.report.export.picture.encoded", _full_disk)
    with pytest.raises(StorageError):
        export(run, "inspect", out=tmp_path / "out", force=True)
    assert files(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "run"]


def _full_disk(record: ImageRecord) -> None:
    raise OSError(28, "No space left on device")


def test_an_unknown_format_names_the_nearest(run: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean verl"):
        export(run, "verll")


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        export(tmp_path / "nowhere", "openai", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_without_pyarrow_plain_formats_work_and_the_others_say_what_to_install(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pyarrow" else found(name))
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    for name in FORMS:
        if name in PLAIN:
            export(run, name, out=tmp_path / name)
        else:
            with pytest.raises(ConfigError, match=r"scotoma\[train\]"):
                export(run, name, out=tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(PLAIN)


def photo(mode: str, form: str, orientation: int = 1) -> ImageRecord:
    picture = Image.new(mode, (6, 4), 0 if mode == "I;16" else None)
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    picture.save(buffer, form, **({} if orientation == 1 else {"exif": exif}))
    data = buffer.getvalue()
    return ImageRecord(id=ImageRecord.hash(data), source="x", data=data)


@pytest.mark.parametrize(("mode", "form"), [("RGB", "PNG"), ("RGB", "JPEG"), ("P", "PNG"), ("L", "JPEG")])
def test_pictures_that_every_tool_reads_alike_keep_their_bytes(mode: str, form: str) -> None:
    record = photo(mode, form)
    assert encoded(record).data == record.data


@pytest.mark.parametrize(
    ("mode", "form", "orientation"),
    [("RGB", "JPEG", 6), ("CMYK", "JPEG", 1), ("RGB", "BMP", 1), ("RGB", "TIFF", 1)],
)
def test_the_others_become_upright_png(mode: str, form: str, orientation: int) -> None:
    record = photo(mode, form, orientation)
    with Image.open(io.BytesIO(encoded(record).data)) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")
        assert picture.size == ((4, 6) if orientation == 6 else (6, 4))


def test_a_grey_picture_becomes_rgb_for_endpoints_that_take_no_other() -> None:
    with Image.open(io.BytesIO(encoded(photo("L", "PNG"), ("RGB",)).data)) as picture:
        assert picture.mode == "RGB"


@pytest.mark.parametrize(
    ("mode", "form", "saved"),
    [
        *[("RGBA", "PNG", {}), ("RGBA", "WEBP", {"lossless": True}), ("LA", "PNG", {})],
        *[("P", "PNG", {"transparency": 0}), ("L", "PNG", {"transparency": 0})],
        ("RGB", "PNG", {"transparency": (0, 0, 0)}),
    ],
)
def test_a_transparent_picture_is_exported_as_the_candidate_saw_it(
    mode: str, form: str, saved: dict[str, Any]
) -> None:
    """On white; a reader that drops transparency would show the black that lies under it."""
    buffer = io.BytesIO()
    Image.new(mode, (6, 4), 0).save(buffer, form, **saved)
    record = ImageRecord(id=ImageRecord.hash(buffer.getvalue()), source="x", data=buffer.getvalue())
    with Image.open(io.BytesIO(encoded(record).data)) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")
        assert picture.getextrema() == ((255, 255),) * 3


def test_bytes_that_are_no_picture_are_a_clear_error() -> None:
    with pytest.raises(ScotomaError, match="cannot be read"):
        encoded(ImageRecord(id="a" * 64, source="x", data=b"<html>"))
