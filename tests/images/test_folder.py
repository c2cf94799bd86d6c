"""`folder:PATH`: pictures as they lie on a disk, good and bad, in splits that never mix; and specs that open them."""

from __future__ import annotations

import json
import os
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from scotoma.core import SPLITS, Examination, Facts, ImageError, ImageRecord, SpecError, Split
from scotoma.images.folder import FolderSource
from scotoma.images.options import PictureOptions
from scotoma.images.spec import open_images
from scotoma.images.split import SHARES, split_of
from tests.images.pictures import by_split, picture


def save(path: Path, number: int, size: tuple[int, int] = (9, 7), **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(number, size).save(path, **options)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sixty pictures in two subfolders and at the top, of several formats."""
    for number in range(60):
        place = ("", "cats", "dogs/small")[number % 3]
        save(tmp_path / place / f"{number}{('.png', '.JPG', '.webp')[number % 3]}", number)
    return tmp_path


def names(source: FolderSource, split: Split, seed: int = 0) -> list[str]:
    return [record.path.name for record in source.images(split, seed) if record.path]


def test_every_picture_is_in_exactly_one_split(folder: Path) -> None:
    found = by_split(FolderSource(folder))
    ids = [record.id for records in found.values() for record in records]
    assert len(ids) == len(set(ids)) == 60
    assert all(record.split == split for split, records in found.items() for record in records)
    record = found["discover"][0]
    assert record.id == ImageRecord.hash(record.read())
    assert record.open().size == (9, 7)


def test_the_shares_are_met_on_average() -> None:
    counts = Counter(split_of(ImageRecord.hash(str(number).encode())) for number in range(20_000))
    assert all(abs(counts[split] / 20_000 - share) < 0.015 for split, share in SHARES.items())


def test_a_picture_keeps_its_split_when_others_come_and_it_is_moved(folder: Path) -> None:
    before = {
        record.id: split for split, records in by_split(FolderSource(folder)).items() for record in records
    }
    for number in range(60, 90):
        save(folder / f"{number}.png", number)
    (folder / "cats").rename(folder / "felines")
    after = {
        record.id: split for split, records in by_split(FolderSource(folder)).items() for record in records
    }
    assert len(after) == 90
    assert before.items() <= after.items()


def test_the_order_follows_from_the_seed_and_mixes_the_folders(folder: Path) -> None:
    assert names(FolderSource(folder), "discover", seed=1) == names(FolderSource(folder), "discover", seed=1)
    assert names(FolderSource(folder), "discover", seed=1) != names(FolderSource(folder), "discover", seed=2)
    assert sorted(names(FolderSource(folder), "discover", 1)) == sorted(
        names(FolderSource(folder), "discover", 2)
    )


def test_without_a_search_for_near_copies_pictures_are_read_one_by_one(folder: Path) -> None:
    source = FolderSource(folder, options=PictureOptions(near_duplicates=None))
    stream = source.images("discover", seed=0)
    first = next(stream)
    for file in folder.rglob("*.*"):
        if file != first.path:
            file.write_bytes(b"")
    with pytest.raises(StopIteration):
        next(stream)


def test_the_source_and_the_folder_of_a_picture_are_known(folder: Path) -> None:
    source = open_images(f"folder:{folder}?licence=CC0-1.0")
    records = {
        record.path.name: record for records in by_split(source).values() for record in records if record.path
    }
    assert records["2.webp"].source == f"folder:{folder}/dogs/small/2.webp"
    assert records["2.webp"].attributes["folder"] == "dogs/small"
    assert records["2.webp"].attributes["orientation"] == "landscape"
    assert "folder" not in records["0.png"].attributes
    assert records["0.png"].licence == "CC0-1.0"


def test_bad_files_are_skipped_and_counted_by_reason(folder: Path) -> None:
    noise = random.Random(0).randbytes(64 * 64 * 3)
    for number in range(8):
        whole = folder / "whole.png"
        Image.frombytes("RGB", (64, 64), noise).putpixel((0, 0), (number, 0, 0))
        picture = Image.frombytes("RGB", (64, 64), noise)
        picture.putpixel((0, 0), (number, 0, 0))
        picture.save(whole)
        (folder / f"cut{number}.png").write_bytes(whole.read_bytes()[:4_000])
        (folder / f"text{number}.jpg").write_text(f"not a picture {number}")
        whole.unlink()
    (folder / "copy.png").write_bytes((folder / "0.png").read_bytes())
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "notes.txt").write_text("no picture at all")
    source = FolderSource(folder)
    found = by_split(source)
    assert sum(map(len, found.values())) == 60
    assert source.skipped == {"truncated": 8, "not an image": 8, "copy": 1, "unreadable": 1}
    by_split(source)
    assert source.skipped.total() == 18


def test_a_phone_picture_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "phone.jpg", 5, size=(40, 20), exif=exif)
    [record] = [record for records in by_split(FolderSource(tmp_path)).values() for record in records]
    assert record.open().size == (20, 40)
    assert record.id == ImageRecord.hash((tmp_path / "phone.jpg").read_bytes())


class TestNothingToRead:
    def test_a_missing_folder_or_a_file_is_told(self, folder: Path) -> None:
        with pytest.raises(ImageError, match="there is no folder"):
            FolderSource(folder / "nowhere")
        with pytest.raises(ImageError, match="is a file, not a folder"):
            FolderSource(folder / "0.png")

    def test_a_folder_without_pictures_is_told_which_files_are_pictures(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").touch()
        with pytest.raises(ImageError, match=r"holds no pictures.*\.jpeg"):
            FolderSource(tmp_path)

    def test_a_folder_in_which_nothing_can_be_read_is_told_with_the_reasons(self, tmp_path: Path) -> None:
        for number in range(40):
            (tmp_path / f"{number}.png").write_text(f"{number}")
        with pytest.raises(
            ImageError, match=r"no readable picture.*'discover'.*40 files, skipped: \d+ not an image"
        ):
            list(FolderSource(tmp_path).images("discover", seed=0))

    def test_too_few_pictures_for_four_splits_are_told(self, tmp_path: Path) -> None:
        source = FolderSource(save(tmp_path / "one.png", 1).parent)
        empty = [split for split, records in by_split(source).items() if not records]
        assert len(empty) == 3
        with pytest.raises(ImageError, match="give a source with more of them"):
            list(source.images(empty[0], seed=0))


@dataclass(frozen=True)
class Shade:
    """Facts: the number that a picture was drawn with."""

    number: int

    def examine(self, question: str) -> Examination:
        return Examination(valid=True, answer=str(self.number))

    def to_json(self) -> dict[str, Any]:
        return {"number": self.number}


class Shades:
    """The world of those facts."""

    spec = "tests.images.test_folder:Shades"

    def images(self, split: Split, seed: int) -> Iterator[ImageRecord]:
        raise NotImplementedError

    def facts(self, document: Mapping[str, Any]) -> Facts:
        return Shade(document["number"])

    def render(self, facts: Facts, split: Split) -> ImageRecord:
        raise NotImplementedError

    def questions(self, facts: Facts, seed: int, n: int) -> Sequence[str]:
        return ["which shade is it ?"] * n


class NeedsArguments:
    def __init__(self, size: int) -> None:
        self.size = size


class TestSidecar:
    def test_exported_scenes_keep_their_exact_facts(self, folder: Path) -> None:
        lines = [
            {
                "file": "cats/1.JPG",
                "world": f"{__name__}:Shades",
                "facts": {"number": 1},
                "licence": "CC-BY-4.0",
            },
            {"file": "dogs/small/2.webp", "world": f"{__name__}:Shades", "facts": {"number": 2}},
        ]
        (folder / "facts.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n\n")
        source = open_images(f"folder:{folder}?world={__name__}:Shades")
        assert isinstance(source, FolderSource)
        found = {
            record.path.name: record
            for records in by_split(source).values()
            for record in records
            if record.path
        }
        assert (found["1.JPG"].facts, found["1.JPG"].licence) == (Shade(1), "CC-BY-4.0")
        assert (found["2.webp"].facts, found["2.webp"].licence) == (Shade(2), "unknown")
        assert found["0.png"].facts is None

    @pytest.mark.parametrize("trusted", ["", "?world=somewhere.else:World"])
    def test_code_that_only_the_folder_names_is_not_run(self, folder: Path, trusted: str) -> None:
        line = {"file": "0.png", "world": "os:abort", "facts": {}}
        (folder / "facts.jsonl").write_text(json.dumps(line))
        with pytest.raises(SpecError, match=r"'os:abort', whose code would be run.*world=os:abort"):
            list(open_images(f"folder:{folder}{trusted}").images("discover", 0))

    @pytest.mark.parametrize(
        ("line", "told"),
        [
            ("{", r"facts\.jsonl:2: .*JSON"),
            ('{"file": "0.png", "facts": {}}', r"facts\.jsonl:2: world: Field required"),
            (
                '{"file": "x.png", "world": "worlds:shapes", "facts": {}}',
                r"facts\.jsonl:2: there is no file x\.png",
            ),
        ],
    )
    def test_a_bad_line_is_told_with_its_number(self, folder: Path, line: str, told: str) -> None:
        (folder / "facts.jsonl").write_text(f"\n{line}\n")
        with pytest.raises(ImageError, match=told):
            FolderSource(folder)

    def test_a_world_that_cannot_be_opened_is_told(self, folder: Path) -> None:
        for split in SPLITS:
            (folder / "facts.jsonl").write_text(
                "\n".join(
                    json.dumps({"file": str(file.relative_to(folder)), "world": "worlds:shaeps", "facts": {}})
                    for file in folder.rglob("*.*")
                    if file.is_file() and file.suffix != ".jsonl"
                )
            )
            with pytest.raises(SpecError, match="did you mean worlds:shapes"):
                next(open_images(f"folder:{folder}").images(split, seed=0))


class TestSpecs:
    def test_a_class_of_your_own_is_made(self) -> None:
        assert isinstance(open_images(f"{__name__}:Shades"), Shades)

    def test_worlds_are_imported_only_when_asked_for(self, folder: Path) -> None:
        loaded = {name for name in sys.modules if name.startswith("scotoma.images.worlds.shapes")}
        open_images(f"folder:{folder}")
        assert {name for name in sys.modules if name.startswith("scotoma.images.worlds.shapes")} == loaded

    @pytest.mark.parametrize(
        ("spec", "told"),
        [
            ("worlds:shaps", "there is no world 'shaps' .did you mean worlds:shapes"),
            ("worlds:moon", "there is no world 'moon' .there is worlds:shapes"),
            ("wolds:shapes", "did you mean worlds:shapes"),
            ("foldr:photos", "did you mean folder:photos"),
            ("shapes", "did you mean worlds:shapes"),
            ("hf-datset:mnist", "did you mean hf-dataset:mnist"),
            ("photos/*.jpg", r"did you mean glob:photos/\*.jpg"),
            ("worlds:shapes?seed=3", "worlds: takes none .write worlds:shapes"),
            ("", "worlds:NAME, folder:PATH, glob:PATTERN, .* or MODULE:CLASS"),
            ("worlds:", "worlds:NAME, folder:PATH, .* or MODULE:CLASS"),
            ("https://example.org/a.zip", "worlds:NAME, .* or MODULE:CLASS"),
            ("nowhere_at_all:Source", "no module 'nowhere_at_all'.*PYTHONPATH"),
            (f"{__name__}:Shads", "has no 'Shads' .did you mean 'Shades'"),
            (f"{__name__}:NeedsArguments", "cannot be made without arguments"),
            ("builtins:dict", "no image source: it needs `spec` and a method images"),
        ],
    )
    def test_what_names_nothing_is_told_with_what_is_near(self, spec: str, told: str) -> None:
        with pytest.raises(SpecError, match=told):
            open_images(spec)

    def test_a_path_alone_is_told_to_be_a_folder(self, folder: Path) -> None:
        with pytest.raises(SpecError, match=f"did you mean folder:{folder}"):
            open_images(str(folder))

    def test_a_folder_spec_understands_the_home_folder(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(os.environ, "HOME", str(folder.parent))
        source = open_images(f"folder:~/{folder.name}")
        assert next(source.images("discover", seed=0)).path is not None


def test_a_pipe_with_a_picture_s_name_is_left_out_and_never_read(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    source = FolderSource(folder)
    assert list(source.images("discover", seed=0))
    assert source.skipped["unreadable"] >= 1
