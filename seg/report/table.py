"""A study's table: every variant's scores over its seeds with the published figure beside ours.

    python -m seg.report.table --study NAME --title TEXT --score SPLIT --classes "building,car" --published FILE
        --variants NAME=DIRECTORY ... --seeds K ... --notes JSON --csv F --markdown F --curves F

`table.csv` has a row a variant. A score is the mean over the seeds. Its uncertainty is, for several seeds, the sample
standard deviation (n - 1) in `_std`, which holds what initialisation and order do; for a single seed, the bootstrap
interval over images in `_low` and `_high`, which holds what the choice of images does. The two answer different
questions and are not mixed: the other's columns stay blank. A class that occurs neither in the truth nor in the
prediction reads `absent` and enters no mean; a blank says that the data set has no such class or the source no figure.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from seg.console import run_stage
from seg.files import written_whole
from seg.report.figures import draw_curves
from seg.report.inputs import Bounds, Run, named_paths, read_all, read_run
from seg.report.markdown import markdown_text
from seg.report.published import Published, read_published
from seg.report.rows import ABSENT, BESIDE, METRICS, NOTES_BETWEEN, Row, csv_text, mean_score


class Variant(NamedTuple):
    """A row of the table: one variant with all its seeds."""

    name: str
    runs: tuple[Run, ...]


def read_variants(directories: dict[str, Path], seeds: Sequence[int], split: str) -> list[Variant]:
    """The runs of all variants, scored on one split, the same images and the same classes.

    Raises:
        ValueError: files are missing or damaged, or a variant was scored on something else; all are listed.
    """
    places = [(name, directory / f"seed{seed}") for name, directory in directories.items() for seed in seeds]
    runs = read_all(lambda place: read_run(place[1]), places)
    first = runs[0].metrics
    wanted = (split, first.images, first.classes)
    wrong = [
        f"{run.directory / 'metrics.json'}: scored on {run.metrics.images} images of '{run.metrics.split}' with "
        f"{len(run.metrics.classes)} classes, not on {first.images} of '{split}' with the {len(first.classes)} "
        "of the other variants; evaluate it again"
        for run in runs
        if (run.metrics.split, run.metrics.images, run.metrics.classes) != wanted
    ]
    if wrong:
        raise ValueError("\n".join(wrong))
    each = len(seeds)
    return [Variant(name, tuple(runs[i * each : (i + 1) * each])) for i, name in enumerate(directories)]


def build_row(
    variant: Variant, classes: Sequence[str], published: dict[tuple[str, str], Published], notes: Sequence[str]
) -> Row:
    """The variant's line of the table, all columns but the study's own."""
    metrics = [run.metrics for run in variant.runs]
    first = metrics[0]
    scores: Row = {}
    for name in METRICS:
        scores |= _scores(name, [getattr(each, name) for each in metrics], first.intervals.get(name))
    for name in classes:
        scores |= _scores(f"iou[{name}]", *_class_scores(name, variant.runs))
    figures = {
        column: figure for (owner, column), figure in published.items() if owner == variant.name and column in scores
    }
    for column, figure in figures.items():
        scores[f"{column}_published"] = ABSENT if figure.value is None else figure.value
    # What a source says of an absent class is that it is absent: the cell says so already.
    remarks = [
        f"{column}: {figure.note}" for column, figure in figures.items() if figure.note and figure.value is not None
    ]
    return {
        "variant": variant.name,
        "seeds": " ".join(str(run.seed) for run in variant.runs),
        "split": first.split,
        "images": first.images,
        "published_split": ", ".join(sorted({figure.split for figure in figures.values()})),
        **scores,
        "commonest_class": first.commonest.name,
        "commonest_pixel_accuracy": first.commonest.pixel_accuracy,
        "commonest_miou": first.commonest.miou,
        **_costs(variant.runs),
        "published_notes": NOTES_BETWEEN.join(remarks),
        "ours": NOTES_BETWEEN.join(notes),
    }


def _costs(runs: Sequence[Run]) -> Row:
    """Sizes of the network, mean times (seconds, images a second) and highest memory (bytes) over the seeds."""
    training = [run.training for run in runs]
    evaluation = [run.evaluation for run in runs]
    return {
        "parameters": training[0].parameters,
        "trainable_parameters": training[0].trainable_parameters,
        "training_seconds": fmean(each.seconds for each in training),
        "training_images_per_second": fmean(each.images_per_second for each in training),
        "training_peak_memory_bytes": max(each.peak_memory_bytes for each in training),
        "evaluation_images_per_second": fmean(each.images_per_second for each in evaluation),
        "evaluation_peak_memory_bytes": max(each.peak_memory_bytes for each in evaluation),
    }


def _scores(column: str, values: Sequence[float | None], interval: Bounds | None) -> Row:
    """Mean and spread of one score over the seeds in which it is not absent, the published figure left open."""
    present = [value for value in values if value is not None]
    low, high = interval if interval and len(values) == 1 else (None, None)
    std = stdev(present) if len(present) > 1 else None
    beside = (f"{column}_{part}" for part in BESIDE)
    return {column: mean_score(values)} | dict(zip(beside, (std, low, high, None), strict=True))


def _class_scores(name: str, runs: Sequence[Run]) -> tuple[list[float | None], Bounds | None]:
    """IoU of a class by seed and its interval in the first; nothing where the data set has no such class."""
    if name not in runs[0].metrics.classes:
        return [], None
    return [run.metrics.iou[name] for run in runs], runs[0].metrics.iou_intervals.get(name)


def parse_notes(text: str, names: Sequence[str]) -> dict[str, list[str]]:
    """The reader's notes by name. Raises ValueError where they are no such thing or are on something else."""
    try:
        notes: dict[str, list[str]] = TypeAdapter(dict[str, list[str]]).validate_json(text)
    except ValidationError:
        raise ValueError(f"--notes {text}: expected a JSON object, name -> list of texts") from None
    unknown = sorted(notes.keys() - set(names))
    if unknown:
        raise ValueError(f"--notes names {', '.join(unknown)}; known are {', '.join(names)}")
    return notes


