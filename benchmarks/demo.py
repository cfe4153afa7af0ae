"""Scores of a finished demo beside what it should reach: `python -m benchmarks.demo [results/demo]`.

Every variant but those of `WEAK` should exceed the prediction of the commonest class everywhere by `MARGIN`, and the
best variant of each study should reach `BEST`. Curves should have three points, validation curves two.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from seg.results import SCORINGS

MARGIN = 0.03  # of mIoU
COMMON = 0.01  # share of the labelled pixels of the evaluation split
# mIoU of the best variant, over all classes or over the common ones.
BEST = {
    "cityscapes_fcn": (0.40, "miou"),
    "voc2012_fcn": (0.40, "miou"),
    "bdd100k_lite": (0.30, "common"),
    "cityscapes_deeplab": (0.30, "common"),
    "voc2007_erfnet": (0.40, "miou"),
}
# Variants that cannot exceed the commonest class by `MARGIN` on the demo's small images; `budgets` says why.
WEAK = ("cityscapes_fcn/adapted",)


class Scores(NamedTuple):
    """mIoU over all classes and over those with at least `COMMON` of the pixels; mIoU of the commonest class alone."""

    miou: float
    common: float
    commonest: float


def score(confusion: np.ndarray) -> Scores:
    """Scores of a confusion matrix (C, C), rows are true classes."""
    pixels, correct = confusion.sum(1), confusion.diagonal()
    union = pixels + confusion.sum(0) - correct
    iou = np.divide(correct, union, out=np.full(len(union), np.nan), where=union > 0)
    share = pixels / pixels.sum()
    return Scores(
        float(np.nanmean(iou)), float(iou[share >= COMMON].mean()), float(share.max() / np.count_nonzero(pixels))
    )


def tabulate(results: Path) -> pd.DataFrame:
    """One row per variant, from the tables of the studies and the files of each variant's first seed."""
    rows = []
    for path in sorted(results.glob("*/table.csv")):
        for row in pd.read_csv(path).itertuples():
            run = path.parent / str(row.variant) / "seed0"
            history = pd.read_csv(run / "history.csv")
            scores = score(np.load(run / "confusion.npy")[SCORINGS.index(row.scoring)].sum(0))
            counts = {"epochs": len(history), "validations": int(history["val_loss"].count())}
            about = {"study": path.parent.name, "variant": row.variant, **counts, **scores._asdict()}
            rows.append(about | {"margin": scores.miou - scores.commonest})
    return pd.DataFrame(rows)


def missed(table: pd.DataFrame) -> list[str]:
    """What the demo does not reach, one line each."""
    lines = [
        f"{row.study}/{row.variant}: {row.margin:+.3f} against the commonest class, expected {MARGIN:+.3f}"
        for row in table.itertuples()
        if row.margin < MARGIN and f"{row.study}/{row.variant}" not in WEAK
    ]
    lines += [
        f"{row.study}/{row.variant}: {row.epochs} epochs and {row.validations} validations, expected 3 and 2"
        for row in table.itertuples()
        if row.epochs < 3 or row.validations < 2
    ]
    best = {study: group[BEST[study][1]].max() for study, group in table.groupby("study")}
    return lines + [
        f"{study}: {best.get(study, 0):.3f} at best ({column}), expected {least:.2f}"
        for study, (least, column) in BEST.items()
        if best.get(study, 0) < least
    ]


def main() -> None:
    """Print the table and what is missed; exit with 1 if anything is."""
    table = tabulate(Path(sys.argv[1] if len(sys.argv) > 1 else "results/demo"))
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3f}"))
    lines = missed(table)
    print(*lines, sep="\n")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
