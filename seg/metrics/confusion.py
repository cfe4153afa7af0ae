"""Confusion matrices: the one integer count behind every metric.

Truth and prediction of a pixel are one number of 16 bits, and the histogram of these numbers holds what is needed for
the matrix and for the check of its arguments: no pixel is masked, compared or counted twice.
"""

import cv2
import numpy as np

from seg.datasets import IGNORE

_ROW = 2**15  # pixels a row: OpenCV shares rows among its threads
_PART = 2**24  # pixels a histogram is taken over: OpenCV gives counts as float32, which is exact up to here


def confusion_matrix(labels: np.ndarray, prediction: np.ndarray, classes: int) -> np.ndarray:
    """How often each class was predicted as each class.

    Args:
        labels: uint8, any shape; a train id below `classes`, or 255 where the pixel counts nowhere.
        prediction: uint8, same shape; a class below `classes` wherever the label is not 255.
        classes: number of classes C, at most 255.

    Returns:
        (C, C) int64; rows are the truth, columns the prediction. Its sum is the number of labelled pixels.

    Raises:
        ValueError: shapes or dtypes differ from the above, or a value is out of range; all values found are named.
    """
    _check(labels, prediction, classes)
    joint = _joint(labels, prediction, classes)
    if joint[:classes].sum() + joint[IGNORE].sum() != labels.size:  # something is out of range; is it an ignored pixel?
        joint = _joint(labels, prediction, 256)
        _refuse_strange(joint, classes)
    return joint[:classes, :classes].copy()


def _check(labels: np.ndarray, prediction: np.ndarray, classes: int) -> None:
    kinds = {str(part.dtype) for part in (labels, prediction)}
    if kinds != {"uint8"} or labels.shape != prediction.shape:
        shapes = f"{labels.shape} and {prediction.shape}"
        raise ValueError(
            f"labels and prediction are {' and '.join(sorted(kinds))} of {shapes}; give uint8 of one shape"
        )
    if not 0 < classes <= IGNORE:
        raise ValueError(f"{classes} classes; uint8 labels with {IGNORE} for ignored pixels hold 1 to {IGNORE}")


def _joint(labels: np.ndarray, prediction: np.ndarray, bins: int) -> np.ndarray:
    """Histogram (256, bins) int64 over the pairs of label and prediction, without predictions from `bins` on."""
    truth, guess = labels.reshape(-1), prediction.reshape(-1)
    whole = truth.size // _ROW * _ROW
    spans = [(start, min(start + _PART, whole), _ROW) for start in range(0, whole, _PART)]
    spans += [(whole, truth.size, truth.size - whole)] if whole < truth.size else []
    total = np.zeros((bins, 256), np.int64)
    for start, stop, width in spans:
        pair = [values[start:stop].reshape(-1, width) for values in (truth, guess)]
        codes = cv2.merge(pair).view("<u2")  # label + 256 * prediction
        counts = cv2.calcHist([codes], [0], None, [bins * 256], [0, bins * 256])
        total += counts.reshape(bins, 256).astype(np.int64)
    return total.T


def _refuse_strange(joint: np.ndarray, classes: int) -> None:
    """Raise ValueError where a joint histogram (256, 256) has pixels beyond the classes that are not ignored."""
    strange = np.flatnonzero(joint[classes:IGNORE].any(axis=1)) + classes
    wrong = np.flatnonzero(joint[:classes, classes:].any(axis=0)) + classes
    expected = f"expected 0 to {classes - 1}"
    lines = []
    if strange.size:
        lines.append(
            f"labels hold {', '.join(map(str, strange))}; {expected} or {IGNORE}: look at the data set's class table"
        )
    if wrong.size:
        lines.append(f"the prediction holds {', '.join(map(str, wrong))}; {expected}: the model has other classes")
    if lines:
        raise ValueError("\n".join(lines))
