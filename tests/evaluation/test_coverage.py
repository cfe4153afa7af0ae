"""Coverage of 95% intervals in simulation, 2,000 repetitions each (docs/explanation/intervals.md has the figures).

Images are drawn from a population whose scores are known. The difficulty of an image is common to all classes, variants
and seeds; sizes of objects are log-normal with a standard deviation of 1, so that few images make up much of a class.
Wrong pixels are predicted as other classes in proportion to their frequency. A mIoU is compared with the mean of the
population's IoU over the classes in the sample, which is the set that the score is defined for.
"""

from typing import NamedTuple

import numpy as np
import pytest

from seg.evaluation.comparison import differences
from seg.evaluation.jackknife import Estimate, estimate_classes, estimate_metric, interval
from seg.evaluation.units import choose_units
from seg.metrics.scores import PARTS, iou_parts

pytestmark = pytest.mark.slow

REPETITIONS = 2000
SKILLS = (0.0, 0.1, 0.2)  # of three variants, on the logit scale


class World(NamedTuple):
    """A population of images.

    Attributes:
        presence: probability that an image contains a class.
        recall: of the classes for a variant of skill 0; the population's IoU is lower. 0 for classes never found.
        single: standard deviation of the effect of an image and a class on a single training.
        training: standard deviation of the effect of a seed.
    """

    presence: tuple[float, ...]
    recall: tuple[float, ...]
    single: float = 0.5
    training: float = 0.0

    def draw(self, generator: np.random.Generator, samples: int, images: int, seeds: int = 1) -> np.ndarray:
        """Counts (V, R, K, N, 3, C) of correct, labelled and predicted pixels of the variants."""
        presence, recall = np.array(self.presence), np.array(self.recall)
        shape = (samples, 1, images, len(presence))
        labelled = np.exp(generator.standard_normal(shape)) * (generator.random(shape) < presence)
        difficulty = 0.8 * generator.standard_normal((samples, 1, images, 1)) + 0.6 * generator.standard_normal(shape)
        own = (len(SKILLS), samples, seeds, images, len(presence))
        effect = difficulty + self.single * generator.standard_normal(own)
        effect += self.training * generator.standard_normal((*own[:3], 1, 1))
        effect += np.array(SKILLS).reshape(-1, 1, 1, 1, 1)
        odds = np.where(recall > 0, recall / (1 - recall), 0) * np.exp(effect)
        correct = labelled * odds / (1 + odds)
        wrong = labelled - correct
        taken = np.where(recall > 0, presence, 0.1 * presence) / presence.sum()
        predicted = correct + (wrong.sum(-1, keepdims=True) - wrong) * taken
        return np.stack([correct, np.broadcast_to(labelled, correct.shape), predicted], -2)

    def iou(self) -> np.ndarray:
        """IoU (V, C) in the population, mean over trainings."""
        generator = np.random.default_rng(1)
        if not self.training:
            counts = sum(self.draw(generator, 20, 2000).sum((1, 2, 3)) for _ in range(10))
            return iou_parts(counts)
        counts = [self.draw(generator, 20, 2000).sum((2, 3)) for _ in range(15)]
        return np.concatenate([iou_parts(each) for each in counts], 1).mean(1)


class Coverage(NamedTuple):
    """Shares of intervals that contain the population's value, and whether all contain their estimates."""

    miou: float
    classes: np.ndarray
    pairs: np.ndarray
    joint: float
    inside: bool


