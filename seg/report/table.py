"""Table of a study: the mean scores of every variant over its seeds, beside the published figures.

    python -m seg.report.table --study NAME --title TEXT --eval-split SPLIT --classes JSON --scoring native
        --published FILE --variants NAME=DIRECTORY ... --seeds K ... [--folds N] --notes JSON --source JSON
        --block N --equivalence X --csv F --markdown F --latex F --pairs F --figures DIRECTORY

`table.csv` has one row per variant, see `seg.report.table_row`. Scores are means over the seeds, with intervals over
images and seeds, or over images for a single seed (`seg.evaluation.jackknife`). With a cross-validation, they are means
and intervals over the folds (`seg.evaluation.folds`), and the score of a fold is the mean over the seeds. `pairs.csv`
has one row per pair of variants, see `seg.report.pairs`. The figures are those of `seg.report.figures`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from seg.report.figure_names import STUDY_FIGURES, suffixes
from seg.report.figures import draw_study
from seg.report.intervals import split_units, variant_intervals
from seg.report.latex import latex_text
from seg.report.markdown import markdown_text
from seg.report.pairs import against_best, compare_variants, pairs_text
from seg.report.published import read_published, read_source
from seg.report.rows import join_notes, shares_differ, table_text
from seg.report.runs import Run, named_paths, read_all, read_runs
from seg.report.table_row import build_row, pair_member
from seg.results import SCORINGS
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
    members = {variant: pair_member(intervals[variant].miou, runs) for variant, runs in variants.items()}
    budgets = ((runs[0].training.recipe["epochs"], source.epochs[variant]) for variant, runs in variants.items())
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
