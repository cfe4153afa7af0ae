"""Images and labels as they lie on disk: decoded, and checked against each other and the class table."""

import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from seg.datasets.classes import ClassTable
from seg.datasets.layouts import Pair

_COLOURS = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})  # 8 bits a channel at most
_IDS = ("L", "P")
_BAD_EXIF = (AttributeError, LookupError, SyntaxError, TypeError, ValueError, struct.error)  # what Pillow raises on it


def decoded(path: Path) -> Image.Image:
    """An image file as it is, decoded to the end. Raises ValueError where that cannot be done."""
    try:
        with Image.open(path) as file:
            file.load()
            return file.copy()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # SyntaxError: a broken PNG
        raise ValueError(f"{path}: cannot be decoded ({error}); replace the file") from None


def read_image(path: Path) -> Image.Image:
    """An image in RGB, upright as its EXIF orientation says; as it lies where that cannot be read.

    Raises:
        ValueError: the file is broken or has more than 8 bits a channel.
    """
    image = decoded(path)
    if image.mode not in _COLOURS:
        raise ValueError(f"{path}: got mode {image.mode}, expected 8 bits a channel; convert the image")
    with suppress(*_BAD_EXIF):  # the pixels are turned before the tags are written back, which may fail as well
        ImageOps.exif_transpose(image, in_place=True)
    return image.convert("RGB")


def read_label(path: Path, table: ClassTable) -> Image.Image:
    """Ids on disk as 8-bit greys or palette indices; a palette's colours mean nothing.

    Raises:
        ValueError: the file is broken or holds no ids, or ids that the table does not know; all of them are named.
    """
    label = decoded(path)
    if label.mode not in _IDS:
        holds = f"colours (mode {label.mode})" if label.mode in _COLOURS - {"1", "LA"} else f"mode {label.mode}"
        raise ValueError(f"{path}: got {holds}, expected 8-bit ids (mode L or P); write each pixel's id")
    counts = id_counts(label)
    strange = [int(i) for i in np.flatnonzero(counts) if i >= len(table.ids) and i != table.ignored]
    if strange:
        got = ", ".join(f"id {i} ({counts[i]} pixel{'s' if counts[i] > 1 else ''})" for i in strange)
        ignored = "" if table.ignored is None else f" and {table.ignored}"
        raise ValueError(f"{path}: got {got}, expected 0 to {len(table.ids) - 1}{ignored}; mend the label")
    return label


def read_pair(pair: Pair, table: ClassTable) -> tuple[Image.Image, Image.Image]:
    """Image in RGB and label of one size.

    Raises:
        ValueError: a line for everything that is wrong with the two files.
    """
    problems = []
    try:
        image = read_image(pair.image)
    except ValueError as error:
        problems.append(str(error))
    try:
        label = read_label(pair.label, table)
    except ValueError as error:
        problems.append(str(error))
    if not problems and label.size != image.size:
        problems.append(
            f"{pair.label}: label of {size_text(label)}, its image is {size_text(image)}; they must be of one size"
        )
    if problems:
        raise ValueError("\n".join(problems))
    return image, label


def id_counts(label: Image.Image) -> np.ndarray:
    """Pixels (256,) int64 of every id of a label of mode L or P."""
    return np.array(label.histogram(), np.int64)


def size_text(image: Image.Image) -> str:
    """Width and height in pixels, as text."""
    return f"{image.width}x{image.height}"
