"""Loss curves of a study and pixels per class of a dataset, as PNG files with the same bytes for the same input.

python -m seg.report.figures --statistics statistics.json --out classes.png
"""

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, MaxNLocator, NullFormatter

from seg.report.runs import Run, read_statistics
from seg.results import Statistics
from seg.system.arguments import StageParser
from seg.system.console import run_stage
from seg.system.files import written_whole

_TRAINING = "#2f6db3"
_VALIDATION = "#c2553b"
_UNSCORED = "#a9adb3"
_INK = "#2b2f36"
_PANEL_COLUMNS = 3
_STYLE: list[Any] = [
    "default",  # regardless of the user's settings
    {
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
        **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _INK),
    },
]


def draw_curves(variants: Mapping[str, Sequence[Run]], path: Path) -> None:
    """Training and validation loss over epochs: a panel per variant, a line per training, a ring at the scored epoch.

    Panels of the same loss function share the range of their axis: different losses are not comparable. The axis is
    logarithmic if the highest loss is more than ten times the median.
    """
    columns = min(_PANEL_COLUMNS, len(variants))
    rows = ceil(len(variants) / columns)
    histories = {name: [pd.DataFrame(run.history, dtype=float) for run in runs] for name, runs in variants.items()}
    losses = {name: str(runs[0].training.recipe.get("loss", "loss")) for name, runs in variants.items()}
    with style.context(_STYLE):
        figure = Figure((3.1 * columns + 0.3, 2.2 * rows + 0.5), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False).flat
        for spare in grid[len(variants) :]:
            spare.set_axis_off()
        panels = dict(zip(variants, grid, strict=False))
        for name, axes in panels.items():
            axes.set(title=name, xlabel="epoch", ylabel=f"loss ({losses[name].replace('_', ' ')})")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
            for run, history in zip(variants[name], histories[name], strict=True):
                _draw_run(axes, history, run.training.scored_epoch)
        for loss in dict.fromkeys(losses.values()):
            alike = [name for name in variants if losses[name] == loss]
            values = pd.concat([history for name in alike for history in histories[name]])[["train_loss", "val_loss"]]
            _share_range([panels[name] for name in alike], values.to_numpy())
        handles, labels = grid[0].get_legend_handles_labels()
        legend = dict(zip(labels, handles, strict=True))
        figure.legend(legend.values(), legend.keys(), loc="outside upper right", ncols=3, frameon=False)
        _save(figure, path)


def _draw_run(axes: Axes, history: pd.DataFrame, scored_epoch: int) -> None:
    validated = history.dropna(subset="val_loss")
    line: dict[str, Any] = {"linewidth": 1.2, "marker": ".", "markersize": 3.5, "alpha": 0.85}
    axes.plot(history["epoch"], history["train_loss"], label="training", color=_TRAINING, **line)
    axes.plot(validated["epoch"], validated["val_loss"], label="validation", color=_VALIDATION, **line)
    scored = validated[validated["epoch"] == scored_epoch]
    ring: dict[str, Any] = {"facecolors": "none", "edgecolors": _VALIDATION, "s": 45, "zorder": 3}
    axes.scatter(scored["epoch"], scored["val_loss"], label="scored epoch", **ring)


def _share_range(panels: Sequence[Axes], losses: np.ndarray) -> None:
    lowest, middle, highest = np.nanquantile(losses, (0, 0.5, 1))
    for axes in panels:
        if lowest > 0 and highest > 10 * middle:
            axes.set_yscale("log")
            _label_decimals(axes.yaxis)
            axes.set_ylim(lowest / 1.2, highest * 1.2)
        else:
            axes.set_ylim(min(0.0, lowest), highest * 1.05 or 1.0)


def draw_classes(statistics: Statistics, path: Path) -> None:
    """Pixels of each id on disk over the whole split, in units of the pixels of one image, on a logarithmic axis."""
    amounts = np.array(statistics.id_pixels) / (statistics.height * statistics.width)
    places = np.arange(len(amounts))
    scored = np.isin(places, statistics.scored)
    lowest = amounts[amounts > 0].min(initial=amounts.max() or 0.1) / 3
    with style.context(_STYLE):
        figure = Figure((7.2, 0.21 * len(amounts) + 1.0), layout="constrained")
        axes = figure.subplots()
        for label, colour, ids in (("scored", _TRAINING, places[scored]), ("not scored", _UNSCORED, places[~scored])):
            if ids.size:
                axes.barh(ids, np.maximum(amounts[ids] - lowest, 0), 0.72, lowest, color=colour, label=label)
        for i, amount in enumerate(amounts):
            axes.text(max(amount, lowest) * 1.08, i, f"{amount:.3g}" if amount else "none", va="center", fontsize=7)
        axes.set_xscale("log")
        _label_decimals(axes.xaxis)
        axes.set_xlim(lowest, max(amounts.max(), lowest * 10) * 2.5)
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


def _save(figure: Figure, path: Path) -> None:
    # By default, matplotlib writes its version into the file, and a new version would change the bytes.
    figure.savefig(path, format="png", metadata={"Software": None})


def main() -> None:
    """Draw the pixels per class of a training pack as a bar chart."""
    parser = StageParser("seg.report.figures", main.__doc__)
    parser.add_argument("--statistics", type=Path, required=True, help="statistics.json of the pack")
    parser.add_output("--out", ".png", "PNG to write")
    given = parser.parse_stage()
    statistics = read_statistics(given.statistics)
    with written_whole(given.out) as (part,):
        draw_classes(statistics, part)


if __name__ == "__main__":
    run_stage(main)
