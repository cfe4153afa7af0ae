"""Differences between variants, paired by unit and by seed, with intervals for each pair and for all pairs jointly."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from seg.evaluation.jackknife import Estimate, Spread, spread_over_seeds

_DRAWS = 20_000  # the standard error of a 95% level is then 0.15%
_ROUNDING = 1e-12  # variants whose standard error is below do not differ
_LEVEL = 0.95
_EQUIVALENCE_LEVEL = 0.90  # two one-sided tests at 5%


class Differences(NamedTuple):
    """Every pair (i, j) of V variants, i < j, in the order (0, 1), (0, 2), ..., (1, 2), ...: P = V (V - 1) / 2."""

    pairs: np.ndarray  # (P, 2) int
    value: np.ndarray  # (P,): the score of i minus that of j
    alone: np.ndarray  # (2, P): ends of the 95% interval of each pair by itself
    joint: np.ndarray  # (2, P): ends of the 95% intervals that hold for all pairs at once
    equivalence: np.ndarray  # (2, P): ends of the 90% intervals that hold for all pairs at once


def differences(estimates: Sequence[Estimate]) -> Differences:
    """Differences between variants that were scored on the same units with equally many seeds.

    The variance of a difference is that of its jackknife and of its seeds, on the scale of the scores; quantiles are
    those of `seg.evaluation.jackknife`. A score without a unit is the mean over the classes that
    remain. Otherwise, a class that occurs in a single unit could decide a pair by itself.

    Among many pairs, some intervals miss the true difference by chance, and choosing the best variant selects such
    pairs. The joint intervals correct for this. The largest of all pairs' deviations, in standard errors, is drawn from
    the normal distribution with the correlations of the jackknife; trainings of different variants count as
    independent, because correlations cannot be estimated from few seeds. Its quantile is converted to a level that is
    common to all pairs, at which each pair takes its own quantiles. This is the single-step max-t procedure (Hothorn,
    Bretz and Westfall, Biometrical Journal 50, 2008) for pairs with different degrees of freedom. The draws have a
    fixed seed.
    """
    scores = np.array([float(estimate.value) for estimate in estimates])
    influence = np.stack([estimate.score_influence for estimate in estimates])  # (V, U, K)
    seeds = np.stack([estimate.seeds for estimate in estimates])  # (V, K)
    pairs = np.stack(np.triu_indices(len(scores), 1), 1)
    first, second = pairs.T
    value = scores[first] - scores[second]
    spreads = [  # one variant against all later ones, so that memory grows with V, not with P
        spread_over_seeds(influence[i] - influence[i + 1 :], seeds[i] - seeds[i + 1 :])
        for i in range(max(len(scores) - 1, 1))
    ]
    spread = Spread(*map(np.concatenate, zip(*spreads, strict=True)))
    several_units = all(estimate.units > 1 for estimate in estimates)

    def ends(level: float) -> np.ndarray:
        half_width = spread.half_width(level) if several_units else 2  # a single unit has no spread
        return np.clip([value - half_width, value + half_width], -1, 1)

    errors = np.sqrt([spread_over_seeds(estimate.score_influence, estimate.seeds).seeds for estimate in estimates])
    effects = np.concatenate([influence.mean(2), np.diag(errors)], 1)
    joint, equivalence = (ends(level) for level in joint_levels(effects, (_LEVEL, _EQUIVALENCE_LEVEL)))
    return Differences(pairs, value, ends(_LEVEL), joint, equivalence)


def joint_levels(effects: np.ndarray, levels: Sequence[float]) -> list[float]:
    """Level of the interval of each pair at which the intervals of all pairs hold at once with each of `levels`.

    Args:
        effects: (V, E) of E independent sources; the products of two rows sum to the covariance of two scores.
        levels: confidence levels.
    """
    count = len(effects)
    if count < 3:  # at most one pair
        return list(levels)
    vectors, scales, _ = np.linalg.svd(effects, full_matrices=False)
    drawn = np.random.Generator(np.random.Philox(0)).standard_normal((_DRAWS, len(scales)))
    variants = drawn @ (vectors * scales).T  # with the covariance of the scores
    furthest = np.zeros(_DRAWS)  # largest deviation of any pair, in standard errors
    for i in range(count - 1):  # as in `differences`, for the sake of memory
        errors = np.sqrt(((effects[i] - effects[i + 1 :]) ** 2).sum(-1))
        deviations = np.abs(variants[:, i, None] - variants[:, i + 1 :])
        ratios = np.divide(deviations, errors, out=np.zeros_like(deviations), where=errors > _ROUNDING)
        furthest = np.maximum(furthest, ratios.max(1))
    return [float(2 * ndtr(np.quantile(furthest, level)) - 1) for level in levels]
