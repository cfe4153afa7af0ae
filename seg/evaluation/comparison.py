"""Differences between variants with the same resamples, and their intervals for each pair and for all pairs jointly."""

from typing import NamedTuple

import numpy as np

from seg.evaluation.bootstrap import interval


class Differences(NamedTuple):
    """Every pair (i, j) of V variants, i < j, in the order (0, 1), (0, 2), ..., (1, 2), ...: P = V (V - 1) / 2."""

    pairs: np.ndarray  # (P, 2) int
    value: np.ndarray  # (P,): the score of i minus that of j
    alone: np.ndarray  # (2, P): ends of the percentile interval of each pair by itself
    joint: np.ndarray  # (2, P): ends of the intervals that hold for all pairs at once


def differences(scores: np.ndarray, resampled: np.ndarray, level: float = 0.95) -> Differences:
    """Differences between variants with their intervals.

    Among many pairs, some intervals miss the true difference by chance, and choosing the best variant selects such
    pairs. The joint intervals correct for this. Their half-width, in standard errors, is the `level` quantile over the
    resamples of the largest deviation of any pair: the single-step maxT procedure of Westfall and Young,
    Resampling-Based Multiple Testing (1993), as intervals. They account for the correlation of the pairs, so they are
    narrower than with Bonferroni's correction, whose tail quantiles cannot be estimated from 2,000 resamples.

    Args:
        scores: scores (V,) of the variants on all images and seeds.
        resampled: the same scores (RESAMPLES, V) from `seg.evaluation.bootstrap.resample`.
        level: confidence level.
    """
    resampled = resampled[~np.isnan(resampled).any(1)]  # a resample without a labelled pixel is NaN
    value, errors, alone = [np.zeros(0)], [np.zeros(0)], [np.zeros((2, 0))]
    furthest = np.zeros(len(resampled))  # largest deviation of any pair, in standard errors
    for i in range(len(scores) - 1):  # one variant against all later ones, so that memory grows with V, not with P
        drawn = resampled[:, i, None] - resampled[:, i + 1 :]
        value.append(scores[i] - scores[i + 1 :])
        errors.append(drawn.std(0))
        alone.append(interval(drawn, level))
        deviations = np.abs(drawn - value[-1])
        ratios = np.divide(deviations, errors[-1], out=np.zeros_like(drawn), where=errors[-1] > 0)
        furthest = np.maximum(furthest, ratios.max(1))
    centre, half_width = np.concatenate(value), np.quantile(furthest, level) * np.concatenate(errors)
    return Differences(
        np.stack(np.triu_indices(len(scores), 1), 1),
        centre,
        np.concatenate(alone, 1),
        np.stack([centre - half_width, centre + half_width]),
    )