def main() -> None:
    """Read a study's results, write its table and its loss curves: all three or none."""
    parser = argparse.ArgumentParser(description="A study's table and loss curves.")
    parser.add_argument("--study", required=True)
    parser.add_argument("--title", required=True)
    parser.add_argument("--score", required=True, help="the split that was scored")
    parser.add_argument("--classes", default="", help="the study's own classes, between commas")
    parser.add_argument("--published", type=Path, required=True)
    parser.add_argument("--variants", nargs="+", required=True, metavar="NAME=DIRECTORY")
    parser.add_argument("--seeds", nargs="+", type=int, required=True)
    parser.add_argument("--notes", default="{}", help="JSON: variant or study -> list of texts on what is ours")
    for output in ("csv", "markdown", "curves"):
        parser.add_argument(f"--{output}", type=Path, required=True)
    given = parser.parse_args()

    directories = named_paths(given.variants, "--variants")
    notes = parse_notes(given.notes, [given.study, *directories])
    classes = [name.strip() for name in given.classes.split(",") if name.strip()]
    variants = read_variants(directories, given.seeds, given.score)
    figures = read_published(given.published, given.study)
    heading: Row = {"study": given.study, "title": given.title}
    readings: Row = {"study_notes": NOTES_BETWEEN.join(notes.get(given.study, ()))}
    rows = [heading | build_row(each, classes, figures, notes.get(each.name, ())) | readings for each in variants]
    with written_whole(given.csv, given.markdown, given.curves) as (table, markdown, curves):
        table.write_text(csv_text(rows), encoding="utf-8")
        markdown.write_text(markdown_text(rows), encoding="utf-8")
        draw_curves({variant.name: variant.runs for variant in variants}, curves)


if __name__ == "__main__":
    run_stage(main)
