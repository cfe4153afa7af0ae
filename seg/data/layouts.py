"""What a data set's layout on disk tells: which files belong together and what the label ids mean.

A layout is a module of `seg.data` with a class table `CLASSES`, or a function `classes(root: Path) -> ClassTable` where
the table lies in the data, and a function `find(root: Path, split: str) -> tuple[dict[str, Path], dict[str, Path]]`,
images and labels by identifier; a list may name files that do not exist. Only the module that a data set names is
imported, so that a change in one layout makes nothing of another stale.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np

IGNORE = 255
# Folders of each layout, as patterns below the data set's own.
LAYOUTS: Mapping[str, tuple[str, ...]] = {
    "camvid": ("{split}", "{split}annot"),
    "cityscapes": ("leftImg8bit/{split}", "gtFine/{split}"),
    "bdd100k": ("bdd100k/seg/images", "bdd100k/seg/labels"),
    "bdd100k_19": ("bdd100k/seg/images", "bdd100k/seg/labels"),
    "voc": ("VOCdevkit/VOC*/JPEGImages", "VOCdevkit/VOC*/SegmentationClass", "VOCdevkit/VOC*/ImageSets/Segmentation"),
    "folder": ("images", "labels"),
}


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


class Pair(NamedTuple):
    """An image file and its label file under their common identifier."""

    name: str
    image: Path
    label: Path


def class_table(layout: str, root: Path | None = None) -> ClassTable:
    """Class table of a layout; of the data set below `root` where it lies in the data.

    Raises:
        ValueError: the layout is unknown, or the data's table is missing or wrong.
    """
    module = _module(layout)
    if hasattr(module, "CLASSES"):
        table: ClassTable = module.CLASSES
    elif root is None:
        raise ValueError(f"layout '{layout}' has its classes in the data; name the data set's folder")
    else:
        table = module.classes(root)
    return table


def find_pairs(layout: str, root: Path, split: str) -> list[Pair]:
    """Images and labels of a split, paired by identifier and sorted by it.

    Raises:
        ValueError: the split is empty, or an image lacks its label, a label its image or a list its file; all are
            listed.
    """
    pairs, problems = match_pairs(layout, root, split)
    if problems:
        raise ValueError("\n".join(problems))
    if not pairs:
        raise ValueError(f"{root}: no image in split '{split}'; expected the layout '{layout}' with images in it")
    return pairs


def match_pairs(layout: str, root: Path, split: str) -> tuple[list[Pair], list[str]]:
    """The pairs of a split whose files both exist, sorted by identifier, and a line for every other file.

    Raises:
        ValueError: the split's lists contradict each other.
    """
    images, labels = _module(layout).find(root, split)
    lonely = [f"{path}: image without a label" for path in _without(images, labels)]
    lonely += [f"{path}: label without an image" for path in _without(labels, images)]
    problems = [f"{line}; add its twin or remove it" for line in lonely]
    pairs = [Pair(name, images[name], labels[name]) for name in sorted(images.keys() & labels.keys())]
    absent = {path for pair in pairs for path in (pair.image, pair.label) if not path.is_file()}
    problems += [
        f"{path}: missing from split '{split}'; add the file or take its name off the split's list"
        for path in sorted(absent)
    ]
    return [pair for pair in pairs if absent.isdisjoint((pair.image, pair.label))], problems


def place(name: str) -> float:
    """A place in [0, 1) that depends on the name alone, evenly spread: the fixed seed is part of what is hashed."""
    digest = hashlib.sha256(f"0/{name}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:6]) / 2**48


def draw_split(group: str) -> str:
    """The split of a group of images that may not be torn apart, 70:15:15, whatever other groups there are."""
    drawn = place(group)
    return "train" if drawn < 0.7 else "val" if drawn < 0.85 else "test"


def bit_colour(i: int) -> tuple[int, int, int]:
    """Colour of class `i` < 256, all different, by the rule of VOC's development kit.

    Its bits go to red, green and blue in turn, from the highest bit of each downwards.
    """
    red, green, blue = (sum((i >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(3)) for channel in range(3))
    return red, green, blue


def _without(files: Mapping[str, Path], others: Mapping[str, Path]) -> list[Path]:
    return [files[name] for name in sorted(files.keys() - others.keys())]


def _module(layout: str):  # type: ignore[no-untyped-def]  # a module, known by its names
    if layout not in LAYOUTS:
        raise ValueError(f"layout '{layout}' is unknown; known are {', '.join(LAYOUTS)}")
    return import_module(f"seg.data.{layout}")
