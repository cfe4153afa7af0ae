"""Intervals by the bootstrap over images."""

from collections.abc import Callable

import numpy as np

RESAMPLES = 2000  # enough for 95% percentile intervals: Efron and Tibshirani, An Introduction to the Bootstrap, ch. 13
_CHUNK = 64  # resamples at once: (64, C, C) float64 stays in the cache


def bootstrap_intervals(
    confusion: np.ndarray,
    metrics: dict[str, Callable[[np.ndarray], np.ndarray]],
    *,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, np.ndarray]:
    """Percentile intervals of metrics when images are drawn anew with replacement.

    Args:
        confusion: one matrix an image (N, C, C), integers.
        metrics: functions of matrices (B, C, C) to values (B,) or (B, K).
        seed: of the draws.
        level: share of the resamples inside.

    Returns:
        By metric the ends (2,) or (2, K); NaN where a value is NaN in every resample.
    """
    images, classes = confusion.shape[:2]
    flat = confusion.reshape(images, -1).astype(np.float64)  # exact: counts stay below 2^53
    generator = np.random.Generator(np.random.Philox(seed))
    values: dict[str, list[np.ndarray]] = {name: [] for name in metrics}
    for start in range(0, RESAMPLES, _CHUNK):
        draws = generator.multinomial(images, np.full(images, 1 / images), min(_CHUNK, RESAMPLES - start))
        resampled = (draws @ flat).reshape(-1, classes, classes)
        for name, metric in metrics.items():
            values[name].append(metric(resampled))
    tail = (1 - level) / 2
    return {name: _quantiles(np.concatenate(parts), (tail, 1 - tail)) for name, parts in values.items()}


def _quantiles(values: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """Quantiles (2, ...) over the first axis of what is not NaN; NaN where all of it is."""
    columns = values.reshape(len(values), -1)
    result = np.full((2, columns.shape[1]), np.nan)
    for i, column in enumerate(columns.T):
        there = column[~np.isnan(column)]
        if there.size:
            result[:, i] = np.quantile(there, ends)
    return result.reshape(2, *values.shape[1:])
