"""Scores of a network from the counts of each image, at one of the two sizes that it is scored at."""

from typing import NamedTuple

import numpy as np
from torch import Tensor

from seg.metrics.boundary import boundary_counts, class_boundary_iou, mean_boundary_iou
from seg.metrics.calibration import BINS, calibration_counts, calibration_error, decide
from seg.metrics.confusion import confusion_matrix
from seg.metrics.scores import METRICS, class_iou, mean_iou, pixel_accuracy
from seg.results import Commonest, Scores


class ImageCounts(NamedTuple):
    """What is counted in an image, from which all scores are computed."""

    confusion: np.ndarray  # (C, C) int64
    boundary: np.ndarray  # (2, C) int64, see seg.metrics.boundary
    calibration: np.ndarray  # (3, BINS) float64, see seg.metrics.calibration


def count_image(logits: Tensor, labels: np.ndarray) -> tuple[ImageCounts, np.ndarray]:
    """Counts of logits (C, h, w), resized to the size of the labels (H, W) uint8, and the prediction (H, W) uint8."""
    classes = len(logits)
    prediction, confidence = decide(logits, labels.shape)
    counts = ImageCounts(
        confusion_matrix(labels, prediction, classes),
        boundary_counts(labels, prediction, classes),
        calibration_counts(labels, prediction, confidence),
    )
    return counts, prediction


class Tally:
    """Counts of all images at one size.

    Attributes:
        confusion: matrices (N, C, C) int64, one per image.
    """

    def __init__(self, images: int, classes: int) -> None:
        self.confusion = np.zeros((images, classes, classes), np.int64)
        self._boundary = np.zeros((2, classes), np.int64)
        self._calibration = np.zeros((3, BINS))

    def add(self, sample: int, counts: ImageCounts) -> None:
        """Add the counts of the image at a position."""
        self.confusion[sample] = counts.confusion
        self._boundary += counts.boundary
        self._calibration += counts.calibration

    def scores(self, classes: list[str]) -> Scores:
        """Scores over all images, which must have a labelled pixel."""
        total = self.confusion.sum(0)
        labelled = self.confusion[self.confusion.any((1, 2))]
        truth = total.sum(1)
        constant = np.zeros_like(total)  # confusion matrix of predicting the most frequent class for all pixels
        constant[:, truth.argmax()] = truth
        iou, boundary = (
            {name: None if np.isnan(value) else float(value) for name, value in zip(classes, values, strict=True)}
            for values in (class_iou(total), class_boundary_iou(self._boundary))
        )
        return Scores(
            **{name: float(metric(total)) for name, metric in METRICS.items()},
            image_accuracy=float(pixel_accuracy(labelled).mean()),
            image_miou=float(mean_iou(labelled).mean()),
            boundary_iou=mean_boundary_iou(self._boundary),
            calibration_error=calibration_error(self._calibration),
            iou=iou,
            class_boundary_iou=boundary,
            commonest=Commonest(
                name=classes[int(truth.argmax())],
                pixel_accuracy=float(pixel_accuracy(constant)),
                miou=float(mean_iou(constant)),
            ),
        )
