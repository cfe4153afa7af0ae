"""Sheet of sixteen images with their labels over them, those with findings first, and a legend of the classes."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from seg.datasets import IGNORE
from seg.datasets.classes import ClassTable
from seg.datasets.decoding import read_image, viewable
from seg.datasets.images import UnknownValuesError, read_pair_label
from seg.datasets.matching import ImagePair
from seg.datasets.overlay import colour_table, overlaid
from seg.doctor.alignment import border_pixels
from seg.doctor.examine import Diagnosis
from seg.results import Colour
from seg.system.files import written_whole

_COLUMNS, _PANELS = 4, 16
_WIDTH, _HEIGHT = 400, 300  # of a panel, pixels
_LINE, _FONT = 20, 13  # pixels
_GAP = 6
_INK, _ALARM, _PAPER = (30, 30, 30), (190, 30, 45), (255, 255, 255)
_UNKNOWN = IGNORE - 1  # stands for values of no class; there are at most 254 classes beside it
_STRIKING, _ABSENT = (255, 0, 255), (200, 200, 200)
_MOST_CLASSES = 60  # in the legend


class _Panel(NamedTuple):
    pair: ImagePair
    split: str
    fault: str  # empty if there is none


def write_sheet(path: Path, diagnosis: Diagnosis) -> None:
    """Write the picture. Without any image, it contains the legend only."""
    panels = choose_panels(diagnosis)
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), _FONT)  # comes with matplotlib
    names = _legend(diagnosis.table, font)
    rows = -(-len(panels) // _COLUMNS)
    cell = (_WIDTH + _GAP, _HEIGHT + 2 * _LINE + _GAP)
    legend = (max((row for row, *_ in names), default=-1) + 2) * _LINE
    sheet = Image.new("RGB", (_COLUMNS * cell[0] + _GAP, rows * cell[1] + legend + _GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for place, panel in enumerate(panels):
        left, top = place % _COLUMNS * cell[0] + _GAP, place // _COLUMNS * cell[1] + _GAP
        overlay = _overlay(panel.pair, diagnosis.table)
        sheet.paste(overlay, (left + (_WIDTH - overlay.width) // 2, top + 2 * _LINE))
        draw.text((left, top), _fitting(f"{panel.split}: {panel.pair.name}", font, _WIDTH), _INK, font)
        if panel.fault:
            draw.text((left, top + _LINE), _fitting(panel.fault, font, _WIDTH), _ALARM, font)
    for row, left, name, colour in names:
        top = rows * cell[1] + _GAP + row * _LINE + _LINE // 2
        draw.rectangle((left, top, left + _FONT, top + _FONT), colour, _INK)
        draw.text((left + _FONT + _GAP, top - 1), name, _INK, font)
    with written_whole(path) as (part,):
        sheet.save(part, "PNG")


def choose_panels(diagnosis: Diagnosis) -> list[_Panel]:
    """Up to sixteen pairs: a few of each finding, then others spread over the splits."""
    rows = [(split, each) for kind in (diagnosis.samples, diagnosis.rejected) for split in kind for each in kind[split]]
    every = [(split, each.pair) for split, each in rows]
    by_file = {str(path): place for place, (_, pair) in enumerate(every) for path in (pair.label, pair.image)}
    cut = [[line.partition(": ") for line in finding.lines] for finding in diagnosis.findings]
    known = [[(by_file[file], fault) for file, _, fault in lines if file in by_file] for lines in cut]
    chosen: dict[int, str] = {}
    for place, fault in _alternating(known):
        if len(chosen) < _PANELS:
            chosen.setdefault(place, fault)
    others = [place for place in range(len(every)) if place not in chosen]
    left = min(_PANELS - len(chosen), len(others))
    for k in range(left):
        chosen[others[k * len(others) // left]] = ""
    return [_Panel(every[place][1], every[place][0], fault) for place, fault in chosen.items()]


def _alternating(lists: list[list[tuple[int, str]]]) -> Iterator[tuple[int, str]]:
    """The first of each list, then the second of each."""
    for rank in range(_PANELS):
        yield from (rows[rank] for rows in lists if rank < len(rows))


def _overlay(pair: ImagePair, table: ClassTable) -> Image.Image:
    """The image with classes in their colours, and black where a class borders on another."""
    try:
        image = viewable(read_image(pair.image, pair.form))
    except ValueError:
        return Image.new("RGB", (_WIDTH, _HEIGHT), _ABSENT)
    scale = min(_WIDTH / image.shape[1], _HEIGHT / image.shape[0])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    classes = np.asarray(Image.fromarray(_shown_classes(pair, table)).resize(size, Image.Resampling.NEAREST))
    colours = colour_table(table.palette)
    colours[_UNKNOWN] = _STRIKING
    mixed = overlaid(small, classes, colours)
    mixed[border_pixels(classes)] = 0
    return Image.fromarray(mixed)


def _shown_classes(pair: ImagePair, table: ClassTable) -> np.ndarray:
    """Train ids (H, W) uint8, `_UNKNOWN` for values of no class; not scored where the label cannot be read."""
    try:
        label = read_pair_label(pair, table)
    except UnknownValuesError as error:
        return np.where(error.unknown, np.uint8(_UNKNOWN), np.uint8(IGNORE))
    except ValueError:
        return np.full((1, 1), IGNORE, np.uint8)
    return table.train_ids()[label]


def _legend(table: ClassTable, font: ImageFont.FreeTypeFont) -> list[tuple[int, int, str, Colour]]:
    """Row, left edge, text and colour of each class."""
    names = list(zip(table.names, table.palette, strict=True))[:_MOST_CLASSES]
    texts: Iterable[tuple[str, Colour]] = [
        *names,
        ("values of no class", _STRIKING),
        ("without colour: not scored", _PAPER),
    ]
    places, row, left = [], 0, _GAP
    for name, colour in texts:
        text = _fitting(name, font, _WIDTH)
        width = round(font.getlength(text)) + _FONT + 4 * _GAP
        if left + width > _COLUMNS * (_WIDTH + _GAP):
            row, left = row + 1, _GAP
        places.append((row, left, text, colour))
        left += width
    return places


def _fitting(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """The text, shortened in its middle if it is wider."""
    kept = len(text)
    short = text
    while font.getlength(short) > width:
        kept -= 1
        short = f"{text[: kept // 2]}…{text[len(text) - kept + kept // 2 :]}"
    return short
