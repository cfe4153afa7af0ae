"""Jackknife intervals against hand-worked values, a loop over deleted units, and scipy; coverage: test_coverage.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from seg.evaluation.jackknife import Estimate, estimate_classes, estimate_metric, interval, spread_over_seeds
from seg.metrics.scores import METRICS, PARTS, class_counts, class_iou, iou_parts, mean_iou


def matrices(images: int, classes: int = 4, seed: int = 0) -> np.ndarray:
    """Confusion matrices (N, C, C) of images of unequal difficulty."""
    generator = np.random.default_rng(seed)
    hard = generator.random((images, 1, 1))
    wrong = generator.poisson(20 * hard, (images, classes, classes))
    right = generator.poisson(100 * (1 - hard[..., 0]), (images, classes))
    return wrong + np.eye(classes, dtype=np.int64) * right[:, None]


def metric(name: str, *seeds: np.ndarray) -> Estimate:
    return estimate_metric(class_counts(np.stack(seeds)), PARTS[name])


def accuracy(*shares: float) -> np.ndarray:
    """Images (N, 2, 2) of 1000 pixels of one class, with these shares of correct pixels."""
    right = np.round(1000 * np.array(shares)).astype(np.int64)
    return np.stack([np.stack([right, 1000 - right], 1), np.zeros((len(shares), 2), np.int64)], 1)


# Estimates


def test_influence_equals_a_loop_over_deleted_images() -> None:
    confusion = matrices(12)
    total = confusion.sum(0)
    for name, function in METRICS.items():
        estimate = metric(name, confusion)
        deleted = np.array([float(function(total - each)) for each in confusion])
        assert estimate.value == pytest.approx(float(function(total)), rel=1e-12)
        expected = np.sqrt(11 / 12) * (deleted - deleted.mean())
        assert estimate.seeds_influence[:, 0] == pytest.approx(expected, abs=1e-15)
    classes = estimate_classes(class_counts(confusion[None]), iou_parts)
    deleted = np.array([class_iou(total - each) for each in confusion])
    assert classes.value == pytest.approx(class_iou(total), rel=1e-12)
    assert pytest.approx(np.sqrt(11 / 12) * (deleted - deleted.mean(0)), abs=1e-15) == classes.seeds_influence[..., 0].T


def test_a_class_that_a_sample_lacks_keeps_its_estimate() -> None:
    """Class 1, half of it found, is in the first of three images; without it, the mean is of 1 and still 1/2."""
    confusion = np.zeros((3, 3, 3), np.int64)
    confusion[:, 0, 0] = 10
    confusion[0, 1, 1] = confusion[0, 1, 2] = 5
    confusion[1, 2, 2] = 15
    estimate = metric("miou", confusion)
    assert estimate.value == pytest.approx((1 + 1 / 2 + 15 / 20) / 3)
    deleted = np.array([(1 + 1 / 2 + 1) / 3, (1 + 1 / 2 + 0) / 3, (1 + 1 / 2 + 15 / 20) / 3])
    assert estimate.seeds_influence[:, 0] == pytest.approx(np.sqrt(2 / 3) * (deleted - deleted.mean()))
    deleted[0] = (1 + 1) / 2  # without class 1
    assert estimate.score_influence[:, 0] == pytest.approx(np.sqrt(2 / 3) * (deleted - deleted.mean()))


def test_a_class_absent_in_a_seed_is_the_mean_of_the_others() -> None:
    """Class 1 is in no truth; one seed predicts it, the other does not."""
    never, once = np.array([[[10, 0], [0, 0]]] * 3), np.array([[[9, 1], [0, 0]]] * 3)
    estimate = estimate_classes(class_counts(np.stack([never, once])), iou_parts)
    assert estimate.value == pytest.approx([(1 + 0.9) / 2, 0])
    assert np.isnan(estimate.seeds[1, 0])
    assert float(metric("miou", never, once).value) == pytest.approx((1 + 0.9 / 2) / 2)


# Intervals by hand


def test_the_interval_of_a_mean_of_images_of_equal_size() -> None:
    """Its jackknife standard error is s / sqrt(n); limits are those of Student's interval on the logit scale."""
    shares = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 0.55, 0.65])
    mean, error = shares.mean(), shares.std(ddof=1) / np.sqrt(7)
    terms = (shares - mean) ** 2
    freedom = min(6, 2 * terms.sum() ** 2 / ((terms**2).sum() - terms.sum() ** 2 / 7))
    step = stats.t.ppf(0.975, freedom) * error / (mean * (1 - mean))
    logit = np.log(mean / (1 - mean))
    expected = 1 / (1 + np.exp(-np.array([logit - step, logit + step])))
    assert interval(metric("pixel_accuracy", accuracy(*shares))) == pytest.approx(expected, rel=1e-12)


