"""Decoding of image files: every band at its own depth, upright, then the channels that a network sees, as uint8.

Pillow decodes images of at most 8 bits per channel, OpenCV deeper ones and tifffile TIFF of any number of bands: Pillow
truncates 16-bit colours to 8 bits, and reads some of several bands as the first of them.
"""

import math
import struct
import warnings
import zlib
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
from PIL import Image

from seg.config.image_form import ImageForm
from seg.datasets import tiff
from seg.datasets.orientation import image_orientation, upright
from seg.datasets.tiff import Decoded
from seg.system.console import describe_os_error

Value = TypeVar("Value")
_DEEP = ("JPEG2000", "PPM")  # formats beside PNG that Pillow may truncate to 8 bits
_CONVERTED = {"1": "L", "PA": "RGBA", "La": "LA", "RGBa": "RGBA"} | dict.fromkeys(("P", "CMYK", "YCbCr", "RGBX"), "RGB")
_BAD_FILE = (LookupError, RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error, cv2.error)


class Header(NamedTuple):
    """Height and width of the upright image in pixels, and the EXIF orientation of the stored one: 1 is upright."""

    height: int
    width: int
    orientation: int


class FormError(ValueError):
    """An image that the form does not describe, such as one of 16 bits without `range`; `found` is what it has."""

    def __init__(self, path: Path, found: str, rest: str) -> None:
        super().__init__(f"{path}: has {found}{rest}")
        self.found = found


def _refusing_damage(read: Callable[[Path], Value]) -> Callable[[Path], Value]:
    """A function that reads a file, and raises ValueError if the file is damaged or not readable."""

    @wraps(read)
    def checked(path: Path) -> Value:
        try:
            with warnings.catch_warnings():
                # Pillow refuses what may be a decompression bomb, and warns from half the size, as of an aerial image.
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                return read(path)
        except (OSError, Image.DecompressionBombError, *_BAD_FILE) as error:
            if isinstance(error, OSError) and error.errno is not None:  # errors of decoders have no number
                raise ValueError(describe_os_error(error)) from None
            if str(error).startswith(f"{path}: "):
                raise
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ValueError(f"{path}: cannot be decoded ({reason}); replace the file") from None

    return checked


@_refusing_damage
def image_header(path: Path) -> Header:
    """Size and orientation of an image, without decoding it.

    Raises:
        ValueError: the file is damaged, or has several pages or frames.
    """
    if tiff.is_tiff(path):
        with tiff.tiff_page(path) as page:
            height, width, orientation = page.imagelength, page.imagewidth, tiff.tiff_orientation(page)
    else:
        with Image.open(path) as image:
            _refuse_frames(path, image)
            height, width, orientation = image.height, image.width, image_orientation(path, image)
    return Header(width, height, orientation) if orientation >= 5 else Header(height, width, orientation)


@_refusing_damage
def decode_label(path: Path) -> Image.Image | np.ndarray:
    """Decode a label without conversion, upright: as values (H, W) of their type if it is a TIFF of more than 8 bits.

    Raises:
        ValueError: the file is damaged, or has several pages, frames or bands, colours of 16 bits, or fractions.
    """
    if tiff.is_tiff(path):
        with tiff.tiff_page(path) as page:
            if tiff.has_ids(page):
                return tiff.decode_ids(path, page)
            bands = page.samplesperpixel
            deep = bands >= 3 and page.bitspersample > 8
        if bands not in (1, 3, 4):
            raise ValueError(f"{path}: has {bands} bands, expected one of ids, or colours; store the id of each pixel")
    else:
        with Image.open(path) as file:
            _refuse_frames(path, file)
            deep = len(file.getbands()) >= 3 and _is_deep(path, file)
    if deep:
        raise ValueError(f"{path}: has colours of 16 bits, expected 8; store the mask with 8 bits per channel")
    label = _decode_by_pillow(path)
    if (orientation := image_orientation(path, label)) == 1:
        return label
    turned = Image.fromarray(upright(np.asarray(label), orientation))
    if palette := label.getpalette():
        turned.putpalette(palette)
    return turned


def read_image(path: Path, form: ImageForm) -> np.ndarray:
    """Channels (H, W, C) uint8 of an image, upright.

    Args:
        path: file of any format that Pillow, OpenCV or tifffile decodes.
        form: bands, and range of values that are not 8 bits per channel.

    Raises:
        ValueError: the file is damaged, has several pages or frames, other bands than the form names, or more than 8
            bits per channel without a range.
    """
    return read_channels(path, form)[0]


def read_channels(path: Path, form: ImageForm) -> tuple[np.ndarray, bool]:
    """Read an image as `read_image` does, and whether this drops a band: transparency that is not constant."""
    image = decode_image(path)
    drops_band = image.alpha and not form.bands and not form.channels and np.ptp(image.pixels[..., -1]) != 0
    return _scaled(path, select_channels(path, image, form), form), bool(drops_band)


def viewable(image: np.ndarray) -> np.ndarray:
    """The first three channels (H, W, 3) of an image (H, W, C) uint8, or the first one in grey if it has fewer."""
    return np.ascontiguousarray(image[..., :3] if image.shape[2] >= 3 else image[..., :1].repeat(3, 2))


