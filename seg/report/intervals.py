"""Intervals of a variant's scores, from its confusion matrices."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seg.evaluation.folds import fold_interval
from seg.evaluation.jackknife import Estimate, estimate_classes, estimate_metric, interval
from seg.evaluation.units import Units, choose_units
from seg.metrics.scores import PARTS, class_counts, iou_parts
from seg.report.rows import FEW_UNITS, Row, join_notes
from seg.report.runs import EVALUATE_AGAIN, Run, by_seed, read_all, sampled_scores
from seg.results import SCORINGS, Bounds


class VariantIntervals(NamedTuple):
    """Intervals of a variant's scores, means over its seeds, or over the folds of a cross-validation."""

    ends: dict[str, Bounds | None]  # 95%, by column of the table; `None` for an absent class
    miou: Estimate  # of the sum of the confusion matrices of all folds
    scarce: tuple[str, ...]  # classes in the truth of some, but fewer than `FEW_UNITS` units

    def basis(self, units: Units) -> Row:
        """Columns of the table that describe what the intervals are over, the same for all variants."""
        scarce = join_notes(self.scarce)
        return {"units": str(units.count), "unit": units.kind, "block": str(units.length), "scarce_classes": scarce}


def split_units(runs: Sequence[Run], block: int) -> Units:
    """Units of the images of a split, or of all folds, in the order of their names."""
    folds = [run.metrics for run in by_seed(runs)[0]]
    by_name = sorted(pair for fold in folds for pair in zip(fold.names, fold.groups, strict=True))
    return choose_units([group for _, group in by_name], folds[0].ordered, block)


def variant_intervals(runs: Sequence[Run], units: Units) -> VariantIntervals:
    """Intervals over the units and over a variant's seeds; with a cross-validation, over its folds.

    Raises:
        ValueError: a `confusion.npy` is missing or damaged; one line per seed.
    """
    counts = np.stack(read_all(lambda each: _unit_counts(each, units), by_seed(runs)))  # (K, U, 3, C)
    estimates = {name: estimate_metric(counts, parts) for name, parts in PARTS.items()}
    classes = runs[0].metrics.classes
    ends: dict[str, Bounds | None]
    if runs[0].fold is None:
        found = {name: interval(estimate) for name, estimate in estimates.items()}
        found |= zip(map("iou[{}]".format, classes), interval(estimate_classes(counts, iou_parts)).T, strict=True)
        ends = {name: None if np.isnan(low) else (float(low), float(high)) for name, (low, high) in found.items()}
    else:
        scores = {column: sampled_scores(runs, column) for column in [*estimates, *map("iou[{}]".format, classes)]}
        ends = {
            column: fold_interval([each for each in of if each is not None], len(of)) for column, of in scores.items()
        }
    occurrences = (counts[0, :, 1] > 0).sum(0)
    return VariantIntervals(
        ends,
        estimates["miou"],
        tuple(name for name, found in zip(classes, occurrences, strict=True) if 0 < found < FEW_UNITS),
    )


def _unit_counts(runs: Sequence[Run], units: Units) -> np.ndarray:
    """Counts (U, 3, C) of the units, from the images of a seed, or of all its folds, in the order of their names."""
    images = np.concatenate(read_all(lambda run: class_counts(read_confusion(run)), runs))
    return units.sum(images[np.argsort([name for run in runs for name in run.metrics.names])])


def labelled_images(run: Run) -> int:
    """Number of images with a labelled pixel, over which scores of single images are averaged.

    Raises:
        ValueError: `confusion.npy` is missing or damaged.
    """
    return int(read_confusion(run).any((1, 2)).sum())


def summed_confusion(runs: Sequence[Run]) -> np.ndarray:
    """Confusion matrix (C, C) int64 of a variant, summed over images, seeds and folds; rows are true classes.

    Raises:
        ValueError: a `confusion.npy` is missing or damaged; one line per seed.
    """
    matrix: np.ndarray = np.sum(read_all(lambda run: read_confusion(run).sum(0), runs), axis=0)
    return matrix


def read_confusion(run: Run) -> np.ndarray:
    """Memory map of the matrices (N, C, C) int64, one per image, of a seed's scores."""
    path = run.directory / "confusion.npy"
    shape = (len(SCORINGS), run.metrics.images, len(run.metrics.classes), len(run.metrics.classes))
    try:
        found: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise ValueError(f"{path}: missing; {EVALUATE_AGAIN}") from None
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); {EVALUATE_AGAIN}") from None
    if found.shape != shape or found.dtype != np.int64:
        raise ValueError(f"{path}: got {found.dtype} {found.shape}, expected int64 {shape}; {EVALUATE_AGAIN}")
    matrices: np.ndarray = found[SCORINGS.index(run.scoring)]
    return matrices
