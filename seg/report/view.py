"""Content of the page as plain values for the template."""

import json
import math
from base64 import b64encode
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seg.config.base import leaves
from seg.report.data_warnings import data_warnings
from seg.report.formatting import (
    Footnotes,
    budget_caption,
    budget_cells,
    classes_caption,
    count,
    digits,
    footnotes,
    introduction,
    near_best_caption,
    score_cells,
    units_caption,
)
from seg.report.pairs import pairs_view, read_pairs
from seg.report.rows import (
    BEST,
    METRIC_TITLES,
    NEAR_BEST,
    REMAKE_TABLE,
    Row,
    best,
    class_columns,
    fold_count,
    mean_score,
    number,
    read_rows,
    split_notes,
    unequal_budgets,
)
from seg.report.runs import Run, read_all, read_runs, read_statistics, sampled_scores
from seg.results import Colour, read_bytes

View = dict[str, Any]
_COMMONEST = ("class", "pixel_accuracy", "miou")


def read_study(name: str, directory: Path) -> View:
    """Content of the page for a study. Raises ValueError if files are missing or damaged, one line per file."""
    rows = read_rows(directory / "table.csv")
    variants = {row["variant"]: directory / row["variant"] for row in rows}
    runs = read_runs(variants, rows[0]["seeds"].split(), rows[0]["scoring"], fold_count(rows))
    if len({run.metrics.classes for each in runs.values() for run in each}) > 1:
        raise ValueError(f"{directory}: its variants are scored on different classes; {REMAKE_TABLE}")
    images = [directory / "figures/curves.png", *(each[0].directory / "samples.png" for each in runs.values())]
    curves, *samples = read_all(_data_uri, images)
    first = next(iter(runs.values()))[0]
    notes = footnotes(rows)
    return {
        "name": name,
        "title": rows[0]["title"],
        "introduction": introduction(rows),
        "study_notes": split_notes(rows[0]["study_notes"]),
        "notes": notes.notes,
        "rows": rows,
        "runs": runs,
        "overview": _overview(rows, notes),
        "compared": any(row["published_split"] and not row["published_obstacle"] for row in rows),
        "overall": _overall_lines(rows, notes),
        "near_best_caption": near_best_caption(rows),
        "units_caption": units_caption(rows),
        "budget_caption": budget_caption(rows),
        "classes_caption": classes_caption(rows),
        "commonest": list(dict.fromkeys(tuple(row[f"commonest_{x}"] for x in _COMMONEST) for row in rows)),
        "pairs": pairs_view(rows, read_pairs(directory / "pairs.csv", list(runs))),
        "own_classes": {name: _cells(rows, column, notes) for column, name in class_columns(rows[0]).items()},
        "classes": _class_lines(runs, first.metrics.classes, mark=not unequal_budgets(rows)),
        "colours": _colours(first.training.classes, first.training.palette),
        "curves": curves,
        "samples": [
            {"variant": variant, "seed": each[0].name, "uri": uri}
            for (variant, each), uri in zip(runs.items(), samples, strict=True)
        ],
        "recipes": _recipes(runs),
    }


def statistics_view(name: str, path: Path, packs: Mapping[str, Path]) -> View:
    """Class statistics of a training pack, their figure, `classes.png` in the same directory, and warnings.

    `packs` are the `.json` of the packs that its models are validated and evaluated on, see `data_warnings`.
    """
    statistics = read_statistics(path)
    train_ids = {i: train_id for train_id, i in enumerate(statistics.scored)}
    colours = _colours(statistics.classes, statistics.palette)
    labelled = sum(statistics.id_pixels) or 1
    by_id = zip(statistics.ids, statistics.id_pixels, statistics.id_images, strict=True)
    lines = [
        {
            "id": i,
            "name": id_name,
            "colour": colours[statistics.classes[train_ids[i]]] if i in train_ids else None,
            "share": f"{100 * pixels / labelled:.3f}",
            "images": count(images),
            "weight": f"{statistics.weights[train_ids[i]]:.3f}" if i in train_ids else None,
        }
        for i, (id_name, pixels, images) in enumerate(by_id)
    ]
    side = f"{statistics.height} × {statistics.width}"
    return {
        "name": name,
        "about": f"{count(statistics.images)} images of {side}, {statistics.split} split",
        "mean": ", ".join(f"{value:.4f}" for value in statistics.mean),
        "std": ", ".join(f"{value:.4f}" for value in statistics.std),
        "lines": lines,
        "warnings": data_warnings(statistics, packs),
        "figure": _data_uri(path.with_name("classes.png")),
    }


