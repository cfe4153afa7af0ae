"""Formatting of scores, intervals, times, sizes and footnotes in `table.md` and on the page."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from seg.report.rows import (
    NEAR_BEST,
    Row,
    best,
    classes_differ,
    difference,
    number,
    split_notes,
    unequal_budgets,
)

NONE = "–"
NEAR = "≈"
HEADLINE = ("pixel_accuracy", "miou")  # overall scores in `table.md`, with the loss, and `table.tex`


class Footnote(NamedTuple):
    """A numbered note on a published figure (`kind` is "published") or on a variant ("variant")."""

    number: int
    text: str
    kind: str


class Mark(NamedTuple):
    """Consecutive footnotes that a cell refers to."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}–{self.last}" if self.last > self.first else str(self.first)


class Footnotes(NamedTuple):
    """Notes of a table and the numbers that mark its cells, by (variant, column); `variant` is a column too."""

    notes: tuple[Footnote, ...]
    marks: dict[tuple[str, str], tuple[int, ...]]

    def of(self, row: Row, column: str) -> tuple[Mark, ...]:
        """Marks of a cell, with consecutive numbers as ranges."""
        numbers = sorted(self.marks.get((row["variant"], column), ()))
        starts = [number for number in numbers if number - 1 not in numbers]
        ends = [number for number in numbers if number + 1 not in numbers]
        return tuple(map(Mark, starts, ends))


class ScoreCell(NamedTuple):
    """A formatted score with the values shown beside it; text is empty where it does not apply.

    Attributes:
        measured: mean over the seeds or folds.
        best: whether it is the highest of variants with equal budgets.
        deviation: standard deviation over the seeds or folds, as `± 0.0123`.
        interval: ends of the 95% interval, as `0.4567–0.5678`.
        classes: number of classes in an mIoU, if variants differ in it.
        published: the published figure.
        marks: footnotes on the published figure.
        difference: measured minus published, see `signed`.
        reference: the published figure is for reference only.
    """

    measured: str
    best: bool
    deviation: str
    interval: str
    classes: str
    published: str
    marks: tuple[Mark, ...]
    difference: str
    reference: bool

    @property
    def spread(self) -> list[str]:
        """What is shown below the score."""
        return [text for text in (self.deviation, self.interval, self.classes) if text]


class BudgetCells(NamedTuple):
    """Epochs, their budget as a part of the full one, images seen and steps of the optimizer."""

    epochs: str
    budget: str
    images: str
    steps: str


def has_published(rows: Sequence[Row]) -> bool:
    """Whether the source gives an overall score of a variant; tables of other studies have no columns for them."""
    return any(row[f"{column}_published"] for row in rows for column in (*HEADLINE, "loss"))


def score_cells(rows: Sequence[Row], column: str, notes: Footnotes) -> list[ScoreCell]:
    """A score of all variants beside the published figures."""
    highest = math.nan if column == "loss" or unequal_budgets(rows) else best(row[column] for row in rows)
    show_classes = column == "miou" and classes_differ(rows)
    cells = []
    for row in rows:
        near = f"{NEAR} " if column == "miou" and row["against_best"] in NEAR_BEST else ""
        std, low, high = (number(row[f"{column}_{part}"]) for part in ("std", "low", "high"))
        cells.append(
            ScoreCell(
                near + digits(row[column]),
                number(row[column]) == highest,
                "" if std is None else f"± {std:.4f}",
                "" if low is None or high is None else f"{low:.4f}–{high:.4f}",
                f"{row['miou_classes']} classes" if show_classes else "",
                digits(row[f"{column}_published"]),
                notes.of(row, column),
                signed(difference(row, column)),
                bool(row["published_obstacle"]),
            )
        )
    return cells


def digits(cell: str) -> str:
    """A score with four digits."""
    value = number(cell)
    return (cell or NONE) if value is None else f"{value:.4f}"


def signed(value: float | None) -> str:
    """A difference with four digits, its sign and ▲ (measured above published), ▼ (below) or = (equal)."""
    if value is None:
        return ""
    magnitude = f"{abs(value):.4f}"
    if not float(magnitude):
        return f"= {magnitude}"
    return f"▲ +{magnitude}" if value > 0 else f"▼ −{magnitude}"


def count(value: float | str) -> str:
    """A count with thousands separators."""
    return f"{round(float(value)):,}"


def duration(seconds: float | str) -> str:
    """`12.3 s`, `4 min 05 s` or `2 h 07 min`."""
    seconds = float(seconds)
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def size(value: float) -> str:
    """Bytes in decimal MB or GB."""
    return f"{value / 1e9:.2f} GB" if value >= 1e9 else f"{value / 1e6:.0f} MB"


def footnotes(rows: Sequence[Row]) -> Footnotes:
    """Number the notes of a table in the order of its rows; a repeated text keeps its number."""
    numbers: dict[tuple[str, str], int] = {}
    marks: dict[tuple[str, str], tuple[int, ...]] = {}
    for row in rows:
        published = (note.partition(": ") for note in split_notes(row["published_notes"]))
        notes = [(column, text, "published") for column, _, text in published]
        notes += [("variant", text, "variant") for text in split_notes(row["variant_notes"])]
        for column, text, kind in notes:
            place = row["variant"], column
            mark = numbers.setdefault((text, kind), len(numbers) + 1)
            marks[place] = (*marks.get(place, ()), mark)
    return Footnotes(tuple(Footnote(mark, *key) for key, mark in numbers.items()), marks)


def budget_cells(row: Row) -> BudgetCells:
    """What a variant was trained for, means over the seeds."""
    return BudgetCells(
        f"{float(row['epochs']):.4g}",
        f"{row['budget_epochs']} of {row['full_epochs']}",
        count(row["images_seen"]),
        count(row["steps"]),
    )
