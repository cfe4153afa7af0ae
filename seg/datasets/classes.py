"""Class tables: names, scored classes and colours of the label ids of a dataset."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from seg.datasets import IGNORE


@dataclass(frozen=True)
class ClassTable:
    """Names of the ids in label files, and the classes that are scored.

    Attributes:
        ids: names by id.
        scored: ids of the scored classes, in the order of the train ids 0..C-1.
        palette: RGB colour (0 to 255) of each scored class.
        ignored: id beyond `ids` that label files may contain and that is not scored, such as VOC's border.
    """

    ids: tuple[str, ...]
    scored: tuple[int, ...]
    palette: tuple[tuple[int, int, int], ...]
    ignored: int | None = None

    @classmethod
    def from_rows(cls, rows: Sequence[tuple[str, tuple[int, int, int] | None]]) -> Self:
        """Table from one row (name, colour) per id; ids with a colour are scored."""
        return cls(
            ids=tuple(name for name, _ in rows),
            scored=tuple(i for i, (_, colour) in enumerate(rows) if colour),
            palette=tuple(colour for _, colour in rows if colour),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the scored classes, by train id."""
        return tuple(self.ids[i] for i in self.scored)

    def train_ids(self) -> np.ndarray:
        """Look-up table (256,) uint8 from id to train id, `IGNORE` for ids that are not scored."""
        table = np.full(256, IGNORE, np.uint8)
        table[list(self.scored)] = np.arange(len(self.scored), dtype=np.uint8)
        return table


def bit_colour(i: int) -> tuple[int, int, int]:
    """Unique RGB colour of class `i` < 256, as in VOC's development kit.

    The bits of `i` are assigned to red, green and blue in turn, starting at the highest bit of each channel.
    """
    red, green, blue = (sum((i >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(3)) for channel in range(3))
    return red, green, blue
