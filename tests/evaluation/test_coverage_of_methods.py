"""Simulated verdicts and intervals on methods, not on single trainings: several seeds, and cross-validation.

docs/explanation/intervals.md has the figures, which these tests print.
"""

from statistics import fmean

import numpy as np
import pytest

from seg.evaluation.comparison import differences
from seg.evaluation.folds import fold_interval
from seg.evaluation.jackknife import estimate_metric
from seg.metrics.scores import METRICS, PARTS, class_counts
from seg.report.pairs import PairMember, compare_variants

pytestmark = pytest.mark.slow

SAMPLES = 200


def accuracies(generator: np.random.Generator, skills: np.ndarray, seeds: int, training: float) -> np.ndarray:
    """Counts (V, K, N, 3, 1) of 200 images of equal size; `training` is the standard deviation of a seed's effect."""
    images, single = 200, (200, len(skills), seeds)
    shares = 0.7 + 0.12 * generator.standard_normal((images, 1, 1)) + skills[:, None]
    shares = shares + 0.03 * generator.standard_normal((images, len(skills), 1))
    shares = shares + 0.02 * generator.standard_normal(single) + training * generator.standard_normal((1, *single[1:]))
    whole = np.full(single, 1e6)
    return np.stack([np.clip(shares, 0, 1) * whole, whole, whole], -1)[..., None].transpose(1, 2, 0, 3, 4)


@pytest.mark.parametrize(("seeds", "training"), [(1, 0.0), (1, 0.005), (3, 0.005), (5, 0.005)])
def test_verdicts_on_methods_require_several_seeds(
    seeds: int, training: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seven variants, of which four have equal scores and three are better by the margin of equivalence."""
    generator = np.random.default_rng(3)
    skills = np.array([0.01 * (v % 2) for v in range(7)])
    wrong, equivalent, decided = [], [], []
    for _ in range(SAMPLES):
        counts = accuracies(generator, skills, seeds, training)
        members = {
            str(v): PairMember(estimate_metric(each, PARTS["mean_accuracy"]), (frozenset(),) * seeds)
            for v, each in enumerate(counts)
        }
        verdicts = [
            (pair.verdict, skills[int(pair.variant)] - skills[int(pair.other)])
            for pair in compare_variants("study", members, margin=0.01)
        ]
        wrong.append(any((said, gap > 0) in (("better", False), ("worse", True)) for said, gap in verdicts))
        wrong[-1] |= any(said == "worse" and gap == 0 for said, gap in verdicts)
        equivalent.append(any(said == "equivalent" and gap != 0 for said, gap in verdicts))
        decided.append(fmean(said != "undecided" for said, _ in verdicts))
    shares = fmean(wrong), fmean(equivalent), fmean(decided)
    with capsys.disabled():
        print(
            f"\n{seeds} seeds, training effect {training}: wrong better or worse, wrong equivalent, decided: {shares}"
        )
    if seeds == 1 and training:
        assert shares[0] > 0.5  # such verdicts are on trainings, as captions say
    else:
        assert max(shares[:2]) < 0.09


class Learner:
    """Nearest class mean of pixels with four features, whose training ends somewhere near the mean."""

    CLASSES = 3
    MEANS = np.random.default_rng(0).normal(size=(3, 4))

    def draw(self, generator: np.random.Generator, images: int) -> tuple[np.ndarray, np.ndarray]:
        """Features (N, 40, 4) and classes (N, 40) of pixels; images differ in their features and in their classes."""
        bounds = np.cumsum(generator.dirichlet([2, 1.2, 0.8], size=images), 1)[:, None, :2]
        labels = (generator.random((images, 40, 1)) > bounds).sum(-1)
        noise = 0.7 * generator.normal(size=(images, 1, 4)) + 1.2 * generator.normal(size=(images, 40, 4))
        return self.MEANS[labels] + noise, labels

    def confusions(self, generator: np.random.Generator, training: float, images: int, folds: int) -> np.ndarray:
        """Matrices (2, N, C, C) of two variants, which only the noise of their trainings distinguishes."""
        features, labels = self.draw(generator, images)
        found = np.zeros((2, images, self.CLASSES, self.CLASSES), np.int64)
        for fold in range(folds):
            tested = np.arange(images) % folds == fold
            means = np.stack([features[~tested][labels[~tested] == c].mean(0) for c in range(self.CLASSES)])
            for matrices in found:
                trained = means + training * generator.normal(size=means.shape)
                predicted = ((features[tested][:, :, None] - trained) ** 2).sum(-1).argmin(-1)
                np.add.at(matrices, (np.flatnonzero(tested)[:, None], labels[tested], predicted), 1)
        return found


@pytest.mark.parametrize(("images", "folds", "training"), [(30, 3, 0.15), (60, 5, 0.15), (60, 5, 0.4)])
def test_coverage_of_a_cross_validation(
    images: int, folds: int, training: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """Intervals of the mean over folds are wide enough; those of pairs leave out the noise of training, as one seed."""
    generator = np.random.default_rng(1)
    means, ends, pairs = [], [], []
    for _ in range(SAMPLES):
        matrices = Learner().confusions(generator, training, images, folds)
        scores = [float(METRICS["miou"](matrices[0, fold::folds].sum(0))) for fold in range(folds)]
        means.append(fmean(scores))
        ends.append(fold_interval(scores, folds) or (np.nan, np.nan))
        found = differences([estimate_metric(class_counts(each[None]), PARTS["miou"]) for each in matrices])
        pairs.append(found.alone[0, 0] <= 0 <= found.alone[1, 0])
    truth = fmean(means)  # the expected score of the method, trained on the other folds
    shares = fmean(low <= truth <= high for low, high in ends), fmean(pairs)
    with capsys.disabled():
        print(f"\n{images} images, {folds} folds, training effect {training}: mean over folds, pairs: {shares}")
    assert shares[0] > 0.93
    assert shares[1] > 0.7
