"""Boundary IoU of label maps (Cheng et al., Boundary IoU, CVPR 2021).

The boundary of a class are its pixels within d pixels of another class or of the image's border, where d is 2% of the
image's diagonal. As in the authors' code (https://github.com/bowenc0221/boundary-iou-api), distances are the largest of
the two coordinates' and d is rounded, at least 1. That code erodes the mask of each class d times by 3x3 pixels; here
one dilation gives the boundaries of all classes.

An ignored pixel counts as another class in the truth and in the prediction, so that a prediction that is right at all
labelled pixels scores 1, and is not counted itself. The authors' code handles no ignored pixels in masks.
"""

import cv2
import numpy as np

from seg.datasets import IGNORE

_SHARE_OF_DIAGONAL = 0.02


def boundaries(labels: np.ndarray) -> np.ndarray:
    """Pixels (H, W) bool of labels (H, W) uint8 that belong to the boundary of their class."""
    distance = max(1, round(_SHARE_OF_DIAGONAL * float(np.hypot(*labels.shape))))
    # Pixels with another class among their 8 neighbours; the others of the boundary are near one of these.
    edges = (cv2.morphologyEx(labels, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0).view(np.uint8)
    edges[[0, -1]] = edges[:, [0, -1]] = 1
    square = np.ones((2 * distance - 1, 2 * distance - 1), np.uint8)
    return cv2.dilate(edges, square).view(np.bool_)


def boundary_counts(labels: np.ndarray, prediction: np.ndarray, classes: int) -> np.ndarray:
    """Intersection and union of the boundaries of each class.

    Args:
        labels: (H, W) uint8; train ids below `classes`, or 255 for pixels that are not scored.
        prediction: (H, W) uint8, below `classes`.
        classes: number of classes C, at most 255.

    Returns:
        (2, C) int64, pixels.
    """
    prediction = np.where(labels == IGNORE, np.uint8(IGNORE), prediction)
    near, near_predicted = boundaries(labels), boundaries(prediction)
    masks = (labels, near & near_predicted & (labels == prediction)), (labels, near), (prediction, near_predicted)
    both, true, predicted = (np.bincount(values[mask], minlength=256)[:classes] for values, mask in masks)
    return np.stack([both, true + predicted - both])


def class_boundary_iou(counts: np.ndarray) -> np.ndarray:
    """Intersection / union (C,) float64 from counts (2, C) summed over images; NaN for classes without a boundary."""
    both, union = counts
    return np.divide(both, union, out=np.full(len(both), np.nan), where=union > 0)


def mean_boundary_iou(counts: np.ndarray) -> float:
    """Mean of `class_boundary_iou` over the classes with a boundary."""
    values = class_boundary_iou(counts)
    return float(values[~np.isnan(values)].mean())
