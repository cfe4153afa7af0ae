"""What a study's table takes from the confusion matrices: resampled scores and their intervals."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seg.evaluation.bootstrap import interval, resample
from seg.metrics.scores import METRICS, class_iou
from seg.report.inputs import Run, read_all

Bounds = tuple[float, float]


class Resamples(NamedTuple):
    """A variant over resampled images and seeds."""

    intervals: dict[str, Bounds | None]  # 95%, by column of the table; `None` for a class that is absent
    miou: np.ndarray  # (RESAMPLES,)


def resample_variant(runs: Sequence[Run], names: Sequence[str]) -> Resamples:
    """Resample a variant's seeds, the images in the order of `names`.

    Raises:
        ValueError: a seed's `confusion.npy` is missing or damaged; a line each.
    """
    matrices = read_all(_read_confusion, runs)
    places = ({name: i for i, name in enumerate(run.metrics.names)} for run in runs)
    orders = ([place[name] for name in names] for place in places)
    values = resample(
        (matrix[order] for matrix, order in zip(matrices, orders, strict=True)), {**METRICS, "iou": class_iou}
    )
    ends = {name: interval(values[name]) for name in METRICS}
    classes = zip(runs[0].metrics.classes, interval(values["iou"]).T, strict=True)
    return Resamples(
        {name: _bounds(each) for name, each in [*ends.items(), *((f"iou[{name}]", each) for name, each in classes)]},
        values["miou"],
    )


def _read_confusion(run: Run) -> np.ndarray:
    """One matrix an image (N, C, C) int64 of a seed, as a memory map."""
    path, mend = run.directory / "confusion.npy", "evaluate this seed again"
    shape = (run.metrics.images, len(run.metrics.classes), len(run.metrics.classes))
    try:
        found: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise ValueError(f"{path}: missing; {mend}") from None
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); {mend}") from None
    if found.shape != shape or found.dtype != np.int64:
        raise ValueError(f"{path}: got {found.dtype} {found.shape}, expected int64 {shape}; {mend}")
    return found


def _bounds(ends: np.ndarray) -> Bounds | None:
    return None if np.isnan(ends).any() else (float(ends[0]), float(ends[1]))
