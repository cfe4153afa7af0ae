"""Samples of a network's predictions: image, truth, prediction and error side by side."""

import numpy as np
from PIL import Image

from seg.datasets import IGNORE
from seg.datasets.decoding import viewable

_WIDTH = 320  # of one panel, pixels
_GAP = 4  # between panels, pixels
_WRONG, _RIGHT = np.array([[213, 62, 79], [235, 235, 235]], np.uint8)


def draw_samples(samples: list[tuple[np.ndarray, np.ndarray, np.ndarray]], palette: np.ndarray) -> Image.Image:
    """One row of four panels per sample: image, truth, prediction, error (red where the prediction is wrong).

    Args:
        samples: image (H, W, C), labels (H, W) and prediction (H, W), uint8, all of one size. Of images that are not
            RGB, `viewable` channels are drawn.
        palette: colour of each train id (256, 3) uint8; ignored pixels are black in truth and error.
    """
    rows = []
    for image, labels, prediction in samples:
        ignored = (labels == IGNORE)[..., None]
        error = np.where((labels == prediction)[..., None], _RIGHT, _WRONG)
        truth = np.where(ignored, np.uint8(0), palette[labels])
        panels = [truth, palette[prediction], np.where(ignored, np.uint8(0), error)]
        size = (_WIDTH, round(_WIDTH * image.shape[0] / image.shape[1]))
        row = [Image.fromarray(viewable(image)).resize(size, Image.Resampling.BILINEAR)]
        row += [Image.fromarray(panel).resize(size, Image.Resampling.NEAREST) for panel in panels]
        gap = (0, _GAP)
        rows.append(np.hstack([np.pad(np.asarray(panel), (gap, gap, (0, 0)), constant_values=255) for panel in row]))
    return Image.fromarray(np.vstack(rows)[:-_GAP, :-_GAP])
