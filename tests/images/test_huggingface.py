"""`hf-dataset:` and `webdataset:`: what datasets on disk hold, in every shape they come in. No network."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scotoma.core import ConfigError, ImageError, ImageRecord, SpecError
from scotoma.images.spec import open_images
from scotoma.images.stream import StreamSource
from tests.images.pictures import by_split, encoded, everything, picture, write

PICTURES = [encoded(picture(number)) for number in range(40)]
IDS = {ImageRecord.hash(data) for data in PICTURES}
FEATURES = datasets.Features(
    {
        "image": datasets.Image(),
        "label": datasets.ClassLabel(names=["cat", "dog"]),
        "license": datasets.Value("string"),
    }
)


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> None:
    datasets.disable_progress_bars()


def rows(pictures: Sequence[bytes | None] = PICTURES) -> datasets.Dataset:
    return datasets.Dataset.from_dict(
        {
            "image": [
                data and {"bytes": data, "path": f"{number}.png"} for number, data in enumerate(pictures)
            ],
            "label": [number % 2 if number else -1 for number in range(len(pictures))],
            "license": ["CC0-1.0" if number % 2 else None for number in range(len(pictures))],
        },
        features=FEATURES,
    )


def tar(path: Path, members: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def opened(spec: str) -> StreamSource:
    source = open_images(spec)
    assert isinstance(source, StreamSource)
    return source


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One dataset in all its shapes: `disk`, `splits`, `typed.parquet`, `plain.parquet`, `folder`."""
    root = tmp_path_factory.mktemp("datasets")
    rows().save_to_disk(root / "disk")
    splits = {"train": rows(), "test": rows(PICTURES[:20])}
    datasets.DatasetDict(splits).save_to_disk(root / "splits")
    rows().to_parquet(root / "typed.parquet")
    several = [[{"bytes": data} for data in PICTURES[at : at + 4]] for at in range(0, 40, 4)]
    pq.write_table(pa.table({"images": several, "problem": ["?"] * 10}), root / "plain.parquet")
    for number, data in enumerate(PICTURES):
        write(root / "folder" / ("cat", "dog")[number % 2] / f"{number}.png", data)
    (root / "folder" / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n")
    return root


@pytest.mark.parametrize("shape", ["disk", "splits?split=train", "typed.parquet", "plain.parquet", "folder"])
def test_every_picture_is_in_the_split_that_its_bytes_say(saved: Path, shape: str) -> None:
    source = opened(f"hf-dataset:{saved}/{shape}")
    found = by_split(source)
    records = [record for of_split in found.values() for record in of_split]
    assert len(records) == 40
    assert {record.id for record in records} == IDS
    assert all(
        record.split == split == source.split_of(record.id) for split in found for record in found[split]
    )
    assert all(ImageRecord.hash(record.read()) == record.id for record in records)
    assert source.skipped == {}


def test_the_order_follows_from_the_seed(saved: Path) -> None:
    for shape in ("disk", "typed.parquet"):
        orders = [
            [record.id for record in opened(f"hf-dataset:{saved}/{shape}{option}").images("discover", seed)]
            for seed, option in ((1, ""), (1, ""), (2, ""), (1, "?shuffle=0"), (2, "?shuffle=0"))
        ]
        assert orders[0] == orders[1] != orders[2]
        assert orders[3] == orders[4] != orders[0]
        assert len({frozenset(order) for order in orders}) == 1


def test_labels_names_and_licences_travel_along(saved: Path) -> None:
    for shape in ("disk", "typed.parquet"):
        records = {
            record.source.rpartition("/")[2]: record
            for record in everything(opened(f"hf-dataset:{saved}/{shape}"))
        }
        assert records["3.png"].attributes["label"] == "dog"
        assert records["4.png"].attributes["label"] == "cat"
        assert "label" not in records["0.png"].attributes  # -1: no class is known
        assert records["3.png"].attributes["orientation"] == "landscape"
        assert (records["3.png"].licence, records["4.png"].licence) == ("CC0-1.0", "unknown")
    record = everything(opened(f"hf-dataset:{saved}/folder"))[0]
    assert record.licence == "cc-by-4.0"
    assert record.attributes["label"] in ("cat", "dog")


def test_streams_are_read_lazily(saved: Path) -> None:
    taken = []
    source = opened(f"hf-dataset:{saved}/typed.parquet?shuffle=2")
    inner = source._rows

    def counted(seed: int) -> Any:
        for row in inner(seed):
            taken.append(row)
            yield row

    source._rows = counted
    next(source.images("discover", seed=0))
    assert 0 < len(taken) < 40


def test_bad_rows_are_counted_by_reason_and_once(tmp_path: Path) -> None:
    bad: list[bytes | None] = [
        *PICTURES[:10],
        None,
        b"",
        b"<html>gone</html>",
        PICTURES[0],
        PICTURES[11][:300],
    ]
    rows(bad).save_to_disk(tmp_path / "bad")
    source = opened(f"hf-dataset:{tmp_path}/bad")
    for seed in (0, 1):
        assert len(everything(source, seed)) == 10
        assert source.skipped == {"no image": 1, "empty file": 1, "web page": 1, "copy": 1, "truncated": 1}


def test_a_split_without_pictures_is_told_with_counts(tmp_path: Path) -> None:
    rows(PICTURES[:1]).save_to_disk(tmp_path / "one")
    source = opened(f"hf-dataset:{tmp_path}/one")
    empty = [split for split, records in by_split(source).items() if not records]
    assert len(empty) == 3
    with pytest.raises(ImageError, match=r"no readable picture .*: 1 rows, 1 of other splits"):
        next(source.images(empty[0], seed=0))


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("splits", "say which split with .split=NAME .there are train, test"),
        ("splits?split=tran", "no split 'tran' .did you mean train"),
        ("disk?split=valid", "no split 'valid'"),
        ("disk?column=imge", "no column 'imge' .did you mean image"),
        ("disk?column=label", "the column 'label' holds no pictures"),
        ("disk?splitt=train", "unknown option 'splitt' .did you mean 'split'"),
        ("readme.txt", "no parquet file .for tars write webdataset"),
    ],
)
def test_what_is_not_there_is_told_with_what_is_near(saved: Path, spec: str, told: str) -> None:
    (saved / "readme.txt").touch()
    with pytest.raises(SpecError, match=told):
        open_images(f"hf-dataset:{saved}/{spec}")


