"""Samples of a network's predictions: image, truth, prediction and error side by side."""

import numpy as np
from PIL import Image

from seg.datasets import IGNORE

_WIDTH = 320  # of one panel, pixels
_GAP = 4
_WRONG, _RIGHT = np.array([[213, 62, 79], [235, 235, 235]], np.uint8)


def draw_samples(samples: list[tuple[np.ndarray, np.ndarray, np.ndarray]], palette: np.ndarray) -> Image.Image:
    """One row of four panels per sample: image, truth, prediction, error (red where the prediction is wrong).

    Args:
        samples: image (H, W, 3), labels (H, W) and prediction (H, W), uint8.
        palette: colour of each train id (256, 3) uint8; ignored pixels are black in truth and error.
    """
    rows = [_row(*sample, palette) for sample in samples]
    whole = Image.new("RGB", (rows[0].width, sum(row.height + _GAP for row in rows) - _GAP), "white")
    top = 0
    for row in rows:
        whole.paste(row, (0, top))
        top += row.height + _GAP
    return whole


def _row(image: np.ndarray, labels: np.ndarray, prediction: np.ndarray, palette: np.ndarray) -> Image.Image:
    ignored = (labels == IGNORE)[..., None]
    error = np.where((labels == prediction)[..., None], _RIGHT, _WRONG)
    truth = np.where(ignored, np.uint8(0), palette[labels])
    panels = [image, truth, palette[prediction], np.where(ignored, np.uint8(0), error)]
    size = (_WIDTH, round(_WIDTH * image.shape[0] / image.shape[1]))
    row = Image.new("RGB", (4 * _WIDTH + 3 * _GAP, size[1]), "white")
    for i, panel in enumerate(panels):
        resample = Image.Resampling.BILINEAR if i == 0 else Image.Resampling.NEAREST
        row.paste(Image.fromarray(panel).resize(size, resample), (i * (_WIDTH + _GAP), 0))
    return row
