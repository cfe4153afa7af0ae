"""The class table of a dataset: names, scored classes and colours of its label ids."""

from dataclasses import dataclass

import numpy as np

from seg.datasets import IGNORE


@dataclass(frozen=True)
class ClassTable:
    """Names of the ids on disk and the classes that are scored.

    Attributes:
        ids: name of every id on disk; the id is the position.
        scored: id on disk of every scored class, in the order of the train ids 0..C-1.
        palette: RGB colour of every scored class, uint8 values.
        ignored: an id beyond `ids` that may stand on disk too and counts nowhere, such as VOC's border.
    """

    ids: tuple[str, ...]
    scored: tuple[int, ...]
    palette: tuple[tuple[int, int, int], ...]
    ignored: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the scored classes, by train id."""
        return tuple(self.ids[i] for i in self.scored)

    def train_ids(self) -> np.ndarray:
        """Look-up table (256,) uint8 from an id on disk to its train id, `IGNORE` where it is not scored."""
        table = np.full(256, IGNORE, np.uint8)
        table[list(self.scored)] = np.arange(len(self.scored), dtype=np.uint8)
        return table


def bit_colour(i: int) -> tuple[int, int, int]:
    """Colour of class `i` < 256, all different, by the rule of VOC's development kit.

    Its bits go to red, green and blue in turn, from the highest bit of each downwards.
    """
    red, green, blue = (sum((i >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(3)) for channel in range(3))
    return red, green, blue
