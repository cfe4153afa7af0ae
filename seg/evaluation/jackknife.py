"""Confidence intervals of scores: delete-one jackknife over units of images, and the spread of the seeds.

A score is a weighted mean of parts, which are ratios of pixel counts, such as the IoU of a class for one seed. Its set
of classes is that of the whole split: a class that a sample lacks (0/0) keeps its estimate from the whole split.
Differences between scores (`seg.evaluation.comparison`) leave such a class out, so that no single unit decides them.
Units are images, blocks or groups (`seg.evaluation.units`); a unit is deleted for all seeds at once.

1. Each part gets limits on the logit scale, from its jackknife standard error divided by the derivative p (1 - p). They
   are in [0, 1], and farther from the estimate towards 1/2.
2. The limits of the parts are combined to those of the mean, with the correlations of the jackknife (MOVER: Zou and
   Donner, Statistics in Medicine 27, 2008). Those of a single part are its own.
3. With K seeds, the squared distance of a limit from the estimate is the sum of two: that of the effects of units which
   all seeds share, and that of the seeds, with the variance s^2 / K (MOVER again).

Quantiles are Student's. For the seeds, the degrees of freedom are K - 1. For the units, they follow from the fourth
moment of the terms of the jackknife variance (Satterthwaite), so that a score that depends on few units, such as that
of a rare class, has few. docs/explanation/intervals.md has the simulated coverage.

An estimate of 0 or 1 has no standard error. Its interval has the limit of a share of which no case was observed in n
units, 1 - (1 - level)^(1/n) (3/n for 95% and large n), where n is the number of units in which the class occurs. Any
other estimate from a single unit has the interval [0, 1].
"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit, stdtrit

from seg.metrics.scores import Parts


class Spread(NamedTuple):
    """Variance (...,) of a mean over seeds, by source, and the degrees of freedom of its estimates.

    Attributes:
        units: variance of the effects of units that all seeds share.
        units_share: fraction of the jackknife variance of the mean that this is; the rest differs between seeds.
        units_freedom: degrees of freedom of the jackknife variance.
        seeds: variance of the effects of seeds, and of units in single seeds.
        seeds_freedom: its degrees of freedom.
    """

    units: np.ndarray
    units_share: np.ndarray
    units_freedom: np.ndarray
    seeds: np.ndarray
    seeds_freedom: np.ndarray

    def half_width(self, level: float) -> np.ndarray:
        """Half the width of a symmetric interval."""
        upper = (1 + level) / 2
        squared = stdtrit(self.units_freedom, upper) ** 2 * self.units + self.seeds_distance(level)
        return np.sqrt(squared)

    def seeds_distance(self, level: float) -> np.ndarray:
        """Square of the part of the half-width that the seeds cause."""
        distance: np.ndarray = stdtrit(self.seeds_freedom, (1 + level) / 2) ** 2 * self.seeds
        return distance


class Estimate(NamedTuple):
    """A score with its jackknife; leading axes (...) are independent scores.

    Attributes:
        parts: (..., K, P) in [0, 1], of each seed; 0 where the weight is 0.
        weights: (..., K, P), sum 1; all 0 for an absent class.
        influence: (..., U, K, P): the sum over the units of the product of two parts' is their jackknife covariance.
        units: (...) int: number of units in which the class, or any class of a mean, occurs.
        score_influence: (..., U, K): influence of each unit on the score of each seed, over the parts that remain
            without the unit; for differences.
    """

    parts: np.ndarray
    weights: np.ndarray
    influence: np.ndarray
    units: np.ndarray
    score_influence: np.ndarray

    @property
    def value(self) -> np.ndarray:
        """The score (...,), mean over the seeds; NaN if absent."""
        return np.where(self.weights.any((-2, -1)), (self.weights * self.parts).sum((-2, -1)), np.nan)

    @property
    def seeds(self) -> np.ndarray:
        """Score of each seed (..., K); NaN for seeds in which the class is absent."""
        return _quotient((self.weights * self.parts).sum(-1), self.weights.sum(-1), np.nan)

    @property
    def seeds_influence(self) -> np.ndarray:
        """Influence of each unit on the score of each seed (..., U, K); 0 for seeds in which the class is absent."""
        weights = self.weights[..., None, :, :]
        return _quotient((weights * self.influence).sum(-1), weights.sum(-1), 0)


def estimate_metric(counts: np.ndarray, parts: Parts) -> Estimate:
    """A metric: mean over its parts and over the seeds.

    Args:
        counts: (..., K, U, 3, C) of each seed and unit, see `seg.metrics.scores.class_counts`.
        parts: function of counts, a value of `seg.metrics.scores.PARTS`.
    """
    whole, deleted = _delete_one(counts, parts)
    present = ~np.isnan(whole)
    weights = present / np.maximum(present.sum(-1, keepdims=True), 1) / whole.shape[-2]
    units = counts[..., 1, :].any((-3, -1)).sum(-1)
    influence = _influence(deleted, whole).swapaxes(-3, -2)
    of_scores = _influence(_mean_of_present(deleted), _mean_of_present(whole))[..., 0].swapaxes(-2, -1)
    return Estimate(np.where(present, whole, 0), weights, influence, units, of_scores)


def estimate_classes(counts: np.ndarray, parts: Parts) -> Estimate:
    """Each part of a metric, a ratio of one class (..., C): mean over the seeds in which it is not absent.

    The arguments are those of `estimate_metric`.
    """
    whole, deleted = _delete_one(counts, parts)
    influence = _influence(deleted, whole).swapaxes(-3, -1)  # (..., C, U, K)
    whole = whole.swapaxes(-2, -1)[..., None]  # (..., C, K, 1)
    present = ~np.isnan(whole)
    weights = present / np.maximum(present.sum((-2, -1), keepdims=True), 1)
    units = counts.any((-4, -2)).sum(-2)
    return Estimate(np.where(present, whole, 0), weights, influence[..., None], units, influence)


def interval(estimate: Estimate, level: float = 0.95) -> np.ndarray:
    """Ends (2, ...) of the confidence interval, which contains the value; NaN if the score is absent."""
    parts, weights, influence, units, _ = estimate
    spread = spread_over_seeds(estimate.seeds_influence, estimate.seeds)
    quantile = stdtrit(spread.units_freedom, (1 + level) / 2)[..., None, None]
    error = np.sqrt((influence**2).sum(-3))
    varies = (parts > 0) & (parts < 1) & (error > 0)
    position = logit(np.where(varies, parts, 0.5))
    step = quantile * np.divide(error, parts * (1 - parts), out=np.zeros_like(error), where=varies)
    correlated = _quotient(influence, error[..., None, :, :], 0)
    value, ends = estimate.value, []
    for sign in (-1, 1):
        distances = np.where(varies, expit(position + sign * step) - parts, 0) * weights
        of_units = ((correlated * distances[..., None, :, :]).sum((-2, -1)) ** 2).sum(-1)
        ends.append(value + sign * np.sqrt(spread.units_share * of_units + spread.seeds_distance(level)))
    low, high = np.clip(ends, 0, 1)
    unobserved = (1 - level) ** (1 / np.maximum(units, 1))
    low = np.where((parts == 1).all((-2, -1), where=weights > 0), unobserved, low)
    high = np.where((parts == 0).all((-2, -1), where=weights > 0), 1 - unobserved, high)
    alone = (units < 2) & (value > 0) & (value < 1)
    low, high = np.where(alone, 0, low), np.where(alone, 1, high)
    return np.where(np.isnan(value), np.nan, np.stack([np.minimum(low, value), np.maximum(high, value)]))


def spread_over_seeds(influence: np.ndarray, seeds: np.ndarray) -> Spread:
    """Variance of the mean over the seeds.

    The jackknife variance of the mean contains 1/K of that of effects that units have in single seeds, for example of
    the images that one training happens to get wrong. The variance between the seeds contains these effects too, so
    they are counted there only.

    Args:
        influence: (..., U, K) of each unit on the score of each seed.
        seeds: (..., K) scores; NaN for seeds that do not count.
    """
    present = ~np.isnan(seeds)
    count = present.sum(-1)
    divisor = np.maximum(count, 1)
    of_mean = influence.sum(-1) / divisor[..., None]  # it is 0 for seeds that do not count
    jackknife = (of_mean**2).sum(-1)
    single = np.where(present[..., None, :], influence - of_mean[..., None], 0)
    pairs = np.maximum(count * (count - 1), 1)
    shared = np.maximum(jackknife - (single**2).sum((-2, -1)) / pairs, 0)
    mean = np.where(present, seeds, 0).sum(-1, keepdims=True) / divisor[..., None]
    between = np.where(present, seeds - mean, 0)
    return Spread(
        shared,
        _quotient(shared, jackknife, 1),
        _freedom(of_mean),
        (between**2).sum(-1) / pairs,
        np.maximum(count - 1, 1),
    )


def _freedom(influence: np.ndarray) -> np.ndarray:
    """Satterthwaite's degrees of freedom (...,) of the sum of squares of the influence (..., U) of the units.

    The variance of the sum is estimated by the sum of the fourth powers, less the square of the sum divided by U.
    """
    units = influence.shape[-1]
    variance = (influence**2).sum(-1)
    excess = (influence**4).sum(-1) - variance**2 / units
    return np.clip(_quotient(2 * variance**2, excess, np.inf), 1, max(units - 1, 1))


def _delete_one(counts: np.ndarray, parts: Parts) -> tuple[np.ndarray, np.ndarray]:
    """Parts of the whole split (..., K, P), and without each unit (..., K, U, P)."""
    total = counts.sum(-3, keepdims=True)
    return parts(total)[..., 0, :], parts(total - counts)


def _influence(deleted: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Influence of each unit (..., U, P) from values without it and of the whole split (..., P), which replace NaN."""
    deleted = np.where(np.isnan(deleted), whole[..., None, :], deleted)
    units = deleted.shape[-2]
    return np.nan_to_num(np.sqrt((units - 1) / units) * (deleted - deleted.mean(-2, keepdims=True)))


def _mean_of_present(parts: np.ndarray) -> np.ndarray:
    """Mean (..., 1) of the parts (..., P) that are not NaN; NaN if all are."""
    return _quotient(np.nansum(parts, -1, keepdims=True), (~np.isnan(parts)).sum(-1, keepdims=True), np.nan)


def _quotient(numerator: np.ndarray, denominator: np.ndarray, otherwise: float) -> np.ndarray:
    """Quotient of arrays that are broadcast, `otherwise` where the denominator is not positive."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    return np.divide(numerator, denominator, out=np.full(numerator.shape, float(otherwise)), where=denominator > 0)
