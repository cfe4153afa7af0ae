"""What all figures share: style, sizes in inches, text of any kind, and files with the same bytes for the same input.

Figures have no layout engine: axes are placed in inches beside labels of measured width, which takes a tenth of the
time and gives cells and panels of the same size in every figure. Text stays text in an SVG file. A PNG file shows boxes
for characters that DejaVu Sans lacks, such as Chinese ones.
"""

import io
import re
import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

INK, MUTED, GRID = "#2b2f36", "#6b7280", "#e3e5e8"
COLUMN, WIDTH = 3.5, 7.2  # inches: one and two columns of a paper
LINE = 0.15  # inches: height of a row of text
_FONT = "DejaVu Sans"  # ships with matplotlib, so text has the same width on every machine
_FAMILY = f"'{_FONT}', sans-serif"  # as matplotlib writes it
_LONGEST = 40  # characters of a name in a figure
_STYLE: list[Any] = [
    "default",  # regardless of the user's settings
    {
        "figure.dpi": 72,
        "savefig.dpi": 200,
        "svg.fonttype": "none",
        "svg.hashsalt": "seg",  # ids in the file are random without one
        "font.family": "sans-serif",
        "font.sans-serif": [_FONT],
        "font.size": 7,
        "text.parse_math": False,  # names may contain $
        "axes.titlesize": 7.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlepad": 4,
        "axes.labelpad": 3,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": GRID,
        "grid.linewidth": 0.5,
        "lines.linewidth": 1.1,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "xtick.minor.visible": False,
        "legend.frameon": False,
        "legend.handlelength": 1.4,
        "legend.columnspacing": 1.4,
        **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    },
]
SHADES: Colormap = LinearSegmentedColormap.from_list("shades", ["#f7fbff", "#9ecae1", "#2b7bba", "#08306b"])


@contextmanager
def new_figure(width: float, height: float) -> Iterator[Figure]:
    """An empty figure of a size in inches, in the style of all figures."""
    with style.context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        yield Figure((width, height))


def add_axes(figure: Figure, left: float, top: float, width: float, height: float, **options: Any) -> Axes:
    """Axes whose upper left corner is `left` and `top` inches from that of the figure."""
    full_width, full_height = figure.get_size_inches()
    box = (left / full_width, 1 - (top + height) / full_height, width / full_width, height / full_height)
    axes: Axes = figure.add_axes(box, **options)
    axes.patch.set_visible(False)
    return axes


def note_line(figure: Figure, note: str) -> None:
    """A muted line at the upper edge; nothing if it is empty."""
    if note:
        width, height = figure.get_size_inches()
        figure.text(0.06 / width, 1 - 0.04 / height, note, va="top", fontsize=6.5, color=MUTED)


def one_line(name: str, longest: int = _LONGEST) -> str:
    """A name on one line: no control characters, and the middle left out if it is too long."""
    text = " ".join("".join(" " if unicodedata.category(each) == "Cc" else each for each in name).split())
    if len(text) <= longest:
        return text
    kept = longest - 1
    return f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"


def text_width(texts: Iterable[str], size: float = 7, weight: str = "normal") -> float:
    """Width in inches of the widest of several texts in points."""
    font = FontProperties(family=_FONT, size=size, weight=weight)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        widths = [text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] for text in texts]
    return float(max(widths, default=0.0)) / 72


def label_logarithms(axis: Axis, ticks: int = 7) -> None:
    """Label a logarithmic axis with 0.1, 1, 10 k, 2 M: matplotlib's labels need `text.parse_math`."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 60 * low else (1,), numticks=ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
    axis.set_minor_locator(NullLocator())


def short_number(value: float) -> str:
    """A number with at most three digits and k, M, G or T."""
    for factor, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= 0.9995 * factor:
            return f"{value / factor:.3g}{unit}"
    return f"{value:.3g}".replace("e-0", "e-")


def paint(axes: Axes, values: np.ndarray, colours: Colormap = SHADES, high: float = 1.0) -> None:
    """Cells (H, W) with values from 0 to `high`, as a picture; white for NaN."""
    pixels = colours(np.nan_to_num(values) / high)
    pixels[np.isnan(values)] = 1
    height, width = values.shape
    factor = int(np.clip(400 / max(height, width), 1, 8))  # so that renderers that smooth pictures leave cells sharp
    cells = np.kron((255 * pixels[..., :3]).round().astype(np.uint8), np.ones((factor, factor, 1), np.uint8))
    axes.imshow(cells, extent=(-0.5, width - 0.5, height - 0.5, -0.5), aspect="auto", interpolation="none")
    axes.grid(visible=False)
    axes.tick_params(length=0)


def cell_text(axes: Axes, row: int, column: int, text: str, size: float, share: float) -> None:
    """Text in a cell of `paint`, white if its `share` of the highest value makes the cell dark."""
    colour = "white" if share > 0.55 else INK
    axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)


def name_cells(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Names of rows at the left and of columns at the top."""
    axes.set_xticks(range(len(columns)), columns, rotation=90)
    axes.set_yticks(range(len(rows)), rows)
    axes.xaxis.tick_top()


def save(figure: Figure, *paths: Path) -> None:
    """Write SVG and PNG files, by their suffix, without dates and versions, which would change the bytes."""
    for path in paths:
        if path.suffix == ".png":
            figure.savefig(path, format="png", metadata={"Software": None})
            continue
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
        path.write_text(compact(text.getvalue()), encoding="utf-8")


def compact(svg: str) -> str:
    """An SVG file of matplotlib at two thirds of its size: hundredths of a point, no ids of groups, the font once."""
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\.\d\d)\d+", r"\1", tag[0]), svg)  # not in texts
    svg = re.sub(r' transform="rotate\(-0 [^"]*\)"', "", svg)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg).replace(f"font-family: {_FAMILY}; ", "")
    svg = svg.replace("<svg ", f'<svg font-family="{_FAMILY}" ', 1)
    return re.sub(r">\n\s*<", ">\n<", svg)  # all text is in <text>, which contains no tags
