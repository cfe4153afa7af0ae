"""Differences between variants: exact cases, pairing, and joint intervals; coverage: test_coverage.py."""

import numpy as np
import pytest
from scipy import stats

from seg.evaluation.comparison import Differences, differences, joint_levels
from seg.evaluation.jackknife import estimate_metric, interval
from seg.metrics.scores import PARTS, class_counts, mean_iou


def image_by_image(right: np.ndarray) -> np.ndarray:
    """Matrices (N, 2, 2) of images with 1,000 pixels of each class, `right` (N,) of them predicted correctly."""
    matrices = np.zeros((len(right), 2, 2), np.int64)
    for k in (0, 1):
        matrices[:, k, k], matrices[:, k, 1 - k] = right, 1000 - right
    return matrices


def compared(*variants: list[np.ndarray], metric: str = "miou") -> Differences:
    """Variants, each a list of seeds of matrices (N, C, C)."""
    return differences([estimate_metric(class_counts(np.stack(seeds)), PARTS[metric]) for seeds in variants])


def images(count: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two variants on images of very unequal difficulty; on nearly all of them the second is slightly better."""
    generator = np.random.default_rng(seed)
    first = generator.integers(200, 900, count)
    return image_by_image(first), image_by_image(first + generator.integers(5, 25, count))


def holds(ends: np.ndarray, value: float = 0) -> bool:
    return bool(ends[0] <= value <= ends[1])


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_variant_does_not_differ_from_itself(seeds: int) -> None:
    variant = [images(seed=k)[0] for k in range(seeds)]
    found = compared(variant, [confusion.copy() for confusion in variant])
    assert found.value.tolist() == [0]
    assert found.alone.tolist() == found.joint.tolist() == found.equivalence.tolist() == [[0], [0]]


def test_paired_intervals_separate_variants_whose_own_intervals_overlap() -> None:
    first, second = images()
    ends = [interval(estimate_metric(class_counts(each[None]), PARTS["miou"])) for each in (first, second)]
    assert ends[0][1] > ends[1][0]  # they overlap
    found = compared([first], [second])
    assert found.alone[1, 0] < 0
    assert found.joint[1, 0] < 0


def test_variants_are_paired_by_image() -> None:
    """In another order the second variant has the same totals, but the difficulty of images no longer cancels."""
    first, second = images()
    shuffled = compared([first], [second[np.random.default_rng(0).permutation(len(second))]])
    assert shuffled.value == compared([first], [second]).value
    assert holds(shuffled.alone[:, 0])
    assert holds(shuffled.joint[:, 0])


def test_variants_are_paired_by_seed() -> None:
    """Differences of 0.01, 0.012 and 0.014 in the three seeds, whose scores vary by 0.04; the images are identical."""
    ones = [image_by_image(np.full(30, 500 + 40 * k)) for k in range(3)]
    others = [image_by_image(np.full(30, 510 + 42 * k)) for k in range(3)]
    found = compared(ones, others, metric="pixel_accuracy")
    half_width = stats.t.ppf(0.975, 2) * 0.002 / np.sqrt(3)
    assert found.value == pytest.approx([-0.012])
    assert found.alone[:, 0] == pytest.approx([-0.012 - half_width, -0.012 + half_width])


def test_every_pair_is_listed_once_in_order_and_reversing_negates() -> None:
    variants = [[image_by_image(np.array([300, 500, 700]) + 10 * k)] for k in (0, 3, 1)]
    found, turned = compared(*variants), compared(*variants[::-1])
    assert found.pairs.tolist() == [[0, 1], [0, 2], [1, 2]]
    scores = [float(mean_iou(seeds[0].sum(0))) for seeds in variants]
    assert found.value == pytest.approx([scores[0] - scores[1], scores[0] - scores[2], scores[1] - scores[2]])
    assert turned.value == pytest.approx(-found.value[::-1])
    assert turned.alone == pytest.approx(-found.alone[::-1, ::-1])


def test_the_interval_of_a_pair_is_students_for_images_of_equal_size() -> None:
    first = np.array([500, 620, 710, 430, 550, 800, 640])
    gaps = np.array([10, 30, 0, 20, 40, 20, 10]) / 1000
    second = first - np.round(1000 * gaps).astype(np.int64)
    found = compared([image_by_image(first)], [image_by_image(second)], metric="mean_accuracy")
    terms = (gaps - gaps.mean()) ** 2
    freedom = min(6, 2 * terms.sum() ** 2 / ((terms**2).sum() - terms.sum() ** 2 / 7))
    error = gaps.std(ddof=1) / np.sqrt(7)
    for ends, level in ((found.alone, 0.95), (found.joint, 0.95), (found.equivalence, 0.9)):
        half_width = stats.t.ppf((1 + level) / 2, freedom) * error
        assert ends[:, 0] == pytest.approx([gaps.mean() - half_width, gaps.mean() + half_width])


@pytest.mark.parametrize("variants", [3, 5, 12])
@pytest.mark.parametrize("level", [0.95, 0.9])
def test_joint_intervals_of_independent_scores_are_tukeys(variants: int, level: float) -> None:
    """For independent normal scores of variance 1, the largest difference of two is the studentised range."""
    [pair_level] = joint_levels(np.eye(variants), [level])
    reach = np.sqrt(2) * stats.norm.ppf((1 + pair_level) / 2)
    assert reach == pytest.approx(stats.studentized_range.ppf(level, variants, np.inf), rel=0.01)


def test_perfectly_correlated_pairs_require_no_correction() -> None:
    """Three variants on a line: every difference is a multiple of the same effect."""
    effects = np.outer([0, 1, 3], np.random.default_rng(0).normal(size=20))
    assert joint_levels(effects, [0.95])[0] == pytest.approx(0.95, abs=0.005)


def test_joint_intervals_are_the_same_each_time_and_wider_than_those_of_a_pair() -> None:
    variants = [[images(seed=k)[k % 2]] for k in range(5)]
    found, again = compared(*variants), compared(*variants)
    assert np.array_equal(found.joint, again.joint)
    assert ((found.joint[0] < found.alone[0]) & (found.alone[1] < found.joint[1])).all()
    assert ((found.joint[0] < found.equivalence[0]) & (found.equivalence[1] < found.joint[1])).all()


def test_a_pair_without_variation_has_no_width_among_others() -> None:
    first, second = images()
    found = compared([first], [first], [second])
    assert found.joint[:, 0].tolist() == [0, 0]
    assert found.joint[1, 1] < 0


def test_a_single_variant_has_no_pairs() -> None:
    found = compared([images()[0]])
    assert found.pairs.shape == (0, 2)
    assert found.joint.shape == found.alone.shape == (2, 0)


def test_a_single_image_tells_nothing_of_a_difference() -> None:
    found = compared([image_by_image(np.array([500]))], [image_by_image(np.array([900]))])
    assert found.joint.tolist() == found.alone.tolist() == [[-1], [1]]


@pytest.mark.parametrize("labelled", [0, 1000])
def test_a_class_in_one_image_decides_no_pair(labelled: int) -> None:
    """One of 60 images has pixels of a third class, or one variant predicts a single pixel as a class that none has."""
    ones, others = (np.pad(each, ((0, 0), (0, 1), (0, 1))) for each in images())
    others[:] = ones
    ones[7, 2] = 0, 0, labelled
    others[7, 2] = labelled, 0, 0
    if not labelled:
        others[7, 0, [0, 2]] += [-1, 1]
    found = compared([ones], [others])
    assert found.value > 0.1
    assert holds(found.alone[:, 0])
    assert holds(found.joint[:, 0])


def test_one_labelled_image_among_others_tells_nothing_of_a_difference() -> None:
    """Images without a labelled pixel are units that change no score, so they add no knowledge of its spread."""
    ones, others = (image_by_image(np.array([right, 0, 0])) for right in (500, 900))
    ones[1:], others[1:] = 0, 0
    found = compared([ones], [others])
    assert found.joint.tolist() == found.alone.tolist() == [[-1], [1]]
