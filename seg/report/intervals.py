"""Intervals of a variant's scores, from its confusion matrices."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seg.evaluation.jackknife import Estimate, estimate_classes, estimate_metric, interval
from seg.evaluation.units import Units, choose_units
from seg.metrics.scores import PARTS, class_counts, iou_parts
from seg.report.rows import FEW_UNITS, Row, join_notes
from seg.report.runs import EVALUATE_AGAIN, Run, read_all
from seg.results import SCORINGS, Bounds, Metrics


class VariantIntervals(NamedTuple):
    """Intervals of a variant's scores, means over its seeds."""

    ends: dict[str, Bounds | None]  # 95%, by column of the table; `None` for an absent class
    miou: Estimate
    scarce: tuple[str, ...]  # classes in the truth of some, but fewer than `FEW_UNITS` units

    def basis(self, units: Units) -> Row:
        """Columns of the table that describe what the intervals are over, the same for all variants."""
        scarce = join_notes(self.scarce)
        return {"units": str(units.count), "unit": units.kind, "block": str(units.length), "scarce_classes": scarce}


def split_units(metrics: Metrics, block: int) -> Units:
    """Units of a split's images, in the order of their names."""
    by_name = sorted(zip(metrics.names, metrics.groups, strict=True))
    return choose_units([group for _, group in by_name], metrics.ordered, block)


def variant_intervals(runs: Sequence[Run], units: Units) -> VariantIntervals:
    """Intervals over the units and over a variant's seeds.

    Raises:
        ValueError: a `confusion.npy` is missing or damaged; one line per seed.
    """
    counts = np.stack(
        [
            units.sum(class_counts(matrices[np.argsort(run.metrics.names)]))
            for run, matrices in zip(runs, read_all(_read_confusion, runs), strict=True)
        ]
    )
    estimates = {name: estimate_metric(counts, parts) for name, parts in PARTS.items()}
    classes = runs[0].metrics.classes
    ends = {name: interval(estimate) for name, estimate in estimates.items()}
    ends |= zip((f"iou[{name}]" for name in classes), interval(estimate_classes(counts, iou_parts)).T, strict=True)
    occurrences = (counts[0, :, 1] > 0).sum(0)
    return VariantIntervals(
        {name: None if np.isnan(each).any() else (float(each[0]), float(each[1])) for name, each in ends.items()},
        estimates["miou"],
        tuple(name for name, found in zip(classes, occurrences, strict=True) if 0 < found < FEW_UNITS),
    )


def _read_confusion(run: Run) -> np.ndarray:
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
