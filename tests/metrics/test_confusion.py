from pathlib import Path

import numpy as np
import pytest
import torch
from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchmetrics.functional.classification import multiclass_confusion_matrix

from seg.metrics.confusion import confusion_matrix


def random_pair(classes: int, shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels with a fifth of ignored pixels and a prediction that is right at about half of the others."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, shape, dtype=np.uint8)
    prediction = np.where(rng.random(shape) < 0.5, labels, rng.integers(0, classes, shape, dtype=np.uint8))
    labels[rng.random(shape) < 0.2] = 255
    return labels, prediction.astype(np.uint8)


def test_by_hand() -> None:
    labels = np.array([[0, 0, 1], [2, 255, 1]], np.uint8)
    prediction = np.array([[0, 1, 1], [0, 2, 1]], np.uint8)
    matrix = confusion_matrix(labels, prediction, 3)
    assert matrix.dtype == np.int64
    assert matrix.tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 0]]


@pytest.mark.parametrize("classes", [1, 2, 19, 255])
@pytest.mark.parametrize("shape", [(1, 1), (7, 13), (600, 701), (2, 512, 512)])
def test_equals_torchmetrics(classes: int, shape: tuple[int, ...]) -> None:
    labels, prediction = random_pair(classes, shape)
    reference = multiclass_confusion_matrix(
        torch.from_numpy(prediction).long(), torch.from_numpy(labels).long(), max(classes, 2), ignore_index=255
    )
    matrix = confusion_matrix(labels, prediction, classes)
    assert np.array_equal(matrix, reference.numpy()[:classes, :classes])


def test_equals_cityscapes_scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cityscapes = evalPixelLevelSemanticLabeling
    monkeypatch.setattr(cityscapes, "CSUPPORT", False)
    monkeypatch.setattr(cityscapes.args, "evalInstLevelScore", False)
    monkeypatch.setattr(cityscapes.args, "evalPixelAccuracy", False)
    monkeypatch.setattr(cityscapes.args, "evalLabels", [*range(19), 255])
    labels, prediction = random_pair(19, (300, 400))
    for name, values in (("labels", labels), ("prediction", prediction)):
        Image.fromarray(values).save(tmp_path / f"{name}.png")
    matrix = np.zeros((256, 256), np.ulonglong)
    files = (str(tmp_path / "prediction.png"), str(tmp_path / "labels.png"))
    cityscapes.evaluatePair(*files, matrix, {}, {}, cityscapes.args)
    assert np.array_equal(confusion_matrix(labels, prediction, 19), matrix[:19, :19])


@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 40), st.integers(2, 40))
def test_properties(seed: int, classes: int, height: int, width: int) -> None:
    labels, prediction = random_pair(classes, (height, width), seed)
    matrix = confusion_matrix(labels, prediction, classes)
    assert matrix.sum() == (labels != 255).sum()
    assert np.array_equal(matrix.sum(1), np.bincount(labels[labels != 255], minlength=classes))
    order = np.random.default_rng(seed).permutation(labels.size)
    assert np.array_equal(matrix, confusion_matrix(labels.ravel()[order], prediction.ravel()[order], classes))
    left, right = (
        confusion_matrix(labels[:, part], prediction[:, part], classes) for part in (slice(1), slice(1, None))
    )
    assert np.array_equal(matrix, left + right)


def test_counts_beyond_float32_are_exact() -> None:
    labels = np.zeros(2**25 + 3, np.uint8)  # OpenCV's float32 counts would stop at 2**24
    assert confusion_matrix(labels, labels, 2).tolist() == [[2**25 + 3, 0], [0, 0]]


def test_ignored_pixels_may_hold_any_prediction() -> None:
    labels, prediction = np.array([255, 1], np.uint8), np.array([200, 0], np.uint8)
    assert confusion_matrix(labels, prediction, 2).tolist() == [[0, 0], [1, 0]]
    assert confusion_matrix(labels[:1], prediction[:1], 2).sum() == 0
    assert confusion_matrix(labels[:0], prediction[:0], 2).sum() == 0


def test_all_values_out_of_range_are_named_at_once() -> None:
    labels, prediction = np.array([0, 3, 254, 1], np.uint8), np.array([7, 0, 0, 255], np.uint8)
    message = r"labels: got 3, 254, expected 0 to 2 or 255.*\nprediction: got 7, 255, expected 0 to 2"
    with pytest.raises(ValueError, match=message):
        confusion_matrix(labels, prediction, 3)


@pytest.mark.parametrize(
    ("labels", "prediction", "classes", "message"),
    [
        (np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), 2, "of one shape"),
        (np.zeros(2, np.int64), np.zeros(2, np.uint8), 2, "int64 and uint8"),
        (np.zeros(2, np.uint8), np.zeros(2, np.uint8), 256, "256 classes"),
        (np.zeros(2, np.uint8), np.zeros(2, np.uint8), 0, "0 classes"),
    ],
)
def test_arguments_are_checked(labels: np.ndarray, prediction: np.ndarray, classes: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confusion_matrix(labels, prediction, classes)
