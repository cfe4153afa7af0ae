"""Rows of a study's `table.csv`, whose columns `seg.report.columns` describes, and the CSV files of the report.

All cells are text, so that a table that is read and written again has the same bytes; `number` converts a cell.
"""

import io
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from seg.results import SCORINGS, read_bytes

TABLE_VERSION = 1  # of table.csv, comparison.csv, pairs.csv and the preset's history.csv
REMAKE_TABLE = "make the study's table again"
ABSENT = "absent"
BEST = "best"
NEAR_BEST = ("equivalent", "undecided")  # verdicts that are marked in tables
FEW_UNITS = 6  # the coverage of intervals was found to be right for classes that occur in at least as many units
METRIC_TITLES = {
    "pixel_accuracy": "Pixel accuracy",
    "miou": "mIoU",
    "mean_accuracy": "Mean accuracy",
    "frequency_weighted_iou": "Frequency-weighted IoU",
}
IMAGE_MEANS = ("image_accuracy", "image_miou")
DETAILS = (*IMAGE_MEANS, "boundary_iou", "calibration_error")  # scores without intervals
_NOTE_SEPARATOR = " | "
_BARS = re.compile(r"(?:^|(?<= ))\|+(?= |$)")  # bars in a note that could be taken for its end
_TEXTS = [
    "variant",
    "seeds",
    "scoring",
    "unit",
    "scarce_classes",
    "against_best",
    "miou_classes",
    "published_obstacle",
]
_BUDGET = ["epochs", "budget_epochs", "full_epochs", "images_seen", "steps"]
_COUNTS = [
    "images",
    "units",
    "block",
    "margin",
    "commonest_pixel_accuracy",
    "commonest_miou",
    *_BUDGET,
    *DETAILS,
    "parameters",
    "multiply_adds",
    "latency_seconds",
    "training_seconds",
    "training_peak_memory_bytes",
]

Row = dict[str, str]


def number(cell: str) -> float | None:
    """Value of a cell; `None` if it is absent or empty."""
    return float(cell) if cell not in ("", ABSENT) else None


def mean_score(values: Sequence[float | None]) -> str:
    """Cell with the mean of the values that are not `None`; absent if all are, empty if there are no values."""
    present = [value for value in values if value is not None]
    return str(fmean(present)) if present else ABSENT if values else ""


def difference(row: Row, column: str) -> float | None:
    """Measured minus published; `None` if either is missing, the figure is for reference only, or not a fraction."""
    if row["published_obstacle"]:
        return None
    measured, published = number(row[column]), published_score(row, column)
    return None if measured is None or published is None else measured - published


def published_score(row: Row, column: str) -> float | None:
    """The published figure; `None` if there is none, or if the source prints one that is not a fraction."""
    value = number(row[f"{column}_published"])
    return value if value is not None and 0 <= value <= 1 else None


def best(cells: Iterable[str]) -> float:
    """The highest of several scores; NaN, which equals none, if fewer than two can be compared or all are zero."""
    values = [value for value in map(number, cells) if value is not None]
    return max(values) or math.nan if len(values) > 1 else math.nan


def classes_differ(rows: Sequence[Row]) -> bool:
    """Whether the mIoU of the variants are means over different numbers of classes."""
    return len({row["miou_classes"] for row in rows}) > 1


def shares_differ(budgets: Iterable[tuple[int, int]]) -> bool:
    """Whether budgets (epochs, full epochs) are different shares of the full ones, beyond rounding to whole epochs."""
    rounding = [(epochs, full, 0.5 * (epochs != full)) for epochs, full in budgets]
    lows = [(epochs - half) / full if epochs > 1 or not half else 0.0 for epochs, full, half in rounding]
    return max(lows) > min((epochs + half) / full for epochs, full, half in rounding)


def unequal_budgets(rows: Sequence[Row]) -> bool:
    """Whether the variants were trained with different shares of their full budgets."""
    return shares_differ((int(row["budget_epochs"]), int(row["full_epochs"])) for row in rows)


def best_row(rows: Sequence[Row]) -> Row | None:
    """Row with the highest mIoU; `None` if unequal budgets do not rank the variants."""
    if unequal_budgets(rows):
        return None
    return max(rows, key=lambda row: (row["against_best"] == BEST, number(row["miou"]) or 0))