def simulate(world: World, images: int, seeds: int = 1) -> Coverage:
    truth = world.iou()
    generator = np.random.default_rng(2)
    at_once = max(10, 10_000 // (images * seeds))
    found: dict[str, list[np.ndarray]] = {name: [] for name in ("miou", "classes", "pairs", "joint", "inside")}
    for start in range(0, REPETITIONS, at_once):
        counts = world.draw(generator, min(at_once, REPETITIONS - start), images, seeds)
        present = counts.any((0, 2, 3, 4))  # (R, C)
        means = np.where(present, truth[:, None], 0).sum(-1) / present.sum(-1)  # (V, R)
        mious = estimate_metric(counts, PARTS["miou"])
        one_variant = estimate_classes(counts[0], iou_parts)
        class_ends, class_values = interval(one_variant), one_variant.value
        found["miou"].append(holds(interval(mious), means).mean(0))
        found["classes"].append(np.where(present, holds(class_ends, truth[0]), np.nan))
        found["inside"] += [holds(interval(mious), mious.value), holds(class_ends, class_values) | ~present]
        for sample in range(counts.shape[1]):
            pairs = differences([Estimate(*(each[v, sample] for each in mious)) for v in range(len(SKILLS))])
            gaps = means[pairs.pairs[:, 0], sample] - means[pairs.pairs[:, 1], sample]
            found["pairs"].append(holds(pairs.alone, gaps)[None])
            found["joint"].append(holds(pairs.joint, gaps).all()[None])
            found["inside"].append(holds(pairs.joint, pairs.value))
    shares = {name: np.concatenate(found[name]) for name in ("miou", "classes", "pairs", "joint")}
    return Coverage(
        float(shares["miou"].mean()),
        np.nanmean(shares["classes"], 0),
        shares["pairs"].mean(0),
        float(shares["joint"].mean()),
        all(each.all() for each in found["inside"]),
    )


def pair_coverage(mious: Estimate, means: np.ndarray) -> tuple[float, float]:
    """Share of the intervals of pairs that hold, and of samples in which all joint ones do.

    Args:
        mious: of variants and samples (V, R).
        means: (V,) in the population.
    """
    alone, joint = [], []
    for sample in range(mious.parts.shape[1]):
        pairs = differences([Estimate(*(each[v, sample] for each in mious)) for v in range(len(means))])
        gaps = means[pairs.pairs[:, 0]] - means[pairs.pairs[:, 1]]
        alone.append(holds(pairs.alone, gaps))
        joint.append(holds(pairs.joint, gaps).all())
    return float(np.mean(alone)), float(np.mean(joint))


def holds(ends: np.ndarray, values: np.ndarray) -> np.ndarray:
    return (ends[0] <= values) & (values <= ends[1])


def report(name: str, world: World, images: int, coverage: Coverage) -> None:
    expected = ", ".join(f"{images * presence:.0f}" for presence in world.presence)
    classes = ", ".join(f"{share:.3f}" for share in coverage.classes)
    pairs = f"pairs {coverage.pairs.mean():.3f}, joint {coverage.joint:.3f}"
    print(f"\n{name}, {images} images: mIoU {coverage.miou:.3f}, {pairs}")
    print(f"classes, expected in {expected} images: {classes}")


def rare(images: int, expected: float, classes: int = 4) -> World:
    """Three frequent classes and several rare ones, the last of which is never found."""
    share = expected / images
    return World((1.0, 1.0, 0.5, *[share] * classes), (0.9, 0.8, 0.6, *(0.5, 0.3, 0.7, 0.0)[-classes:]))


@pytest.mark.parametrize("images", [20, 60, 200, 500])
def test_coverage_with_classes_in_six_images(images: int, capsys: pytest.CaptureFixture[str]) -> None:
    world = rare(images, 6)
    coverage = simulate(world, images)
    with capsys.disabled():
        report("one seed", world, images, coverage)
    assert coverage.inside
    assert 0.92 <= coverage.miou <= 0.97
    assert 0.92 <= coverage.pairs.mean() <= 0.97
    assert 0.92 <= coverage.joint <= 0.97


@pytest.mark.parametrize("expected", [3, 1])
def test_coverage_with_scarcer_classes(expected: float, capsys: pytest.CaptureFixture[str]) -> None:
    """Too low, as the page says; the intervals still contain their estimates."""
    world = rare(60, expected)
    coverage = simulate(world, 60)
    with capsys.disabled():
        report("one seed", world, 60, coverage)
    assert coverage.inside
    assert coverage.miou > 0.5


@pytest.mark.parametrize("training", [0.05, 0.3])
def test_coverage_with_three_seeds(training: float, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard deviations of the mIoU between seeds of about 0.01 and 0.05: half of, and most of the variance."""
    world = rare(60, 6)._replace(training=training)
    coverage = simulate(world, 60, seeds=3)
    with capsys.disabled():
        report(f"three seeds, training effect {training}", world, 60, coverage)
    assert coverage.inside
    assert 0.92 <= coverage.miou <= 0.99
    assert 0.92 <= coverage.pairs.mean() <= 0.99
    assert 0.92 <= coverage.joint <= 0.99


def frames(generator: np.random.Generator, samples: int, count: int, correlation: float) -> np.ndarray:
    """Counts (R, N, 3, 4) of the frames of a video: difficulty and sizes of objects are autoregressive."""

    def process(classes: int) -> np.ndarray:
        noise = generator.standard_normal((count, samples, classes))
        values = noise.copy()
        for frame in range(1, count):
            values[frame] = correlation * values[frame - 1] + np.sqrt(1 - correlation**2) * noise[frame]
        return values.swapaxes(0, 1)

    frequency = np.array([1.0, 0.8, 0.5, 0.3])
    labelled = np.exp(process(4)) * frequency
    odds = np.exp(np.array([2.0, 1.5, 0.5, 0.0]) + 0.8 * process(1) + 0.6 * process(4))
    correct = labelled * odds / (1 + odds)
    wrong = labelled - correct
    predicted = correct + (wrong.sum(-1, keepdims=True) - wrong) * frequency / frequency.sum()
    return np.stack([correct, labelled, predicted], -2)


@pytest.mark.parametrize(("correlation", "images", "blocks"), [(0.0, 0.93, 0.93), (0.5, 0.7, 0.9), (0.8, 0.4, 0.83)])
def test_blocks_of_frames_recover_most_of_the_coverage(
    correlation: float, images: float, blocks: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two videos of 62 and 171 frames, as in the test split of CamVid, in 1,000 samples."""
    generator = np.random.default_rng(3)
    truth = iou_parts(frames(generator, 200, 2000, correlation).sum((0, 1))).mean()
    counts = np.concatenate([frames(generator, 1000, count, correlation) for count in (62, 171)], 1)
    shares = {}
    for kind, groups in (("image", [""] * 233), ("block", ["a"] * 62 + ["b"] * 171)):
        units = choose_units(groups, ordered=True, block=10)
        assert units.kind == kind
        summed = units.sum(counts.swapaxes(0, 1)).swapaxes(0, 1)
        shares[kind] = holds(interval(estimate_metric(summed[:, None], PARTS["miou"])), truth).mean()
    with capsys.disabled():
        found = ", ".join(f"{kind}s {share:.3f}" for kind, share in shares.items())
        print(f"\ncorrelation {correlation} of neighbouring frames: {found}")
    assert images <= shares["image"] <= images + 0.2
    assert blocks <= shares["block"] <= 0.97


def patients(generator: np.random.Generator, samples: int, count: int) -> np.ndarray:
    """Counts (V, R, N, 3, C) of patients with 20 images each, who differ in difficulty, also between variants."""
    frequency = np.array([1.0, 0.8, 0.5, 0.3])

    def effects(of_patients: float, of_images: float, classes: int = 4) -> np.ndarray:
        common = np.repeat(generator.standard_normal((samples, count, classes)), 20, 1)
        return of_patients * common + of_images * generator.standard_normal((samples, 20 * count, classes))

    labelled = np.exp(effects(0.7, 0.7)) * frequency
    difficulty = np.array([2.0, 1.5, 0.5, 0.0]) + effects(0.3, 0.6, 1) + effects(0.15, 0.4)
    found = []
    for skill in SKILLS:
        odds = np.exp(difficulty + skill + effects(0.12, 0, 1) + effects(0, 0.3))
        correct = labelled * odds / (1 + odds)
        wrong = labelled - correct
        predicted = correct + (wrong.sum(-1, keepdims=True) - wrong) * frequency / frequency.sum()
        found.append(np.stack([correct, labelled, predicted], -2))
    return np.stack(found)


@pytest.mark.parametrize("count", [3, 6])
def test_groups_keep_the_coverage_that_single_images_lose(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    generator = np.random.default_rng(4)
    truth = iou_parts(sum(patients(generator, 200, 20).sum((1, 2)) for _ in range(20))).mean(-1)
    counts = patients(generator, 500, count)
    groups = [f"{i // 20}" for i in range(20 * count)]
    found = {}
    for kind, known in (("image", [""] * len(groups)), ("group", groups)):
        units = choose_units(known, ordered=False, block=10)
        assert units.kind == kind
        mious = estimate_metric(np.moveaxis(units.sum(np.moveaxis(counts, 2, 0)), 0, 2)[:, :, None], PARTS["miou"])
        found[kind] = (holds(interval(mious), truth[:, None]).mean(), *pair_coverage(mious, truth))
    with capsys.disabled():
        shares = {kind: "mIoU {:.3f}, pairs {:.3f}, joint {:.3f}".format(*shares) for kind, shares in found.items()}
        print(f"\n{count} groups of 20 images: {shares}")
    assert max(found["image"]) < 0.75
    assert 0.87 <= min(found["group"]) <= max(found["group"]) <= 0.97
