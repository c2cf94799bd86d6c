"""Editing pictures: every operation does what its effect says, and nothing else."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import TypeAdapter, ValidationError

from scotoma.core import ImageError, ImageRecord
from scotoma.images.editing import (
    Blur,
    Box,
    Crop,
    Flip,
    Occlude,
    Paste,
    PictureEdit,
    Recolour,
    Rotate,
    edited,
)

LEFT = Box(right=0.5)


def halves() -> ImageRecord:
    """64 × 32: red on the left, grey on the right."""
    image = Image.new("RGB", (64, 32), "red")
    image.paste((90, 90, 90), (32, 0, 64, 32))
    data = io.BytesIO()
    image.save(data, "PNG")
    return ImageRecord(
        "id", "folder:photos/a.png", "CC BY 2.0", data=data.getvalue(), attributes={"folder": "x"}
    )


@pytest.mark.parametrize(
    ("edit", "left", "right", "size"),
    [
        (Crop(box=LEFT), (255, 0, 0), (255, 0, 0), (32, 32)),
        (Occlude(box=LEFT, colour="black"), (0, 0, 0), (90, 90, 90), (64, 32)),
        (Flip(), (90, 90, 90), (255, 0, 0), (64, 32)),
        (Rotate(degrees=180), (90, 90, 90), (255, 0, 0), (64, 32)),
        (Recolour(box=Box(), turn=120), (0, 255, 0), (90, 90, 90), (64, 32)),
        (Paste(box=LEFT, left=0.5, top=0.0), (255, 0, 0), (255, 0, 0), (64, 32)),
        (Blur(box=LEFT), (255, 0, 0), (90, 90, 90), (64, 32)),
    ],
    ids=lambda value: value.operation if hasattr(value, "operation") else "",
)
def test_an_operation_does_what_it_says(
    edit: PictureEdit, left: tuple[int, ...], right: tuple[int, ...], size: tuple[int, int]
) -> None:
    image = edited(halves(), [edit]).open()
    assert image.size == size
    for place, colour in (((2, 16), left), ((size[0] - 3, 16), right)):
        found = image.getpixel(place)
        assert isinstance(found, tuple)
        assert all(abs(a - b) <= 3 for a, b in zip(found, colour, strict=True))
    assert edit.effect


def test_an_edited_picture_keeps_its_licence_and_says_what_was_done_to_it() -> None:
    record = edited(halves(), [Flip(), Occlude(box=LEFT)])
    assert (record.licence, record.source) == ("CC BY 2.0", "folder:photos/a.png#flip,occlude")
    assert record.split == "train"
    assert record.id == ImageRecord.hash(record.read())
    assert record.attributes["folder"] == "x"
    assert record.attributes["orientation"] == "landscape"
    assert record.facts is None


def test_too_little_picture_is_no_picture() -> None:
    with pytest.raises(ImageError, match="are left"):
        edited(halves(), [Crop(box=Box(right=0.1, bottom=0.1))])


def test_an_operation_that_is_written_wrongly_is_refused() -> None:
    edits: TypeAdapter[PictureEdit] = TypeAdapter(PictureEdit)
    assert edits.validate_python({"operation": "flip", "axis": "vertical"}) == Flip(axis="vertical")
    for wrong in ({"operation": "melt"}, {"operation": "crop", "box": {"left": 0.9, "right": 0.1}}, {}):
        with pytest.raises(ValidationError):
            edits.validate_python(wrong)


@given(st.tuples(*[st.floats(0, 1)] * 4), st.integers(1, 300), st.integers(1, 300))
def test_a_box_is_always_inside_of_the_picture(sides: tuple[float, ...], width: int, height: int) -> None:
    left, right, top, bottom = sides
    if left < right and top < bottom:
        x0, y0, x1, y1 = Box(left=left, top=top, right=right, bottom=bottom).pixels((width, height))
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
