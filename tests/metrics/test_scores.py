"""Metrics by hand, against torchmetrics and cityscapesScripts, and the policy for absent classes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

from seg.config.description import describe
from seg.datasets.classes import class_table
from seg.metrics.confusion import confusion_matrix
from seg.metrics.scores import (
    METRICS,
    class_iou,
    frequency_weighted_iou,
    mean_accuracy,
    mean_iou,
    pixel_accuracy,
)

cityscapes = evalPixelLevelSemanticLabeling

# 5 pixels of class 0, of which 2 are taken for class 1; 3 of class 1; 2 of class 2, one taken for class 0.
HAND = np.array([[3, 2, 0], [0, 3, 0], [1, 0, 1]])
CASES = st.tuples(st.integers(0, 2**32), st.integers(2, 19))


def random_case(seed: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels (2, 20, 30) and predictions, uint8: some ignored, some classes rare or absent."""
    generator = np.random.default_rng(seed)
    weights = generator.dirichlet(np.full(classes, 0.3))
    labels = generator.choice(classes, (2, 20, 30), p=weights).astype(np.uint8)
    right = generator.random(labels.shape) < 0.6
    guesses = generator.choice(classes, labels.shape, p=weights[::-1]).astype(np.uint8)
    prediction = np.where(right, labels, guesses)
    labels[generator.random(labels.shape) < 0.1] = 255
    return labels, prediction


def test_by_hand() -> None:
    assert pixel_accuracy(HAND) == 7 / 10
    assert class_iou(HAND).tolist() == [3 / 6, 3 / 5, 1 / 2]
    assert mean_iou(HAND) == pytest.approx((0.5 + 0.6 + 0.5) / 3, rel=1e-15)
    assert mean_accuracy(HAND) == pytest.approx((3 / 5 + 3 / 3 + 1 / 2) / 3, rel=1e-15)
    assert frequency_weighted_iou(HAND) == pytest.approx(0.5 * 0.5 + 0.3 * 0.6 + 0.2 * 0.5, rel=1e-15)


def test_an_absent_class_is_in_no_mean() -> None:
    matrix = np.zeros((4, 4), np.int64)
    matrix[np.ix_([0, 1, 3], [0, 1, 3])] = HAND
    assert np.isnan(class_iou(matrix)).tolist() == [False, False, True, False]
    for metric in METRICS.values():
        assert metric(matrix) == metric(HAND)


def test_a_class_that_is_only_predicted_has_iou_zero_and_no_accuracy() -> None:
    matrix = np.array([[6, 0, 2], [0, 2, 0], [0, 0, 0]])
    assert class_iou(matrix).tolist() == [6 / 8, 1, 0]
    assert mean_iou(matrix) == pytest.approx((0.75 + 1 + 0) / 3)
    assert mean_accuracy(matrix) == pytest.approx((0.75 + 1) / 2)
    assert frequency_weighted_iou(matrix) == pytest.approx(0.8 * 0.75 + 0.2)


def test_a_class_that_is_never_found_counts() -> None:
    matrix = np.array([[4, 0], [4, 0]])
    assert class_iou(matrix).tolist() == [0.5, 0]
    assert mean_iou(matrix) == 0.25
    assert mean_accuracy(matrix) == 0.5
    assert frequency_weighted_iou(matrix) == 0.25


def test_without_labelled_pixels_scores_are_nan() -> None:
    assert all(np.isnan(metric(np.zeros((3, 3), np.int64))) for metric in METRICS.values())
    assert np.isnan(class_iou(np.zeros((3, 3), np.int64))).all()


def test_perfect_is_one() -> None:
    assert all(metric(np.diag([5, 0, 10**15])) == 1 for metric in METRICS.values())


def test_many_matrices_at_once() -> None:
    matrices = np.random.default_rng(0).integers(0, 3, (5, 2, 4, 4))
    for metric in (*METRICS.values(), class_iou):
        each = [[metric(matrix) for matrix in row] for row in matrices]
        assert np.array_equal(metric(matrices), np.array(each), equal_nan=True)


