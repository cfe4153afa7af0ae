"""Decoding of images and labels, and their validation against each other and the class table."""

import struct
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps

from seg.datasets.classes import ClassTable
from seg.datasets.layouts import ImagePair
from seg.system.console import describe_os_error

Value = TypeVar("Value")
_COLOURS = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})  # at most 8 bits per channel
_IDS = ("L", "P")
_LISTED = 5  # scored classes in a message
_BAD_EXIF = (AttributeError, LookupError, SyntaxError, TypeError, ValueError, struct.error)  # Pillow's errors


def _open(path: Path, read: Callable[[Image.Image], Value]) -> Value:
    """Value that `read` takes from an image file, which is not yet decoded.

    Raises:
        ValueError: the file is damaged or not readable.
    """
    try:
        with warnings.catch_warnings():
            # Pillow refuses what may be a decompression bomb, and warns from half the size, which is an aerial image.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                return read(file)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # SyntaxError: a damaged PNG
        if isinstance(error, OSError) and error.errno is not None:  # errors of decoders have no number
            raise ValueError(describe_os_error(error)) from None
        raise ValueError(f"{path}: cannot be decoded ({error}); replace the file") from None


def _decode(path: Path) -> Image.Image:
    """Decode a whole image file without conversion. Raises ValueError if it is damaged."""
    return _open(path, Image.Image.copy)  # a copy is decoded


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of an image, from the header of its file. Raises ValueError if it is damaged."""
    return _open(path, lambda file: (file.height, file.width))


def read_image(path: Path) -> Image.Image:
    """Read an image as RGB, with its EXIF orientation applied if that can be read.

    Raises:
        ValueError: the file is damaged or has more than 8 bits per channel.
    """
    image = _decode(path)
    if image.mode not in _COLOURS:
        raise ValueError(f"{path}: got mode {image.mode}, expected at most 8 bits per channel; convert the image")
    with suppress(*_BAD_EXIF):  # Pillow may also fail after the rotation, when it writes the tags
        ImageOps.exif_transpose(image, in_place=True)
    return image.convert("RGB")


def read_label(path: Path, table: ClassTable) -> Image.Image:
    """Read label ids, stored as 8-bit grey values or palette indices.

    Raises:
        ValueError: the file is damaged, contains no ids, or contains ids that are not in the table.
    """
    label = _decode(path)
    if label.mode not in _IDS:
        got = f"colours (mode {label.mode})" if label.mode in _COLOURS - {"1", "LA"} else f"mode {label.mode}"
        raise ValueError(f"{path}: got {got}, expected 8-bit ids (mode L or P); store the id of each pixel")
    counts = id_counts(label)
    unknown = [i for i in np.flatnonzero(counts) if i >= len(table.ids) and i != table.ignored]
    if unknown:
        got = ", ".join(f"id {i} ({counts[i]} pixel{'s' if counts[i] > 1 else ''})" for i in unknown)
        ignored = "" if table.ignored is None else f" and {table.ignored}"
        raise ValueError(f"{path}: got {got}, expected 0 to {len(table.ids) - 1}{ignored}; fix the label")
    return label


def read_pair(pair: ImagePair, table: ClassTable) -> tuple[Image.Image, Image.Image]:
    """Read an image as RGB and its label, of mode L or P and the same size.

    Raises:
        ValueError: one line per error in the two files.
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
            f"{pair.label}: label of {_size(label)}, image of {_size(image)}; resize one, their sizes must be equal"
        )
    if problems:
        raise ValueError("\n".join(problems))
    return image, label


def id_counts(label: Image.Image) -> np.ndarray:
    """Number of pixels (256,) int64 by id, for a label of mode L or P."""
    return np.array(label.histogram(), np.int64)


def unlabelled(split: str, table: ClassTable, images: int, counts: np.ndarray) -> list[str]:
    """The error of a split without a pixel of a scored class, or nothing.

    Args:
        split: name of the split.
        table: classes of the dataset.
        images: number of images.
        counts: pixels (256,) of all labels by id.
    """
    if not table.scored or counts[list(table.scored)].any():
        return []
    names = dict(enumerate(table.ids))
    found = [f"id {i} ({names.get(int(i), 'ignored')}, {counts[i]:,} pixels)" for i in np.flatnonzero(counts)]
    scored = ", ".join(f"{i} ({names[i]})" for i in table.scored[:_LISTED]) + (", ..." * (len(table.scored) > _LISTED))
    return [
        f"split '{split}': no pixel of its {images} label{'s' if images > 1 else ''} is scored; found only "
        f"{', '.join(found)}; expected ids such as {scored}; correct the labels or the classes"
    ]


def _size(image: Image.Image) -> str:
    return f"{image.width}x{image.height}"
