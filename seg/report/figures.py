"""Loss curves of a study and pixels per class of a dataset, as PNG files with the same bytes for the same input.

python -m seg.report.figures --statistics statistics.json --out classes.png
"""

import argparse
from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, MaxNLocator, NullFormatter

from seg.report.runs import Run, read_statistics
from seg.results import Statistics
from seg.system.console import run_stage
from seg.system.files import written_whole

_TRAINING = "#2f6db3"
_VALIDATION = "#c2553b"
_UNSCORED = "#a9adb3"
_INK = "#2b2f36"
_PANEL_COLUMNS = 3
_STYLE: dict[Any, Any] = {
    "figure.dpi": 150,
    "savefig.dpi": 150,
    "font.family": "DejaVu Sans",  # ships with matplotlib, so it is the same on every machine
    "font.size": 8,
    "text.parse_math": False,  # names may contain $
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e5e8",
    "grid.linewidth": 0.6,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.titlecolor", "axes.edgecolor"), _INK),
    **dict.fromkeys(("xtick.color", "ytick.color"), _INK),
}


def draw_curves(variants: Mapping[str, Sequence[Run]], path: Path) -> None:
    """Training and validation loss over epochs: one panel per variant, one line per seed, a ring at the best epoch.

    Panels of the same loss function share the range of their axis: different losses are not comparable. The axis is
    logarithmic if the highest loss is more than ten times the median.
    """
    columns = min(_PANEL_COLUMNS, len(variants))
    rows = ceil(len(variants) / columns)
    with mpl.rc_context():
        figure = _figure(3.1 * columns + 0.3, 2.2 * rows + 0.5)
        grid = figure.subplots(rows, columns, squeeze=False)
        panels = dict(zip(variants, grid.flat, strict=False))
        for spare in list(grid.flat)[len(variants) :]:
            spare.set_axis_off()
        for name, axes in panels.items():
            axes.set_title(name)
            axes.set_xlabel("epoch")
            axes.set_ylabel(f"loss ({_loss_name(variants[name])})")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
            for run in variants[name]:
                _draw_run(axes, run)
        for loss in dict.fromkeys(map(_loss_name, variants.values())):
            alike = [name for name in variants if _loss_name(variants[name]) == loss]
            _share_range([panels[name] for name in alike], [run for name in alike for run in variants[name]])
        handles, labels = next(iter(panels.values())).get_legend_handles_labels()
        legend = dict(zip(labels, handles, strict=True))
        figure.legend(legend.values(), legend.keys(), loc="outside upper right", ncols=3, frameon=False)
        _save(figure, path)


def _loss_name(runs: Sequence[Run]) -> str:
    return str(runs[0].training.recipe.get("loss", "loss")).replace("_", " ")


def _draw_run(axes: Axes, run: Run) -> None:
    training = [(row.epoch, row.train_loss) for row in run.history]
    validation = [(row.epoch, row.val_loss) for row in run.history if row.val_loss is not None]
    for points, colour, label in ((training, _TRAINING, "training"), (validation, _VALIDATION, "validation")):
        style: dict[str, Any] = {"color": colour, "linewidth": 1.2, "marker": ".", "markersize": 3.5, "alpha": 0.85}
        axes.plot([epoch for epoch, _ in points], [loss for _, loss in points], label=label, **style)
    best = [(epoch, loss) for epoch, loss in validation if epoch == run.training.best_epoch]
    ring: dict[str, Any] = {"facecolors": "none", "edgecolors": _VALIDATION, "s": 45, "zorder": 3}
    axes.scatter([epoch for epoch, _ in best], [loss for _, loss in best], label="best epoch", **ring)


def _share_range(panels: Sequence[Axes], runs: Sequence[Run]) -> None:
    rows = [row for run in runs for row in run.history]
    losses = sorted(loss for row in rows for loss in (row.train_loss, row.val_loss) if loss is not None)
    lowest, middle, highest = losses[0], losses[len(losses) // 2], losses[-1]
    for axes in panels:
        if lowest > 0 and highest > 10 * middle:
            axes.set_yscale("log")
            _label_decimals(axes.yaxis)
            axes.set_ylim(lowest / 1.2, highest * 1.2)
        else:
            axes.set_ylim(min(0.0, lowest), highest * 1.05 or 1.0)


def draw_classes(statistics: Statistics, path: Path) -> None:
    """Pixels of each id on disk over the whole split, in units of the pixels of one image, on a logarithmic axis."""
    area = statistics.height * statistics.width
    amounts = [pixels / area for pixels in statistics.id_pixels]
    scored = set(statistics.scored)
    lowest = min((amount for amount in amounts if amount), default=0.1) / 3
    places = range(len(amounts))
    with mpl.rc_context():
        figure = _figure(7.2, 0.21 * len(amounts) + 1.0)
        axes = figure.subplots()
        for label, colour, ids in (
            ("scored", _TRAINING, [i for i in places if i in scored]),
            ("not scored", _UNSCORED, [i for i in places if i not in scored]),
        ):
            if ids:
                axes.barh(ids, [max(amounts[i] - lowest, 0) for i in ids], 0.72, lowest, color=colour, label=label)
        for i, amount in enumerate(amounts):
            axes.text(max(amount, lowest) * 1.08, i, f"{amount:.3g}" if amount else "none", va="center", fontsize=7)
        axes.set_xscale("log")
        _label_decimals(axes.xaxis)
        axes.set_xlim(lowest, max(*amounts, lowest * 10) * 2.5)
        axes.set_ylim(len(amounts) - 0.4, -0.6)
        axes.set_yticks(places, [f"{name}  {i}" for i, name in enumerate(statistics.ids)])
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(
            f"pixels over the {statistics.split} split ({statistics.images:,} images) "
            f"/ ({statistics.height} × {statistics.width})"
        )
        axes.set_title(f"{statistics.dataset}: pixels per class")
        figure.legend(loc="outside upper right", ncols=2, frameon=False)
        _save(figure, path)


def _label_decimals(axis: Axis) -> None:
    """Label powers of ten as 0.1, 1, 10: matplotlib's default labels need `text.parse_math`."""
    axis.set_major_formatter(FormatStrFormatter("%g"))
    axis.set_minor_formatter(NullFormatter())


def _figure(width: float, height: float) -> Figure:
    """An empty figure in this module's style, regardless of the user's matplotlib settings."""
    mpl.rcdefaults()
    mpl.rcParams.update(_STYLE)
    return Figure((width, height), layout="constrained")


def _save(figure: Figure, path: Path) -> None:
    # matplotlib writes its version into the file by default, so the bytes would change with it.
    figure.savefig(path, format="png", metadata={"Software": None})


def main() -> None:
    """Draw the pixels per class of a training pack as a bar chart."""
    parser = argparse.ArgumentParser(prog="python -m seg.report.figures", description=main.__doc__)
    parser.add_argument("--statistics", type=Path, required=True, help="statistics.json of the pack")
    parser.add_argument("--out", type=Path, required=True, help="PNG to write")
    given = parser.parse_args()
    statistics = read_statistics(given.statistics)
    with written_whole(given.out) as (part,):
        draw_classes(statistics, part)


if __name__ == "__main__":
    run_stage(main)