@given(CASES)
def test_bounds(drawn: tuple[int, int]) -> None:
    matrix = confusion_matrix(*random_case(*drawn), drawn[1])
    values = {name: float(metric(matrix)) for name, metric in METRICS.items()}
    assert all(0 <= value <= 1 for value in values.values())
    assert values["frequency_weighted_iou"] <= values["pixel_accuracy"]
    assert values["miou"] <= values["mean_accuracy"]


@given(CASES)
def test_iou_is_torchmetrics(drawn: tuple[int, int]) -> None:
    """torchmetrics divides exact counts in float32, so float64 results round to the same numbers."""
    labels, prediction = random_case(*drawn)
    classes = drawn[1]
    matrix = confusion_matrix(labels, prediction, classes)
    tensors = torch.from_numpy(prediction).long(), torch.from_numpy(labels).long()
    each = MulticlassJaccardIndex(classes, average=None, ignore_index=255)(*tensors).numpy()
    iou = class_iou(matrix)
    assert np.array_equal(np.nan_to_num(iou).astype(np.float32), each)  # it gives 0 for absent classes
    macro = MulticlassJaccardIndex(classes, average="macro", ignore_index=255)(*tensors)
    assert float(mean_iou(matrix)) == pytest.approx(float(macro), abs=1e-6)
    weighted = MulticlassJaccardIndex(classes, average="weighted", ignore_index=255)(*tensors)
    assert float(frequency_weighted_iou(matrix)) == pytest.approx(float(weighted), abs=1e-6)


@given(CASES)
def test_accuracy_is_torchmetrics(drawn: tuple[int, int]) -> None:
    labels, prediction = random_case(*drawn)
    classes = drawn[1]
    matrix = confusion_matrix(labels, prediction, classes)
    tensors = torch.from_numpy(prediction).long(), torch.from_numpy(labels).long()
    micro = MulticlassAccuracy(classes, average="micro", ignore_index=255)(*tensors)
    assert np.float32(pixel_accuracy(matrix)) == micro.numpy()
    each = MulticlassAccuracy(classes, average=None, ignore_index=255)(*tensors).numpy()
    occurring = matrix.sum(1) > 0  # its own mean counts a class that is only predicted as 0
    assert float(mean_accuracy(matrix)) == pytest.approx(each[occurring].mean(), abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_iou_is_that_of_cityscapes_scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """From label files with all 34 ids; pixels of ids that are not scored are in no score."""
    monkeypatch.setattr(cityscapes, "CSUPPORT", False)
    for name, value in {"evalInstLevelScore": False, "evalPixelAccuracy": False, "evalLabels": list(range(34))}.items():
        monkeypatch.setattr(cityscapes.args, name, value)
    table = class_table(describe("cityscapes"))
    generator = np.random.default_rng(seed)
    present = generator.choice(34, 20, replace=False)  # some classes are absent
    ids = generator.choice(present, (60, 80)).astype(np.uint8)
    train_ids = table.train_ids()[ids]
    guess = generator.choice(table.train_ids()[present], ids.shape).astype(np.uint8)
    prediction = np.where((generator.random(ids.shape) < 0.5) | (guess == 255), train_ids, guess)
    prediction[prediction == 255] = 0
    files = {"prediction": np.array(table.scored, np.uint8)[prediction], "labels": ids}
    for name, values in files.items():
        Image.fromarray(values).save(tmp_path / f"{name}.png")
    official = np.zeros((34, 34), np.ulonglong)
    cityscapes.evaluatePair(*(str(tmp_path / f"{name}.png") for name in files), official, {}, {}, cityscapes.args)

    confusion = confusion_matrix(train_ids, prediction, len(table.scored))
    scores = {label: cityscapes.getIouScoreForLabel(label, official, cityscapes.args) for label in table.scored}
    assert np.array_equal(class_iou(confusion), list(scores.values()), equal_nan=True)
    assert float(mean_iou(confusion)) == pytest.approx(cityscapes.getScoreAverage(scores, cityscapes.args), rel=1e-15)
    assert json.dumps(float(mean_iou(confusion)))  # a plain number