@_refusing_damage
def decode_image(path: Path) -> Decoded:
    """Decode every band of an image at its own depth, upright.

    Raises:
        ValueError: the file is damaged, or has several pages or frames.
    """
    if tiff.is_tiff(path):
        with tiff.tiff_page(path) as page:
            if tiff.has_plain_bands(page):
                return tiff.decode_bands(path, page)
    with Image.open(path) as file:
        _refuse_frames(path, file)
        if _is_deep(path, file):
            return _decode_deep(path, file)
    image = _decode_by_pillow(path)
    orientation = image_orientation(path, image)
    image = image.convert(_CONVERTED.get(image.mode, image.mode))
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        raise ValueError(f"{path}: got mode {image.mode}, expected grey or RGB; convert the image")
    pixels = np.asarray(image)
    return Decoded(upright(np.atleast_3d(pixels), orientation), image.mode in ("LA", "RGBA"))


def _decode_by_pillow(path: Path) -> Image.Image:
    """Decode a file; of TIFF, Pillow applies the orientation and removes it."""
    # Pillow maps files that it opens by name into memory, in TIFF with the height and width of the upright image.
    with path.open("rb") as stream, Image.open(stream if tiff.is_tiff(path) else path) as file:
        return file.copy()  # a copy is decoded


def _is_deep(path: Path, image: Image.Image) -> bool:
    """Whether an open file has more than 8 bits per channel, of a format that Pillow may truncate."""
    if image.format == "PNG":
        with path.open("rb") as file:
            return file.read(25)[24] > 8
    return image.format in _DEEP and (stored := _decode_by_opencv(path)) is not None and stored.itemsize > 1


def _decode_by_opencv(path: Path) -> np.ndarray | None:
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)


def _decode_deep(path: Path, image: Image.Image) -> Decoded:
    """Decode an open file with more than 8 bits per channel, in the order red, green, blue."""
    if (stored := _decode_by_opencv(path)) is None:
        raise ValueError("damaged")
    pixels = np.atleast_3d(stored)
    alpha = pixels.shape[2] == 4
    pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]] if pixels.shape[2] >= 3 else pixels
    if alpha and image.mode == "LA":  # whose grey OpenCV repeats
        pixels = pixels[..., [0, 3]]
    return Decoded(upright(pixels, image_orientation(path, image)), alpha)


def _refuse_frames(path: Path, image: Image.Image) -> None:
    if image.format != "MPO":  # a photograph with previews
        tiff.refuse_several(path, getattr(image, "n_frames", 1), "frames")


def select_channels(path: Path, image: Decoded, form: ImageForm) -> np.ndarray:
    """The samples that the form names: given bands, else all but transparency; grey is repeated for RGB.

    Raises:
        ValueError: the image has other bands.
    """
    pixels = image.pixels
    stored, expected = pixels.shape[2], form.channel_count()
    colours = stored - image.alpha
    if form.bands:
        if max(form.bands) > stored:
            raise FormError(path, f"{stored} bands", f", expected {max(form.bands)}; correct `bands`")
        return pixels[..., [band - 1 for band in form.bands]]
    if expected in (stored, colours):
        return pixels[..., :expected]
    if expected == 3 and colours == 1:
        return np.repeat(pixels[..., :1], 3, 2)
    if stored < expected and form.channels:
        raise FormError(path, f"{stored} of {expected} bands", "; correct `channels`, or replace the file")
    wanted = expected if form.channels else "grey or RGB"
    some = list(range(1, min(expected, stored) + 1))
    raise FormError(
        path,
        f"{stored} bands",
        f", expected {wanted}; choose some in the description of the dataset, such as bands: {some}, or take all with "
        f"channels: {stored}",
    )


def full_scale(pixels: np.ndarray) -> int:
    """Largest value of a usual range (1 of floats, else of 8 to 16 bits) that contains the values."""
    high = float(pixels.max())
    if pixels.dtype.kind == "f" and high <= 1:
        return 1
    return next((2**bits - 1 for bits in (8, 10, 12, 14, 16) if high < 2**bits), math.ceil(high))


def _scaled(path: Path, pixels: np.ndarray, form: ImageForm) -> np.ndarray:
    """Samples as uint8: those of 8 bits unchanged, others from the range of the form, clipped to it."""
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    if pixels.dtype.kind not in "uif":
        raise ValueError(f"{path}: has values of type {pixels.dtype}, expected numbers; convert the image")
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise ValueError(f"{path}: has values that are not finite; replace them by numbers")
    if form.range is None:
        low, high = pixels.min(), pixels.max()
        raise FormError(
            path,
            f"{8 * pixels.itemsize} bits per channel with values from {low} to {high}",
            f"; give the range to scale in the description of the dataset, such as range: [0, {full_scale(pixels)}]",
        )
    low, high = form.range
    share = (pixels.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low))
    scaled: np.ndarray = np.clip(np.rint(share), 0, 255).astype(np.uint8)
    return scaled
