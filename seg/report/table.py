"""A study's table: every variant's scores over its seeds with the published figure beside ours.

    python -m seg.report.table --study NAME --title TEXT --eval-split SPLIT --classes "building,car" --published FILE
        --variants NAME=DIRECTORY ... --seeds K ... --notes JSON --csv F --markdown F --pairs F --curves F

`table.csv` has a row a variant. A score is the mean over the seeds. `_std`, blank for a single seed, is their sample
standard deviation (n - 1): what initialisation and order do. `_low` and `_high` are the ends of the 95% bootstrap
interval of the mean, over images and seeds: what the choice of both does, or for a single seed that of the images. A
class that occurs neither in the truth nor in the prediction reads `absent` and enters no mean; a blank says that the
data set has no such class or the source no figure. `pairs.csv` has a row a pair of variants, see `seg.report.pairs`.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from seg.report.figures import draw_curves
from seg.report.inputs import Run, named_paths, read_all, read_run
from seg.report.markdown import markdown_text
from seg.report.pairs import against_best, compare_variants, pairs_text
from seg.report.published import Published, read_published
from seg.report.resamples import Bounds, resample_variant
from seg.report.rows import ABSENT, BESIDE, METRICS, NOTES_BETWEEN, Row, csv_text, mean_score
from seg.system.console import run_stage
from seg.system.files import written_whole


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
    wrong = wrong or [line for run in runs if (line := _other_images(run, runs[0]))]
    if wrong:
        raise ValueError("\n".join(wrong))
    each = len(seeds)
    return [Variant(name, tuple(runs[i * each : (i + 1) * each])) for i, name in enumerate(directories)]


def _other_images(run: Run, first: Run) -> str | None:
    """What to say of a run that was scored on images of other names: they cannot be paired."""
    path, expected = run.directory / "metrics.json", first.directory / "metrics.json"
    odd = sorted(set(run.metrics.names) ^ set(first.metrics.names))
    more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
    return f"{path}: not the images of {expected}: {odd[0]}{more} in one alone; evaluate it again" if odd else None


def build_row(
    variant: Variant,
    intervals: Mapping[str, Bounds | None],
    classes: Sequence[str],
    published: Mapping[tuple[str, str], Published],
    notes: Sequence[str],
) -> Row:
    """The variant's line of the table, all columns but the study's own."""
    metrics = [run.metrics for run in variant.runs]
    first = metrics[0]
    scores: Row = {}
    for name in METRICS:
        scores |= _scores(name, [getattr(each, name) for each in metrics], intervals[name])
    for name in classes:  # none where the data set has no such class
        values = [each.iou[name] for each in metrics if name in each.iou]
        scores |= _scores(f"iou[{name}]", values, intervals.get(f"iou[{name}]"))
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
    low, high = interval or (None, None)
    std = stdev(present) if len(present) > 1 else None
    beside = (f"{column}_{part}" for part in BESIDE)
    return {column: mean_score(values)} | dict(zip(beside, (std, low, high, None), strict=True))


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
    """Read a study's results, write its table, its pairs and its loss curves: all or none."""
    parser = argparse.ArgumentParser(description="A study's table and loss curves.")
    parser.add_argument("--study", required=True)
    parser.add_argument("--title", required=True)
    parser.add_argument("--eval-split", required=True, help="the split that was scored")
    parser.add_argument("--classes", default="", help="the study's own classes, between commas")
    parser.add_argument("--published", type=Path, required=True)
    parser.add_argument("--variants", nargs="+", required=True, metavar="NAME=DIRECTORY")
    parser.add_argument("--seeds", nargs="+", type=int, required=True)
    parser.add_argument("--notes", default="{}", help="JSON: variant or study -> list of texts on what is ours")
    for output in ("csv", "markdown", "pairs", "curves"):
        parser.add_argument(f"--{output}", type=Path, required=True)
    given = parser.parse_args()

    directories = named_paths(given.variants, "--variants")
    notes = parse_notes(given.notes, [given.study, *directories])
    classes = [name.strip() for name in given.classes.split(",") if name.strip()]
    variants = read_variants(directories, given.seeds, given.eval_split)
    figures = read_published(given.published, given.study)
    names = variants[0].runs[0].metrics.names
    drawn = read_all(lambda variant: resample_variant(variant.runs, names), variants)
    scores = {each.name: fmean(run.metrics.miou for run in each.runs) for each in variants}
    found = compare_variants(given.study, scores, [each.miou for each in drawn])
    standing = against_best(scores, found)
    heading: Row = {"study": given.study, "title": given.title}
    readings: Row = {"study_notes": NOTES_BETWEEN.join(notes.get(given.study, ()))}
    rows = [
        heading
        | build_row(each, resamples.intervals, classes, figures, notes.get(each.name, ()))
        | {"against_best": standing[each.name]}
        | readings
        for each, resamples in zip(variants, drawn, strict=True)
    ]
    with written_whole(given.csv, given.markdown, given.pairs, given.curves) as (table, markdown, pairs, curves):
        table.write_text(csv_text(rows), encoding="utf-8")
        markdown.write_text(markdown_text(rows), encoding="utf-8")
        pairs.write_text(pairs_text(found), encoding="utf-8")
        draw_curves({variant.name: variant.runs for variant in variants}, curves)


if __name__ == "__main__":
    run_stage(main)
