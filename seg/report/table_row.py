"""A variant's row of `table.csv`, whose columns `seg.report.columns` describes, and what its pairs compare."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from seg.evaluation.jackknife import Estimate
from seg.report.intervals import labelled_images
from seg.report.pairs import PairMember, class_range
from seg.report.published import Published, PublishedData, obstacle
from seg.report.rows import ABSENT, DETAILS, IMAGE_MEANS, METRIC_TITLES, Row, join_notes, mean_score
from seg.report.runs import Run, by_seed, sampled_scores
from seg.results import SCORINGS, Bounds


def build_row(
    variant: str,
    runs: Sequence[Run],
    intervals: Mapping[str, Bounds | None],
    classes: Sequence[str],
    published: Mapping[tuple[str, str], Published],
    source: PublishedData,
    notes: Sequence[str],
) -> Row:
    """Row of a variant, without the columns that describe the study."""
    first = runs[0].metrics
    folds = by_seed(runs)[0]
    scores: dict[str, Any] = {}
    for name in METRIC_TITLES:
        scores |= _scores(name, sampled_scores(runs, name), intervals[name])
    scores |= _scores("loss", sampled_scores(runs, "loss"), None)
    for name in classes:  # no values if the dataset has no such class
        values = sampled_scores(runs, f"iou[{name}]") if name in first.classes else []
        scores |= _scores(f"iou[{name}]", values, intervals.get(f"iou[{name}]"))
    figures = {column: figure for (owner, column), figure in published.items() if owner == variant and column in scores}
    for column, figure in figures.items():
        scores[f"{column}_published"] = ABSENT if figure.value is None else figure.value
    # An absent class has no note: its cell says the same.
    remarks = [f"{name}: {each.note}" for name, each in figures.items() if each.note and each.value is not None]
    splits = sorted({figure.split for figure in figures.values()})
    row = {
        "variant": variant,
        "seeds": " ".join(str(each[0].seed) for each in by_seed(runs)),
        **({"folds": len(folds)} if runs[0].fold is not None else {}),
        "split": first.split,
        "scoring": runs[0].scoring,
        "images": sum(run.metrics.images for run in folds),
        "published_split": ", ".join(splits),
        "published_obstacle": obstacle(source, splits, len(first.classes)) if splits else "",
        **scores,
        "miou_classes": class_range([_classes_in_mean([run]) for run in runs]),
        **_details(runs),
        **{f"miou_{name}": fmean(getattr(run.metrics, name).miou for run in runs) for name in SCORINGS},
        "commonest_class": " or ".join(dict.fromkeys(run.scores.commonest.name for run in folds)),
        "commonest_pixel_accuracy": fmean(run.scores.commonest.pixel_accuracy for run in folds),
        "commonest_miou": fmean(run.scores.commonest.miou for run in folds),
        **_costs(runs, source.epochs[variant]),
        "published_notes": join_notes(remarks),
        "variant_notes": join_notes(notes),
    }
    return {column: "" if value is None else str(value) for column, value in row.items()}


def _details(runs: Sequence[Run]) -> dict[str, float]:
    """Scores without intervals, means over the seeds and folds; means over images, over all images of the folds."""
    images = [1 if run.fold is None else labelled_images(run) for run in runs]
    return {
        name: fmean([getattr(run.scores, name) for run in runs], images if name in IMAGE_MEANS else None)
        for name in DETAILS
    }


def _costs(runs: Sequence[Run], full_epochs: int) -> dict[str, Any]:
    """Epochs, size, times and memory: times are means over the seeds, memory is the maximum."""
    training, evaluation = [run.training for run in runs], [run.evaluation for run in runs]
    return {
        "epochs": fmean(each.epochs for each in training),
        "budget_epochs": training[0].recipe["epochs"],
        "full_epochs": full_epochs,
        "images_seen": fmean(each.epochs * each.train_images for each in training),
        "steps": fmean(each.steps for each in training),
        "parameters": training[0].parameters,
        "trainable_parameters": training[0].trainable_parameters,
        "training_seconds": fmean(each.seconds for each in training),
        "training_images_per_second": fmean(each.images_per_second for each in training),
        "training_peak_memory_bytes": max(each.peak_memory_bytes for each in training),
        "multiply_adds": evaluation[0].multiply_adds,
        "latency_seconds": fmean(each.latency_seconds for each in evaluation),
        "latency_runs": min(each.latency_runs for each in evaluation),
        "throughput_images_per_second": fmean(each.throughput_images_per_second for each in evaluation),
        "evaluation_images_per_second": fmean(each.images_per_second for each in evaluation),
        "evaluation_peak_memory_bytes": max(each.peak_memory_bytes for each in evaluation),
    }


def pair_member(miou: Estimate, runs: Sequence[Run]) -> PairMember:
    """A variant to compare in pairs, with a cross-validation on the matrices of all folds together."""
    return PairMember(miou, tuple(map(_classes_in_mean, by_seed(runs))))


def _classes_in_mean(runs: Sequence[Run]) -> frozenset[str]:
    """Classes in the mIoU of a training, or in that of the matrices of several folds together."""
    return frozenset(name for run in runs for name, iou in run.scores.iou.items() if iou is not None)


def _scores(column: str, values: Sequence[float | None], interval: Bounds | None) -> dict[str, Any]:
    """Mean, deviation and interval of a score over the seeds or folds in which it is not absent; nothing published."""
    present = [value for value in values if value is not None]
    low, high = interval or (None, None)
    return {
        column: mean_score(values),
        f"{column}_std": stdev(present) if len(present) > 1 else None,
        f"{column}_low": low,
        f"{column}_high": high,
        f"{column}_published": None,
    }
