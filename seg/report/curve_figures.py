"""Figure of a study's trainings: losses and learning rates over the epochs."""

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from seg.report.drawing import LINE, MUTED, add_axes, label_logarithms, new_figure, note_line, one_line, save
from seg.report.series import PALETTE, Curve

_TRAINING, _VALIDATION = PALETTE[:2]
_RATE = MUTED
_COLUMNS = 3
_MARKED = 12  # curves with more validations than this have no markers
_PANEL = (1.95, 1.15, 0.22)  # inches: width, height of the losses and of the learning rate


def draw_curves(variants: Mapping[str, Sequence[Curve]], losses: Mapping[str, str], note: str, *paths: Path) -> None:
    """A panel per variant: a line per training and loss, a ring at the scored epoch, and the learning rate below.

    Panels of the same loss function (`losses`, by variant) share the range of their axis: different losses are not
    comparable. The axis is logarithmic if the highest loss is more than ten times the median.
    """
    width, height, strip = _PANEL
    columns = min(_COLUMNS, len(variants))
    top, left, step = 0.45 + LINE * bool(note), 0.42, (width + 0.42, height + strip + 0.62)
    with new_figure(
        max(left + columns * step[0] - 0.3, 3.4), top + ceil(len(variants) / columns) * step[1] - 0.1
    ) as figure:
        panels: dict[str, Axes] = {}
        for i, (variant, trainings) in enumerate(variants.items()):
            x, y = left + (i % columns) * step[0], top + (i // columns) * step[1]
            axes = panels[variant] = add_axes(figure, x, y, width, height)
            axes.set_title(one_line(variant, 30))
            axes.tick_params(labelbottom=False, length=0)
            loss = losses[variant].replace("_", " ")
            axes.text(0.02, 0.04, loss, transform=axes.transAxes, fontsize=6, color=MUTED)  # losses start high
            rates = add_axes(figure, x, y + height + 0.07, width, strip, sharex=axes)
            for curve in trainings:
                _draw_training(axes, curve)
            for epochs, lr in dict.fromkeys((curve.epochs, curve.lr) for curve in trainings):
                rates.plot(epochs, lr, color=_RATE, linewidth=0.9)
            rates.tick_params(length=0)
            highest = max(max(curve.lr) for curve in trainings)
            rates.set_ylim(0, 1.15 * highest or 1)
            rates.set_yticks([highest], [_rate(highest)], fontsize=6)
            rates.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
            rates.set_xlabel("epoch" if i + columns >= len(variants) else "")
        for loss in dict.fromkeys(losses.values()):
            alike = [name for name in variants if losses[name] == loss]
            _share_range([panels[name] for name in alike], [curve for name in alike for curve in variants[name]])
        ring: Any = {"marker": "o", "markerfacecolor": "none", "markeredgecolor": _VALIDATION, "markersize": 5.5}
        handles = [
            Line2D([], [], color=_TRAINING, label="training loss"),
            Line2D([], [], color=_VALIDATION, marker=".", markersize=3.5, label="validation loss"),
            Line2D([], [], linestyle="", label="scored epoch", **ring),
            Line2D([], [], color=_RATE, linewidth=0.9, label="learning rate (below)"),
        ]
        figure.legend(handles=handles, loc="upper left", ncols=4 if columns > 1 else 2, fontsize=6.5, borderaxespad=0.2)
        note_line(figure, note)
        save(figure, *paths)


def _draw_training(axes: Axes, curve: Curve) -> None:
    axes.plot(curve.epochs, curve.train, color=_TRAINING, alpha=0.85)
    if curve.validation:
        marker = "." if len(curve.validation) <= _MARKED else None
        axes.plot(*zip(*curve.validation, strict=True), color=_VALIDATION, marker=marker, markersize=3.5, alpha=0.85)
    epoch, loss = curve.scored
    if loss is not None:
        axes.plot([epoch], [loss], "o", color="none", markeredgecolor=_VALIDATION, markersize=5.5)


def _rate(value: float) -> str:
    """A learning rate in at most five characters."""
    return f"{value:.3g}" if value >= 0.01 else f"{value:.0e}".replace("e-0", "e-")


def _share_range(panels: Sequence[Axes], curves: Sequence[Curve]) -> None:
    losses = [
        *(loss for curve in curves for loss in curve.train),
        *(y for curve in curves for _, y in curve.validation),
    ]
    lowest, middle, highest = np.quantile(losses, (0, 0.5, 1))
    for axes in panels:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, min_n_ticks=2))
        if lowest > 0 and highest > 10 * middle:
            axes.set_yscale("log")
            axes.set_ylim(lowest / 1.2, highest * 1.2)
            label_logarithms(axes.yaxis)
        else:
            axes.set_ylim(min(0.0, lowest), highest * 1.05 or 1.0)
