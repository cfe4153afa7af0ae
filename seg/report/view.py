"""What the page shows, worked out of files into plain values: the template only lays them out."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path

from seg.report.inputs import Run, Statistics, read_all, read_png, read_run, read_statistics
from seg.report.pairs import pairs_view, read_pairs
from seg.report.rows import METRICS, Row, best, class_columns, difference, mean_score, number, read_rows, split_notes
from seg.report.view_runs import View, cost, recipes
from seg.report.wording import (
    Footnotes,
    comparison,
    count,
    digits,
    duration,
    footnotes,
    introduction,
    near_best,
    signed,
    spread,
)

_AGAINST_PUBLISHED = ("pixel_accuracy", "miou")


def read_study(name: str, directory: Path) -> View:
    """A study's table, runs and pictures from its directory. Raises ValueError for what is missing, all at once."""
    rows = read_rows(directory / "table.csv")
    places = [directory / str(row["variant"]) / f"seed{seed}" for row in rows for seed in str(row["seeds"]).split()]
    found = iter(read_all(read_run, places))
    runs = {str(row["variant"]): [next(found) for _ in str(row["seeds"]).split()] for row in rows}
    if len({run.metrics.classes for each in runs.values() for run in each}) > 1:
        raise ValueError(f"{directory}: its variants are scored on different classes; make the study's table again")
    pictures = [directory / "curves.png", *(each[0].directory / "samples.png" for each in runs.values())]
    curves, *samples = read_all(_inlined, pictures)
    return {
        "name": name,
        "title": rows[0]["title"],
        "introduction": introduction(rows),
        "readings": split_notes(rows[0]["study_notes"]),
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
    """All that the page says of a study."""
    rows: list[Row] = study["rows"]
    runs: dict[str, list[Run]] = study["runs"]
    notes = footnotes(rows)
    classes = next(iter(runs.values()))[0].metrics.classes
    colours: dict[str, str] = next((each["colours"] for each in statistics if tuple(each["colours"]) == classes), {})
    return study | {
        "notes": notes.notes,
        "glance": _glance(rows),
        "overall": _overall(rows, notes),
        "comparison": comparison(rows),
        "pairs": pairs_view(rows, study["pairs"]),
        "commonest": list(dict.fromkeys(_commonest(row) for row in rows)),
        "own_classes": _own_classes(rows, notes),
        "classes": _classes(runs, classes),
        "colours": colours,
        "costs": [cost(variant, run) for variant, each in runs.items() for run in each],
        "recipes": recipes(runs),
    }


def statistics_view(name: str, path: Path) -> View:
    """A train pack's class statistics and their figure, `classes.png` beside them."""
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
        "figure": _inlined(path.with_name("classes.png")),
    }


def _inlined(path: Path) -> str:
    return "data:image/png;base64," + b64encode(read_png(path, "run the stage that makes it again")).decode()


def _colour(statistics: Statistics, train_id: int) -> str:
    return "rgb({}, {}, {})".format(*statistics.palette[train_id])


def _glance(rows: Sequence[Row]) -> View:
    """The variant with the highest mIoU, ours and the source's."""
    ours = max(rows, key=lambda row: number(row["miou"]) or 0)
    theirs = max(rows, key=lambda row: number(row["miou_published"]) or 0)
    published = number(theirs["miou_published"])
    return {
        "variants": len(rows),
        "best": ours["variant"],
        "near": [row["variant"] for row in rows if near_best(row, "miou")],
        "miou": digits(ours["miou"]),
        "spread": spread(ours, "miou"),
        "published_best": theirs["variant"] if published is not None else None,
        "published": digits(published),
    }


def _overall(rows: Sequence[Row], notes: Footnotes) -> list[View]:
    """A line a variant."""
    highest = {column: best(row[column] for row in rows) for column in METRICS}
    return [
        {
            "variant": row["variant"],
            "marks": _marks(notes, row, "variant"),
            "compared": [_cell(row, column, highest[column], notes) for column in _AGAINST_PUBLISHED],
            "alone": [
                _cell(row, column, highest[column], notes) for column in METRICS if column not in _AGAINST_PUBLISHED
            ],
            "parameters": count(number(row["parameters"]) or 0),
            "training": duration(number(row["training_seconds"]) or 0),
        }
        for row in rows
    ]


def _own_classes(rows: Sequence[Row], notes: Footnotes) -> list[View]:
    """A line a class, a cell a variant: a study may have 41 classes, but no more than a dozen variants."""
    lines = []
    for column, name in class_columns(rows[0]).items():
        highest = best(row[column] for row in rows)
        lines.append({"name": name, "cells": [_cell(row, column, highest, notes) for row in rows]})
    return lines


def _cell(row: Row, column: str, highest: float | None, notes: Footnotes) -> View:
    return {
        "ours": near_best(row, column) + digits(row[column]),
        "spread": spread(row, column),
        "best": highest is not None and row[column] == highest,
        "published": digits(row[f"{column}_published"]),
        "marks": _marks(notes, row, column),
        "difference": signed(difference(row, column)),
    }


def _marks(notes: Footnotes, row: Row, column: str) -> tuple[int, ...]:
    return notes.marks.get((str(row["variant"]), column), ())


def _commonest(row: Row) -> tuple[str, str, str]:
    return (
        str(row["commonest_class"]),
        digits(row["commonest_pixel_accuracy"]),
        digits(row["commonest_miou"]),
    )


def _classes(runs: Mapping[str, Sequence[Run]], classes: Sequence[str]) -> list[View]:
    """A line for every scored class of the data set; `shade` is the IoU in percent, for the background."""
    lines = []
    for name in classes:
        scores = [mean_score([run.metrics.iou[name] for run in each]) for each in runs.values()]
        highest = best(scores)
        cells = [
            {
                "text": digits(score),
                "shade": round(100 * (number(score) or 0)),
                "best": highest is not None and score == highest,
            }
            for score in scores
        ]
        lines.append({"name": name, "cells": cells})
    return lines
