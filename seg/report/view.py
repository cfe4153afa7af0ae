"""Content of the page as plain values, which the template lays out."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path

from seg.report.formatting import (
    Footnotes,
    count,
    digits,
    duration,
    footnotes,
    introduction,
    near_best,
    near_best_caption,
    signed,
    spread,
)
from seg.report.inputs import Run, read_all, read_png, read_run, read_statistics
from seg.report.pairs import pairs_view, read_pairs
from seg.report.rows import (
    METRIC_TITLES,
    REMAKE_TABLE,
    Row,
    best,
    class_columns,
    difference,
    mean_score,
    number,
    read_rows,
    split_notes,
)
from seg.report.view_runs import View, recipes, run_view
from seg.results import Statistics

_AGAINST_PUBLISHED = ("pixel_accuracy", "miou")


def read_study(name: str, directory: Path) -> View:
    """Table, runs and pictures of a study. Raises ValueError for what is missing, one line per file."""
    rows = read_rows(directory / "table.csv")
    places = [directory / row["variant"] / f"seed{seed}" for row in rows for seed in row["seeds"].split()]
    found = iter(read_all(read_run, places))
    runs = {row["variant"]: [next(found) for _ in row["seeds"].split()] for row in rows}
    if len({run.metrics.classes for each in runs.values() for run in each}) > 1:
        raise ValueError(f"{directory}: its variants are scored on different classes; {REMAKE_TABLE}")
    pictures = [directory / "curves.png", *(each[0].directory / "samples.png" for each in runs.values())]
    curves, *samples = read_all(_data_uri, pictures)
    return {
        "name": name,
        "title": rows[0]["title"],
        "introduction": introduction(rows),
        "study_notes": split_notes(rows[0]["study_notes"]),
        "rows": rows,
        "pairs": read_pairs(directory / "pairs.csv", list(runs)),
        "runs": runs,
        "curves": curves,
        "samples": [
            {"variant": variant, "seed": each[0].seed, "uri": uri}
            for (variant, each), uri in zip(runs.items(), samples, strict=True)
        ],
    }


def study_view(study: View, statistics: Sequence[View]) -> View:
    """Everything that the page shows of a study."""
    rows: list[Row] = study["rows"]
    runs: dict[str, list[Run]] = study["runs"]
    notes = footnotes(rows)
    classes = next(iter(runs.values()))[0].metrics.classes
    colours: dict[str, str] = next((each["colours"] for each in statistics if tuple(each["colours"]) == classes), {})
    return study | {
        "notes": notes.notes,
        "overview": _overview(rows),
        "overall": _overall_lines(rows, notes),
        "near_best_caption": near_best_caption(rows),
        "pairs": pairs_view(rows, study["pairs"]),
        "commonest": list(dict.fromkeys(_commonest_line(row) for row in rows)),
        "own_classes": _own_class_lines(rows, notes),
        "classes": _class_lines(runs, classes),
        "colours": colours,
        "seeds": [run_view(variant, run) for variant, each in runs.items() for run in each],
        "recipes": recipes(runs),
    }


def statistics_view(name: str, path: Path) -> View:
    """Class statistics of a training pack and their figure, `classes.png` in the same directory."""
    statistics = read_statistics(path)
    train_ids = {i: train_id for train_id, i in enumerate(statistics.scored)}
    labelled = sum(statistics.id_pixels) or 1
    lines = [
        {
            "id": i,
            "name": id_name,
            "colour": _colour(statistics, train_ids[i]) if i in train_ids else None,
            "share": f"{100 * pixels / labelled:.3f}",
            "images": count(images),
            "weight": f"{statistics.weights[train_ids[i]]:.3f}" if i in train_ids else None,
        }
        for i, (id_name, pixels, images) in enumerate(
            zip(statistics.ids, statistics.id_pixels, statistics.id_images, strict=True)
        )
    ]
    side = f"{statistics.height} × {statistics.width}"
    return {
        "name": name,
        "about": f"{count(statistics.images)} images of {side}, {statistics.split} split",
        "mean": ", ".join(f"{value:.4f}" for value in statistics.mean),
        "std": ", ".join(f"{value:.4f}" for value in statistics.std),
        "lines": lines,
        "colours": {each: _colour(statistics, i) for i, each in enumerate(statistics.classes)},
        "figure": _data_uri(path.with_name("classes.png")),
    }


def _data_uri(path: Path) -> str:
    return "data:image/png;base64," + b64encode(read_png(path, "run the stage that makes it again")).decode()


def _colour(statistics: Statistics, train_id: int) -> str:
    return "rgb({}, {}, {})".format(*statistics.palette[train_id])


def _overview(rows: Sequence[Row]) -> View:
    """Variants with the highest mIoU, measured and published."""
    measured = max(rows, key=lambda row: number(row["miou"]) or 0)
    published = max(rows, key=lambda row: number(row["miou_published"]) or 0)
    return {
        "variants": len(rows),
        "best": measured["variant"],
        "near": [row["variant"] for row in rows if near_best(row, "miou")],
        "miou": digits(measured["miou"]),
        "spread": spread(measured, "miou"),
        "published_best": published["variant"] if number(published["miou_published"]) is not None else None,
        "published": digits(published["miou_published"]),
    }


def _overall_lines(rows: Sequence[Row], notes: Footnotes) -> list[View]:
    """One line per variant."""
    highest = {column: best(row[column] for row in rows) for column in METRIC_TITLES}
    measured_only = [column for column in METRIC_TITLES if column not in _AGAINST_PUBLISHED]
    return [
        {
            "variant": row["variant"],
            "marks": _marks(notes, row, "variant"),
            "compared": [_score_cell(row, column, highest[column], notes) for column in _AGAINST_PUBLISHED],
            "measured_only": [_score_cell(row, column, highest[column], notes) for column in measured_only],
            "parameters": count(row["parameters"]),
            "training": duration(row["training_seconds"]),
        }
        for row in rows
    ]


def _own_class_lines(rows: Sequence[Row], notes: Footnotes) -> list[View]:
    """One line per class and one cell per variant: a study may have 41 classes, but at most a dozen variants."""
    lines = []
    for column, name in class_columns(rows[0]).items():
        highest = best(row[column] for row in rows)
        lines.append({"name": name, "cells": [_score_cell(row, column, highest, notes) for row in rows]})
    return lines


def _score_cell(row: Row, column: str, highest: float | None, notes: Footnotes) -> View:
    return {
        "measured": near_best(row, column) + digits(row[column]),
        "spread": spread(row, column),
        "best": highest is not None and number(row[column]) == highest,
        "published": digits(row[f"{column}_published"]),
        "marks": _marks(notes, row, column),
        "difference": signed(difference(row, column)),
    }


def _marks(notes: Footnotes, row: Row, column: str) -> tuple[int, ...]:
    return notes.marks.get((row["variant"], column), ())


def _commonest_line(row: Row) -> tuple[str, str, str]:
    return row["commonest_class"], digits(row["commonest_pixel_accuracy"]), digits(row["commonest_miou"])


def _class_lines(runs: Mapping[str, Sequence[Run]], classes: Sequence[str]) -> list[View]:
    """One line per scored class of the dataset; `shade` is the IoU in percent, for the background."""
    lines = []
    for name in classes:
        scores = [mean_score([run.metrics.iou[name] for run in each]) for each in runs.values()]
        highest = best(scores)
        cells = [
            {
                "text": digits(score),
                "shade": round(100 * (number(score) or 0)),
                "best": highest is not None and number(score) == highest,
            }
            for score in scores
        ]
        lines.append({"name": name, "cells": cells})
    return lines
