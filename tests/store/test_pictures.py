"""Images of a run: kept once under the hash of their bytes, verified when they are read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scotoma.core import ImageError
from scotoma.store import Ledger, Pictures
from tests.store.records import ColourFacts, picture


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(tmp_path / "ledger.sqlite")


@pytest.fixture
def pictures(tmp_path: Path, ledger: Ledger) -> Pictures:
    return Pictures(tmp_path / "images", ledger)


def test_an_image_is_kept_once_under_its_hash_and_comes_back_whole(
    pictures: Pictures, ledger: Ledger
) -> None:
    record = replace(picture(5), split="test")
    kept = pictures.put(record)
    assert pictures.put(record) == kept
    ledger.finish("s", images=[kept])
    assert kept.path == pictures.root / record.id[:2] / f"{record.id}.png"
    assert [file for file in pictures.root.rglob("*") if file.is_file()] == [kept.path]
    again = pictures.get(record.id, facts=ColourFacts.rebuild)
    assert again == kept
    assert again.read() == record.data
    assert again.attributes == record.attributes
    assert again.facts == ColourFacts(5)


def test_facts_are_left_out_when_nobody_can_rebuild_them(pictures: Pictures, ledger: Ledger) -> None:
    ledger.finish("s", images=pictures.put_all([picture(1), replace(picture(2), facts=None)]))
    assert pictures.get(picture(1).id).facts is None
    assert pictures.get(picture(2).id, facts=ColourFacts.rebuild).facts is None


def test_the_images_of_a_split_come_one_after_the_other(pictures: Pictures, ledger: Ledger) -> None:
    records = [replace(picture(i), split="train" if i % 2 else "test") for i in range(6)]
    ledger.finish("s", images=pictures.put_all(records))
    assert [record.id for record in pictures.all("train")] == [records[i].id for i in (1, 3, 5)]
    assert len(list(pictures.all())) == 6


def test_a_file_left_short_by_a_power_cut_is_written_again(pictures: Pictures) -> None:
    kept = pictures.put(picture(5))
    assert kept.path is not None
    kept.path.write_bytes(b"")
    assert pictures.put(picture(5)).read() == picture(5).data


def test_bytes_that_are_not_what_the_id_says_are_not_kept(pictures: Pictures) -> None:
    with pytest.raises(ImageError, match="has changed"):
        pictures.put(replace(picture(5), data=picture(6).data))
    assert not pictures.root.exists()


def test_a_missing_damaged_or_unknown_image_is_a_clear_error(pictures: Pictures, ledger: Ledger) -> None:
    kept = pictures.put(picture(5))
    ledger.finish("s", images=[kept])
    assert kept.path is not None
    kept.path.write_bytes(kept.read()[:-1] + b"x")
    with pytest.raises(ImageError, match=r"is damaged.*restore"):
        pictures.get(kept.id)
    kept.path.unlink()
    with pytest.raises(ImageError, match=f"{kept.id[:12]} is missing"):
        pictures.get(kept.id)
    with pytest.raises(ImageError, match="knows no image 000000000000"):
        pictures.get("0" * 64)
