"""`glob:PATTERN`, and the options behind a `?`."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.core import ImageError, ScotomaError, SpecError
from scotoma.images.files import FileSource
from scotoma.images.options import DatasetOptions, PictureOptions, cut_options, read_options, written
from scotoma.images.pattern import matching, spelt_out
from scotoma.images.spec import open_images
from tests.images.pictures import encoded, everything, picture, write


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(24):
        write(
            tmp_path / ("cats", "dogs/small")[number % 2] / f"IMG_{number:04}.png", encoded(picture(number))
        )
    write(tmp_path / "cats" / "notes.txt", b"not a picture")
    write(tmp_path / "cats" / ".hidden.png", b"")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("cats/*.png", 12),
        ("**/*.png", 24),
        ("**/IMG_00?[02468].png", 12),
        ("{cats,dogs/small}/IMG_{0000..0003}.png", 4),
        ("cats/IMG_????.png?near_duplicates=off&max_pixels=5000", 12),
    ],
)
def test_a_pattern_finds_what_a_shell_would(photos: Path, pattern: str, count: int) -> None:
    assert len(everything(open_images(f"glob:{photos}/{pattern}"))) == count


def test_what_matches_and_is_no_picture_is_counted(photos: Path) -> None:
    source = open_images(f"glob:{photos}/cats/*")
    assert isinstance(source, FileSource)
    records = everything(source)
    assert (len(records), source.skipped) == (12, {"not an image": 1})
    assert {record.attributes["folder"] for record in records} == {"cats"}
    assert all(record.source == f"glob:{record.path}" for record in records)


def test_the_same_bytes_are_in_the_same_split_by_folder_and_by_pattern(photos: Path) -> None:
    by_folder = {record.id: record.split for record in everything(open_images(f"folder:{photos}"))}
    by_pattern = {record.id: record.split for record in everything(open_images(f"glob:{photos}/**/*"))}
    assert by_folder == by_pattern


def test_a_pattern_that_matches_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"no file matches .*quote the pattern"):
        open_images(f"glob:{tmp_path}/*.jpg")


def test_braces_are_spelt_out_in_order() -> None:
    assert spelt_out("{a,b}-{09..11}") == ["a-09", "a-10", "a-11", "b-09", "b-10", "b-11"]
    assert spelt_out("plain") == ["plain"]


def test_a_name_with_brackets_is_found_by_its_escape(tmp_path: Path) -> None:
    write(tmp_path / "a[1].png", b"")
    assert [path.name for path in matching(f"{tmp_path}/a[[]1].png")] == ["a[1].png"]


def test_a_link_to_a_folder_above_finds_nothing_twice(photos: Path) -> None:
    for name in ("around", "again", "once more"):  # two would take `glob` longer than anybody waits
        (photos / "dogs" / name).symlink_to(photos, target_is_directory=True)
    found = matching(f"{photos}/**/*.png")
    assert len(found) == 24
    assert not any("around" in path.parts for path in found)


def test_a_link_to_another_folder_is_followed(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write(elsewhere / "IMG_9.png", encoded(picture(9)))
    (photos / "disk").symlink_to(elsewhere, target_is_directory=True)
    assert photos / "disk" / "IMG_9.png" in matching(f"{photos}/**/*.png")
    assert [path.name for path in matching(f"{photos}/disk/**")] == ["IMG_9.png"]


def test_two_stars_may_stand_anywhere_and_find_no_hidden_folder(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(photos / ".hidden" / "IMG_1.png", b"")
    monkeypatch.chdir(photos)
    assert len(matching("**/*.png")) == 24
    assert len(matching("**/small/**/*.png")) == 12
    assert len(matching("{cats,dogs}/**/IMG_*.png")) == 24
    assert not any(path.is_absolute() for path in matching("**/*.png"))


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ("near_duplicate=off", "unknown option 'near_duplicate' .did you mean 'near_duplicates'"),
            ("x=1", "the options are near_duplicates, max_pixels, licence"),
            ("near_duplicates=17", "near_duplicates=17 cannot be: .*less than or equal to 16"),
            ("near_duplicates=on", "near_duplicates=on cannot be"),
            ("max_pixels=0", "max_pixels=0 cannot be"),
            ("max_pixels=999999999", "max_pixels=999999999 cannot be"),
            ("max_pixels=5&max_pixels=6", "the option 'max_pixels' is given twice"),
            ("licence=", "the option 'licence' has no value"),
            ("split=train", "unknown option 'split'"),
        ],
    )
    def test_a_wrong_option_is_told_and_never_ignored(self, photos: Path, options: str, told: str) -> None:
        for kind, place in (("folder", photos), ("glob", f"{photos}/**/*")):
            with pytest.raises(SpecError, match=told):
                open_images(f"{kind}:{place}?{options}")

    def test_a_value_may_hold_an_ampersand(self) -> None:
        options = read_options("licence=CC%26BY 100%25", PictureOptions, "")
        assert options.licence == "CC&BY 100%"
        assert read_options(written(options).removeprefix("?"), PictureOptions, "") == options

    @given(
        st.builds(
            DatasetOptions,
            near_duplicates=st.none() | st.integers(0, 16),
            max_pixels=st.integers(1, 10**8),
            split=st.none() | st.sampled_from(["train", "test"]),
            shuffle=st.integers(0, 9999),
        )
    )
    def test_what_is_written_reads_back(self, options: DatasetOptions) -> None:
        place, said = cut_options(f"hf-dataset:owner/name{written(options)}")
        assert (place, read_options(said, DatasetOptions, "")) == ("hf-dataset:owner/name", options)

    @given(st.text(max_size=40))
    def test_no_spec_makes_a_traceback(self, text: str) -> None:
        for kind in ("folder", "glob", "worlds"):
            with pytest.raises(ScotomaError):
                open_images(f"{kind}:nowhere/{text}")


def test_what_braces_name_one_by_one_must_all_be_there(photos: Path) -> None:
    (photos / "s0.png").write_bytes(b"")
    (photos / "s1.png").write_bytes(b"")
    assert len(matching(f"{photos}/s{{0,1}}.png", whole=True)) == 2
    with pytest.raises(ImageError, match=r"names files that are not there: .*s4\.png and 1 more"):
        matching(f"{photos}/s{{0,4,5}}.png", whole=True)
    assert len(matching(f"{photos}/s*.{{png,webp}}", whole=True)) == 2  # wildcards may match nothing
