"""Class tables: names, scored classes and colours of a dataset, and the classes of the values in its label files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from seg.config.description import Description
from seg.datasets import IGNORE
from seg.datasets.own_files import with_own_classes
from seg.results import Colour


@dataclass(frozen=True)
class ClassTable:
    """Classes of a dataset, by their position in `ids`.

    Attributes:
        ids: names, also of classes that are not scored.
        scored: positions of the scored classes, in the order of the train ids 0..C-1.
        palette: RGB colour (0 to 255) of each scored class.
        values: position by label value; `IGNORE` for values that belong to no class and are not scored.
        colours: position by colour in labels that are RGB images; `IGNORE` as in `values`.
        nearest: whether other colours count as the nearest one.
        background: position of pixels that no polygon covers; `IGNORE` if they are not scored.
    """

    ids: tuple[str, ...]
    scored: tuple[int, ...]
    palette: tuple[Colour, ...]
    values: Mapping[int, int]
    colours: Mapping[Colour, int] = field(default_factory=dict)
    nearest: bool = False
    background: int = IGNORE

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the scored classes, by train id."""
        return tuple(self.ids[i] for i in self.scored)

    @property
    def ignored(self) -> tuple[int, ...]:
        """Label values that belong to no class and are not scored, such as VOC's border."""
        return tuple(sorted(value for value, position in self.values.items() if position == IGNORE))

    def train_ids(self) -> np.ndarray:
        """Look-up table (256,) uint8 from position to train id, `IGNORE` for classes that are not scored."""
        table = np.full(256, IGNORE, np.uint8)
        table[list(self.scored)] = np.arange(len(self.scored), dtype=np.uint8)
        return table

    def label_values(self) -> tuple[int, ...]:
        """Label value of each scored class, by train id; the lowest if a class has several, its position if none."""
        lowest = {position: value for value, position in sorted(self.values.items(), reverse=True)}
        return tuple(lowest.get(position, position) for position in self.scored)

    def scored_values(self) -> dict[int, int]:
        """Positions by label value in files that contain train ids."""
        return dict(enumerate(self.scored)) | {IGNORE: IGNORE}


def class_table(description: Description, root: Path | None = None) -> ClassTable:
    """Class table of a dataset, with the classes of `classes.yaml` in `root` if the description has none.

    Raises:
        ValueError: there are no classes, or `classes.yaml` is invalid: one line per error.
    """
    if root is not None:
        description = with_own_classes(description, root)
    if not description.class_names():
        raise ValueError(
            f"layout '{description.layout}' reads its classes from the dataset; give the dataset's directory"
        )
    names = tuple(description.class_names())
    by_name = {name: position for position, name in enumerate(names)}
    named = {by_name[key] for key in description.ignore if isinstance(key, str)}
    ids = {value: by_name[name] for value, name in (description.ids or dict(enumerate(names))).items()}
    offset = description.offset
    values = {value - offset: position for value, position in ids.items() if value < 0 or value >= offset}
    values = dict.fromkeys(range(-offset), IGNORE) | values
    given = {row.colour: row.name for row in description.classes or [] if row.colour}
    meant = given if description.colours is None else description.colours
    colours = {colour: by_name[name] for colour, name in meant.items()}
    for key in description.ignore:
        if isinstance(key, int):
            if values.get(key, IGNORE) != IGNORE and list(values.values()).count(values[key]) == 1:
                named.add(values[key])
            else:
                values[key] = IGNORE
        elif isinstance(key, tuple):
            colours[key] = IGNORE
    scored = tuple(i for i in range(len(names)) if i not in named)
    drawn = {name: colour for colour, name in [*reversed((description.colours or {}).items()), *given.items()]}
    palette = _palette([drawn.get(name) for name in names])
    background = IGNORE if description.background is None else by_name[description.background]
    colours_of_scored = tuple(palette[i] for i in scored)
    return ClassTable(names, scored, colours_of_scored, values, colours, description.nearest, background)


def bit_colour(i: int) -> Colour:
    """Unique RGB colour of class `i` < 256, as in VOC's development kit.

    The bits of `i` are assigned to red, green and blue in turn, starting at the highest bit of each channel.
    """
    red, green, blue = (sum((i >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(3)) for channel in range(3))
    return red, green, blue


def _palette(given: list[Colour | None]) -> list[Colour]:
    """Colours as given; classes without one get one."""
    free = (colour for colour in map(bit_colour, range(256)) if colour not in given)
    return [colour or next(free) for colour in given]