def test_limits_of_independent_classes_are_combined_by_their_squares() -> None:
    """Two classes in different images, each predicted as the third and never found: distances are those of each / 2."""
    confusion = np.zeros((16, 3, 3), np.int64)
    generator = np.random.default_rng(0)
    for unit in range(16):
        right = generator.integers(200, 900)
        confusion[unit, unit % 2, [unit % 2, 2]] = right, 1000 - right
    estimate = estimate_metric(class_counts(confusion[None]), PARTS["mean_accuracy"])
    classes = estimate_classes(class_counts(confusion[None]), PARTS["mean_accuracy"])
    assert estimate.value == pytest.approx(classes.value[:2].mean())
    freedom = spread_over_seeds(estimate.seeds_influence, estimate.seeds).units_freedom
    distances = []
    for sign in (-1, 1):
        p = classes.value[:2]
        error = np.sqrt((classes.influence[:2, :, 0, 0] ** 2).sum(-1))
        moved = np.log(p / (1 - p)) + sign * stats.t.ppf(0.975, freedom) * error / (p * (1 - p))
        distances.append(1 / (1 + np.exp(-moved)) - p)
    covariance = (classes.influence[0, :, 0, 0] * classes.influence[1, :, 0, 0]).sum()
    assert abs(covariance) < 1e-9  # no image has both
    expected = [estimate.value - np.linalg.norm(distances[0]) / 2, estimate.value + np.linalg.norm(distances[1]) / 2]
    assert interval(estimate) == pytest.approx(np.array(expected), rel=1e-6)


@pytest.mark.parametrize(("correct", "expected"), [(0, (0, 1 - 0.05 ** (1 / 7))), (1, (0.05 ** (1 / 7), 1))])
def test_estimates_of_0_and_1_have_the_limit_of_an_unobserved_share(correct: float, expected: tuple[float]) -> None:
    for name in METRICS:
        if (name, correct) != ("miou", 0):
            assert interval(metric(name, accuracy(*[correct] * 7))) == pytest.approx(np.array(expected))
    iou = interval(estimate_classes(class_counts(accuracy(*[correct] * 7)[None]), iou_parts))
    assert iou[:, 0] == pytest.approx(np.array(expected))


def test_a_rare_class_of_iou_0_has_the_limit_of_its_own_units() -> None:
    confusion = np.zeros((20, 2, 2), np.int64)
    confusion[:, 0, 0] = 50
    confusion[:3, 1, 0] = 4
    iou = interval(estimate_classes(class_counts(confusion[None]), iou_parts))
    assert iou[:, 1] == pytest.approx([0, 1 - 0.05 ** (1 / 3)])
    assert interval(metric("miou", confusion))[1] < 0.5


def test_a_single_unit_tells_nothing() -> None:
    assert interval(metric("miou", matrices(1))).tolist() == [0, 1]
    confusion = np.zeros((9, 2, 2), np.int64)
    confusion[:, 0, 0] = np.arange(9) + 1
    confusion[0, 1] = 5  # half of a class that only one image has
    iou = interval(estimate_classes(class_counts(confusion[None]), iou_parts))
    assert iou[:, 1].tolist() == [0, 1]


def test_identical_images_give_an_interval_without_width() -> None:
    confusion = np.stack([matrices(1)[0]] * 30)
    for name in METRICS:
        estimate = metric(name, confusion)
        assert interval(estimate) == pytest.approx(np.full(2, estimate.value), abs=1e-9)


def test_an_absent_class_has_no_interval() -> None:
    confusion = matrices(10)
    confusion[:, 2], confusion[:, :, 2] = 0, 0
    ends = interval(estimate_classes(class_counts(confusion[None]), iou_parts))
    assert np.isnan(ends).tolist() == [[False, False, True, False]] * 2


