"""Images of every kind become the channels that their dataset describes; none is truncated silently."""

from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image

from seg.config.image_form import ImageForm
from seg.datasets.decoding import decode_label, image_header, read_image

NOISE = np.random.default_rng(0)
RGB = NOISE.integers(0, 256, (20, 30, 3), np.uint8)
TWELVE_BITS = (0, 4095)


def scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip(np.rint((values.astype(np.float64) - low) / (high - low) * 255), 0, 255).astype(np.uint8)


def read(path: Path, **keys: Any) -> np.ndarray:
    return read_image(path, ImageForm(**keys))


@pytest.mark.parametrize(
    ("ending", "modes"),
    [
        ("png", ["1", "L", "LA", "P", "RGB", "RGBA"]),
        ("tif", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"]),
        ("jpg", ["1", "L", "RGB", "CMYK", "YCbCr"]),
        ("webp", ["RGB", "RGBA"]),
        ("bmp", ["1", "L", "P", "RGB", "RGBA"]),
        ("gif", ["1", "L", "P"]),
    ],
)
def test_images_of_8_bits_are_those_of_pillow(tmp_path: Path, ending: str, modes: list[str]) -> None:
    for mode in modes:
        path = tmp_path / f"{mode}.{ending}"
        Image.fromarray(RGB).convert(mode).save(path)
        with Image.open(path) as file:
            assert np.array_equal(read(path), file.convert("RGB")), mode


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_16_bits_are_scaled_by_the_range(tmp_path: Path, ending: str, channels: int) -> None:
    path = tmp_path / f"a.{ending}"
    stored = NOISE.integers(0, 5000, (20, 30, channels), np.uint16)  # some above the range
    if ending == "png":
        cv2.imwrite(str(path), stored[..., [2, 1, 0, 3][:channels]] if channels > 1 else stored)
    else:
        tifffile.imwrite(
            path,
            stored,
            photometric="rgb" if channels > 1 else "minisblack",
            extrasamples=["unassalpha"] * (channels == 4),
        )
    expected = scaled(stored, *TWELVE_BITS)[..., :3]
    assert np.array_equal(read(path, range=TWELVE_BITS), expected.repeat(3 // expected.shape[2], 2))
    with pytest.raises(
        ValueError, match=r"has 16 bits per channel with values from \d+ to \d+; give the range .* \[0, 16383\]"
    ):
        read(path)


def test_16_bits_of_grey_and_transparency(tmp_path: Path) -> None:
    grey = Image.fromarray(NOISE.integers(0, 4096, (20, 30), np.uint16))
    grey.save(tmp_path / "a.png")
    stored = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(tmp_path / "b.png"), np.dstack([stored] * 3 + [np.full_like(stored, 9)]))
    assert np.array_equal(read(tmp_path / "b.png", range=TWELVE_BITS), read(tmp_path / "a.png", range=TWELVE_BITS))


def test_floats_are_scaled_by_the_range(tmp_path: Path) -> None:
    stored = NOISE.random((20, 30, 3), np.float32)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb")
    assert np.array_equal(read(tmp_path / "a.tif", range=(0.25, 0.5)), scaled(stored, 0.25, 0.5))
    with pytest.raises(ValueError, match=r"32 bits per channel with values from \S+ to 0\.\d+; .*\[0, 1\]"):
        read(tmp_path / "a.tif")
    stored[3, 4] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb")
    with pytest.raises(ValueError, match="not finite"):
        read(tmp_path / "a.tif", range=(0, 1))


@pytest.mark.parametrize(
    ("bands", "kind", "planes", "compression"),
    list(product([4, 5, 8], [np.uint8, np.uint16, np.float32], ["contig", "separate"], [None, "lzw", "deflate"])),
)
def test_bands_of_tiff(tmp_path: Path, bands: int, kind: type, planes: str, compression: str | None) -> None:
    stored = NOISE.integers(0, 256, (20, 30, bands)).astype(kind)
    content = stored if planes == "contig" else np.moveaxis(stored, 2, 0)
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, content, planarconfig=planes, photometric="minisblack", compression=compression, bigtiff=bands == 8
    )
    expected = stored[..., [3, 0, 2]].astype(np.uint8)
    assert np.array_equal(read(path, bands=[4, 1, 3], range=(0, 255)), expected)
    assert image_header(path)[:2] == (20, 30)
    with pytest.raises(ValueError, match=f"has {bands} bands, expected grey or RGB; choose .*bands: "):
        read(path)
    with pytest.raises(ValueError, match=f"has {bands} bands, expected 9; correct `bands`"):
        read(path, bands=[1, 2, 9])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_any_depth_is_read_upright(tmp_path: Path, ending: str, kind: type, orientation: int) -> None:
    stored = NOISE.integers(0, 256, (20, 30), np.uint8)
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    Image.fromarray(stored.astype(kind)).save(tmp_path / f"a.{ending}", exif=tags)
    Image.fromarray(stored).save(tmp_path / "b.png", exif=tags)
    found = read(tmp_path / f"a.{ending}", range=(0, 255))
    assert np.array_equal(found, read(tmp_path / "b.png"))
    assert image_header(tmp_path / f"a.{ending}") == (*found.shape[:2], orientation)


@pytest.mark.parametrize("ending", ["tif", "gif", "webp", "png"])
def test_files_of_several_pictures_are_refused(tmp_path: Path, ending: str) -> None:
    first, *others = (Image.fromarray(np.roll(RGB, k)) for k in range(3))
    first.save(tmp_path / f"a.{ending}", save_all=True, append_images=others)
    for attempt in (read, decode_label, image_header):
        with pytest.raises(ValueError, match=r"has 3 (pages|frames), expected one; store each in a file of its own"):
            attempt(tmp_path / f"a.{ending}")


def test_a_stack_of_imagej_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", NOISE.integers(0, 256, (5, 20, 30), np.uint8), imagej=True)
    with pytest.raises(ValueError, match="has 5 pages"):
        read(tmp_path / "a.tif")


def test_overviews_and_masks_of_tiff_are_no_pages(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(RGB, photometric="rgb")
        file.write(RGB[::2, ::2], photometric="rgb", subfiletype=1)
        file.write(RGB[..., 0] > 0, subfiletype=4, photometric="miniswhite")
    assert np.array_equal(read(tmp_path / "a.tif"), RGB)


def test_a_photograph_with_a_preview_is_read(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[Image.fromarray(RGB[::4])])
    assert read(tmp_path / "a.jpg").shape == RGB.shape


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_labels_with_several_bands_are_refused(tmp_path: Path, kind: type) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 30, 2), kind), photometric="minisblack", planarconfig="contig")
    with pytest.raises(ValueError, match="bands, expected one of ids"):
        decode_label(tmp_path / "a.tif")


def test_colours_of_labels_are_not_truncated(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.arange(1800, dtype=np.uint16).reshape(20, 30, 3))
    with pytest.raises(ValueError, match="colours of 16 bits, expected 8"):
        decode_label(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.tif", "b.tif", "c.png"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_truncated_files_are_one_line(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    if name == "c.png":
        cv2.imwrite(str(path), NOISE.integers(0, 4096, (64, 64, 3), np.uint16))
    else:
        compression = "lzw" if name == "a.tif" else None
        tifffile.imwrite(
            path, NOISE.integers(0, 256, (64, 64, 5), np.uint8), photometric="minisblack", compression=compression
        )
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match=rf"^{path}: [^\n]+$"):
        read(path, bands=[1, 2, 3] if name != "c.png" else None, range=TWELVE_BITS)
