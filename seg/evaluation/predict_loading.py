"""Images that are read to be segmented, and their batches."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from seg.config.image_form import ImageForm
from seg.data.resizing import Box, place_whole, resize_image
from seg.datasets.decoding import FormError, image_header, read_channels
from seg.evaluation.predict_inputs import Picture
from seg.system.console import printable
from seg.system.memory import bounded_memory

_LARGE = 50_000_000  # pixels: decoding fewer is not checked against the available memory
_DECODED = 8  # bytes per pixel that decoding takes at least


class LoadedPicture(NamedTuple):
    """An image to segment.

    Attributes:
        picture: its file.
        pixels: the image (H, W, C) uint8.
        drops_band: whether its file has another band: transparency that is not constant.
        seen: the image that the network sees (h, w, C) uint8.
        content: the part of `seen` that is not padding.
    """

    picture: Picture
    pixels: np.ndarray
    drops_band: bool
    seen: np.ndarray
    content: Box

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image."""
        return self.pixels.shape[0], self.pixels.shape[1]


def load_pictures(
    pictures: Iterable[Picture], form: ImageForm, size: tuple[int, int] | None, most: int | None, faults: list[str]
) -> Iterator[LoadedPicture]:
    """Read images and resize them as packs do.

    Args:
        pictures: images.
        form: how the images of the training were read.
        size: height and width that the network sees; `None`: those of the image.
        most: pixels of the largest image that is read; `None`: Pillow's limit.
        faults: gets one line per image that cannot be read.
    """
    for picture in pictures:
        try:
            pixels, drops_band = _read(picture.path, form, most)
        except ValueError as error:
            faults.append(image_fault(picture.path, error))
            continue
        own = (pixels.shape[0], pixels.shape[1])
        placement, seen_size = place_whole(form.resize, own, size or own)
        seen = resize_image(pixels, placement, seen_size)
        yield LoadedPicture(picture, pixels, drops_band, seen, placement.target)


def equal_batches(images: Iterable[LoadedPicture], most: int) -> Iterator[list[LoadedPicture]]:
    """Consecutive images of one size, at most so many."""
    group: list[LoadedPicture] = []
    for image in images:
        if group and (len(group) == most or image.seen.shape != group[0].seen.shape):
            yield group
            group = []
        group.append(image)
    if group:
        yield group


def image_fault(path: Path, error: ValueError) -> str:
    """One line about an image that cannot be segmented."""
    return str(error).replace(str(path), printable(str(path)))


def _read(path: Path, form: ImageForm, most: int | None) -> tuple[np.ndarray, bool]:
    """An image of at most so many pixels (default: Pillow's limit), as `seg.datasets.decoding.read_channels` does."""
    with _limit(most):
        try:
            height, width, _ = image_header(path)
            if height * width <= _LARGE:
                return read_channels(path, form)
            with bounded_memory(str(path), "scale the image down", _DECODED * height * width):
                return read_channels(path, form)
        except FormError as error:
            trained = f"the model was trained on {_describe(form)}; convert the file, or train a model on such files"
            raise ValueError(f"{path}: has {error.found}, but {trained}") from None
        except ValueError as error:
            if isinstance(error.__context__, Image.DecompressionBombError):
                fix = "raise --max-pixels" if most else "use --tile, or raise the limit with --max-pixels"
                raise ValueError(f"{path}: {error.__context__}; {fix}") from None
            raise


def _describe(form: ImageForm) -> str:
    """The files that a model was trained on."""
    bands = f"{form.channels} bands" if form.channels else "grey or RGB images"
    bands = f"bands {list(form.bands)}" if form.bands else bands
    values = f"values from {form.range[0]} to {form.range[1]}" if form.range else "8 bits per channel"
    return f"{bands} with {values}"


@contextmanager
def _limit(pixels: int | None) -> Iterator[None]:
    """Let Pillow read images of so many pixels; it refuses twice the number that it warns of."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = -(-pixels // 2) if pixels else before
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
