"""Confusion matrices, from which all metrics are computed.

The label and the prediction of a pixel form a 16-bit code. One histogram of the codes gives the matrix and validates
the values. OpenCV's histogram takes half the time of `torch.bincount`.
"""

import cv2
import numpy as np

from seg.datasets import IGNORE

_ROW = 2**15  # pixels per row; OpenCV's threads share the rows
_MOST = 2**24  # pixels per histogram; OpenCV counts in float32, which is exact up to this number


def confusion_matrix(labels: np.ndarray, prediction: np.ndarray, classes: int) -> np.ndarray:
    """Number of pixels by true class and predicted class.

    Args:
        labels: uint8, any shape; train ids below `classes`, or 255 for pixels that are not scored.
        prediction: uint8, same shape; below `classes` where the label is not 255.
        classes: number of classes C, at most 255.

    Returns:
        (C, C) int64; rows are true classes, columns predicted classes. The sum is the number of scored pixels.

    Raises:
        ValueError: a shape, dtype or value is not as above; all such values are listed.
    """
    _check(labels, prediction, classes)
    joint = _joint(labels, prediction, classes)
    if joint[:classes].sum() + joint[IGNORE].sum() != labels.size:  # a value is out of range
        joint = _joint(labels, prediction, 256)
        _refuse_out_of_range(joint, classes)
    return joint[:classes, :classes].copy()


def _check(labels: np.ndarray, prediction: np.ndarray, classes: int) -> None:
    dtypes = {str(part.dtype) for part in (labels, prediction)}
    if dtypes != {"uint8"} or labels.shape != prediction.shape:
        got = f"{' and '.join(sorted(dtypes))} of {labels.shape} and {prediction.shape}"
        raise ValueError(f"labels and prediction: got {got}, expected uint8 of one shape")
    if not 0 < classes <= IGNORE:
        raise ValueError(f"got {classes} classes, expected 1 to {IGNORE}; uint8 labels use {IGNORE} for ignored pixels")


def _joint(labels: np.ndarray, prediction: np.ndarray, bins: int) -> np.ndarray:
    """Histogram (256, bins) int64 of pairs of label and prediction, without predictions >= `bins`."""
    truth, guess = labels.reshape(-1), prediction.reshape(-1)
    whole = truth.size // _ROW * _ROW
    spans = [(start, min(start + _MOST, whole), _ROW) for start in range(0, whole, _MOST)]
    spans += [(whole, truth.size, truth.size - whole)] if whole < truth.size else []
    total = np.zeros((bins, 256), np.int64)
    for start, stop, width in spans:
        pair = [values[start:stop].reshape(-1, width) for values in (truth, guess)]
        codes = cv2.merge(pair).view("<u2")  # label + 256 * prediction
        counts = cv2.calcHist([codes], [0], None, [bins * 256], [0, bins * 256])
        total += counts.reshape(bins, 256).astype(np.int64)
    return total.T


def _refuse_out_of_range(joint: np.ndarray, classes: int) -> None:
    """Raise ValueError for the values beyond the classes in a joint histogram (256, 256), except ignored pixels."""
    labels = ", ".join(map(str, np.flatnonzero(joint[classes:IGNORE].any(axis=1)) + classes))
    predictions = ", ".join(map(str, np.flatnonzero(joint[:classes, classes:].any(axis=0)) + classes))
    expected = f"expected 0 to {classes - 1}"
    lines = [f"labels: got {labels}, {expected} or {IGNORE}; check the dataset's class table"] if labels else []
    if predictions:
        lines.append(f"prediction: got {predictions}, {expected}; check the model's classes")
    if lines:
        raise ValueError("\n".join(lines))