def test_two_columns_of_pictures_are_never_guessed_between(tmp_path: Path) -> None:
    columns = {"image": PICTURES[:4], "mask": PICTURES[4:8]}
    held = {name: [{"bytes": data, "path": None} for data in column] for name, column in columns.items()}
    typed = datasets.Features({name: datasets.Image() for name in held})
    datasets.Dataset.from_dict(held, features=typed).save_to_disk(tmp_path / "two")
    with pytest.raises(SpecError, match=r"say which column with .column=NAME .there are image, mask"):
        open_images(f"hf-dataset:{tmp_path}/two")
    assert len(everything(opened(f"hf-dataset:{tmp_path}/two?column=mask"))) == 4


def test_a_dataset_without_pictures_and_one_that_is_broken_are_told(tmp_path: Path) -> None:
    datasets.Dataset.from_dict({"text": ["a"]}).save_to_disk(tmp_path / "text")
    with pytest.raises(ImageError, match=r"has no column of pictures .its columns are text"):
        open_images(f"hf-dataset:{tmp_path}/text")
    write(tmp_path / "broken.parquet", b"PAR1 and nothing else")
    with pytest.raises(ImageError, match=r"cannot read the dataset .*broken\.parquet"):
        list(open_images(f"hf-dataset:{tmp_path}/broken.parquet").images("discover", 0))


def test_a_dataset_that_cannot_be_fetched_is_told() -> None:
    with pytest.raises(
        SpecError, match="'nobody/nothing' is neither here nor a dataset that could be fetched"
    ):
        open_images("hf-dataset:nobody/nothing")


