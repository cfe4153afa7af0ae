"""Confusion matrix of a 1024x2048 image with 19 classes."""

import numpy as np
import torch
from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling
from torchmetrics.classification import MulticlassConfusionMatrix

from benchmarks.scenes import street
from benchmarks.timing import Row, compare, report
from seg.config.description import describe
from seg.datasets.classes import class_table
from seg.metrics.confusion import confusion_matrix

CLASSES = 19
evaluation = evalPixelLevelSemanticLabeling


def cityscapes_core(labels: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Core of cityscapesScripts' evaluation on arrays: its compiled extension if built, else the same in Python."""
    matrix = np.zeros((256, 256), np.ulonglong)
    if evaluation.CSUPPORT:
        return evaluation.addToConfusionMatrix.cEvaluatePair(prediction, labels, matrix, evaluation.args.evalLabels)
    codes, counts = np.unique(labels.astype(np.int32) * 256 + prediction, return_counts=True)
    matrix.flat[codes] = counts
    return matrix


def measure() -> list[Row]:
    """Compare with cityscapesScripts and torchmetrics; all must give the same counts."""
    labels = class_table(describe("cityscapes")).train_ids()[street(0, 1024, 2048)[1]]
    # Errors at the edges, as a network makes them, and one wrong rectangle.
    prediction = np.roll(labels, (3, 5), (0, 1)) % CLASSES
    prediction[200:300, 300:900] = 2
    metric = MulticlassConfusionMatrix(CLASSES, ignore_index=255, validate_args=False)
    truth, guess = torch.from_numpy(labels), torch.from_numpy(prediction)

    def torchmetrics() -> np.ndarray:
        metric.reset()
        metric.update(guess, truth)
        return metric.compute().numpy()

    counted = confusion_matrix(labels, prediction, CLASSES)
    core = f"cityscapesScripts, {'compiled' if evaluation.CSUPPORT else 'Python'} core"
    assert np.array_equal(counted, torchmetrics())
    assert np.array_equal(counted, cityscapes_core(labels, prediction)[:CLASSES, :CLASSES])
    return compare(
        "confusion matrix 1024x2048, 19 classes",
        lambda: confusion_matrix(labels, prediction, CLASSES),
        {core: (lambda: cityscapes_core(labels, prediction), 1), "torchmetrics": (torchmetrics, 4)},
        unit="images/s",
        amount=1,
        rounds=25,
    )


if __name__ == "__main__":
    report(measure)
