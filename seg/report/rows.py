"""The lines of a study's `table.csv`.

A column of scores, such as `miou` or `iou[car]`, has four beside it: `_std`, `_low`, `_high` and `_published`. A score
is a fraction, or `ABSENT` for a class that occurs neither in the truth nor in the prediction, or `None`: there is none.
`against_best` says where a variant stands beside the one with the highest mIoU: it is the `BEST`, `BEHIND` it, or so
near that the data cannot tell the two apart: `INDISTINCT`.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from seg.report.inputs import read_csv

ABSENT = "absent"
BEST, BEHIND, INDISTINCT = "best", "behind", "indistinct"
BESIDE = ("std", "low", "high", "published")
METRICS = {
    "pixel_accuracy": "Pixel accuracy",
    "miou": "mIoU",
    "mean_accuracy": "Mean accuracy",
    "frequency_weighted_iou": "Frequency-weighted IoU",
}
NOTES_BETWEEN = " | "
_TEXTS = frozenset(
    (
        "study",
        "title",
        "study_notes",
        "variant",
        "seeds",
        "split",
        "published_split",
        "commonest_class",
        "published_notes",
        "ours",
        "against_best",
    )
)
_NUMBERS = ("images", "commonest_pixel_accuracy", "commonest_miou", "parameters", "training_seconds")

Score = float | str | None
Row = dict[str, Score]


def number(value: Score) -> float | None:
    """A score that can be reckoned with: `None` for one that is absent or missing."""
    return value if isinstance(value, float | int) else None


def mean_score(values: Sequence[float | None]) -> Score:
    """Mean over the values that are not absent; `ABSENT` where all are, `None` where there is no value at all."""
    present = [value for value in values if value is not None]
    if present:
        return fmean(present)
    return ABSENT if values else None


def difference(row: Row, column: str) -> float | None:
    """Ours minus the published figure; `None` where either is missing or the published one is no fraction."""
    ours, published = number(row[column]), number(row[f"{column}_published"])
    return None if ours is None or published is None or not 0 <= published <= 1 else ours - published


def best(values: Iterable[Score]) -> float | None:
    """The highest of several scores; `None` where fewer than two can be compared or all are zero."""
    numbers = [value for value in map(number, values) if value is not None]
    return max(numbers) or None if len(numbers) > 1 else None


def class_columns(row: Row) -> dict[str, str]:
    """The study's own classes by their column: `iou[car]` -> `car`."""
    return {column: column[4:-1] for column in row if column.startswith("iou[") and column.endswith("]")}


def summary(rows: Sequence[Row]) -> dict[str, dict[str, Score]]:
    """A study's overall scores by variant, for `dvc metrics`."""
    return {str(row["variant"]): {name: row[name] for name in METRICS} for row in rows}


def split_notes(text: Score) -> list[str]:
    """The texts of a cell that holds notes."""
    return [note for note in str(text or "").split(NOTES_BETWEEN) if note]


def csv_text(rows: Sequence[Mapping[str, Score]], columns: Sequence[str] = ()) -> str:
    """Rows as CSV, unrounded: a float reads back as the very same one. `columns` are needed where there is no row."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns or list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def read_rows(path: Path) -> list[Row]:
    """The lines of a `table.csv`. Raises ValueError where it is missing or damaged."""
    mend = "make the study's table again"
    needed = [*sorted(_TEXTS), *_NUMBERS, *METRICS, *(f"{name}_{part}" for name in METRICS for part in BESIDE)]
    rows = read_csv(path, needed, mend)
    if not all(row["variant"] and row["seeds"] for row in rows):
        raise ValueError(f"{path}: a line lacks its variant or its seeds; {mend}")
    try:
        return [{column: _value(column, text) for column, text in row.items()} for row in rows]
    except ValueError as error:
        raise ValueError(f"{path}: {error}; {mend}") from None


def common_rows(tables: Sequence[Sequence[Row]]) -> list[Row]:
    """All studies' lines with the columns that all have; classes differ between studies and stay in their tables."""
    shared = [
        column for column in tables[0][0] if not column.startswith("iou[") and all(column in rows[0] for rows in tables)
    ]
    return [{column: row[column] for column in shared} for rows in tables for row in rows]


def _value(column: str, text: str) -> Score:
    if column in _TEXTS or text == ABSENT:
        return text
    if not text:
        return None
    return int(text) if text.isdecimal() else float(text)
