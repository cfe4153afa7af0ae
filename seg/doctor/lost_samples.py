"""Samples of images that are lost when they are read: values outside of `range`, and bands."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seg.config.image_form import ImageForm
from seg.datasets.decoding import decode_image, select_channels
from seg.datasets.tiff import has_alpha, is_tiff, tiff_page


class Clipping(NamedTuple):
    """Share of the samples of an image that are outside of `range`, the least and the largest sample."""

    share: float
    low: float
    high: float


def measure_clipping(path: Path, form: ImageForm) -> Clipping:
    """Samples that `read_image` clips. Raises ValueError as it does."""
    samples = select_channels(path, decode_image(path), form)
    low, high = form.range or (-math.inf, math.inf)
    outside = np.count_nonzero((samples < low) | (samples > high)) if samples.dtype != np.uint8 else 0
    return Clipping(outside / samples.size, float(samples.min()), float(samples.max()))


def drops_band(path: Path, form: ImageForm) -> bool:
    """Whether `read_image` drops a band of a TIFF that is marked as transparency, but may be another one."""
    if form.bands or form.channels or not is_tiff(path):
        return False
    with tiff_page(path) as page:
        marked = has_alpha(page)
    return marked and decode_image(path).shaded