class TestManyShards:
    """Pictures of a split are a sample of all shards from the first on, of tars and of parquet files alike."""

    SHARDS, EACH, FIRST = 4, 400, 150

    @pytest.fixture(scope="class")
    def pool(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        root = tmp_path_factory.mktemp("pool")
        for shard in range(self.SHARDS):
            numbers = range(shard * self.EACH, (shard + 1) * self.EACH)
            pictures = {f"{shard}-{number}.png": encoded(picture(number, (12, 9))) for number in numbers}
            tar(root / f"{shard}.tar", pictures)
            held = [{"bytes": data, "path": name} for name, data in pictures.items()]
            pq.write_table(pa.table({"image": held}), root / f"train-{shard}.parquet")
        for shape in ("tars", "parquet"):
            (root / shape).mkdir()
            for path in root.glob("*.tar" if shape == "tars" else "*.parquet"):
                path.rename(root / shape / path.name)
        return root

    @pytest.fixture(params=["webdataset:{}/tars/*.tar", "hf-dataset:{}/parquet"])
    def spec(self, request: pytest.FixtureRequest, pool: Path) -> str:
        return f"{request.param.format(pool)}?near_duplicates=off"

    def shards(self, records: Sequence[ImageRecord]) -> Counter[str]:
        return Counter(record.source.rpartition("/")[2].partition("-")[0] for record in records)

    def test_the_first_pictures_come_from_all_shards_evenly(self, spec: str) -> None:
        first = list(islice(opened(spec).images("discover", seed=0), self.FIRST))
        assert len(first) == self.FIRST
        counts = self.shards(first)
        assert len(counts) == self.SHARDS
        # As many of each as chance gives: 37.5 on average, with a standard deviation of 5.
        assert min(counts.values()) > 20

    def test_every_picture_comes_once_in_an_order_of_the_seed(self, spec: str) -> None:
        orders = [[record.id for record in opened(spec).images("test", seed)] for seed in (1, 1, 2)]
        assert orders[0] == orders[1] != orders[2]
        assert sorted(orders[0]) == sorted(orders[2])
        source = opened(spec)
        records = everything(source)
        assert self.shards(records) == {str(shard): self.EACH for shard in range(self.SHARDS)}
        assert len({record.id for record in records}) == self.SHARDS * self.EACH
        assert source.skipped == {}

    def test_unshuffled_they_come_as_stored(self, spec: str) -> None:
        first = list(islice(opened(f"{spec}&shuffle=0").images("discover", seed=3), self.FIRST))
        assert self.shards(first) == {"0": self.FIRST}

    def test_of_more_than_16_shards_16_are_read_at_a_time(self, tmp_path: Path) -> None:
        for shard in range(20):
            pictures = {f"{shard}-{n}.png": encoded(picture(20 * shard + n, (12, 9))) for n in range(20)}
            tar(tmp_path / f"{shard}.tar", pictures)
        source = opened(f"webdataset:{tmp_path}/*.tar?near_duplicates=off&shuffle=1")
        assert len(self.shards(list(islice(source.images("discover", seed=0), 100)))) == 16
        assert len(self.shards(everything(source))) == 20


class TestShards:
    @pytest.fixture
    def shards(self, tmp_path: Path) -> Path:
        for shard in range(4):
            members: dict[str, bytes] = {}
            for number in range(10 * shard, 10 * shard + 10):
                members[f"{number:03}.png"] = PICTURES[number]
                members[f"{number:03}.cls"] = str(number % 3).encode()
                members[f"{number:03}.json"] = json.dumps({"caption": "a thing"}).encode()
            tar(tmp_path / f"shard-{shard:02}.tar", members)
        return tmp_path

    @pytest.mark.parametrize("pattern", ["*.tar", "shard-{00..03}.tar", "shard-0?.tar?shuffle=0"])
    def test_the_pictures_of_all_tars_are_found(self, shards: Path, pattern: str) -> None:
        records = everything(opened(f"webdataset:{shards}/{pattern}"))
        assert {record.id for record in records} == IDS
        assert sum("/shard-01.tar/" in record.source for record in records) == 10
        assert {record.attributes["label"] for record in records} == {"0", "1", "2"}

    def test_a_tar_that_breaks_off_ends_itself_alone(self, shards: Path) -> None:
        broken = shards / "shard-01.tar"
        broken.write_bytes(broken.read_bytes()[: broken.stat().st_size * 2 // 3])
        write(shards / "shard-02.tar", b"no tar at all")
        source = opened(f"webdataset:{shards}/*.tar")
        found = everything(source)
        assert 20 < len(found) < 30
        assert source.skipped == {"broken shard": 2}

    def test_tars_that_are_not_there_are_told(self, tmp_path: Path) -> None:
        with pytest.raises(ImageError, match="no file matches"):
            open_images(f"webdataset:{tmp_path}/{{00..09}}.tar")


def test_without_the_library_the_way_to_get_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "scotoma.images.huggingface", raising=False)
    monkeypatch.delattr("scotoma.images.huggingface", raising=False)
    monkeypatch.setitem(sys.modules, "datasets", None)
    for spec in ("hf-dataset:mnist", "webdataset:*.tar"):
        with pytest.raises(ConfigError, match=r"needs datasets.*pip install 'scotoma\[train\]'"):
            open_images(spec)


def test_files_are_opened_without_it() -> None:
    program = "import sys, scotoma.images.spec; print('datasets' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
