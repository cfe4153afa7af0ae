"""Bootstrap intervals: the degenerate cases, the seed, and a plain restatement image by image."""

import numpy as np
import pytest

from seg.evaluation.intervals import RESAMPLES, bootstrap_intervals
from seg.evaluation.metrics import METRICS, class_iou, mean_iou, pixel_accuracy

ALL = {**METRICS, "iou": class_iou}


def matrices(images: int, classes: int = 4, seed: int = 0) -> np.ndarray:
    """Confusion matrices (N, C, C) of images of unequal difficulty."""
    generator = np.random.default_rng(seed)
    hard = generator.random((images, 1, 1))
    wrong = generator.poisson(20 * hard, (images, classes, classes))
    right = generator.poisson(100 * (1 - hard[..., 0]), (images, classes))
    return wrong + np.eye(classes, dtype=np.int64) * right[:, None]


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(one[name], other[name], equal_nan=True) for name in one)


def test_images_that_are_alike_leave_no_doubt() -> None:
    one = matrices(1)[0]
    intervals = bootstrap_intervals(np.stack([one] * 30), ALL)
    for name, metric in ALL.items():
        low, high = intervals[name]
        assert np.array_equal(low, high)
        assert low == pytest.approx(metric(one), rel=1e-12)


def test_one_image_leaves_no_doubt() -> None:
    one = matrices(1)
    assert bootstrap_intervals(one, METRICS)["miou"].tolist() == [float(mean_iou(one[0]))] * 2


def test_shapes_and_order() -> None:
    confusion = matrices(25)
    intervals = bootstrap_intervals(confusion, ALL)
    assert intervals["iou"].shape == (2, 4)
    for name, metric in ALL.items():
        low, high = intervals[name]
        assert (low < metric(confusion.sum(0))).all()
        assert (metric(confusion.sum(0)) < high).all()


def test_the_seed_decides() -> None:
    confusion = matrices(25)
    assert same(bootstrap_intervals(confusion, ALL), bootstrap_intervals(confusion, ALL))
    assert same(bootstrap_intervals(confusion, ALL, seed=1), bootstrap_intervals(confusion, ALL, seed=1))
    assert not same(bootstrap_intervals(confusion, ALL), bootstrap_intervals(confusion, ALL, seed=1))


def test_a_metric_does_not_depend_on_those_beside_it() -> None:
    confusion = matrices(25)
    assert same(bootstrap_intervals(confusion, {"miou": mean_iou}), bootstrap_intervals(confusion, ALL))


@pytest.mark.parametrize("level", [0.95, 0.5])
def test_is_the_plain_bootstrap(level: float) -> None:
    """Images drawn one by one, percentiles of 4,000 resamples; the ends agree to a tenth of the interval."""
    confusion = matrices(40)
    generator = np.random.default_rng(9)
    draws = generator.integers(0, 40, (4000, 40))
    tails = [(1 - level) / 2, (1 + level) / 2]
    for metric in (pixel_accuracy, mean_iou):
        expected = np.quantile([metric(confusion[draw].sum(0)) for draw in draws], tails)
        ours = bootstrap_intervals(confusion, {"metric": metric}, level=level)["metric"]
        assert ours == pytest.approx(expected, abs=0.1 * (expected[1] - expected[0]))


def test_covers_the_truth_about_as_often_as_it_says() -> None:
    """The accuracy of images of equal size is a mean, whose 95% interval is known: 1.96 standard errors."""
    generator = np.random.default_rng(2)
    right = generator.binomial(1000, generator.uniform(0.5, 0.9, 100))
    confusion = np.zeros((100, 2, 2), np.int64)
    confusion[:, 0, 0], confusion[:, 0, 1] = right, 1000 - right
    low, high = bootstrap_intervals(confusion, {"pixel_accuracy": pixel_accuracy})["pixel_accuracy"]
    assert (high - low) / 2 == pytest.approx(1.96 * (right / 1000).std() / 10, rel=0.06)
    assert (high + low) / 2 == pytest.approx((right / 1000).mean(), abs=0.002)


def test_an_absent_class_has_none_and_a_rare_one_counts_where_it_is_drawn() -> None:
    confusion = np.zeros((10, 3, 3), np.int64)
    confusion[:, 0, 0] = 50
    confusion[0, 1, 1] = 7  # class 1 is in one image only, always found; class 2 in none
    iou = bootstrap_intervals(confusion, {"iou": class_iou})["iou"]
    assert iou[:, 0].tolist() == iou[:, 1].tolist() == [1, 1]
    assert np.isnan(iou[:, 2]).all()


def test_counts_are_exact_beyond_float32() -> None:
    """2,975 images of Cityscapes hold 6e9 pixels: one in them still shows."""
    confusion = np.tile(np.array([[2**31, 1], [0, 0]]), (3000, 1, 1))
    low, high = bootstrap_intervals(confusion, {"pixel_accuracy": pixel_accuracy})["pixel_accuracy"]
    assert low == high == 2**31 / (2**31 + 1) < 1


def test_every_resample_is_taken() -> None:
    seen: list[int] = []

    def count(confusion: np.ndarray) -> np.ndarray:
        seen.append(len(confusion))
        return confusion.sum((1, 2))

    bootstrap_intervals(np.ones((3, 2, 2), np.int64), {"count": count})
    assert sum(seen) == RESAMPLES
