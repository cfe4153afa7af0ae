"""What a data set's layout on disk tells: which files belong together and what the label ids mean.

A layout is a module of `seg.data` with a class table `CLASSES` and a function
`find(root: Path, split: str) -> tuple[dict[str, Path], dict[str, Path]]`, images and labels by identifier. Only the
module that a data set names is imported, so that a change in one layout makes nothing of another stale.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np

IGNORE = 255
LAYOUTS = ("camvid", "cityscapes")


@dataclass(frozen=True)
class ClassTable:
    """Names of the ids on disk and the classes that are scored.

    Attributes:
        ids: name of every id on disk; the id is the position.
        scored: id on disk of every scored class, in the order of the train ids 0..C-1.
        palette: RGB colour of every scored class, uint8 values.
    """

    ids: tuple[str, ...]
    scored: tuple[int, ...]
    palette: tuple[tuple[int, int, int], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the scored classes, by train id."""
        return tuple(self.ids[i] for i in self.scored)

    def train_ids(self) -> np.ndarray:
        """Look-up table (256,) uint8 from an id on disk to its train id, `IGNORE` where it is not scored."""
        table = np.full(256, IGNORE, np.uint8)
        table[list(self.scored)] = np.arange(len(self.scored), dtype=np.uint8)
        return table


class Pair(NamedTuple):
    """An image file and its label file under their common identifier."""

    name: str
    image: Path
    label: Path


def class_table(layout: str) -> ClassTable:
    """Class table of a layout. Raises ValueError for an unknown one."""
    table: ClassTable = _module(layout).CLASSES
    return table


def find_pairs(layout: str, root: Path, split: str) -> list[Pair]:
    """Images and labels of a split, paired by identifier and sorted by it.

    Raises:
        ValueError: the split is empty, or an image lacks its label or a label its image; all are listed.
    """
    images, labels = _module(layout).find(root, split)
    if not images and not labels:
        raise ValueError(f"{root}: no image in split '{split}'; expected the layout '{layout}' with images in it")
    lonely = [f"{path}: image without a label" for path in _without(images, labels)]
    lonely += [f"{path}: label without an image" for path in _without(labels, images)]
    if lonely:
        raise ValueError("\n".join(f"{line}; add its twin or remove it" for line in lonely))
    return [Pair(name, images[name], labels[name]) for name in sorted(images)]


def _without(files: Mapping[str, Path], others: Mapping[str, Path]) -> list[Path]:
    return [files[name] for name in sorted(files.keys() - others.keys())]


def _module(layout: str):  # type: ignore[no-untyped-def]  # a module, known by its two names
    if layout not in LAYOUTS:
        raise ValueError(f"layout '{layout}' is unknown; known are {', '.join(LAYOUTS)}")
    return import_module(f"seg.data.{layout}")
