"""Differences between variants that are resampled alike, each pair alone and all pairs at once."""

from typing import NamedTuple

import numpy as np

from seg.evaluation.bootstrap import interval


class Differences(NamedTuple):
    """Every pair (i, j) of V variants, i < j, in the order (0, 1), (0, 2), ..., (1, 2), ...: P = V (V - 1) / 2."""

    pairs: np.ndarray  # (P, 2) int
    value: np.ndarray  # (P,): the score of i minus that of j
    alone: np.ndarray  # (2, P): ends of the percentile interval of this pair
    joint: np.ndarray  # (2, P): ends of the interval that holds for all pairs at once


def differences(scores: np.ndarray, resampled: np.ndarray, level: float = 0.95) -> Differences:
    """Differences between variants with their intervals.

    A reader looks at the best variant, so picks the largest of many differences, and some intervals miss the truth by
    chance: of twelve equal variants the best and the worst would seldom look equal. The joint intervals allow for
    that. They reach as many standard errors to both sides as the largest deviation of any pair does in `level` of the
    resamples: the single-step maxT of Westfall and Young, Resampling-Based Multiple Testing (1993), turned into
    intervals. What the pairs have in common is in the resamples, so that this costs less than Bonferroni's P-th of
    1 - `level`, whose tails 2,000 resamples could not show.

    Args:
        scores: of the variants on all images and seeds (V,).
        resampled: their values (RESAMPLES, V) by `seg.evaluation.bootstrap.resample` on the same images and seeds.
        level: share of the resamples inside.
    """
    resampled = resampled[~np.isnan(resampled).any(1)]  # else no labelled pixel was drawn
    value, errors, alone = [np.zeros(0)], [np.zeros(0)], [np.zeros((2, 0))]
    furthest = np.zeros(len(resampled))  # of any pair, in standard errors
    for i in range(len(scores) - 1):  # a variant against all later ones, so that memory grows with V and not with P
        drawn = resampled[:, i, None] - resampled[:, i + 1 :]
        value.append(scores[i] - scores[i + 1 :])
        errors.append(drawn.std(0))
        alone.append(interval(drawn, level))
        deviations = np.abs(drawn - value[-1])
        ratios = np.divide(deviations, errors[-1], out=np.zeros_like(drawn), where=errors[-1] > 0)
        furthest = np.maximum(furthest, ratios.max(1))
    centre, reach = np.concatenate(value), np.quantile(furthest, level) * np.concatenate(errors)
    return Differences(
        np.stack(np.triu_indices(len(scores), 1), 1),
        centre,
        np.concatenate(alone, 1),
        np.stack([centre - reach, centre + reach]),
    )
