"""Figures of classes: IoU and boundary IoU of each variant, confusion matrices, and pixels per class of a dataset.

python -m seg.report.class_figures --statistics statistics.json --svg classes.svg --png classes.png

The stage draws the pixels per class.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seg.report.drawing import (
    LINE,
    MUTED,
    SHADES,
    WIDTH,
    add_axes,
    cell_text,
    label_logarithms,
    name_cells,
    new_figure,
    note_line,
    one_line,
    paint,
    save,
    text_width,
)
from seg.report.runs import read_statistics
from seg.report.series import PALETTE
from seg.results import Statistics
from seg.system.arguments import StageParser
from seg.system.console import run_stage
from seg.system.files import written_whole

_UNSCORED = "#a9adb3"
_BAR = 0.7  # inches: width of the bars beside a heat map
_NAMED = 60  # classes up to which those of a confusion matrix are named


def draw_class_scores(
    values: np.ndarray,
    shares: np.ndarray,
    variants: Sequence[str],
    classes: Sequence[str],
    title: str,
    note: str,
    *paths: Path,
) -> None:
    """Heat map of scores (V, C) with a row per class, and bars of the classes' shares (C,) of the true pixels."""
    names, heads = [one_line(name, 32) for name in classes], [one_line(name, 32) for name in variants]
    left, top = text_width(names) + 0.12, text_width(heads) + 0.2 + LINE * bool(note)
    cell = float(np.clip((WIDTH - left - _BAR - 0.3) / len(variants), 0.08, 0.3))
    wide, high = cell * len(variants), 0.15 * len(classes)
    with new_figure(max(left + wide + _BAR + 0.35, 3.5), top + high + 0.62) as figure:
        axes = add_axes(figure, left, top, wide, high)
        paint(axes, values.T)
        for (c, v), value in np.ndenumerate(values.T):
            if cell > 0.2 or np.isnan(value):
                cell_text(axes, c, v, "–" if np.isnan(value) else f"{100 * value:.0f}", 5.5, value)
        name_cells(axes, names, heads)
        _frame(axes)
        bars = add_axes(figure, left + wide + 0.12, top, _BAR, high)
        _draw_shares(bars, shares)
        _colour_bar(figure, left, top + high + 0.12, f"{title} in %")
        note_line(figure, note)
        save(figure, *paths)


def _draw_shares(axes: Axes, shares: np.ndarray) -> None:
    present = np.flatnonzero(shares > 0)
    lowest = shares[present].min(initial=1.0) / 2
    axes.barh(present, shares[present] - lowest, 0.7, lowest, color=PALETTE[0], alpha=0.55)
    axes.set_xscale("log")
    axes.set_xlim(lowest, 1)
    label_logarithms(axes.xaxis, ticks=3)
    axes.set_ylim(len(shares) - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("share of pixels", fontsize=6.5)


def draw_confusion(matrices: Mapping[str, np.ndarray], classes: Sequence[str], note: str, *paths: Path) -> None:
    """A panel per variant: shares (C, C) of each true class (row) that are predicted as each class (column)."""
    named = len(classes) <= _NAMED
    names = [one_line(name, 22) for name in classes] if named else []
    size = min(6.0, 5.0 if len(classes) < 8 else 6.0)
    cell = 0.085 if named else 3 / len(classes)
    panel = max(1.2, cell * len(classes))
    margin = text_width(names, size) + 0.08 if named else 0.1
    columns = max(1, min(len(matrices), int((WIDTH - margin) / (panel + 0.12))))
    rows = ceil(len(matrices) / columns)
    top, step = 0.3 + LINE * bool(note), panel + 0.26
    width = max(margin + columns * (panel + 0.12), 3.4)
    with new_figure(width, top + rows * step + margin + 0.45) as figure:
        for i, (variant, shares) in enumerate(matrices.items()):
            axes = add_axes(figure, margin + (i % columns) * (panel + 0.12), top + (i // columns) * step, panel, panel)
            paint(axes, shares)
            axes.set_title(one_line(variant, int(panel / 0.075)))
            axes.set_xticks([])
            axes.set_yticks([])
            if named and i % columns == 0:
                axes.set_yticks(range(len(classes)), names, fontsize=size)
            if named and i + columns >= len(matrices):
                axes.set_xticks(range(len(classes)), names, rotation=90, fontsize=size)
            _frame(axes, visible=True)
        _colour_bar(
            figure, margin, top + rows * step + margin - 0.06, "% of the true class (row) predicted as the column"
        )
        note_line(figure, note)
        save(figure, *paths)


def draw_classes(statistics: Statistics, *paths: Path) -> None:
    """Pixels of each id on disk over the whole split, in units of the pixels of one image, on a logarithmic axis."""
    amounts = np.array(statistics.id_pixels) / (statistics.height * statistics.width)
    places = np.arange(len(amounts))
    scored = np.isin(places, statistics.scored)
    lowest = amounts[amounts > 0].min(initial=amounts.max() or 0.1) / 3
    names = [f"{one_line(name)}  {i}" for i, name in enumerate(statistics.ids)]
    left, high = text_width(names) + 0.14, 0.15 * len(amounts)
    with new_figure(left + 3.2, high + 0.75) as figure:
        axes = add_axes(figure, left, 0.32, 3.0, high)
        for label, colour, ids in (("scored", PALETTE[0], places[scored]), ("not scored", _UNSCORED, places[~scored])):
            if ids.size:
                axes.barh(ids, np.maximum(amounts[ids] - lowest, 0), 0.72, lowest, color=colour, label=label)
        for i, amount in enumerate(amounts):
            axes.text(max(amount, lowest) * 1.08, i, f"{amount:.3g}" if amount else "none", va="center", fontsize=6)
        axes.set_xscale("log")
        axes.set_xlim(lowest, max(amounts.max(), lowest * 10) * 2.5)
        label_logarithms(axes.xaxis)
        axes.set_ylim(len(amounts) - 0.4, -0.6)
        axes.set_yticks(places, names)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(
            f"{one_line(statistics.dataset)}: pixels over the {statistics.split} split ({statistics.images:,} images) "
            f"/ ({statistics.height} × {statistics.width})"
        )
        figure.legend(loc="upper right", ncols=2, fontsize=6.5, borderaxespad=0.2)
        save(figure, *paths)


def _frame(axes: Axes, visible: bool = False) -> None:
    for spine in axes.spines.values():
        spine.set(visible=visible, linewidth=0.5, color=MUTED)
    axes.tick_params(length=0, pad=2)


def _colour_bar(figure: Figure, left: float, top: float, label: str) -> None:
    axes = add_axes(figure, left, top, 1.2, 0.08)
    paint(axes, np.linspace(0, 1, 24)[None], SHADES)
    axes.set_xticks([-0.5, 11.5, 23.5], ["0", "50", "100"], fontsize=6)
    axes.set_yticks([])
    _frame(axes)
    axes.text(1.08, 0.5, label, transform=axes.transAxes, va="center", fontsize=6.5)


def main() -> None:
    """Draw the pixels per class of a training pack as a bar chart."""
    parser = StageParser("seg.report.class_figures", main.__doc__)
    parser.add_argument("--statistics", type=Path, required=True, help="statistics.json of the pack")
    parser.add_output("--svg", ".svg", "SVG to write")
    parser.add_output("--png", ".png", "PNG to write")
    given = parser.parse_stage()
    statistics = read_statistics(given.statistics)
    with written_whole(given.svg, given.png) as parts:
        draw_classes(statistics, *parts)


if __name__ == "__main__":
    run_stage(main)
