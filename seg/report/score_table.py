"""Columns of a study's comparison on the page, in groups that a reader shows and hides."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from seg.report.formatting import (
    NONE,
    Footnotes,
    Mark,
    ScoreCell,
    budget_cells,
    count,
    digits,
    duration,
    score_cells,
    size,
)
from seg.report.rows import METRIC_TITLES, Row, number

TITLES = {"miou": METRIC_TITLES["miou"]} | METRIC_TITLES | {"loss": "Loss"}
DETAIL_TITLES = {
    "boundary_iou": "Boundary IoU",
    "image_miou": "mIoU per image",
    "image_accuracy": "Accuracy per image",
    "calibration_error": "Calibration error",
}
_VERDICTS = ("best", "equivalent", "undecided", "worse")  # in the order of sorting
_PLOT = 160  # width of the dot plot in pixels
_PLOT_INSET = 8  # from its edge to the ends of its axis


class PlotMarks(NamedTuple):
    """Places in pixels of a score, of its interval, and of the published figure if it can be compared."""

    score: float
    low: float | None
    high: float | None
    published: float | None
    near_best: bool


class TableCell(NamedTuple):
    """A cell; `value` is what rows are sorted by, empty for none."""

    text: str
    value: str = ""
    small: Sequence[str] = ()
    marks: Sequence[Mark] = ()
    style: str = ""
    plot: PlotMarks | None = None


class Column(NamedTuple):
    """A column; `key` is unique in a table, `rising` if the lowest value is the best."""

    key: str
    title: str
    cells: list[TableCell]
    rising: bool = False
    numeric: bool = True
    sortable: bool = True


class Group(NamedTuple):
    """Columns that are shown and hidden together; `metric` is the score that they belong to."""

    key: str
    title: str
    columns: list[Column]
    shown: bool = True
    metric: str = ""


class Axis(NamedTuple):
    """Axis of the dot plot: its width, and places and labels of its ticks."""

    width: int
    ticks: list[tuple[float, str]]


def comparison_groups(rows: Sequence[Row], notes: Footnotes) -> tuple[list[Group], Axis]:
    """Groups of columns, and the axis of the dot plot.

    Published figures are beside the measured scores if those of a variant can be compared, else in their own group.
    """
    comparable = any(row["published_split"] and not row["published_obstacle"] for row in rows)
    cells = {metric: score_cells(rows, metric, notes) for metric in TITLES}
    scores = {metric: _score_group(rows, metric, each, comparable) for metric, each in cells.items()}
    plot, axis = _plot_group(rows)
    published = [
        Column(f"{metric}_published", TITLES[metric], _published_cells(rows, metric, each))
        for metric, each in cells.items()
        if not comparable and any(cell.published != NONE for cell in each)
    ]
    groups = [scores.pop("miou"), plot, _verdict_group(rows), *scores.values(), *_other_groups(rows)]
    if published:
        groups.append(Group("published", "Published, for reference", published, shown=False))
    return groups, axis


def _score_group(rows: Sequence[Row], metric: str, cells: Sequence[ScoreCell], comparable: bool) -> Group:
    measured = [
        TableCell(cell.measured, row[metric], cell.spread, style="best" if cell.best else "")
        for row, cell in zip(rows, cells, strict=True)
    ]
    columns = [Column(metric, "measured", measured, rising=metric == "loss")]
    if comparable and any(cell.published != NONE for cell in cells):
        columns.append(Column(f"{metric}_published", "published", _published_cells(rows, metric, cells)))
        if metric != "loss":
            columns.append(Column(f"{metric}_difference", "difference", [_difference_cell(cell) for cell in cells]))
    else:
        columns = [columns[0]._replace(title="")]
    return Group(metric, TITLES[metric], columns, shown=metric != "loss", metric=metric)


def _published_cells(rows: Sequence[Row], metric: str, cells: Sequence[ScoreCell]) -> list[TableCell]:
    return [
        TableCell(cell.published, row[f"{metric}_published"], (), cell.marks, "reference" if cell.reference else "")
        for row, cell in zip(rows, cells, strict=True)
    ]


def _difference_cell(cell: ScoreCell) -> TableCell:
    mark, _, amount = cell.difference.partition(" ")
    style = {"▲": "above", "▼": "below"}.get(mark, "same")
    return TableCell(cell.difference or NONE, amount.replace("−", "-"), style=style)


def _plot_group(rows: Sequence[Row]) -> tuple[Group, Axis]:
    """Dot plot of the mIoU with its intervals."""
    published = [None if row["published_obstacle"] else number(row["miou_published"]) for row in rows]
    ends = [[number(row[column]) for column in ("miou", "miou_low", "miou_high")] for row in rows]
    values = [value for value in [*published, *(each for end in ends for each in end)] if value is not None]
    lowest, highest = (min(values), max(values)) if values else (0.0, 1.0)
    step = _step((highest - lowest) or 0.1)
    first, last = math.floor(lowest / step), math.ceil(highest / step)
    last = max(last, first + 1)

    def place(value: float | None) -> float | None:
        share = None if value is None else (value / step - first) / (last - first)
        return None if share is None else round(_PLOT_INSET + share * (_PLOT - 2 * _PLOT_INSET), 1)

    cells = []
    for row, (score, low, high), figure in zip(rows, ends, published, strict=True):
        at = place(score)
        near_best = row["against_best"] in ("best", "equivalent", "undecided")
        marks = None if at is None else PlotMarks(at, place(low), place(high), place(figure), near_best)
        cells.append(TableCell("", row["miou"], plot=marks))
    ticks = [(place(k * step) or 0.0, f"{k * step:.10g}") for k in range(first, last + 1)]
    column = Column("miou_plot", "", cells, sortable=False)
    return Group("plot", "mIoU and its interval", [column]), Axis(_PLOT, ticks)


def _step(extent: float) -> float:
    """Distance of two to four ticks over an extent: 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(extent / 2))
    return max(step for step in (power, 2 * power, 5 * power) if step <= extent / 2 * (1 + 1e-9))


