"""What a data set's layout on disk tells: which files belong together and what the label ids mean.

A layout is a module of `seg.datasets` with a class table `CLASSES`, or a function `classes(root: Path) -> ClassTable`
where the table is part of the data, and a function
`find(root: Path, split: str) -> tuple[dict[str, Path], dict[str, Path]]`, images and labels by identifier; a list may
name files that do not exist. Only the module that a dataset names is imported, so that a change in one layout makes
nothing of another stale.
"""

import hashlib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from seg.datasets.classes import ClassTable

# Folders of each layout, as patterns below the data set's own.
FOLDERS: Mapping[str, tuple[str, ...]] = {
    "camvid": ("{split}", "{split}annot"),
    "cityscapes": ("leftImg8bit/{split}", "gtFine/{split}"),
    "bdd100k": ("bdd100k/seg/images", "bdd100k/seg/labels"),
    "bdd100k_19": ("bdd100k/seg/images", "bdd100k/seg/labels"),
    "voc": ("VOCdevkit/VOC*/JPEGImages", "VOCdevkit/VOC*/SegmentationClass", "VOCdevkit/VOC*/ImageSets/Segmentation"),
    "folder": ("images", "labels"),
}


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


def _without(files: Mapping[str, Path], others: Mapping[str, Path]) -> list[Path]:
    return [files[name] for name in sorted(files.keys() - others.keys())]


def _module(layout: str):  # type: ignore[no-untyped-def]  # a module, known by its names
    if layout not in FOLDERS:
        raise ValueError(f"layout '{layout}' is unknown; known are {', '.join(FOLDERS)}")
    return import_module(f"seg.datasets.{layout}")
