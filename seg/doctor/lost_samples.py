"""Samples of images that are lost when they are read: values outside of `range`."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seg.config.image_form import ImageForm
from seg.datasets.decoding import decode_image, select_channels


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
