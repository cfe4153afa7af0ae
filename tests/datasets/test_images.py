"""The EXIF orientation is applied to images and not to labels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from seg.config.description import describe
from seg.datasets.classes import class_table
from seg.datasets.images import read_image, read_label

QUARTERS = {1: 0, 3: 2, 6: 3, 8: 1}  # anticlockwise turns of 90 degrees that set an orientation upright


def tags(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.XResolution] = 72.0
    return exif


@pytest.mark.parametrize("orientation", QUARTERS)
def test_a_photograph_is_read_upright(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "a.jpg"
    stored = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    Image.fromarray(stored).save(path, exif=tags(orientation))
    with Image.open(path) as file:
        stored = np.asarray(file)
    assert np.array_equal(read_image(path), np.rot90(stored, QUARTERS[orientation]))


@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
def test_the_corner_of_a_rotated_photograph_by_hand(tmp_path: Path, ending: str) -> None:
    stored = Image.new("RGB", (32, 16))
    stored.paste((255, 255, 255), (0, 0, 8, 8))
    stored.save(tmp_path / f"a.{ending}", exif=tags(6))  # the first row is the right side, the first column the top
    image = read_image(tmp_path / f"a.{ending}")
    assert image.size == (16, 32)
    assert min(image.getpixel((12, 4))) > 250  # type: ignore[arg-type,type-var]
    assert max(image.getpixel((4, 4))) < 5  # type: ignore[arg-type,type-var]


def test_a_label_is_read_unchanged(tmp_path: Path) -> None:
    ids = np.arange(6, dtype=np.uint8).reshape(2, 3)
    Image.fromarray(ids).save(tmp_path / "a.png", exif=tags(6))
    assert np.array_equal(read_label(tmp_path / "a.png", class_table(describe("camvid"))), ids)


@pytest.mark.parametrize(
    ("old", "new", "size"),
    [
        (b"MM\0*", b"MM\0?", (24, 16)),  # no TIFF header: the orientation cannot be read
        (b"\x01\x1a\0\x05", b"\x01\x1a\0\x02", (16, 24)),  # a resolution that is text cannot be written back
    ],
)
def test_an_image_with_damaged_tags_is_read(tmp_path: Path, old: bytes, new: bytes, size: tuple[int, int]) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (24, 16)).save(path, exif=tags(6))
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    assert read_image(path).size == size
