"""Metrics of confusion matrices of integers; rows are true classes, columns predicted classes.

A class in neither the labels nor the prediction is absent: its IoU is NaN, and no mean includes it. A class that is
only predicted has IoU 0, which the mean IoU includes; mean accuracy is over the classes in the labels. All functions
take matrices (..., C, C) and reduce the last two axes, so that one call computes all resamples of a bootstrap.
"""

import numpy as np


def pixel_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Correct pixels / labelled pixels (...,); NaN without labelled pixels."""
    return _ratio(_correct(confusion).sum(-1), confusion.sum((-2, -1)))


def class_iou(confusion: np.ndarray) -> np.ndarray:
    """IoU of each class (..., C): TP / (TP + FP + FN); NaN for an absent class."""
    correct = _correct(confusion)
    return _ratio(correct, confusion.sum(-1) + confusion.sum(-2) - correct)


def mean_iou(confusion: np.ndarray) -> np.ndarray:
    """Mean IoU (...,) over the classes that are not absent."""
    return _mean(class_iou(confusion))


def mean_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Mean recall (...,) over the classes in the labels."""
    return _mean(_ratio(_correct(confusion), confusion.sum(-1)))


def frequency_weighted_iou(confusion: np.ndarray) -> np.ndarray:
    """Mean IoU (...,) weighted by the labelled pixels of each class (Long et al., FCN, section 5)."""
    pixels = confusion.sum(-1)
    return _ratio(np.nansum(pixels * class_iou(confusion), -1), pixels.sum(-1))


METRICS = {
    "pixel_accuracy": pixel_accuracy,
    "mean_accuracy": mean_accuracy,
    "miou": mean_iou,
    "frequency_weighted_iou": frequency_weighted_iou,
}


def _correct(confusion: np.ndarray) -> np.ndarray:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis without NaN."""
    return _ratio(np.nansum(values, -1), (~np.isnan(values)).sum(-1))