def environments(studies: Sequence[View]) -> list[View]:
    """Each combination of machine, versions and commit, with its runs."""
    found: defaultdict[tuple[tuple[str, str], ...], list[str]] = defaultdict(list)
    for study in studies:
        for variant, runs in study["runs"].items():
            for run in runs:
                training = run.training
                facts = {
                    "Processor": f"{training.machine.cpu}, {training.machine.cores} cores",
                    "GPU": training.machine.gpu or "none",
                    "System": training.machine.system,
                    "Commit": training.commit or "none: not a git repository",
                    "Versions": ", ".join(f"{name} {version}" for name, version in sorted(training.versions.items())),
                }
                found[tuple(facts.items())].append(f"{study['name']}/{variant} seed {run.name}")
    return [{"facts": dict(facts), "runs": runs} for facts, runs in found.items()]


def _colours(classes: Sequence[str], palette: Sequence[Colour]) -> dict[str, str]:
    return {name: f"rgb{colour}" for name, colour in zip(classes, palette, strict=False)}


def _data_uri(path: Path) -> str:
    """A PNG file, of which only the signature is checked, as a URI."""
    fix = "run the stage that makes it again"
    content = read_bytes(path, fix)
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        raise ValueError(f"{path}: not a PNG file; {fix}")
    return f"data:image/png;base64,{b64encode(content).decode()}"


def _overview(rows: Sequence[Row], notes: Footnotes) -> View:
    """Variants with the highest mIoU, measured and published."""
    measured = max(rows, key=lambda row: (row["against_best"] == BEST, number(row["miou"]) or 0))
    published = max(rows, key=lambda row: number(row["miou_published"]) or 0)
    return {
        "variants": len(rows),
        "best": measured["variant"],
        "near": [row["variant"] for row in rows if row["against_best"] in NEAR_BEST],
        "miou": score_cells([measured], "miou", notes)[0],
        "published_best": published["variant"] if number(published["miou_published"]) is not None else None,
        "published": digits(published["miou_published"]),
        "reference": bool(published["published_obstacle"]),
    }


def _overall_lines(rows: Sequence[Row], notes: Footnotes) -> list[View]:
    """One line per variant, with a cell per metric and one for the loss."""
    columns = (_cells(rows, column, notes) for column in METRIC_TITLES)
    return [
        {
            "variant": row["variant"],
            "marks": notes.of(row, "variant"),
            "cells": cells,
            "loss": loss,
            "budget": budget_cells(row),
            "parameters": row["parameters"],
            "seconds": row["training_seconds"],
        }
        for row, cells, loss in zip(rows, zip(*columns, strict=True), score_cells(rows, "loss", notes), strict=True)
    ]


def _cells(rows: Sequence[Row], column: str, notes: Footnotes) -> list[View]:
    """Scores of the variants beside the published figures, and whether each is marked as the highest."""
    highest = math.nan if unequal_budgets(rows) else best(row[column] for row in rows)
    cells = score_cells(rows, column, notes)
    return [{**cell._asdict(), "best": number(row[column]) == highest} for row, cell in zip(rows, cells, strict=True)]


def _class_lines(runs: Mapping[str, Sequence[Run]], classes: Sequence[str], mark: bool) -> list[View]:
    """One line per scored class of the dataset, one cell per variant: text, IoU in percent, whether it is the best."""
    lines = []
    for name in classes:
        scores = [mean_score(sampled_scores(each, f"iou[{name}]")) for each in runs.values()]
        highest = best(scores) if mark else math.nan
        cells = [(digits(score), round(100 * (number(score) or 0)), number(score) == highest) for score in scores]
        lines.append({"name": name, "cells": cells})
    return lines


def _recipes(runs: Mapping[str, Sequence[Run]]) -> dict[str, list[tuple[str, str, bool]]]:
    """Recipe of each variant: dotted keys, values, and whether these differ from the first variant's."""
    recipes = {variant: dict(leaves(each[0].training.recipe)) for variant, each in runs.items()}
    first = next(iter(recipes.values()))
    return {
        variant: [
            (key, value if isinstance(value, str) else json.dumps(value), key not in first or first[key] != value)
            for key, value in recipe.items()
            if key != "seed"
        ]
        for variant, recipe in recipes.items()
    }
