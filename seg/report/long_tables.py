"""Long tables of all studies of a preset, for `dvc plots` and for other tools: scores of classes, confusions."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from seg.report.intervals import summed_confusion
from seg.report.runs import Run
from seg.report.series import class_scores, confusion_shares

SMALLEST_SHARE = 0.01  # of the pixels of a true class: rarer confusions are left out of `confusion.csv`
Studies = Mapping[str, Mapping[str, Sequence[Run]]]  # runs by study and variant


def class_score_table(studies: Studies) -> pd.DataFrame:
    """`classes.csv`: IoU and boundary IoU of each class, means over seeds and folds; no value for an absent class."""
    rows = []
    for study, variants in studies.items():
        classes = next(iter(variants.values()))[0].metrics.classes
        scores = [class_scores(variants, name, classes) for name in ("iou", "boundary_iou")]
        for v, variant in enumerate(variants):
            rows += [(study, variant, name, *(each[v, c] for each in scores)) for c, name in enumerate(classes)]
    return pd.DataFrame(rows, columns=["study", "variant", "class", "iou", "boundary_iou"])


def confusion_table(studies: Studies) -> pd.DataFrame:
    """`confusion.csv`: shares of a true class that are predicted as each class, from `SMALLEST_SHARE` on.

    Raises:
        ValueError: a `confusion.npy` is missing or damaged.
    """
    rows = []
    for study, variants in studies.items():
        for variant, runs in variants.items():
            classes = runs[0].metrics.classes
            shares = confusion_shares(summed_confusion(runs))
            found = np.argwhere(shares >= SMALLEST_SHARE).tolist()
            rows += [(study, variant, classes[i], classes[j], shares[i, j]) for i, j in found]
    return pd.DataFrame(rows, columns=["study", "variant", "truth", "prediction", "share"])
