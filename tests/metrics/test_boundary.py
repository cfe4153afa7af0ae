"""Boundary IoU against numbers of the authors' code, and with ignored pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg.metrics.boundary import boundaries, boundary_counts, class_boundary_iou, mean_boundary_iou

Y, X = np.mgrid[:120, :160]


def boxes(shape: tuple[int, int], *placed: tuple[int, int, int, int, int]) -> np.ndarray:
    """Labels with rectangles (class, top, left, height, width) on class 0."""
    labels = np.zeros(shape, np.uint8)
    for k, top, left, height, width in placed:
        labels[top : top + height, left : left + width] = k
    return labels


def disc(y: int, x: int, radius: int) -> np.ndarray:
    return ((Y - y) ** 2 + (X - x) ** 2 <= radius**2).astype(np.uint8)


# Intersection and union of each class from `mask_to_boundary` of https://github.com/bowenc0221/boundary-iou-api
# (commit 37d2558), called with the mask of each class; d is 1, 1 and 4 pixels.
REFERENCE = {
    "a shifted square": (
        boxes((20, 20), (1, 5, 5, 10, 10)),
        boxes((20, 20), (1, 5, 7, 10, 10)),
        [(96, 144), (16, 56)],
    ),
    "at the border of the image": (
        boxes((40, 60), (1, 0, 0, 20, 30), (2, 25, 40, 15, 20)),
        boxes((40, 60), (1, 0, 0, 18, 33), (2, 22, 40, 18, 20)),
        [(123, 269), (48, 146), (48, 90)],
    ),
    "rings": (
        disc(60, 70, 40) + disc(60, 70, 20),
        disc(63, 72, 41) + disc(58, 70, 17),
        [(2914, 4190), (935, 2849), (212, 820)],
    ),
}


@pytest.mark.parametrize(("labels", "prediction", "expected"), REFERENCE.values(), ids=REFERENCE)
def test_equals_the_authors_code(labels: np.ndarray, prediction: np.ndarray, expected: list[tuple[int, int]]) -> None:
    counts = boundary_counts(labels, prediction, len(expected))
    assert [tuple(each) for each in counts.T.tolist()] == expected
    ratios = [both / union for both, union in expected]
    assert class_boundary_iou(counts).tolist() == ratios
    assert mean_boundary_iou(counts) == pytest.approx(np.mean(ratios), rel=1e-15)


def test_boundaries_by_hand() -> None:
    """3% of a diagonal of 50 pixels is 1 pixel: the border of the image, and both sides of an edge."""
    near = boundaries(boxes((30, 40), (1, 0, 20, 30, 20)))
    expected = np.zeros((30, 40), bool)
    expected[[0, -1]] = expected[:, [0, 19, 20, -1]] = True
    assert np.array_equal(near, expected)


def test_ignored_pixels_are_not_counted_and_a_right_prediction_is_one() -> None:
    labels = boxes((30, 40), (1, 0, 20, 30, 20))
    labels[10:20, 10:30] = 255
    right = np.where(labels == 255, np.uint8(0), labels)  # what it predicts where labels are ignored changes nothing
    counts = boundary_counts(labels, right, 2)
    assert mean_boundary_iou(counts) == 1
    assert counts[1].sum() == (boundaries(labels) & (labels != 255)).sum()
    assert np.array_equal(counts, boundary_counts(labels, np.where(labels == 255, np.uint8(1), labels), 2))


def test_a_class_without_a_boundary_is_in_no_mean() -> None:
    labels = boxes((20, 20), (1, 5, 5, 10, 10))
    assert mean_boundary_iou(boundary_counts(labels, labels, 4)) == 1
    assert class_boundary_iou(boundary_counts(labels, labels, 4)).tolist() == pytest.approx(
        [1, 1, *[np.nan] * 2], nan_ok=True
    )
    assert mean_boundary_iou(boundary_counts(labels, boxes((20, 20), (2, 5, 5, 10, 10)), 4)) == pytest.approx(1 / 3)


@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 40), st.integers(1, 255))
def test_counts_are_consistent(seed: int, height: int, width: int, classes: int) -> None:
    generator = np.random.default_rng(seed)
    labels, prediction = generator.integers(0, classes, (2, height, width), np.uint8)
    labels[generator.random(labels.shape) < 0.2] = 255
    both, union = boundary_counts(labels, prediction, classes)
    assert (both <= union).all()
    assert union.sum() <= 2 * (labels != 255).sum()
    assert both.sum() <= ((labels == prediction) & (labels != 255)).sum()
