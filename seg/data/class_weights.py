"""Class weights from pixel counts; training computes them from its pack."""

import numpy as np


def inverse_weights(pixels: np.ndarray) -> np.ndarray:
    """Class weights (C,) from pixel counts (C,): 1 / (count + 1), scaled to mean 1; 0 for classes without pixels.

    The mean is over the classes with pixels; if there are none, all weights are 1. From voc2012_fcn, section 3.2.3, as
    read in `seg.config.code_readings`.
    """
    present = np.asarray(pixels) > 0
    if not present.any():
        return np.ones(present.shape)
    weights = 1 / (np.asarray(pixels, np.float64) + 1)
    return np.where(present, weights / weights[present].mean(), 0)
