"""An image is known by the hash of its bytes, and bad bytes are a named error."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
from PIL import Image

from scotoma.core import ImageError, ImageRecord


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGBA", (3, 2), (255, 0, 0, 255)).save(buffer, "PNG")
    return buffer.getvalue()


def record(data: bytes | None = None, path: Path | None = None) -> ImageRecord:
    return ImageRecord(id=ImageRecord.hash(data or b""), source="test", data=data, path=path)


def test_the_id_is_the_sha_256_of_the_encoded_bytes() -> None:
    assert ImageRecord.hash(b"pixels") == hashlib.sha256(b"pixels").hexdigest()


def test_an_image_opens_as_rgb_from_bytes_or_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(png())
    for image in (record(png()).open(), record(path=tmp_path / "red.png").open()):
        assert (image.mode, image.size, image.getpixel((0, 0))) == ("RGB", (3, 2), (255, 0, 0))


def test_a_size_is_read_from_the_header_of_a_picture_that_may_break_off_later() -> None:
    assert record(png()).size() == (3, 2)
    assert record(png()[:-16]).size() == (3, 2)
    with pytest.raises(ImageError, match="is not an image"):
        record(b"no picture").size()


def test_a_missing_file_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.png"):
        record(path=tmp_path / "gone.png").read()


def test_a_record_without_bytes_or_path_is_an_image_error() -> None:
    with pytest.raises(ImageError, match="neither bytes nor a path"):
        record().read()


@pytest.mark.parametrize(
    "data", [b"not a picture", png()[:40], png()[:-30]], ids=["text", "header only", "cut off"]
)
def test_bytes_that_are_no_picture_are_an_image_error(data: bytes) -> None:
    with pytest.raises(ImageError, match="not an image that can be read"):
        record(data).open()
