"""Bootstrap intervals: degenerate cases, the seed, and a reference implementation image by image."""

import numpy as np
import pytest

from seg.evaluation.bootstrap import RESAMPLES, bootstrap_intervals, interval, resample
from seg.metrics.scores import METRICS, class_iou, mean_iou, pixel_accuracy

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


def test_identical_images_give_intervals_of_zero_width() -> None:
    one = matrices(1)[0]
    intervals = bootstrap_intervals(np.stack([one] * 30), ALL)
    for name, metric in ALL.items():
        low, high = intervals[name]
        assert np.array_equal(low, high)
        assert low == pytest.approx(metric(one), rel=1e-12)


def test_one_image_gives_intervals_of_zero_width() -> None:
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


def test_the_seed_determines_the_draws() -> None:
    confusion = matrices(25)
    assert same(bootstrap_intervals(confusion, ALL), bootstrap_intervals(confusion, ALL))
    assert same(bootstrap_intervals(confusion, ALL, seed=1), bootstrap_intervals(confusion, ALL, seed=1))
    assert not same(bootstrap_intervals(confusion, ALL), bootstrap_intervals(confusion, ALL, seed=1))


def test_a_metric_does_not_depend_on_the_other_metrics() -> None:
    confusion = matrices(25)
    assert same(bootstrap_intervals(confusion, {"miou": mean_iou}), bootstrap_intervals(confusion, ALL))


@pytest.mark.parametrize("level", [0.95, 0.5])
def test_intervals_agree_with_a_reference_bootstrap(level: float) -> None:
    """Images drawn one by one, percentiles of 4,000 resamples; the ends agree to a tenth of the interval."""
    confusion = matrices(40)
    generator = np.random.default_rng(9)
    draws = generator.integers(0, 40, (4000, 40))
    tails = [(1 - level) / 2, (1 + level) / 2]
    for metric in (pixel_accuracy, mean_iou):
        expected = np.quantile([metric(confusion[draw].sum(0)) for draw in draws], tails)
        found = bootstrap_intervals(confusion, {"metric": metric}, level=level)["metric"]
        assert found == pytest.approx(expected, abs=0.1 * (expected[1] - expected[0]))


def test_the_interval_of_a_mean_is_the_known_one() -> None:
    """The accuracy of images of equal size is a mean, whose 95% interval is known: 1.96 standard errors."""
    generator = np.random.default_rng(2)
    right = generator.binomial(1000, generator.uniform(0.5, 0.9, 100))
    confusion = np.zeros((100, 2, 2), np.int64)
    confusion[:, 0, 0], confusion[:, 0, 1] = right, 1000 - right
    low, high = bootstrap_intervals(confusion, {"pixel_accuracy": pixel_accuracy})["pixel_accuracy"]
    assert (high - low) / 2 == pytest.approx(1.96 * (right / 1000).std() / 10, rel=0.06)
    assert (high + low) / 2 == pytest.approx((right / 1000).mean(), abs=0.002)


def test_an_absent_class_has_no_interval_and_a_rare_one_uses_the_resamples_that_contain_it() -> None:
    confusion = np.zeros((10, 3, 3), np.int64)
    confusion[:, 0, 0] = 50
    confusion[0, 1, 1] = 7  # class 1 is in one image only, always found; class 2 in none
    iou = bootstrap_intervals(confusion, {"iou": class_iou})["iou"]
    assert iou[:, 0].tolist() == iou[:, 1].tolist() == [1, 1]
    assert np.isnan(iou[:, 2]).all()


def test_counts_are_exact_beyond_float32() -> None:
    """The 2,975 images of Cityscapes have 6e9 pixels: a single pixel still changes the result."""
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


def test_draws_of_seeds_and_images_equal_a_loop() -> None:
    """The same draws, resample by resample, image by image and seed by seed, to the last bit."""
    confusions = [matrices(12, seed=k) for k in range(3)]
    images = np.random.Generator(np.random.Philox(5)).multinomial(12, [1 / 12] * 12, RESAMPLES)
    seeds = np.random.Generator(np.random.Philox(5).jumped()).multinomial(3, [1 / 3] * 3, RESAMPLES)
    expected = []
    for image_draw, seed_draw in zip(images[:300], seeds, strict=False):
        total = 0.0
        for confusion, times in zip(confusions, seed_draw, strict=True):
            drawn = sum(int(often) * matrix for often, matrix in zip(image_draw, confusion, strict=True))
            total += float(mean_iou(drawn)) * times
        expected.append(total / 3)
    assert resample(confusions, {"miou": mean_iou}, seed=5)["miou"][:300].tolist() == expected


def test_seeds_by_hand() -> None:
    """One image, half and all of it correct: the mean of two drawn seeds is 1/2, 3/4 or 1, with weights 1:2:1."""
    half, whole = np.array([[[5, 5], [0, 0]]]), np.array([[[10, 0], [0, 0]]])
    values = resample([half, whole], {"accuracy": pixel_accuracy})["accuracy"]
    found, counts = np.unique(values, return_counts=True)
    assert found.tolist() == [0.5, 0.75, 1]
    assert counts / RESAMPLES == pytest.approx([0.25, 0.5, 0.25], abs=0.03)
    assert interval(values).tolist() == [0.5, 1]


def test_identical_seeds_do_not_widen_the_interval() -> None:
    confusion = matrices(25)
    expected = bootstrap_intervals(confusion, ALL)
    drawn = resample([confusion] * 3, ALL)
    for name in ALL:
        assert interval(drawn[name]) == pytest.approx(expected[name], rel=1e-12)


def test_different_seeds_widen_the_interval() -> None:
    """The mean of three seeds has the bootstrap variance of (0, 1, 2) / 10 about 1/10, (2 / 3) / 3 / 100."""
    right = np.array([[500, 600, 700]]).T
    confusions = [np.tile([[each, 1000 - each], [0, 0]], (20, 1, 1)) for each in right.ravel()]
    values = resample(confusions, {"accuracy": pixel_accuracy})["accuracy"]
    assert values.mean() == pytest.approx(0.6, abs=0.004)
    assert values.std() == pytest.approx((2 / 9) ** 0.5 / 10, rel=0.04)


def test_a_class_absent_from_a_resample_enters_no_mean() -> None:
    """One image has only class 0, all correct; the other only class 1, half of it predicted as class 0."""
    confusion = np.array([[[50, 0], [0, 0]], [[0, 0], [5, 5]]])
    values = resample([confusion], {"miou": mean_iou})["miou"]
    first, both, second = 1, (50 / 55 + 5 / 10) / 2, (0 + 5 / 10) / 2
    assert np.unique(values) == pytest.approx(sorted([first, both, second]), rel=1e-12)


def test_a_class_absent_in_a_seed_is_the_mean_of_the_others() -> None:
    """Class 1 is in no truth; one seed predicts it, the other does not."""
    never, once = np.array([[[10, 0], [0, 0]]]), np.array([[[9, 1], [0, 0]]])
    iou = resample([never, once], {"iou": class_iou})["iou"]
    absent = np.isnan(iou[:, 1])
    assert absent.mean() == pytest.approx(0.25, abs=0.03)
    assert set(iou[absent, 0]) == {1}
    assert set(iou[~absent, 1]) == {0}
