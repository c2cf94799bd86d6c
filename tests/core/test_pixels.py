"""From bytes to upright RGB: what is converted, how, and what cannot be shown."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scotoma.core import ImageRecord
from scotoma.core.pixels import Undecodable, decode
from tests.images.pictures import noise


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def levels(data: bytes) -> list[int]:
    """The grey levels of a picture of one row."""
    return [int(pixel[0]) for pixel in np.asarray(decode(data).image)[0]]


def red_left(size: tuple[int, int] = (40, 20)) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, size[0] // 2, size[1]))
    return image


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("reduced", [None, 16])
def test_a_picture_on_its_side_is_turned_upright(kind: str, reduced: int | None) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: what is on the left belongs at the top
    shown = decode(encoded(red_left((400, 200)), kind, exif=exif), reduced=reduced)
    assert shown.size == (200, 400)
    width, height = shown.image.size
    assert height == (reduced or 400)
    top, bottom = shown.image.getpixel((width // 2, 1)), shown.image.getpixel((width // 2, height - 2))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert top[0] > 200 > 60 > top[2]
    assert bottom[2] > 200 > 60 > bottom[0]


def test_broken_exif_costs_the_turn_and_not_the_picture() -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0\xff\xff\xff\x7f\x00\x00"
    shown = decode(encoded(red_left(), "JPEG", exif=exif))
    assert shown.image.size == (40, 20)


def test_cmyk_is_converted_and_counted() -> None:
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    for kind in ("JPEG", "TIFF"):
        shown = decode(encoded(cyan, kind))
        assert shown.conversions == ("CMYK",)
        assert np.allclose(shown.image.getpixel((4, 4)), (0, 255, 255), atol=4)


def test_an_adobe_jpeg_holds_its_inks_inverted_and_is_not_shown_as_a_negative() -> None:
    data = encoded(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG")  # no ink: white paper
    assert b"Adobe" in data
    assert np.allclose(decode(data).image.getpixel((4, 4)), (255, 255, 255), atol=4)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_and_not_clipped(kind: str) -> None:
    deep = Image.fromarray(np.array([[0, 257, 32768, 65535]], dtype=np.uint16))
    data = encoded(deep, kind)
    assert decode(data).conversions == ("16 or 32 bits a channel",)
    assert levels(data) == [0, 1, 128, 255]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 100.0, 255.0], [0, 100, 255]),
        ([-2.0, 0.0, 2.0], [0, 128, 255]),
        ([float("nan"), 0.0, 1.0], [0, 0, 255]),
        ([float("inf"), -5.0, 5.0], [0, 0, 255]),
        ([float("nan")] * 3, [0, 0, 0]),
        ([7.5, 7.5, 7.5], [8, 8, 8]),
    ],
)
def test_float_tiffs_keep_their_range_or_are_stretched_to_it(values: list[float], shown: list[int]) -> None:
    assert levels(encoded(Image.fromarray(np.array([values], dtype=np.float32)), "TIFF")) == shown


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB", "L"])
def test_what_is_transparent_is_shown_on_white(mode: str) -> None:
    image = Image.new("RGBA", (4, 2), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 2, 2))
    options: dict[str, Any] = {}
    if mode in ("RGB", "L"):  # a colour that is declared transparent
        image = Image.new(mode, (4, 2), "black")
        image.paste("white" if mode == "L" else (9, 9, 9), (2, 0, 4, 2))
        options["transparency"] = 255 if mode == "L" else (9, 9, 9)
    elif mode == "P":
        flat = Image.new("P", (4, 2), 1)
        flat.putpalette([9, 9, 9, 0, 0, 0])
        flat.paste(0, (2, 0, 4, 2))
        image, options["transparency"] = flat, 0
    else:
        image = image.convert(mode)
    shown = decode(encoded(image, "PNG", **options))
    assert shown.image.getpixel((3, 0)) == (255, 255, 255)
    assert shown.image.getpixel((0, 0)) == (0, 0, 0)
    assert shown.conversions == ("transparent: on white",)


def test_an_alpha_channel_that_hides_nothing_is_no_conversion() -> None:
    assert decode(encoded(red_left().convert("RGBA"), "PNG")).conversions == ()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_the_first_is_shown(kind: str) -> None:
    frames = [Image.new("RGB", (6, 6), colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert decode(data).conversions == ("animated: first frame",)
    assert decode(data).image.getpixel((3, 3)) == (255, 0, 0)


def test_a_damaged_later_frame_does_not_cost_the_first() -> None:
    frames = [noise(number, (64, 64), 90) for number in range(3)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(data[: len(data) * 2 // 3]).size == (64, 64)


def bomb(side: int) -> bytes:
    """A PNG that claims side × side pixels and holds none."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 99))
        + chunk(b"IEND", b"")
    )


def test_a_decompression_bomb_is_refused_by_our_limit_and_by_pillows_which_stays_as_it_is() -> None:
    before = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for side, limit in ((200, 39_999), (10_000, 99_999_999), (30_000, None)):
            with pytest.raises(Undecodable) as told:
                decode(bomb(side), max_pixels=limit)
            assert told.value.reason == "too large"
    assert before == Image.MAX_IMAGE_PIXELS


def test_what_breaks_off_is_told_apart_from_what_is_no_picture() -> None:
    whole = encoded(noise(0, (64, 64), 90), "PNG")
    for data, reason in (
        (whole[:2000], "truncated"),
        (b"", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF", "not an image"),
    ):
        with pytest.raises(Undecodable) as told:
            decode(data)
        assert told.value.reason == reason


def test_a_record_opens_by_the_same_conversion() -> None:
    data = encoded(Image.fromarray(np.array([[0, 32768]], dtype=np.uint16)), "PNG")
    record = ImageRecord(id=ImageRecord.hash(data), source="test", data=data)
    assert record.open().tobytes() == decode(data).image.tobytes()
