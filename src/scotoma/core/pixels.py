"""From the bytes of a picture to upright RGB: the one conversion, for every file that a model is ever shown.

A picture that can be shown is converted, and `conversions` says how; one that cannot is an `Undecodable` with a
reason that can be counted. Colour profiles are not applied: the processors of models do not apply them either.

    shown = decode(path.read_bytes())
    shown.image, shown.conversions       # <RGB 640 × 480>, ("transparent: on white",)
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from scotoma.core.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image

Reason = Literal["not an image", "truncated", "too large", "unsupported format"]
"""Why bytes cannot be shown: no picture at all, one that breaks off or is damaged, one beyond the limit of pixels, or
a picture of a kind that has no reading in RGB here.
"""

Conversion = Literal[
    "turned upright",
    "CMYK",
    "16 or 32 bits a channel",
    "transparent: on white",
    "animated: first frame",
    "unreadable EXIF",
]
"""What was done to a picture that is not plain 8-bit RGB or grey already.

`turned upright`: as its EXIF orientation says. `CMYK`: the plain formula; JPEGs are taken as inverted, as Adobe
writes them and browsers read them. `16 or 32 bits a channel`: grey, scaled to 8 bits (`_eight_bits`). `transparent:
on white`: composited on white, as a browser shows it on a page. `animated: first frame`: the rest is never shown.
`unreadable EXIF`: shown as it lies.
"""

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "AVIF", "JPEG2000", "PPM", "ICO")
"""What is read. Pillow knows more, some of which start other programs (EPS) or match almost any bytes (TGA)."""

_ORIENTATION = 0x0112
"""The EXIF tag: 1 is upright, 2 to 4 mirrored or upside down, 5 to 8 on its side."""


class Undecodable(ImageError):
    """Bytes that cannot be shown. `reason` is one of few, to be counted; the message has the particulars."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


@dataclass(frozen=True)
class Decoded:
    """An upright RGB image; `size` is (width, height) of the whole picture, also where `image` is reduced."""

    image: Image
    size: tuple[int, int]
    conversions: tuple[Conversion, ...] = ()


def decode(data: bytes, *, max_pixels: int | None = None, reduced: int | None = None) -> Decoded:
    """The picture in `data`, whole and valid to its last byte of pixels.

    Args:
        data: an encoded picture of one of `FORMATS`, whatever its file was called.
        max_pixels: refuse more, before they are decoded (decompression bombs). Pillow itself refuses what has more
            than twice `PIL.Image.MAX_IMAGE_PIXELS`, 179 million as it comes.
        reduced: make the longer side at most this many pixels. JPEGs are then decoded several times faster.

    Raises:
        Undecodable: the bytes cannot be shown; nothing else is ever raised for bad bytes.
    """
    with _counted(data):
        return _decode(data, max_pixels, reduced)


def size_of(data: bytes) -> tuple[int, int]:
    """(width, height) as the file has it, before it is turned upright: its header alone is read.

    Raises:
        Undecodable: the bytes are no picture that is read; whether it is whole, only `decode` knows.
    """
    import PIL.Image

    with _counted(data):
        image: Image = PIL.Image.open(io.BytesIO(data), formats=_readable_formats())
        return image.size


@contextmanager
def _counted(data: bytes) -> Iterator[None]:
    """Whatever Pillow says of these bytes, as an `Undecodable`."""
    import PIL.Image

    try:
        with warnings.catch_warnings():
            # Pillow warns of sizes and of broken metadata; what matters of it is a reason or a conversion here.
            warnings.filterwarnings("ignore", module=r"PIL\b")
            yield
    except Undecodable:
        raise
    except PIL.Image.DecompressionBombError as error:
        raise Undecodable("too large", str(error)) from error
    except PIL.UnidentifiedImageError as error:
        raise Undecodable("not an image", f"{len(data)} bytes of no format that is read") from error
    except MemoryError as error:
        raise Undecodable("too large", "it does not fit into memory") from error
    except Exception as error:  # damaged files make Pillow's plugins raise nearly every type there is
        raise Undecodable("truncated", str(error) or type(error).__name__) from error


