"""Bootstrap resamples of a variant's scores, from its confusion matrices."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seg.evaluation.bootstrap import interval, resample
from seg.metrics.scores import METRICS, class_iou
from seg.report.runs import EVALUATE_AGAIN, Run, read_all
from seg.results import SCORINGS, Bounds


class Resamples(NamedTuple):
    """Scores of a variant over resampled images and seeds."""

    intervals: dict[str, Bounds | None]  # 95%, by column of the table; `None` for an absent class
    miou: np.ndarray  # (RESAMPLES,)


def resample_variant(runs: Sequence[Run], names: Sequence[str]) -> Resamples:
    """Resample a variant's seeds, with the images in the order of `names`.

    Raises:
        ValueError: a `confusion.npy` is missing or damaged; one line per seed.
    """
    matrices = read_all(_read_confusion, runs)
    places = ({name: i for i, name in enumerate(run.metrics.names)} for run in runs)
    ordered = (matrix[[place[name] for name in names]] for matrix, place in zip(matrices, places, strict=True))
    values = resample(ordered, {**METRICS, "iou": class_iou})
    ends = {name: interval(values[name]) for name in METRICS}
    for name, class_ends in zip(runs[0].metrics.classes, interval(values["iou"]).T, strict=True):
        ends[f"iou[{name}]"] = class_ends
    bounds = {name: None if np.isnan(each).any() else (float(each[0]), float(each[1])) for name, each in ends.items()}
    return Resamples(bounds, values["miou"])


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
