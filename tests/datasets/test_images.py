"""The EXIF orientation is applied to images and labels, and no label may be turned against its image."""

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from seg.config.description import describe
from seg.config.image_form import ImageForm
from seg.datasets.classes import class_table
from seg.datasets.decoding import image_header, read_image
from seg.datasets.images import label_size, read_label, read_pair
from seg.datasets.matching import ImagePair

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
    assert np.array_equal(read_image(path, ImageForm()), np.rot90(stored, QUARTERS[orientation]))


@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
def test_the_corner_of_a_rotated_photograph_by_hand(tmp_path: Path, ending: str) -> None:
    stored = Image.new("RGB", (32, 16))
    stored.paste((255, 255, 255), (0, 0, 8, 8))
    stored.save(tmp_path / f"a.{ending}", exif=tags(6))  # the first row is the right side, the first column the top
    image = read_image(tmp_path / f"a.{ending}", ImageForm())
    assert image.shape == (32, 16, 3)
    assert image[4, 12].min() > 250
    assert image[4, 4].max() < 5


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("mode", ["L", "P"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_label_turns_by_its_own_orientation(tmp_path: Path, ending: str, mode: str, orientation: int) -> None:
    label = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3), mode)
    if mode == "P":
        label.putpalette(list(range(18)))
    label.save(tmp_path / f"a.{ending}", exif=tags(orientation))
    upright = ImageOps.exif_transpose(Image.open(tmp_path / "a.png")) if ending == "png" else None
    found = read_label(tmp_path / f"a.{ending}", class_table(describe("camvid")))
    assert found.shape == image_header(tmp_path / f"a.{ending}")[:2]
    photograph = read_image(tmp_path / f"a.{ending}", ImageForm())[..., 0]
    assert np.array_equal(found, photograph // (3 if mode == "P" else 1))  # what viewers show
    if upright:
        assert np.array_equal(found, upright)


@pytest.mark.parametrize("late", [False, True])
def test_tags_of_a_png_are_found_before_and_behind_its_pixels(tmp_path: Path, late: bool) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3)).save(path, exif=tags(6))
    content = path.read_bytes()
    start = content.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(content[start : start + 4])
    if late:
        rest = content[end:]
        path.write_bytes(content[:start] + rest[:-12] + content[start:end] + rest[-12:])
    assert image_header(path) == (3, 2, 6)
    assert read_image(path, ImageForm())[..., 0].tolist() == [[3, 0], [4, 1], [5, 2]]
    assert read_label(path, class_table(describe("camvid"))).tolist() == [[3, 0], [4, 1], [5, 2]]


def test_the_size_of_a_png_is_told_without_its_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("L", (300, 200)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"IDAT") + 8])
    assert image_header(path) == (200, 300, 1)
    with pytest.raises(ValueError, match=r"a\.png: cannot be decoded"):
        read_image(path, ImageForm())


def pair_of(root: Path, size: tuple[int, int], image: int, label: int) -> ImagePair:
    pair = ImagePair("a", root / "a.jpg", root / "a.png", "")
    Image.new("RGB", size).save(pair.image, exif=tags(image))
    Image.new("L", size if label == image else size[::-1]).save(pair.label, exif=tags(label))
    return pair


@pytest.mark.parametrize(
    ("size", "image", "label", "expected"),
    [
        ((24, 16), 6, 6, ""),  # both turn
        ((24, 16), 6, 1, ""),  # the label is upright, as its size tells
        ((16, 16), 6, 1, "has EXIF orientation 1, its image 6, so it may be turned against the image"),
        ((16, 16), 3, 1, "has EXIF orientation 1, its image 3, so it may be turned against the image"),
        ((16, 16), 1, 8, "has EXIF orientation 8, its image 1, so it may be turned against the image"),
        ((24, 16), 3, 1, "label of 16x24, image of 24x16 after EXIF orientation 3; store both upright"),
        ((24, 16), 1, 1, ""),
    ],
)
def test_a_label_that_may_not_turn_with_its_image_is_refused(
    tmp_path: Path, size: tuple[int, int], image: int, label: int, expected: str
) -> None:
    pair, table = pair_of(tmp_path, size, image, label), class_table(describe("camvid"))
    if not expected:
        pixels, ids, _ = read_pair(pair, table)
        assert pixels.shape[:2] == ids.shape == label_size(pair)
        return
    with pytest.raises(ValueError, match=expected):
        read_pair(pair, table)


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
    assert read_image(path, ImageForm()).shape[1::-1] == size
