"""Small pictures of images, labels and predictions, and `predictions.zip`, the small predictions of an evaluation.

A picture shows the whole of an image in its own aspect, whatever the pack made of it, so pictures of all variants of a
study lie on each other. `predictions.zip` has one PNG per evaluated image, by position: `000000.png`. In PNG files of
labels and predictions, train ids are indices of the palette; the index after the last class is transparent: pixels that
are not scored, and parts of an image that the network did not get.
"""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from seg.data.resizing import Box, Placement, resize_label
from seg.datasets import IGNORE
from seg.results import Colour

LONGEST = 256  # longest side of a picture, pixels; smaller images keep their size
_DATE = (1980, 1, 1, 0, 0, 0)  # of entries, so that the same predictions give the same bytes


def picture_size(image: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the picture of an image of a size (height, width)."""
    scale = min(1.0, LONGEST / max(image))
    return max(1, round(image[0] * scale)), max(1, round(image[1] * scale))


def picture_box(part: Box, image: tuple[int, int]) -> Box:
    """Where a part of an image of a size (height, width) is in its picture."""
    height, width = picture_size(image)
    top, bottom = (round(edge * height / image[0]) for edge in (part.top, part.top + part.height))
    left, right = (round(edge * width / image[1]) for edge in (part.left, part.left + part.width))
    top, left = min(top, height - 1), min(left, width - 1)
    return Box(top, left, max(1, bottom - top), max(1, right - left))


def label_picture(labels: np.ndarray, part: Box, image: tuple[int, int]) -> np.ndarray:
    """Picture (h, w) uint8 of the labels or the prediction (H, W) uint8 of a part of an image; `IGNORE` around it."""
    placement = Placement(Box(0, 0, labels.shape[0], labels.shape[1]), picture_box(part, image))
    return resize_label(labels, placement, picture_size(image))


def distinct_colours(palette: Sequence[Colour]) -> list[Colour]:
    """The colours of the classes; of equal ones, all but the first are changed by as little as needed to differ."""
    found: list[Colour] = []
    for red, green, blue in palette:
        steps = (step for size in range(256) for step in (size, -size))
        near = ((red, green, blue + step) for step in steps if 0 <= blue + step <= 255)
        found.append(next(colour for colour in near if colour not in found))
    return found


def label_png(labels: np.ndarray, palette: Sequence[Colour]) -> bytes:
    """PNG file of train ids (h, w) uint8, `IGNORE` transparent, with a colour for each class."""
    nothing = len(palette)
    picture = Image.fromarray(np.where(labels == IGNORE, np.uint8(nothing), labels).astype(np.uint8), "L")
    picture.putpalette([value for colour in [*palette, (0, 0, 0)] for value in colour])
    stream = io.BytesIO()
    picture.save(stream, "PNG", transparency=nothing, compress_level=9)
    return stream.getvalue()


def write_predictions(path: Path, pictures: Sequence[bytes]) -> None:
    """Write the PNG files of all images of a split, in the order of its images."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for position, content in enumerate(pictures):
            file.writestr(zipfile.ZipInfo(_entry(position), _DATE), content)


def read_predictions(path: Path, positions: Sequence[int], fix: str) -> list[bytes]:
    """PNG files of the images at these positions.

    Raises:
        ValueError: the file is missing, damaged, or lacks an image; the message ends with `fix`.
    """
    try:
        with zipfile.ZipFile(path) as file:
            return [file.read(_entry(position)) for position in positions]
    except FileNotFoundError:
        raise ValueError(f"{path}: missing; {fix}") from None
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); {fix}") from None


def _entry(position: int) -> str:
    return f"{position:06}.png"
