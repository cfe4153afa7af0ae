"""Content of the page as plain values for the templates."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seg.report.captions import budget_caption, classes_caption, introduction, near_best_caption, units_caption
from seg.report.data_warnings import data_warnings
from seg.report.formatting import Footnotes, count, digits, footnotes, score_cells
from seg.report.pairs import pairs_view, read_pairs
from seg.report.payload import study_data
from seg.report.pictures import data_uri
from seg.report.provenance import recipe_view
from seg.report.rows import (
    ABSENT,
    NEAR_BEST,
    REMAKE_TABLE,
    Row,
    best,
    best_row,
    class_columns,
    fold_count,
    published_score,
    read_rows,
    split_notes,
    unequal_budgets,
)
from seg.report.runs import read_all, read_runs, read_statistics
from seg.report.score_table import comparison_groups
from seg.report.series import truth_shares
from seg.results import Colour, read_bytes

View = dict[str, Any]
_COMMONEST = ("class", "pixel_accuracy", "miou")
_FIGURES = ("curves", "confusion", "class_boundary_iou")  # what the page has no table of, for readers without a script
_SHADES = 20  # of a heat map, from 0 to 1
_MOST_TABULATED = 40  # variants whose pairs are also a table; beyond, it is too large to read


def read_study(name: str, directory: Path) -> View:
    """Content of the page for a study. Raises ValueError if files are missing or damaged, one line per file."""
    rows = read_rows(directory / "table.csv")
    variants = {row["variant"]: directory / row["variant"] for row in rows}
    runs = read_runs(variants, rows[0]["seeds"].split(), rows[0]["scoring"], fold_count(rows))
    if len({run.metrics.classes for each in runs.values() for run in each}) > 1:
        raise ValueError(f"{directory}: its variants are scored on different classes; {REMAKE_TABLE}")
    uris = read_all(_data_uri, [directory / f"figures/{figure}.svg" for figure in _FIGURES])
    first = next(iter(runs.values()))[0]
    notes = footnotes(rows)
    pairs = read_pairs(directory / "pairs.csv", list(runs))
    data = study_data(rows, runs, pairs)
    groups, axis = comparison_groups(rows, notes)
    ranked = len(rows) > 1 and not unequal_budgets(rows)
    return {
        "name": name,
        "title": rows[0]["title"],
        "introduction": introduction(rows),
        "study_notes": split_notes(rows[0]["study_notes"]),
        "notes": notes.notes,
        "rows": rows,
        "runs": runs,
        "data": data,
        "overview": _overview(rows, notes),
        "compared": any(row["published_split"] and not row["published_obstacle"] for row in rows),
        "groups": groups,
        "axis": axis,
        "marks": {row["variant"]: notes.of(row, "variant") for row in rows},
        "near_best_caption": near_best_caption(rows),
        "units_caption": units_caption(rows),
        "budget_caption": budget_caption(rows),
        "ranked": ranked,
        "means_caption": _means_caption(rows),
        "classes_caption": classes_caption(rows),
        "commonest": _commonest(rows),
        "pairs": pairs_view(rows, pairs) if len(rows) <= _MOST_TABULATED else None,
        "own_classes": {name: score_cells(rows, column, notes) for column, name in class_columns(rows[0]).items()},
        "classes": _heat_map(data, mark=ranked),
        "colours": _colours(first.training.classes, first.training.palette),
        "figures": dict(zip(_FIGURES, uris, strict=True)),
        "recipes": recipe_view(runs),
    }


def statistics_view(name: str, path: Path, packs: Mapping[str, Path]) -> View:
    """Class statistics of a training pack, their figure, `classes.svg` in the same directory, and warnings.

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
        "figure": _data_uri(path.with_name("classes.svg")),
    }


def _colours(classes: Sequence[str], palette: Sequence[Colour]) -> dict[str, str]:
    return {name: f"rgb{colour}" for name, colour in zip(classes, palette, strict=False)}


def _data_uri(path: Path) -> str:
    fix = "run the stage that makes it again"
    return svg_uri(read_bytes(path, fix), f"{path}: not an SVG file; {fix}")


def svg_uri(content: bytes, problem: str = "not an SVG file") -> str:
    """An SVG file, of which only the first bytes are checked, as a URI. Raises ValueError with the `problem`."""
    if b"<svg" not in content[:1000]:
        raise ValueError(problem)
    return data_uri("svg+xml", content)


def with_pictures(study: View, pictures: View | None) -> View:
    """A study with its pictures: those of the samples for the gallery, the others for the script, each only once."""
    if pictures is None or not pictures["images"]:
        return study | {"pictures": None, "gallery": []}
    images = {name: dict(image) for name, image in pictures["images"].items()}
    predictions = {variant: dict(uris) for variant, uris in pictures["predictions"].items()}
    gallery = []
    for name in [each for each in images if each in pictures["sets"]["samples"]]:
        shown = [{"kind": kind, "title": kind, "uri": images[name].pop(kind)} for kind in ("image", "truth")]
        shown += [
            {"kind": place, "title": variant, "uri": uri}
            for place, variant in enumerate(study["data"]["variants"])
            if (uri := predictions.get(variant, {}).pop(name, None))
        ]
        gallery.append({"name": name, "pictures": shown})
    data = study["data"] | {"pictures": pictures | {"images": images, "predictions": predictions}}
    return study | {"pictures": pictures, "gallery": gallery, "data": data}


def _overview(rows: Sequence[Row], notes: Footnotes) -> View:
    """Variants with the highest mIoU, measured and published; none is the best measured one with unequal budgets."""
    measured = best_row(rows)
    published = max(rows, key=lambda row: published_score(row, "miou") or 0)
    return {
        "variants": len(rows),
        "best": measured and measured["variant"],
        "near": [row["variant"] for row in rows if row["against_best"] in NEAR_BEST],
        "miou": measured and score_cells([measured], "miou", notes)[0],
        "published_best": published["variant"] if published_score(published, "miou") is not None else None,
        "published": digits(published["miou_published"]),
        "reference": bool(published["published_obstacle"]),
    }


def _means_caption(rows: Sequence[Row]) -> str:
    """What scores of classes are means over; empty for single trainings."""
    several = {"seeds": len(rows[0]["seeds"].split()) > 1, "folds": fold_count(rows) > 1}
    over = [name for name, there in several.items() if there]
    return f"Means over the {' and '.join(over)}." if over else ""


def _commonest(rows: Sequence[Row]) -> list[View]:
    """Scores, by column, of predicting the most frequent class for all pixels; several if variants differ in it."""
    found = dict.fromkeys(tuple(row[f"commonest_{name}"] for name in _COMMONEST) for row in rows)
    return [{"class": name, "pixel_accuracy": accuracy, "miou": miou} for name, accuracy, miou in found]


def _heat_map(data: View, mark: bool) -> View:
    """IoU of every class: one line per variant, one cell per class, and the share of each class in the truth."""
    side = len(data["classes"])
    columns = []
    for scores in zip(*data["iou"], strict=True):
        cells = [ABSENT if value is None else str(value) for value in scores]
        highest = best(cells) if mark else math.nan
        columns.append(
            [
                {
                    "text": ABSENT if value is None else f"{value:.3f}",
                    "shade": None if value is None else round(_SHADES * value),
                    "best": value == highest,
                }
                for value in scores
            ]
        )
    return {
        "shares": truth_shares(np.reshape(data["confusion"][0], (side, side))).tolist(),
        "columns": columns,
        "lines": list(zip(data["variants"], zip(*columns, strict=True), strict=True)),
    }
