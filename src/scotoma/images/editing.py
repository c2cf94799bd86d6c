"""Changing a picture by operations whose effect on what it shows is known beforehand.

A box is in fractions of the picture's sides, so that an operation can be written down before there is a picture.

>>> from PIL import Image
>>> edit = Flip(axis="horizontal")
>>> edit.apply(Image.new("RGB", (40, 30))).size, edit.effect
((40, 30), 'left and right are exchanged, and writing is mirrored')
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from scotoma.core import ImageError, ImageRecord
from scotoma.images.attributes import attributes
from scotoma.images.decoding import THUMBNAIL

if TYPE_CHECKING:
    from PIL.Image import Image

SMALLEST = 16
"""Pixels of the shorter side that an edited picture must keep."""

Fraction = Annotated[float, Field(ge=0, le=1)]


class Box(BaseModel):
    """A part of a picture; (0, 0) is its top-left corner, (1, 1) its bottom-right one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    left: Fraction = 0.0
    top: Fraction = 0.0
    right: Fraction = 1.0
    bottom: Fraction = 1.0

    @model_validator(mode="after")
    def _holds_something(self) -> Box:
        if self.left >= self.right or self.top >= self.bottom:
            raise ValueError("a box needs left < right and top < bottom")
        return self

    def pixels(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """(left, upper, right, lower) in a picture of this (width, height), at least one pixel each way."""
        width, height = size
        left, top = min(int(self.left * width), width - 1), min(int(self.top * height), height - 1)
        return left, top, max(round(self.right * width), left + 1), max(round(self.bottom * height), top + 1)

    def __str__(self) -> str:
        spans = ((self.left, self.right), (self.top, self.bottom))
        across, down = (f"{low:.0%} to {high:.0%}" for low, high in spans)
        return f"{across} from the left, {down} from the top"


class _Operation(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Crop(_Operation):
    """Only a part of the picture is left."""

    operation: Literal["crop"] = "crop"
    box: Box

    @property
    def effect(self) -> str:
        return f"only the part {self.box} is left: what lay outside is gone"

    def apply(self, image: Image) -> Image:
        return image.crop(self.box.pixels(image.size))


class Occlude(_Operation):
    """A part is covered by one colour."""

    operation: Literal["occlude"] = "occlude"
    box: Box
    colour: Literal["grey", "black", "white"] = "grey"

    @property
    def effect(self) -> str:
        return f"the part {self.box} is hidden behind a {self.colour} plate"

    def apply(self, image: Image) -> Image:
        image.paste(self.colour, self.box.pixels(image.size))
        return image


class Blur(_Operation):
    """A part loses its details; `radius` is Pillow's, in hundredths of the longer side."""

    operation: Literal["blur"] = "blur"
    box: Box = Box()
    radius: float = Field(default=1.0, gt=0, le=10)

    @property
    def effect(self) -> str:
        return f"the part {self.box} is blurred: writing and details there may be lost"

    def apply(self, image: Image) -> Image:
        from PIL import ImageFilter

        place = self.box.pixels(image.size)
        blurred = image.crop(place).filter(ImageFilter.GaussianBlur(self.radius * max(image.size) / 100))
        image.paste(blurred, place[:2])
        return image


class Rotate(_Operation):
    """Turned clockwise by right angles, so that no pixel is made up."""

    operation: Literal["rotate"] = "rotate"
    degrees: Literal[90, 180, 270]

    @property
    def effect(self) -> str:
        return f"turned clockwise by {self.degrees}°: left, right, above and below change accordingly"

    def apply(self, image: Image) -> Image:
        return image.rotate(-self.degrees, expand=True)


class Flip(_Operation):
    """Mirrored: `horizontal` exchanges left and right, `vertical` above and below."""

    operation: Literal["flip"] = "flip"
    axis: Literal["horizontal", "vertical"] = "horizontal"

    @property
    def effect(self) -> str:
        sides = "left and right" if self.axis == "horizontal" else "above and below"
        return f"{sides} are exchanged, and writing is mirrored"

    def apply(self, image: Image) -> Image:
        from PIL import ImageOps

        return ImageOps.mirror(image) if self.axis == "horizontal" else ImageOps.flip(image)


class Recolour(_Operation):
    """The hues of a part are turned around the colour circle; grey, black and white stay what they are."""

    operation: Literal["recolour"] = "recolour"
    box: Box = Box()
    turn: int = Field(ge=30, le=330, description="degrees around the colour circle: 120 makes red green")

    @property
    def effect(self) -> str:
        return f"colours in the part {self.box} are turned by {self.turn}° of hue; greys stay"

    def apply(self, image: Image) -> Image:
        from PIL import Image as Pillow

        place = self.box.pixels(image.size)
        hue, saturation, value = image.crop(place).convert("HSV").split()
        step = round(self.turn * 256 / 360)
        turned = hue.point([(level + step) % 256 for level in range(256)])
        image.paste(Pillow.merge("HSV", (turned, saturation, value)).convert("RGB"), place[:2])
        return image


class Paste(_Operation):
    """A part is copied to another place, over what was there: what it shows is there once more."""

    operation: Literal["paste"] = "paste"
    box: Box
    left: Fraction
    top: Fraction

    @property
    def effect(self) -> str:
        return f"the part {self.box} is there once more, from {self.left:.0%} of the width and {self.top:.0%} down"

    def apply(self, image: Image) -> Image:
        width, height = image.size
        part = image.crop(self.box.pixels(image.size))
        image.paste(part, (int(self.left * width), int(self.top * height)))
        return image


PictureEdit = Annotated[
    Crop | Occlude | Blur | Rotate | Flip | Recolour | Paste, Field(discriminator="operation")
]


def edited(record: ImageRecord, edits: Sequence[PictureEdit]) -> ImageRecord:
    """The picture after the operations, as a PNG of split `train`, without facts: what those say may have changed.

    Source and licence stay those of the picture; the source says what was done.

    Raises:
        ImageError: it cannot be read, or too little of it is left.
    """
    image = record.open()
    for edit in edits:
        image = edit.apply(image)
    if min(image.size) < SMALLEST:
        raise ImageError(f"of the picture {image.width} × {image.height} pixels are left after editing")
    return encoded(record, image, [edit.operation for edit in edits])


def encoded(record: ImageRecord, image: Image, operations: Sequence[str]) -> ImageRecord:
    """A picture that was made of another, with that one's licence; its source names both it and the operations. What it
    is like (`images.attributes`) is told anew, what else was known of the other one stays.
    """
    data = io.BytesIO()
    image.save(data, "PNG")
    thumbnail = image.copy()
    thumbnail.thumbnail((THUMBNAIL, THUMBNAIL))
    return ImageRecord(
        id=ImageRecord.hash(data.getvalue()),
        source=f"{record.source}#{','.join(operations)}",
        licence=record.licence,
        split="train",
        data=data.getvalue(),
        attributes={**record.attributes, **attributes(thumbnail, image.size)},
    )