def test_rare_classes_of_iou_0_do_not_move_the_interval_away_from_the_estimate() -> None:
    """41 classes and 60 images, 33 of the classes rare and never found: 19 of 20 percentile intervals missed it."""
    generator = np.random.default_rng(0)
    for _ in range(20):
        confusion = np.zeros((60, 41, 41), np.int64)
        for name in range(8):
            confusion[:, name, name] = generator.integers(100, 900, 60)
            confusion[:, name, (name + 1) % 8] = generator.integers(10, 200, 60)
        for name in range(8, 41):
            confusion[generator.choice(60, generator.integers(1, 5), replace=False), name, 0] = 20
        estimate = metric("miou", confusion)
        low, high = interval(estimate)
        assert low < estimate.value < high
        assert high - low < 0.02
        ends = interval(estimate_classes(class_counts(confusion[None]), iou_parts))
        assert ((ends[0] <= class_iou(confusion.sum(0))) & (class_iou(confusion.sum(0)) <= ends[1])).all()


@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(1, 3), st.integers(1, 5))
def test_an_interval_is_in_the_unit_interval_and_contains_its_estimate(
    seed: int, images: int, seeds: int, classes: int
) -> None:
    generator = np.random.default_rng(seed)
    confusions = generator.integers(0, 3, (seeds, images, classes, classes)) * generator.integers(
        0, 2, (images, classes, classes)
    )
    confusions[..., 0, 0] += 1
    for name in METRICS:
        estimate = metric(name, *confusions)
        low, high = interval(estimate)
        assert 0 <= low <= estimate.value <= high <= 1
    estimates = estimate_classes(class_counts(confusions), iou_parts)
    low, high = interval(estimates)
    present = ~np.isnan(estimates.value)
    assert ((low <= estimates.value) & (estimates.value <= high))[present].all()
    assert np.isnan(low[~present]).all()


def test_counts_are_exact_beyond_float32() -> None:
    """The 2,975 images of Cityscapes have 6e9 pixels: a single pixel still changes the result."""
    confusion = np.tile(np.array([[2**31, 1], [0, 0]]), (3000, 1, 1))
    assert metric("pixel_accuracy", confusion).value == 2**31 / (2**31 + 1) < 1


# Seeds


def test_the_variance_of_the_seeds_is_added() -> None:
    """Identical images: only the seeds vary, so Student's interval with 2 degrees of freedom."""
    estimate = metric("pixel_accuracy", *(accuracy(*[share] * 20) for share in (0.5, 0.6, 0.7)))
    half_width = stats.t.ppf(0.975, 2) * 0.1 / np.sqrt(3)
    assert interval(estimate) == pytest.approx(np.array([0.6 - half_width, 0.6 + half_width]))


def test_identical_seeds_do_not_change_the_interval() -> None:
    confusion = matrices(25)
    for name in METRICS:
        assert interval(metric(name, *[confusion] * 3)) == pytest.approx(interval(metric(name, confusion)), rel=1e-9)


def test_effects_of_images_in_single_seeds_count_once() -> None:
    """Two seeds that fail on different images: their sum is equal for all images, so no effect of images is shared."""
    easy, hard = accuracy(*[0.9, 0.5] * 10), accuracy(*[0.5, 0.9] * 10)
    estimate = metric("pixel_accuracy", easy, hard)
    spread = spread_over_seeds(estimate.seeds_influence, estimate.seeds)
    assert spread.units == pytest.approx(0, abs=1e-12)
    one = metric("pixel_accuracy", easy)
    alone = spread_over_seeds(one.seeds_influence, one.seeds)
    assert (alone.units_share, alone.seeds) == (1, 0)
    # Effects that both share, of variance 0.04 / 19, and effects of single seeds of the same size.
    both = metric("pixel_accuracy", accuracy(*[0.9, 0.9, 0.5, 0.5] * 5), accuracy(*[0.9, 0.5, 0.9, 0.5] * 5))
    spread = spread_over_seeds(both.seeds_influence, both.seeds)
    variance = 0.04 / 19
    jackknife = (0.5**2 + 0.5**2) * variance  # of the mean of two uncorrelated seeds
    assert spread.units == pytest.approx(jackknife - variance / 2, abs=1e-9)


def test_mean_iou_is_that_of_the_scores() -> None:
    seeds = [matrices(9, seed=k) for k in range(3)]
    expected = np.mean([mean_iou(each.sum(0)) for each in seeds])
    assert float(metric("miou", *seeds).value) == pytest.approx(expected, rel=1e-12)
