"""Orientation of images by their tags (EXIF, XMP or TIFF), 1 (upright) to 8."""

import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

ORIENTATION = 0x0112  # tag of EXIF and TIFF
_TAG_NAMES = (b"Raw profile type exif", b"XML:com.adobe.xmp")  # of texts in PNG
_BAD_EXIF = (AttributeError, LookupError, SyntaxError, TypeError, ValueError, struct.error)  # Pillow's errors


def image_orientation(path: Path, image: Image.Image) -> int:
    """Orientation of a file that Pillow has opened or decoded."""
    with suppress(*_BAD_EXIF):
        if image.format == "PNG" and _has_late_tags(path):
            image.load()
        return valid_orientation(Image.Image.getexif(image).get(ORIENTATION, 1))  # that of PNG decodes every image
    return 1


def _has_late_tags(path: Path) -> bool:
    """Whether a PNG has tags behind its pixels, which Pillow finds only by decoding it."""
    with path.open("rb") as file:
        file.seek(8)
        pixels = False
        while len(start := file.read(8)) == 8:
            end = file.tell() + int.from_bytes(start[:4]) + 4
            if pixels and (start[4:] == b"eXIf" or file.read(21).startswith(_TAG_NAMES)):
                return True
            pixels = pixels or start[4:] == b"IDAT"
            file.seek(end)
    return False


def valid_orientation(orientation: object) -> int:
    """The value of the tag; 1 if it is none."""
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels (H, W, ...) turned and mirrored as an orientation says."""
    turns = {3: 2, 4: 2, 5: 3, 6: 3, 7: 1, 8: 1}.get(orientation, 0)  # anticlockwise, before the mirror
    pixels = np.rot90(pixels, turns)
    return np.ascontiguousarray(np.fliplr(pixels) if orientation in (2, 4, 5, 7) else pixels)
