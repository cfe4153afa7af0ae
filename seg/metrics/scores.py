"""Metrics of confusion matrices of integers; rows are true classes, columns predicted classes.

A metric is the mean of its parts, such as the IoU of each class. Parts are ratios in [0, 1] of the pixels of a class
that are correct, labelled and predicted, so these counts suffice for the jackknife (`seg.evaluation.jackknife`).

A class in neither the labels nor the prediction is absent: its IoU is NaN, and no mean includes it. A class that is
only predicted has IoU 0, which the mean IoU includes; mean accuracy is over the classes in the labels. All functions
take arrays of matrices or counts (...), so that one call computes all samples of a jackknife.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

Parts = Callable[[np.ndarray], np.ndarray]


def class_counts(confusion: np.ndarray) -> np.ndarray:
    """Correct, labelled and predicted pixels of each class (..., 3, C), from matrices (..., C, C)."""
    correct = np.diagonal(confusion, axis1=-2, axis2=-1)
    return np.stack([correct, confusion.sum(-1), confusion.sum(-2)], -2)


def iou_parts(counts: np.ndarray) -> np.ndarray:
    """IoU of each class (..., C): TP / (TP + FP + FN); NaN for an absent class."""
    correct, labelled, predicted = np.moveaxis(counts, -2, 0)
    return _ratio(correct, labelled + predicted - correct)


def _recall_parts(counts: np.ndarray) -> np.ndarray:
    """Correct / labelled pixels of each class (..., C); NaN for a class that is not in the labels."""
    return _ratio(counts[..., 0, :], counts[..., 1, :])


def _accuracy_part(counts: np.ndarray) -> np.ndarray:
    """Correct / labelled pixels (..., 1); NaN without labelled pixels."""
    return _ratio(counts[..., 0, :].sum(-1, keepdims=True), counts[..., 1, :].sum(-1, keepdims=True))


def _weighted_iou_part(counts: np.ndarray) -> np.ndarray:
    """Mean IoU (..., 1) weighted by the labelled pixels of each class (Long et al., FCN, section 5)."""
    labelled = counts[..., 1, :]
    return _ratio(np.nansum(labelled * iou_parts(counts), -1, keepdims=True), labelled.sum(-1, keepdims=True))


PARTS: dict[str, Parts] = {
    "pixel_accuracy": _accuracy_part,
    "mean_accuracy": _recall_parts,
    "miou": iou_parts,
    "frequency_weighted_iou": _weighted_iou_part,
}


def class_iou(confusion: np.ndarray) -> np.ndarray:
    """IoU of each class (..., C); NaN for an absent class."""
    return iou_parts(class_counts(confusion))


def _mean_of_parts(parts: Parts, confusion: np.ndarray) -> np.ndarray:
    """Mean (...,) of the parts that are not NaN; NaN if all are."""
    values = parts(class_counts(confusion))
    return _ratio(np.nansum(values, -1), (~np.isnan(values)).sum(-1))


METRICS = {name: partial(_mean_of_parts, parts) for name, parts in PARTS.items()}
pixel_accuracy, mean_accuracy, mean_iou, frequency_weighted_iou = METRICS.values()


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
