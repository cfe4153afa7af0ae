"""Differences between variants: exact cases, pairing, and joint intervals."""

import numpy as np
import pytest

from seg.evaluation.bootstrap import RESAMPLES, interval, resample
from seg.evaluation.comparison import Differences, differences
from seg.metrics.scores import mean_iou


def image_by_image(right: np.ndarray) -> np.ndarray:
    """Matrices (N, 2, 2) of images with 1,000 pixels of each class, `right` (N,) of them predicted correctly."""
    matrices = np.zeros((len(right), 2, 2), np.int64)
    for k in (0, 1):
        matrices[:, k, k], matrices[:, k, 1 - k] = right, 1000 - right
    return matrices


def compared(*variants: list[np.ndarray]) -> Differences:
    """Variants, each a list of seeds of matrices (N, C, C), by their mIoU."""
    scores = [np.mean([mean_iou(confusion.sum(0)) for confusion in seeds]) for seeds in variants]
    drawn = [resample(seeds, {"miou": mean_iou})["miou"] for seeds in variants]
    return differences(np.array(scores), np.stack(drawn, 1))


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
    assert found.alone.tolist() == found.joint.tolist() == [[0], [0]]


def test_paired_intervals_separate_variants_whose_own_intervals_overlap() -> None:
    first, second = images()
    ends = [interval(resample([each], {"miou": mean_iou})["miou"]) for each in (first, second)]
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
    """The difference is the same in each seed, so its interval has zero width although the scores vary."""
    ones = [image_by_image(np.full(30, 500 + 40 * k)) for k in range(3)]
    others = [image_by_image(np.full(30, 510 + 40 * k)) for k in range(3)]
    found = compared(ones, others)
    gaps = [mean_iou(one.sum(0)) - mean_iou(other.sum(0)) for one, other in zip(ones, others, strict=True)]
    assert found.value[0] == pytest.approx(np.mean(gaps))
    assert [found.alone[0, 0], found.alone[1, 0]] == pytest.approx([min(gaps), max(gaps)])
    assert not holds(found.joint[:, 0])


def test_every_pair_is_listed_once_in_order_and_reversing_negates() -> None:
    variants = [[image_by_image(np.array([300, 500, 700]) + 10 * k)] for k in (0, 3, 1)]
    found, turned = compared(*variants), compared(*variants[::-1])
    assert found.pairs.tolist() == [[0, 1], [0, 2], [1, 2]]
    scores = [float(mean_iou(seeds[0].sum(0))) for seeds in variants]
    assert found.value.tolist() == [scores[0] - scores[1], scores[0] - scores[2], scores[1] - scores[2]]
    assert turned.value == pytest.approx(-found.value[::-1])
    assert turned.alone == pytest.approx(-found.alone[::-1, ::-1])
    assert turned.joint == pytest.approx(-found.joint[::-1, ::-1])


def test_the_interval_of_a_pair_equals_a_loop() -> None:
    """The same images are drawn for both variants; percentiles of the difference, to the last bit."""
    first, second = images(15)
    draws = np.random.Generator(np.random.Philox(0)).multinomial(15, [1 / 15] * 15, RESAMPLES)
    gaps = [
        mean_iou(np.einsum("n,nij->ij", draw, first)) - mean_iou(np.einsum("n,nij->ij", draw, second)) for draw in draws
    ]
    found = compared([first], [second])
    assert found.alone[:, 0].tolist() == np.quantile(gaps, [(1 - 0.95) / 2, (1 + 0.95) / 2]).tolist()


@pytest.mark.parametrize(("variants", "reach"), [(2, 2.772), (3, 3.314), (12, 4.622)])
def test_joint_intervals_of_independent_scores_are_tukeys(variants: int, reach: float) -> None:
    """For independent normal scores of variance 1, the half-width is the 95% point of the studentised range with
    infinite degrees of freedom; that of a single pair is 1.96 times the root of 2."""
    drawn = np.random.default_rng(1).normal(size=(20_000, variants))
    found = differences(np.zeros(variants), drawn)
    assert (found.joint[1] - found.joint[0]) / 2 == pytest.approx(reach, rel=0.03)
    assert (found.alone[1] - found.alone[0]) / 2 == pytest.approx(1.96 * 2**0.5, rel=0.03)


def test_pairs_of_zero_width_and_a_single_variant_are_valid() -> None:
    first, second = images()
    pair, with_twin = compared([first], [second]), compared([first], [second], [first])
    assert with_twin.joint[:, :1] == pytest.approx(pair.joint)
    assert with_twin.joint[:, 1].tolist() == [0, 0]
    alone = compared([first])
    assert (len(alone.value), alone.pairs.shape, alone.joint.shape) == (0, (0, 2), (2, 0))


def test_resamples_without_a_labelled_pixel_are_left_out() -> None:
    """One of three images has labels: resamples without it have no score."""
    variants = [np.concatenate([np.zeros((2, 2, 2), np.int64), image_by_image(np.array([k]))]) for k in (500, 600)]
    found = compared(*([each] for each in variants))
    assert found.alone[:, 0] == pytest.approx(found.value.repeat(2))
    assert found.joint[:, 0] == pytest.approx(found.value.repeat(2))
