"""TIFF files: their one page, its size, orientation and bands, decoded by tifffile."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile
from PIL import Image

from seg.datasets.orientation import ORIENTATION, upright, valid_orientation

_SUBSAMPLED, _TRANSPARENCY = 1, 4  # bits of NewSubfileType: pages that accompany an image
_PHOTOMETRIC = tifffile.PHOTOMETRIC
_ALPHA = (tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA)
logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it logs what it also raises


class Decoded(NamedTuple):
    """Samples (H, W, S) of any type, upright, and whether the last one is transparency."""

    pixels: np.ndarray
    alpha: bool


def is_tiff(path: Path) -> bool:
    """Whether a file begins as TIFF or BigTIFF does."""
    with path.open("rb") as file:
        return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@contextmanager
def tiff_page(path: Path) -> Iterator[tifffile.TiffPage]:
    """The page of a TIFF file, beside which reduced copies and masks may stand.

    Raises:
        ValueError: the file has several pages.
    """
    with tifffile.TiffFile(path) as file:
        pages = [page for page in file.pages if isinstance(page, tifffile.TiffPage) and not _accompanies(page)]
        stacked = (file.imagej_metadata or {}).get("images", 1) if file.is_imagej else 1
        refuse_several(path, max(len(pages), stacked), "pages")
        yield pages[0]


def _accompanies(page: tifffile.TiffPage) -> bool:
    return bool(page.subfiletype & (_SUBSAMPLED | _TRANSPARENCY))


def refuse_several(path: Path, count: int, what: str) -> None:
    """Raise ValueError if a file has not exactly one page or frame."""
    if count != 1:
        raise ValueError(f"{path}: has {count} {what}, expected one; store each in a file of its own")


def tiff_orientation(page: tifffile.TiffPage) -> int:
    """Orientation of a page, 1 (upright) to 8."""
    tag = page.tags.get(ORIENTATION)
    return valid_orientation(tag.value if tag else 1)


def has_plain_bands(page: tifffile.TiffPage) -> bool:
    """Whether the samples are grey, red, green and blue, or bands, of whole bytes; Pillow decodes the others."""
    return page.photometric in (_PHOTOMETRIC.RGB, _PHOTOMETRIC.MINISBLACK) and page.bitspersample >= 8


def has_ids(page: tifffile.TiffPage) -> bool:
    """Whether the samples are numbers of one band. Those of 0 may be shown in white, which changes no value."""
    return page.samplesperpixel == 1 and page.photometric in (_PHOTOMETRIC.MINISWHITE, _PHOTOMETRIC.MINISBLACK)


def decode_bands(path: Path, page: tifffile.TiffPage) -> Decoded:
    """Decode all samples of a page with plain bands. Raises ValueError if there are too many pixels, or planes."""
    most = Image.MAX_IMAGE_PIXELS
    if most is not None and page.imagelength * page.imagewidth > 2 * most:
        raise Image.DecompressionBombError(
            f"{page.imagelength * page.imagewidth} pixels exceed the limit of {2 * most}"
        )
    pixels = page.asarray()
    if page.samplesperpixel > 1 and page.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
        pixels = np.moveaxis(pixels, 0, -1)
    pixels = np.atleast_3d(pixels)
    if pixels.shape != (page.imagelength, page.imagewidth, page.samplesperpixel):
        raise ValueError(f"{path}: has the shape {pixels.shape}, expected one plane; store its bands in one page")
    alpha = any(sample in _ALPHA for sample in page.extrasamples[-1:])
    return Decoded(upright(pixels, tiff_orientation(page)), alpha)


def decode_ids(path: Path, page: tifffile.TiffPage) -> Image.Image | np.ndarray:
    """Decode a page with ids as values (H, W), in an image if they have at most 8 bits.

    Raises:
        ValueError: they are no whole numbers, or as `decode_bands` says.
    """
    values = decode_bands(path, page).pixels[..., 0]
    if values.dtype.kind not in "bui":
        raise ValueError(
            f"{path}: got values of type {values.dtype}, expected whole numbers; store the id of each pixel"
        )
    return Image.fromarray(values) if values.dtype in (np.bool_, np.uint8) else values
