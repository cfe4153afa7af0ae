"""Figures of a study's scores: mIoU with intervals, all pairs of variants; and of a preset: mIoU against costs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from seg.report.drawing import (
    COLUMN,
    INK,
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
from seg.report.pairs import PairMatrix
from seg.report.series import COSTS, PALETTE, CostPoint, ScoreDot

_BLUE, _VERMILION = PALETTE[:2]
_WORSE = "#8a93a0"
_NEAR = {"equivalent": "#f6c667", "undecided": "#d5d9df"}
_MARKERS = "osD^vP"


def draw_scores(dots: Sequence[ScoreDot], note: str, *paths: Path) -> None:
    """A row per variant: mIoU with its interval and its seeds, the published figure, and the verdict."""
    names = [one_line(dot.variant) for dot in dots]
    left = text_width(names) + 0.12
    texts = [f"{dot.miou:.4f}  {dot.verdict}" for dot in dots]
    right = text_width(texts, 6.5, "bold") + 0.12
    wide = float(np.clip(COLUMN - left - right, 1.0, 2.5))
    top, row = 0.08 + LINE * bool(note), 0.17
    with new_figure(max(left + wide + right, COLUMN), top + row * len(dots) + 0.62) as figure:
        axes = add_axes(figure, left, top, wide, row * len(dots))
        places = range(len(dots))
        for y, dot, text in zip(places, dots, texts, strict=True):
            colour = _WORSE if dot.verdict == "worse" else _BLUE
            if dot.low is not None and dot.high is not None:
                axes.plot([dot.low, dot.high], [y, y], color=colour, linewidth=1.6, alpha=0.55, solid_capstyle="butt")
            if len(dot.samples) > 1:
                axes.plot(dot.samples, [y] * len(dot.samples), "|", color=colour, markersize=5, markeredgewidth=0.8)
            axes.plot([dot.miou], [y], "o", color=colour, markersize=4)
            if dot.published is not None:
                axes.plot([dot.published], [y], "D", color="white", markeredgecolor=_VERMILION, markersize=3.6)
            at: Any = axes.get_yaxis_transform()
            weight = "bold" if dot.verdict == "best" else "normal"
            axes.text(1.0 + 0.06 / wide, y, text, transform=at, va="center", fontsize=6.5, fontweight=weight, color=INK)
        axes.set_ylim(len(dots) - 0.5, -0.5)
        axes.set_yticks(places, names)
        axes.tick_params(axis="y", length=0)
        axes.margins(x=0.06)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("mIoU")
        several = any(len(dot.samples) > 1 for dot in dots)
        handles = [Line2D([], [], color=_BLUE, marker="o", markersize=4, label="mean, 95% interval")]
        if several:
            handles.append(Line2D([], [], color=_BLUE, marker="|", linestyle="", label="single seeds or folds"))
        if any(dot.published is not None for dot in dots):
            ring: Any = {"marker": "D", "markerfacecolor": "white", "markeredgecolor": _VERMILION, "markersize": 3.6}
            handles.append(Line2D([], [], linestyle="", label="published", **ring))
        if several or len(handles) > 1 or any(dot.low is not None for dot in dots):
            figure.legend(handles=handles, loc="lower left", ncols=3, fontsize=6.5, borderaxespad=0.3)
        note_line(figure, note)
        save(figure, *paths)


def draw_pairs(matrix: PairMatrix, note: str, *paths: Path) -> None:
    """Differences of all pairs in points of mIoU: the better variant in the row, the worse in the column."""
    count = len(matrix.variants)
    if count < 2:
        with new_figure(3.5, 0.5) as figure:
            figure.text(0.03, 0.4, "One variant, so there are no pairs.", color=MUTED)
            save(figure, *paths)
        return
    names = [one_line(name, 32) for name in matrix.variants]
    left, top = text_width(names[:-1]) + 0.12, text_width(names[1:]) + 0.12 + 0.08 + LINE * bool(note)
    cell = float(np.clip((WIDTH - left) / (count - 1), 0.1, 0.36))
    above = np.triu(np.ones((count, count), bool), 1)
    values = np.where(above, matrix.differences, np.nan)[:-1, 1:]
    high = float(np.nanmax(np.abs(values))) or 1.0
    side = cell * (count - 1)
    with new_figure(max(left + side + 0.08, 3.4), top + side + 0.5) as figure:
        axes = add_axes(figure, left, top, side, side)
        shades = 0.15 + 0.85 * np.abs(values) / high  # a small difference that is decided is not white
        paint(axes, shades)
        for (i, j), value in np.ndenumerate(values):
            verdict = matrix.verdicts[i][j + 1]
            if verdict in _NEAR and not np.isnan(value):
                axes.fill(
                    [j - 0.5, j + 0.5, j + 0.5, j - 0.5], [i - 0.5, i - 0.5, i + 0.5, i + 0.5], _NEAR[verdict], lw=0
                )
            if not np.isnan(value) and cell > 0.24:
                cell_text(axes, i, j, f"{100 * value:.1f}", 6, 0 if verdict in _NEAR else float(shades[i, j]))
        name_cells(axes, names[:-1], names[1:])
        for side_of in ("left", "bottom"):
            axes.spines[side_of].set_visible(False)
        verdicts = {verdict for i, row in enumerate(matrix.verdicts) for verdict in row[i + 1 :]}
        better = f"row better than column, by up to {100 * high:.1f} points of mIoU"
        undecidable = "row minus column in points of mIoU; no verdicts: unequal budgets"
        handles = [Patch(color=SHADES(0.6), label=undecidable if verdicts == {""} else better)]
        handles += [Patch(color=colour, label=verdict) for verdict, colour in _NEAR.items() if verdict in verdicts]
        figure.legend(handles=handles, loc="lower left", ncols=3, fontsize=6.5, borderaxespad=0.3)
        note_line(figure, note)
        save(figure, *paths)


def draw_costs(studies: Mapping[str, Mapping[str, Sequence[CostPoint]]], *paths: Path) -> None:
    """A panel per cost, with the points of each study by column of `COSTS` and a line along its Pareto front."""
    wide, high, left, gap, right = 2.35, 1.9, 0.42, 0.35, 0.75
    looks = {name: (PALETTE[i % len(PALETTE)], _MARKERS[i % len(_MARKERS)]) for i, name in enumerate(studies)}
    legend_rows = -(-(len(studies) + 3) // 4)
    top = 0.2 + LINE * legend_rows
    with new_figure(left + 2 * (wide + right) + gap, top + 2 * (high + 0.5)) as figure:
        for i, (column, title) in enumerate(COSTS.items()):
            axes = add_axes(figure, left + (i % 2) * (wide + right + gap), top + (i // 2) * (high + 0.5), wide, high)
            axes.set_xscale("log")
            axes.set(xlabel=title, ylabel="mIoU" if i % 2 == 0 else "")
            for name, points in studies.items():
                _draw_front(axes, points[column], *looks[name])
            axes.margins(x=0.08, y=0.08)
            label_logarithms(axes.xaxis)
            _label_best(axes, {name: (points[column], looks[name][0]) for name, points in studies.items()})
        handles = [
            Line2D([], [], color=colour, marker=marker, markersize=4, label=one_line(name))
            for name, (colour, marker) in looks.items()
        ]
        ring: Any = {"linestyle": "", "markerfacecolor": "none"}
        handles += [
            Line2D([], [], color=MUTED, linewidth=1.1, label="Pareto front of a study"),
            Line2D([], [], marker="o", markersize=8, markeredgecolor=INK, label="best measured", **ring),
            Line2D([], [], marker="s", markersize=8, markeredgecolor=MUTED, label="best published", **ring),
        ]
        figure.legend(handles=handles, loc="upper left", ncols=4, fontsize=6.5, borderaxespad=0.3)
        save(figure, *paths)


def _draw_front(axes: Axes, points: Sequence[CostPoint], colour: str, marker: str) -> None:
    cheaper = [point for point in points if point.cost > 0]  # a logarithmic axis has no 0
    front = sorted((point.cost, point.miou) for point in cheaper if point.front)
    costs, mious = [cost for cost, _ in front], [miou for _, miou in front]
    axes.plot(costs, mious, color=colour, linewidth=1.0, alpha=0.7, drawstyle="steps-post")
    for point in cheaper:
        face = colour if point.front else "white"
        axes.plot([point.cost], [point.miou], marker, color=face, markeredgecolor=colour, markersize=4)
        if point.best:
            axes.plot([point.cost], [point.miou], "o", color="none", markeredgecolor=INK, markersize=8)
        if point.published_best:
            axes.plot([point.cost], [point.miou], "s", color="none", markeredgecolor=MUTED, markersize=8)


def _label_best(axes: Axes, studies: Mapping[str, tuple[Sequence[CostPoint], str]]) -> None:
    """Name the best variant of each study at the right edge, at the height of its point, without overlaps."""
    labels = sorted(
        (point.miou, one_line(point.variant, 16), colour)
        for points, colour in studies.values()
        for point in points
        if point.best
    )
    low, high = axes.get_ylim()
    step = 0.09 * (high - low)
    places: list[float] = []
    for miou, _, _ in labels:
        places.append(max(miou, places[-1] + step) if places else miou)
    for k in range(len(places) - 1, -1, -1):
        places[k] = min(places[k], places[k + 1] - step if k + 1 < len(places) else high)
    for y, (_, name, colour) in zip(places, labels, strict=True):
        axes.text(1.02, y, name, transform=axes.get_yaxis_transform(), va="center", fontsize=6, color=colour)
