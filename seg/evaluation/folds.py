"""Intervals of the scores of a cross-validation, over its folds."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev

from scipy.special import stdtrit


def fold_interval(scores: Sequence[float], folds: int, level: float = 0.95) -> tuple[float, float] | None:
    """95% interval of the mean of one score per fold, in [0, 1]; `None` for a single score or equal ones.

    Student's, with one degree of freedom less than there are scores. The trainings of the folds share images, so the n
    scores are correlated and their variance s^2 / n is too small; it is s^2 (1 / n + n_test / n_train) here (Nadeau and
    Bengio, Machine Learning 52, 2003). The correction is an approximation: no unbiased estimate of the variance exists
    (Bengio and Grandvalet, JMLR 5, 2004).

    Args:
        scores: one per fold in which the score is present.
        folds: number k of all folds, of which each is tested with the training on the others: n_test / n_train is
            1 / (k - 1).
        level: confidence level.
    """
    count = len(scores)
    if count < 2 or not (deviation := stdev(scores)):
        return None
    half_width = float(stdtrit(count - 1, (1 + level) / 2)) * deviation * sqrt(1 / count + 1 / (folds - 1))
    return max(fmean(scores) - half_width, 0.0), min(fmean(scores) + half_width, 1.0)
