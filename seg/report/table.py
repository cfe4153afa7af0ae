"""Table of a study: the mean scores of every variant over its seeds, beside the published figures.

    python -m seg.report.table --study NAME --title TEXT --eval-split SPLIT --classes JSON --scoring native
        --published FILE --variants NAME=DIRECTORY ... --seeds K ... [--folds N] --notes JSON --source JSON
        --block N --equivalence X --csv F --markdown F --latex F --pairs F --figures DIRECTORY

`table.csv` has one row per variant, see `seg.report.columns`. Scores are means over the seeds, with intervals over
images and seeds, or over images for a single seed (`seg.evaluation.jackknife`). With a cross-validation, they are means
and intervals over the folds (`seg.evaluation.folds`), and the score of a fold is the mean over the seeds. `pairs.csv`
has one row per pair of variants, see `seg.report.pairs`. The figures are those of `seg.report.figures`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from seg.report.figure_names import STUDY_FIGURES, suffixes
from seg.report.figures import draw_study
from seg.report.intervals import split_units, variant_intervals
from seg.report.latex import latex_text
from seg.report.markdown import markdown_text
from seg.report.pairs import PairMember, against_best, class_range, compare_variants, pairs_text
from seg.report.published import Published, PublishedData, obstacle, read_published, read_source
from seg.report.rows import ABSENT, DETAILS, METRIC_TITLES, Row, join_notes, mean_score, shares_differ, table_text
from seg.report.runs import Run, by_seed, named_paths, read_all, read_runs, sampled_scores
from seg.results import SCORINGS, Bounds
from seg.system.arguments import StageParser
from seg.system.console import run_stage
from seg.system.files import written_whole


def read_variants(
    directories: Mapping[str, Path], seeds: Sequence[int], split: str, scoring: str, folds: int = 0
) -> dict[str, list[Run]]:
    """Runs of all variants, evaluated on one split, or on all folds, the same images and the same classes.

    Raises:
        ValueError: files are missing or damaged, or variants were evaluated on different images or classes.
    """
    variants = read_runs(directories, seeds, scoring, folds)
    runs = [run for each in variants.values() for run in each]
    firsts = {run.fold: run for run in reversed(runs)}
    classes = runs[0].metrics.classes
    errors = [
        f"{run.directory / 'metrics.json'}: scored on {run.metrics.images} images of '{run.metrics.split}' with "
        f"{len(run.metrics.classes)} classes, expected {images} of '{split}' with {len(classes)} classes "
        "like the other variants; evaluate it again"
        for run in runs
        for images in [firsts[run.fold].metrics.images]
        if (run.metrics.split, run.metrics.images, run.metrics.classes) != (split, images, classes)
    ]
    errors = errors or [
        f"{run.directory / 'metrics.json'}: not the images of {first.directory / 'metrics.json'}: {odd[0]}"
        f"{f' and {len(odd) - 1} more' if odd[1:] else ''} in only one; evaluate it again"
        for run in runs
        for first in [firsts[run.fold]]
        if (odd := sorted(set(run.metrics.names) ^ set(first.metrics.names)))
    ]
    names = Counter(name for run in firsts.values() for name in run.metrics.names)
    errors = errors or [
        f"{runs[0].directory.parent}: '{name}' is in several folds; evaluate again" for name in names if names[name] > 1
    ]
    if errors:
        raise ValueError("\n".join(errors))
    return variants


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
        "miou_classes": class_range(_classes_in_mean(runs)),
        **{name: fmean(getattr(run.scores, name) for run in runs) for name in DETAILS},
        **{f"miou_{name}": fmean(getattr(run.metrics, name).miou for run in runs) for name in SCORINGS},
        "commonest_class": " or ".join(dict.fromkeys(run.scores.commonest.name for run in folds)),
        "commonest_pixel_accuracy": fmean(run.scores.commonest.pixel_accuracy for run in folds),
        "commonest_miou": fmean(run.scores.commonest.miou for run in folds),
        **_costs(runs, source.epochs[variant]),
        "published_notes": join_notes(remarks),
        "variant_notes": join_notes(notes),
    }
    return {column: "" if value is None else str(value) for column, value in row.items()}


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


def _classes_in_mean(runs: Sequence[Run]) -> tuple[frozenset[str], ...]:
    """Classes in the mIoU of each seed; with a cross-validation, those in the mIoU of any fold."""
    return tuple(
        frozenset(name for run in each for name, iou in run.scores.iou.items() if iou is not None)
        for each in by_seed(runs)
    )


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


def parse_notes(text: str, names: Sequence[str]) -> dict[str, list[str]]:
    """Notes by name. Raises ValueError if they have another form or names are unknown."""
    try:
        notes: dict[str, list[str]] = TypeAdapter(dict[str, list[str]]).validate_json(text)
    except ValidationError:
        raise ValueError(f"--notes {text}: expected a JSON object, name -> list of texts") from None
    unknown = sorted(notes.keys() - set(names))
    if unknown:
        raise ValueError(f"--notes names {', '.join(unknown)}; known are {', '.join(names)}")
    return notes


def parse_classes(text: str) -> list[str]:
    """Names of classes, which may contain any character. Raises ValueError if they have another form."""
    try:
        return TypeAdapter(list[str]).validate_json(text)
    except ValidationError:
        raise ValueError(f"--classes {text}: expected a JSON list of names") from None


def main() -> None:
    """Write a study's table, its pairs of variants and its figures."""
    parser = StageParser("seg.report.table", main.__doc__)
    parser.add_argument("--study", required=True)
    parser.add_argument("--title", required=True)
    parser.add_argument("--eval-split", required=True, help="split that the variants were evaluated on")
    parser.add_argument("--scoring", choices=SCORINGS, required=True, help="scores that the table reports")
    parser.add_argument("--classes", default="[]", help="JSON: list of the study's own classes")
    parser.add_argument("--published", type=Path, required=True, help="CSV of published figures")
    parser.add_named_inputs("--variants", "NAME=DIRECTORY", nargs="+", required=True)
    parser.add_argument("--seeds", nargs="+", type=int, required=True)
    parser.add_argument("--folds", type=int, default=0, help="number of folds of a cross-validation")
    parser.add_argument("--notes", default="{}", help="JSON: variant or study -> list of notes")
    parser.add_argument("--source", required=True, help="JSON: what the source scores, see seg.report.published")
    parser.add_argument("--block", type=int, required=True, help="images of a block, see seg.evaluation.units")
    parser.add_argument("--equivalence", type=float, required=True, help="margin of equivalence in mIoU")
    for output, suffix in {"csv": ".csv", "markdown": ".md", "latex": ".tex", "pairs": ".csv"}.items():
        parser.add_output(f"--{output}", suffix, f"{suffix} to write")
    parser.add_outputs("--figures", suffixes(STUDY_FIGURES), "directory of the figures to write")
    given = parser.parse_stage()

    directories = named_paths(given.variants, "--variants")
    notes = parse_notes(given.notes, [given.study, *directories])
    source = read_source(given.source, directories)
    classes = parse_classes(given.classes)
    published = read_published(given.published, given.study)
    variants = read_variants(directories, given.seeds, given.eval_split, given.scoring, given.folds)
    units = split_units(next(iter(variants.values())), given.block)
    found = read_all(lambda runs: variant_intervals(runs, units), variants.values())
    intervals = dict(zip(variants, found, strict=True))
    budgets = [(runs[0].training.recipe["epochs"], source.epochs[variant]) for variant, runs in variants.items()]
    members = {name: PairMember(intervals[name].miou, _classes_in_mean(runs)) for name, runs in variants.items()}
    pairs = compare_variants(given.study, members, given.equivalence, comparable=not shares_differ(budgets))
    verdicts = against_best({name: float(each.miou.value) for name, each in intervals.items()}, pairs)
    basis = {**found[0].basis(units), "margin": str(given.equivalence)}
    rows = [
        {"study": given.study, "title": given.title}
        | build_row(variant, runs, intervals[variant].ends, classes, published, source, notes.get(variant, ()))
        | basis
        | {"against_best": verdicts[variant], "study_notes": join_notes(notes.get(given.study, ()))}
        for variant, runs in variants.items()
    ]
    figures = [Path(f"{given.figures}{suffix}") for suffix in suffixes(STUDY_FIGURES)]
    with written_whole(given.csv, given.markdown, given.latex, given.pairs, *figures) as parts:
        table_part, markdown_part, latex_part, pairs_part, *figure_parts = parts
        table_part.write_text(table_text(pd.DataFrame(rows)), encoding="utf-8")
        markdown_part.write_text(markdown_text(rows), encoding="utf-8")
        latex_part.write_text(latex_text(rows), encoding="utf-8")
        pairs_part.write_text(pairs_text(pairs), encoding="utf-8")
        draw_study(rows, variants, pairs, figure_parts)


if __name__ == "__main__":
    run_stage(main)