def _verdict_group(rows: Sequence[Row]) -> Group:
    cells = [
        TableCell(row["against_best"] or NONE, _rank(row["against_best"]), style=f"verdict {row['against_best']}")
        for row in rows
    ]
    return Group("verdict", "Verdict", [Column("against_best", "", cells, rising=True, numeric=False)])


def _other_groups(rows: Sequence[Row]) -> list[Group]:
    """Scores without intervals, budgets and costs."""
    classes = [TableCell(row["miou_classes"], row["miou_classes"].partition("–")[0]) for row in rows]
    budgets = [
        TableCell(budget_cells(row).budget, str(int(row["budget_epochs"]) / int(row["full_epochs"]))) for row in rows
    ]
    return [
        *(
            Group(
                name,
                title,
                [_column(rows, name, "", digits, rising=name == "calibration_error")],
                shown=False,
                metric=name,
            )
            for name, title in DETAIL_TITLES.items()
        ),
        Group("classes", "Classes in the mean", [Column("miou_classes", "", classes)], shown=False),
        Group("budget", "Epochs", [Column("budget_epochs", "", budgets)]),
        Group(
            "training",
            "Training",
            [
                Column("epochs", "epochs", [TableCell(budget_cells(row).epochs, row["epochs"]) for row in rows]),
                _column(rows, "images_seen", "images seen", count),
                _column(rows, "steps", "steps", count),
            ],
            shown=False,
        ),
        _cost(rows, "parameters", "Parameters", count),
        _cost(rows, "multiply_adds", "Multiply-adds", count, shown=False),
        _cost(rows, "latency_seconds", "Latency", _milliseconds, shown=False),
        _cost(rows, "training_seconds", "Training time", duration),
        _cost(rows, "training_peak_memory_bytes", "Peak memory", lambda text: size(float(text)), shown=False),
    ]


def _cost(rows: Sequence[Row], key: str, title: str, text: Callable[[str], str], shown: bool = True) -> Group:
    return Group(key, title, [_column(rows, key, "", text, rising=True)], shown)


def _column(rows: Sequence[Row], key: str, title: str, text: Callable[[str], str], rising: bool = False) -> Column:
    return Column(key, title, [TableCell(text(row[key]), row[key]) for row in rows], rising)


def _milliseconds(seconds: str) -> str:
    return f"{1000 * float(seconds):.3g} ms"


def _rank(verdict: str) -> str:
    return str(_VERDICTS.index(verdict)) if verdict in _VERDICTS else ""
