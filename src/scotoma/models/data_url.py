"""An image as a `data:` URL, the form in which every OpenAI-compatible server takes it.

What every server reads alike travels as the bytes that came: an upright, still PNG, JPEG, WebP or GIF in grey or
colour. Everything else (turned by EXIF, CMYK, alpha, 16 bits, animated, TIFF …) is re-encoded from the very pixels that
a model in this process would see, so that both are asked about the same picture: a photo that was compressed with loss
as a JPEG, since a PNG of it is several times as large; all others as a PNG.

    data_url(record)  # "data:image/png;base64,iVBORw0KGgo…"
    DataURLs(records)  # the same for a batch, each image encoded once
"""

from __future__ import annotations

import asyncio
import base64
import io
from collections import Counter
from collections.abc import Iterable

from scotoma.core import ImageError, ImageRecord

PLAIN_FORMATS = {"PNG": "png", "JPEG": "jpeg", "MPO": "jpeg", "WEBP": "webp", "GIF": "gif"}
"""By Pillow's name, as what they travel. MPO is what a phone writes: a JPEG with a preview or a depth map behind it,
which readers of JPEGs pass over."""

PLAIN_MODES = frozenset({"RGB", "L", "P", "1"})
_ORIENTATION = 0x0112
_UPRIGHT = 1

_QUALITY = 95
"""Of a photo that is compressed anew: beside its first compression the loss is small."""

_INLINE_BYTES = 1 << 16
"""Images in memory up to this size are encoded on the event loop itself: handing them to a thread costs more."""


def data_url(record: ImageRecord) -> str:
    """The image's `data:` URL.

    Raises:
        ImageError: the image is gone or cannot be read.
    """
    data = record.read()
    kind, plain = _form(record, data)
    if not plain:
        out = io.BytesIO()
        record.open().save(out, kind, quality=_QUALITY)
        data = out.getvalue()
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


class DataURLs:
    """The data URLs of a batch: each image is encoded once, when it is first wanted, and dropped after its last use.
    `records` holds an image once for every request that shows it. Belongs to one event loop.
    """

    def __init__(self, records: Iterable[ImageRecord]) -> None:
        self._uses = Counter(record.id for record in records)
        self._made: dict[str, str | asyncio.Task[str]] = {}

    async def get(self, record: ImageRecord) -> str:
        """The image's URL.

        Raises:
            ImageError: the image is gone or cannot be read.
        """
        made = self._made.get(record.id)
        if made is None:
            if record.data is not None and len(record.data) <= _INLINE_BYTES:
                made = data_url(record)
            else:
                made = asyncio.create_task(asyncio.to_thread(data_url, record))
            self._made[record.id] = made
        # A request that is stopped must not take the picture from the others who wait for it.
        return made if isinstance(made, str) else await asyncio.shield(made)

    def release(self, records: Iterable[ImageRecord]) -> None:
        """A request with these images is done."""
        for record in records:
            self._uses[record.id] -= 1
            if self._uses[record.id] <= 0:
                self._made.pop(record.id, None)


def _form(record: ImageRecord, data: bytes) -> tuple[str, bool]:
    """As what the picture travels (`png`, `jpeg`, `webp` or `gif`), and whether as the bytes that came."""
    import PIL.Image

    try:
        with PIL.Image.open(io.BytesIO(data)) as image:
            form = image.format or ""
            if (
                form in PLAIN_FORMATS
                and image.mode in PLAIN_MODES
                and "transparency" not in image.info
                and (form == "MPO" or getattr(image, "n_frames", 1) == 1)
                and (not _mentions_exif(data) or image.getexif().get(_ORIENTATION, _UPRIGHT) == _UPRIGHT)
            ):
                return PLAIN_FORMATS[form], True
            lossy = form in ("JPEG", "MPO") or (form == "WEBP" and b"VP8L" not in data)
            return ("jpeg" if lossy else "png"), False
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        where = record.path or record.id[:12]
        raise ImageError(f"{where} is not an image that can be read: {error}") from error


def _mentions_exif(data: bytes) -> bool:
    """Whether it is worth asking Pillow, which decodes a whole PNG to look for EXIF at its end."""
    return any(mark in data for mark in (b"Exif", b"EXIF", b"eXIf", b"exif"))
