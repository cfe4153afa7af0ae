"""Intervals over the folds of a cross-validation."""

import pytest
from scipy import stats

from seg.evaluation.folds import fold_interval


def test_the_corrected_interval_of_five_folds_by_hand() -> None:
    # mean 0.5, s^2 = (0.01 + 0.0025 + 0 + 0.0025 + 0.01) / 4 = 0.00625; s sqrt(1/5 + 1/4) = 0.0530330; t = 2.7764451
    ends = fold_interval([0.4, 0.45, 0.5, 0.55, 0.6], 5)
    assert ends == pytest.approx((0.5 - 0.1472432, 0.5 + 0.1472432), abs=1e-7)


def test_without_the_correction_it_would_be_students_interval() -> None:
    scores = [0.31, 0.42, 0.37]
    low, high = stats.t.interval(0.95, 2, sum(scores) / 3, stats.sem(scores))
    found = fold_interval(scores, 3)
    assert found is not None
    assert (found[1] - found[0]) / (high - low) == pytest.approx(((1 / 3 + 1 / 2) / (1 / 3)) ** 0.5)


def test_a_class_that_two_of_five_folds_lack_keeps_their_ratio_of_tested_to_trained_images() -> None:
    # s = 0.1 of three scores, t = 4.3026527 of two degrees of freedom, and n_test / n_train = 1/4 as in all folds
    half_width = 4.3026527 * 0.1 * (1 / 3 + 1 / 4) ** 0.5
    assert fold_interval([0.4, 0.5, 0.6], 5) == pytest.approx((0.5 - half_width, 0.5 + half_width), abs=1e-7)


def test_ends_are_shares_and_equal_scores_have_no_interval() -> None:
    assert fold_interval([0.0, 0.9], 2) == (0.0, 1.0)
    assert fold_interval([0.5], 1) is None
    assert fold_interval([0.2, 0.2, 0.2], 3) is None
