"""Values that the figures and the page draw. Those of pairs are in `seg.report.pairs`."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np

from seg.report.rows import BEST, Row, best_row, difference, number, published_score, unequal_budgets
from seg.report.runs import Run, sampled_scores

# Okabe and Ito's palette, which people with any colour blindness can tell apart, without its yellow and black
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
SHOWN = 60  # variants in a figure of a study; the others are in its tables and on the page
COSTS = {
    "parameters": "Parameters",
    "multiply_adds": "Multiply-adds per image",
    "latency_seconds": "Latency per image (s)",
    "training_seconds": "Training time (s)",
}


class ScoreDot(NamedTuple):
    """The mIoU of a variant.

    `low` and `high` are its 95% interval, `samples` the values of each seed or fold, `published` the source's figure if
    ours can be compared with it, `verdict` that of the pair with the best variant (`seg.report.pairs`).
    """

    variant: str
    miou: float
    low: float | None
    high: float | None
    samples: tuple[float, ...]
    published: float | None
    verdict: str


class CostPoint(NamedTuple):
    """A variant's mIoU and cost; `front`: no other variant of the study is both cheaper and better."""

    variant: str
    cost: float
    miou: float
    front: bool
    best: bool
    published_best: bool


class Curve(NamedTuple):
    """Losses of a training over its epochs; validation losses are (epoch, loss). `name` is the seed, and the fold."""

    name: str
    epochs: tuple[int, ...]
    train: tuple[float, ...]
    validation: tuple[tuple[int, float], ...]
    lr: tuple[float, ...]
    scored: tuple[int, float | None]


def ranked(rows: Sequence[Row]) -> list[Row]:
    """Rows from the highest mIoU to the lowest; in the given order if unequal budgets do not rank the variants."""
    if unequal_budgets(rows):
        return list(rows)
    return sorted(rows, key=lambda row: (row["against_best"] != BEST, -(number(row["miou"]) or 0)))


def score_dots(rows: Sequence[Row], runs: Mapping[str, Sequence[Run]]) -> list[ScoreDot]:
    """One per row, in their order."""
    return [
        ScoreDot(
            row["variant"],
            number(row["miou"]) or 0.0,
            number(row["miou_low"]),
            number(row["miou_high"]),
            tuple(score for score in sampled_scores(runs[row["variant"]], "miou") if score is not None),
            None if difference(row, "miou") is None else number(row["miou_published"]),
            row["against_best"],
        )
        for row in rows
    ]


def cost_points(rows: Sequence[Row], column: str) -> list[CostPoint]:
    """Points of a study, in the order of its rows, for a column of `COSTS`."""
    mious = [number(row["miou"]) or 0.0 for row in rows]
    costs = [float(row[column]) for row in rows]
    published = [published_score(row, "miou") for row in rows]
    figures = [value for value in published if value is not None]
    best = best_row(rows)
    return [
        CostPoint(
            row["variant"],
            cost,
            miou,
            not any(_dominates(other, (cost, miou)) for other in zip(costs, mious, strict=True)),
            row is best,
            bool(figures) and value == max(figures),
        )
        for row, cost, miou, value in zip(rows, costs, mious, published, strict=True)
    ]


def _dominates(a: tuple[float, float], b: tuple[float, float]) -> bool:
    """Whether `a` (cost, mIoU) is at most as expensive and at least as good as `b`, and not equal to it."""
    return a != b and a[0] <= b[0] and a[1] >= b[1]


def curves(runs: Sequence[Run]) -> list[Curve]:
    """Curves of a variant's trainings."""
    found = []
    for run in runs:
        validated = {row.epoch: row.val_loss for row in run.history if row.val_loss is not None}
        scored = run.training.scored_epoch
        epochs, rates, losses = zip(*((row.epoch, row.lr, row.train_loss) for row in run.history), strict=True)
        found.append(Curve(run.name, epochs, losses, tuple(validated.items()), rates, (scored, validated.get(scored))))
    return found


def class_scores(runs: Mapping[str, Sequence[Run]], score: str, classes: Sequence[str]) -> np.ndarray:
    """IoU (`score` is `iou`) or boundary IoU (`boundary_iou`) of C classes in V variants.

    Returns:
        (V, C) float64, means over seeds and folds; NaN for an absent class.
    """
    values = np.full((len(runs), len(classes)), np.nan)
    for v, each in enumerate(runs.values()):
        for c, name in enumerate(classes):
            present = [value for value in sampled_scores(each, f"{score}[{name}]") if value is not None]
            if present:
                values[v, c] = fmean(present)
    return values


def truth_shares(confusion: np.ndarray) -> np.ndarray:
    """Share of the labelled pixels in each true class (C,), from a confusion matrix (C, C) whose rows are the truth."""
    shares: np.ndarray = confusion.sum(1) / max(confusion.sum(), 1)
    return shares


def confusion_shares(confusion: np.ndarray, by: int = 1) -> np.ndarray:
    """Confusion matrix (C, C) in shares of each true (`by` is 1) or predicted class (0); NaN without any pixel."""
    with np.errstate(invalid="ignore"):
        shares: np.ndarray = confusion / confusion.sum(by, keepdims=True)
    return shares