def fold_count(rows: Sequence[Row]) -> int:
    """Number of folds of a cross-validation; 0 without one."""
    return int(rows[0].get("folds", 0))


def class_columns(row: Row) -> dict[str, str]:
    """The study's own classes by their column: `iou[car]` -> `car`."""
    return {column: column[4:-1] for column in row if column.startswith("iou[") and column.endswith("]")}


def overall_scores(rows: Sequence[Row]) -> dict[str, dict[str, float | None]]:
    """A study's overall scores by variant, for `dvc metrics`."""
    return {row["variant"]: {name: number(row[name]) for name in METRIC_TITLES} for row in rows}


def join_notes(notes: Iterable[str]) -> str:
    """Cell with several notes. A bar between spaces in a note is doubled."""
    return _NOTE_SEPARATOR.join(_BARS.sub(lambda bars: f"{bars[0]}|", note) for note in notes)


def split_notes(cell: str) -> list[str]:
    """The notes in a cell."""
    return [_BARS.sub(lambda bars: bars[0][1:], note) for note in cell.split(_NOTE_SEPARATOR) if note]


def table_text(frame: pd.DataFrame) -> str:
    """A table as CSV with its version in the last column; floats have all their digits, missing values are empty."""
    return frame.assign(schema_version=TABLE_VERSION).to_csv(index=False, lineterminator="\n")


def read_table(path: Path, columns: Iterable[str], fix: str, version: int | None = TABLE_VERSION) -> pd.DataFrame:
    """Rows of a CSV file. Each cell keeps its text: `nan`, `007` and empty cells are not converted.

    Args:
        path: file to read.
        columns: columns that the file must have; it may have more.
        fix: how to make the file again, for the message.
        version: expected in the column `schema_version`, which is dropped; `None` for files without one.

    Raises:
        ValueError: the file is missing, damaged, has no rows, or has another version.
    """
    try:
        frame = pd.read_csv(io.BytesIO(read_bytes(path, fix)), dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a CSV file in UTF-8 ({str(error).strip()}); {fix}") from None
    found = ", ".join(sorted(set(frame["schema_version"]))) if "schema_version" in frame else "none"
    missing = [column for column in columns if column not in frame]
    if version is not None and len(frame) and found != str(version):
        problem = f"schema version {found}, expected {version}"
    elif missing:
        problem = f"lacks the columns {', '.join(missing)}"
    elif frame.empty or not isinstance(frame.index, pd.RangeIndex):  # pandas takes surplus cells for an index
        problem = "has no rows, or rows that are too long"
    else:
        return frame.drop(columns="schema_version", errors="ignore")
    raise ValueError(f"{path}: {problem}; {fix}")


def read_rows(path: Path) -> list[Row]:
    """Rows of a `table.csv`. Raises ValueError if it is missing or damaged."""
    frame = read_table(path, [*_TEXTS, *METRIC_TITLES, *_COUNTS], REMAKE_TABLE)
    if (frame[["variant", "seeds"]] == "").any(axis=None):
        raise ValueError(f"{path}: a row lacks its variant or its seeds; {REMAKE_TABLE}")
    if unknown := sorted(set(frame["scoring"]) - set(SCORINGS)):
        raise ValueError(f"{path}: scoring '{unknown[0]}', expected {' or '.join(SCORINGS)}; {REMAKE_TABLE}")
    columns = frame.columns.drop("miou_classes")  # may be a range
    scores = [column for column in columns if column.startswith((*METRIC_TITLES, "loss", "iou["))]
    try:
        frame[scores].map(number)
        frame[_COUNTS].map(float)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; {REMAKE_TABLE}") from None
    rows: list[Any] = frame.to_dict("records")
    return rows


def common_rows(tables: Sequence[Sequence[Row]]) -> pd.DataFrame:
    """Rows of all studies with the columns that all have, without IoU of classes: classes differ between studies."""
    frame = pd.concat([pd.DataFrame(rows) for rows in tables], join="inner")
    return frame.loc[:, ~frame.columns.str.startswith("iou[")]
