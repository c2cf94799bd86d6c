"""Near-copies: what is one picture and what only looks alike; and no near-copy in two splits."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageEnhance, ImageFont
from sklearn.datasets import load_sample_images

from scotoma.core import ImageRecord
from scotoma.images.decoding import Look, look
from scotoma.images.duplicates import Fingerprint, NearDuplicates, Vector
from scotoma.images.folder import FolderSource
from scotoma.images.options import PictureOptions, StreamOptions
from scotoma.images.stream import Row, StreamSource
from scotoma.images.worlds.shapes import ShapesWorld
from tests.images.pictures import encoded, everything, noise, picture, write

OFF = PictureOptions(near_duplicates=None)


@pytest.fixture(scope="module")
def photos() -> list[Image.Image]:
    """China and a flower, of scikit-learn."""
    return [Image.fromarray(pixels).resize((400, 267)) for pixels in load_sample_images().images]


def fingerprint(data: bytes) -> Fingerprint:
    seen = look(data)
    assert isinstance(seen, Look)
    return Fingerprint.of(seen.thumbnail)


def again(photo: Image.Image) -> Iterator[tuple[str, bytes]]:
    """The same photo as it comes back from phones, chats and web sites."""
    width, height = photo.size
    yield "smaller", encoded(photo.resize((width // 2, height // 2)))
    yield "smaller and recompressed", encoded(photo.resize((width // 2, height // 2)), "JPEG", quality=75)
    yield "larger", encoded(photo.resize((width * 2, height * 2)), "JPEG", quality=85)
    yield "recompressed", encoded(photo, "JPEG", quality=30)
    yield "another format", encoded(photo, "WEBP", quality=50)
    yield "a little brighter", encoded(ImageEnhance.Brightness(photo).enhance(1.06))


def test_a_photo_saved_again_is_a_near_copy(photos: list[Image.Image]) -> None:
    missed = [
        how
        for photo in photos
        for how, data in again(photo)
        if not fingerprint(encoded(photo)).near(fingerprint(data), 4)
    ]
    assert missed == []


def test_a_changed_photo_is_another_picture(photos: list[Image.Image]) -> None:
    photo = photos[0]
    mirrored = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    marked = photo.copy()
    marked.paste((255, 0, 0), (40, 40, 90, 90))
    for other in (mirrored, marked, photo.convert("L"), photos[1]):
        assert not fingerprint(encoded(photo)).near(fingerprint(encoded(other)), 4)


def test_rendered_scenes_are_all_different() -> None:
    stream = ShapesWorld().images("discover", seed=5)
    near = NearDuplicates()
    assert [near.met(str(n), next(stream).open()) for n in range(250)] == [None] * 250


def test_a_form_filled_in_with_other_figures_is_another_form() -> None:
    rng, font = random.Random(0), ImageFont.load_default(18)
    near, found = NearDuplicates(), 0
    for number in range(40):
        page = Image.new("RGB", (600, 800), "white")
        draw = ImageDraw.Draw(page)
        for line, y in enumerate(range(40, 760, 60)):
            draw.rectangle((190, y - 5, 560, y + 30), outline="black")
            draw.text((40, y), f"line {line}", fill="black", font=font)
            draw.text((200, y), str(rng.randint(1, 10 ** rng.randint(1, 6))), fill="black", font=font)
        found += near.met(str(number), page) is not None
    assert found == 0


def test_the_same_shapes_in_other_colours_are_another_picture() -> None:
    def disc(colour: str) -> Image.Image:
        image = Image.new("RGB", (64, 64), "grey")
        ImageDraw.Draw(image).ellipse((20, 20, 44, 44), fill=colour)
        return image

    near = NearDuplicates(distance=16)
    assert [near.met(colour, disc(colour)) for colour in ("red", "blue", "green")] == [None] * 3


@given(st.integers(0, 2**64 - 1), st.sets(st.integers(0, 63), max_size=16), st.integers(0, 16))
def test_the_index_finds_every_hash_within_the_distance_and_no_other(
    bits: int, flipped: set[int], distance: int
) -> None:
    cells = np.zeros((32, 32, 3), dtype=np.uint8)
    other = bits ^ sum(1 << bit for bit in flipped)
    near = NearDuplicates(distance)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Fingerprint, "of", lambda number: Fingerprint(number, cells))
        assert near.met("first", bits) is None  # type: ignore[arg-type]  # the patched `of` takes the bits
        met = near.met("second", other)  # type: ignore[arg-type]  # as above
    assert (met == "first") == (len(flipped) <= distance)


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """Thirty pictures, each with a smaller copy in a file that comes later."""
    for number in range(30):
        write(tmp_path / f"a{number:02}.png", encoded(picture(number, (192, 144))))
        smaller = encoded(picture(number, (128, 96)), "JPEG", quality=90, subsampling=0)
        write(tmp_path / f"b{number:02}.jpg", smaller)
    return tmp_path


def test_of_near_copies_the_first_file_stays_whatever_the_split_and_seed(copies: Path) -> None:
    assert len(everything(FolderSource(copies, options=OFF))) == 60
    for seed in (0, 1):
        source = FolderSource(copies)
        kept = sorted(record.path.name for record in everything(source, seed) if record.path)
        assert kept == [f"a{number:02}.png" for number in range(30)]
        assert source.skipped == {"near-duplicate": 30}


def test_pictures_with_exact_facts_are_never_near_copies(tmp_path: Path) -> None:
    world = ShapesWorld()
    record = next(world.images("discover", seed=0))
    assert record.facts is not None
    lines = []
    for number in range(6):  # the same pixels in other bytes
        write(tmp_path / f"{number}.png", encoded(record.open(), compress_level=number))
        facts = {"file": f"{number}.png", "world": "worlds:shapes", "facts": record.facts.to_json()}
        lines.append(json.dumps(facts))
    assert len(everything(FolderSource(tmp_path))) == 1
    (tmp_path / "facts.jsonl").write_text("\n".join(lines))
    assert len(everything(FolderSource(tmp_path, world=lambda spec: world))) == 6


def test_in_a_stream_the_first_seen_stays_in_whichever_split(copies: Path) -> None:
    rows = [Row(path.read_bytes(), f"/{path.name}") for path in sorted(copies.iterdir())]
    source = StreamSource("test:", lambda seed: iter(rows), StreamOptions(shuffle=7))
    assert len(everything(source)) == 30
    assert source.skipped == {"near-duplicate": 30}
    assert len(everything(source, seed=1)) == 30  # what was handed out is no copy of itself
    assert source.skipped == {"near-duplicate": 30}


def test_a_stream_leaves_out_near_copies_of_what_an_earlier_process_handed_out(copies: Path) -> None:
    rows = [Row(path.read_bytes(), f"/{path.name}") for path in sorted(copies.iterdir())]

    def opened() -> StreamSource:
        return StreamSource("test:", lambda seed: iter(rows), StreamOptions())

    used = list(opened().images("discover", 0))
    alone, told = opened(), opened()
    told.remember(used)
    near = NearDuplicates()
    for record in used:
        near.add(record.id, record.open())
    assert any(near.find(record.open()) for record in alone.images("confirm", 0))
    assert not any(near.find(record.open()) for record in told.images("confirm", 0))
    # What was used is handed out again, in the same order: a resume counts on it.
    assert [record.id for record in told.images("discover", 0)] == [record.id for record in used]


def test_a_stream_counts_what_was_converted_alike_with_and_without_a_stop() -> None:
    rows = []
    for n in range(40):
        image = picture(n).convert("RGBA")
        image.putpixel((0, 0), (0, 0, 0, 0))
        rows.append(Row(encoded(image, "PNG"), f"/{n}.png"))

    def opened() -> StreamSource:
        return StreamSource("test:", lambda seed: iter(rows), StreamOptions())

    whole, resumed = opened(), opened()
    used = list(whole.images("discover", 0))
    assert whole.converted == {"transparent: on white": len(used)}
    resumed.remember([*used, *opened().images("confirm", 0)])
    assert not resumed.converted  # other splits' pictures are not met here
    list(resumed.images("discover", 0))
    list(resumed.images("discover", 0))
    assert resumed.converted == whole.converted


class Mean:
    """An embedder for which pictures of the same mean colour are the same."""

    name = "mean colour"
    similarity = 0.98

    def embed(self, image: ImageRecord) -> Vector:
        return np.asarray(image.open(), dtype=np.float32).mean(axis=(0, 1)) - 128


def test_an_embedder_finds_what_the_hash_does_not(tmp_path: Path) -> None:
    for number in range(80):  # more than fit into the first block of vectors
        image = noise(number, (32, 32), 60).convert("RGB")
        tint = picture(number).resize((1, 1)).resize((32, 32))
        write(tmp_path / f"{number:02}.png", encoded(Image.blend(image, tint, 0.9)))
    crop = Image.open(tmp_path / "07.png").crop((8, 8, 32, 32))
    write(tmp_path / "crop.png", encoded(crop))
    found = [
        {record.path.name for record in everything(FolderSource(tmp_path, embedder=embedder)) if record.path}
        for embedder in (None, Mean())
    ]
    assert "crop.png" in found[0]
    assert "crop.png" not in found[1]