def _decode(data: bytes, max_pixels: int | None, reduced: int | None) -> Decoded:
    import PIL.Image

    image: Image = PIL.Image.open(io.BytesIO(data), formats=_readable_formats())
    width, height = image.size
    if max_pixels is not None and width * height > max_pixels:
        raise Undecodable("too large", f"{width} × {height} pixels, and {max_pixels:,} is the limit")
    conversions: list[Conversion] = []
    if _animated(image):
        conversions.append("animated: first frame")
    drafted = reduced is not None and image.draft(None, (reduced, reduced)) is not None  # JPEG alone can
    image.load()
    image, on_its_side = _upright(image, conversions)
    size = image.size if not drafted else (height, width) if on_its_side else (width, height)
    image = _rgb(image, conversions)
    if reduced is not None:
        image.thumbnail((reduced, reduced))
    return Decoded(image, size, tuple(conversions))


@cache
def _readable_formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this build of Pillow has."""
    import PIL.Image

    PIL.Image.init()
    return tuple(name for name in FORMATS if name in PIL.Image.OPEN)


def _animated(image: Image) -> bool:
    try:
        # A phone's JPEG may carry a preview as its second frame (MPO): no animation.
        return bool(getattr(image, "is_animated", False)) and image.format != "MPO"
    except Exception:  # later frames are damaged, in whichever way; the first may well be whole
        image.seek(0)
        return True


def _upright(image: Image, conversions: list[Conversion]) -> tuple[Image, bool]:
    """The image as its EXIF orientation wants it, and whether it was turned by a quarter (its sides swapped)."""
    from PIL import ImageOps

    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
        turned = ImageOps.exif_transpose(image)
    except Exception:  # EXIF is a TIFF inside the file, damaged in as many ways; the pixels are whole
        conversions.append("unreadable EXIF")
        return image, False
    if orientation in range(2, 9):
        conversions.append("turned upright")
    return turned, orientation in range(5, 9)


def _rgb(image: Image, conversions: list[Conversion]) -> Image:
    import PIL.Image

    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        conversions.append("16 or 32 bits a channel")
        return _eight_bits(image).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            conversions.append("transparent: on white")
            white = PIL.Image.new("RGBA", image.size, (255, 255, 255, 255))
            image = PIL.Image.alpha_composite(white, image)
    elif image.mode == "CMYK":
        conversions.append("CMYK")
    try:
        return image.convert("RGB")
    except ValueError as error:
        raise Undecodable("unsupported format", f"no way from {image.mode} to RGB") from error


def _eight_bits(image: Image) -> Image:
    """Deep grey as 8-bit grey, scaled and never clipped.

    Values within 0 … 255 stay. Others within 16 bits are scaled by the whole range of 16 bits, so that brightness
    compares between files; floats within 0 … 1 by that range; anything else from its own minimum to its maximum.
    Undefined values (NaN, ±∞) become black.
    """
    import numpy as np
    import PIL.Image

    deep = image.mode.startswith("I;16")
    with np.errstate(invalid="ignore"):  # a signalling NaN
        values = np.asarray(image).astype(np.float64)
    values = np.where(np.isfinite(values), values, np.nan)
    low, high = (
        (float(np.nanmin(values)), float(np.nanmax(values))) if np.isfinite(values).any() else (0.0, 0.0)
    )
    if deep or (image.mode == "I" and low >= 0 and 255 < high <= 65535):
        low, high = 0.0, 65535.0
    elif image.mode == "F" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    scaled = np.nan_to_num((values - low) / max(high - low, 1e-300) * 255, nan=0.0)
    return PIL.Image.fromarray(np.rint(scaled).astype(np.uint8))
