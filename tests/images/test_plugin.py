"""An image source of one's own: it is taken at its word, and its mistakes are told as its mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

import pytest

from scotoma.core import ImageError, ImageRecord, SpecError, Split
from scotoma.images.plugin import PluginSource
from scotoma.images.spec import open_images


def record(number: int, split: Split) -> ImageRecord:
    data = bytes([number])
    return ImageRecord(ImageRecord.hash(data), source=f"mine/{number}", split=split, data=data)


class Honest:
    spec = "mine:Honest"
    skipped = MappingProxyType({"too small": 2})

    def images(self, split: Split, seed: int) -> Iterator[ImageRecord]:
        yield record(["discover", "confirm", "train", "test"].index(split), split)


class Torn(Honest):
    def images(self, split: Split, seed: int) -> Iterator[ImageRecord]:
        yield record(1, split)
        raise KeyError("photo")


class Alike(Honest):
    def images(self, split: Split, seed: int) -> Iterator[ImageRecord]:
        yield record(1, split)


class Elsewhere(Honest):
    def images(self, split: Split, seed: int) -> Iterator[ImageRecord]:
        yield record(1, "test")


class Words(Honest):
    def images(self, split: Split, seed: int) -> Iterator[ImageRecord]:
        yield "photo.png"  # type: ignore[misc]


class Unstarted(Honest):
    def __init__(self) -> None:
        raise OSError("the camera is off")


class Nameless:
    def images(self, split: Split, seed: int) -> Iterator[ImageRecord]:
        raise NotImplementedError


def test_its_pictures_and_its_counters_are_passed_on() -> None:
    source = open_images(f"{__name__}:Honest")
    assert isinstance(source, PluginSource)
    assert [found.source for found in source.images("confirm", 0)] == ["mine/1"]
    assert source.spec == "mine:Honest"
    assert source.skipped == {"too small": 2}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Torn", r"test_plugin:Torn failed: KeyError: 'photo' \(.*test_plugin\.py:\d+\)"),
        ("Words", "gave 'photo.png' as an image .it must be a scotoma.core.ImageRecord"),
        ("Elsewhere", "a record of the split test when it was asked for discover .*split_of"),
    ],
)
def test_what_it_does_wrong_is_told_with_the_place(name: str, told: str) -> None:
    with pytest.raises(ImageError, match=told):
        list(open_images(f"{__name__}:{name}").images("discover", 0))


def test_a_picture_of_two_splits_is_refused() -> None:
    source = open_images(f"{__name__}:Alike")
    assert len(list(source.images("discover", 0))) == len(list(source.images("discover", 1))) == 1
    with pytest.raises(ImageError, match=r"gave the picture [0-9a-f]{12} in discover and in confirm"):
        list(source.images("confirm", 0))


def test_one_that_cannot_be_started_or_is_none_is_refused() -> None:
    with pytest.raises(ImageError, match="Unstarted could not be started: OSError: the camera is off"):
        open_images(f"{__name__}:Unstarted")
    with pytest.raises(SpecError, match="it needs `spec` and a method images"):
        open_images(f"{__name__}:Nameless")


class Nothing(Honest):
    def images(self, split: Split, seed: int) -> Iterator[ImageRecord]:
        return None  # type: ignore[return-value]


class Named(Honest):
    def images(self, split: Split, seed: int) -> Iterator[ImageRecord]:
        yield ImageRecord("img0", source="mine", split=split, data=b"0")


def test_no_images_and_names_in_place_of_hashes_are_told() -> None:
    with pytest.raises(ImageError, match=r"gave a NoneType .images.split, seed. must yield"):
        list(open_images(f"{__name__}:Nothing").images("discover", 0))
    with pytest.raises(ImageError, match=r"the id 'img0' .it must be ImageRecord.hash"):
        list(open_images(f"{__name__}:Named").images("discover", 0))
