"""Palettes of labels, against the classes and against each other."""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from seg.datasets import IGNORE
from seg.datasets.classes import ClassTable
from seg.doctor.findings import Finding, findings
from seg.results import Colour

Palette = Mapping[int, Colour]  # of the values that a label has
_LISTED = 5  # values in a line


def label_palette(path: Path) -> Palette:
    """Colours of the values that a palette image has; empty for another image."""
    with suppress(UnidentifiedImageError), Image.open(path) as file:
        if file.mode == "P" and (channels := file.getpalette()):
            return {
                value: (channels[3 * value], channels[3 * value + 1], channels[3 * value + 2])
                for value in np.unique(np.asarray(file)).tolist()
                if 3 * value + 2 < len(channels)
            }
    return {}


def usual_colours(palettes: Iterable[Palette]) -> dict[int, Colour]:
    """The colour that most palettes give to each value."""
    counts: dict[int, Counter[Colour]] = {}
    for palette in palettes:
        for value, colour in palette.items():
            counts.setdefault(value, Counter())[colour] += 1
    return {value: colours.most_common(1)[0][0] for value, colours in counts.items()}


def check_palettes(table: ClassTable, palettes: Mapping[Path, Palette]) -> list[Finding]:
    """Labels whose palette shows their values as other classes, or in other colours than most labels.

    Args:
        table: classes of the values.
        palettes: by label file.
    """
    others = {label: _as_others(table, palette) for label, palette in palettes.items()}
    usual = usual_colours(palettes.values())
    differing = {
        label: [
            f"{value} in {_text(colour)}, most in {_text(usual[value])}"
            for value, colour in palette.items()
            if colour != usual[value] and not others[label]
        ]
        for label, palette in palettes.items()
    }
    return [
        *findings(
            "palette_contradicts",
            "error",
            "labels whose palette shows classes in the colours of others",
            (f"{label}: shows {', '.join(rows[:_LISTED])}" for label, rows in others.items() if rows),
            "correct the order of the classes or their ids, or their colours",
        ),
        *findings(
            "palettes_differ",
            "error",
            "labels whose palette shows values in other colours than most labels",
            (f"{label}: shows {'; '.join(rows[:_LISTED])}" for label, rows in differing.items() if rows),
            "set encoding: colours and give the colours of the classes, or store all labels with one palette",
        ),
    ]


def _as_others(table: ClassTable, palette: Palette) -> list[str]:
    shown = {value: table.colours.get(colour, IGNORE) for value, colour in palette.items()}
    return [
        f"{value} ({table.ids[table.values[value]]}) as {table.ids[i]}"
        for value, i in shown.items()
        if IGNORE not in (i, table.values.get(value, IGNORE)) and i != table.values[value]
    ]


def _text(colour: Colour) -> str:
    return " ".join(map(str, colour))
