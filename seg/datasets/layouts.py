"""Layouts of datasets on disk: pairs of images and labels, and the meaning of label ids.

A layout is a module of `seg.datasets` with
- the class table `CLASSES`, or `read_classes(root: Path) -> ClassTable` if the table is part of the dataset, and
- `find(root: Path, split: str) -> tuple[dict[str, Path], dict[str, Path]]`, images and labels by name; files named
  by a list may be missing;
- if the names tell which images were recorded together, `group(name: str) -> str` (a video, a city), and
  `ORDERED = True` if the names of a group sort in the order of recording.

Only the module of the requested layout is imported, so a change of one layout does not affect the results of others.
"""

import hashlib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from seg.datasets.classes import ClassTable

SPLITS = ("train", "val", "test")
# Directories of each layout, as patterns relative to the dataset's directory.
FOLDERS: Mapping[str, tuple[str, ...]] = {
    "camvid": ("{split}", "{split}annot"),
    "cityscapes": ("leftImg8bit/{split}", "gtFine/{split}"),
    "bdd100k": ("bdd100k/seg/images", "bdd100k/seg/labels"),
    "bdd100k_19": ("bdd100k/seg/images", "bdd100k/seg/labels"),
    "voc": ("VOCdevkit/VOC*/JPEGImages", "VOCdevkit/VOC*/SegmentationClass", "VOCdevkit/VOC*/ImageSets/Segmentation"),
    "folder": ("images", "labels"),
}


class ImagePair(NamedTuple):
    """An image file and its label file, with their common name and the group of images that were recorded together.

    The group is empty if the layout does not tell it.
    """

    name: str
    image: Path
    label: Path
    group: str


def class_table(layout: str, root: Path | None = None) -> ClassTable:
    """Class table of a layout, or of the dataset in `root` if each dataset of the layout has its own.

    Raises:
        ValueError: the layout is unknown, or the dataset's table is missing or invalid.
    """
    module = _module(layout)
    if hasattr(module, "CLASSES"):
        return module.CLASSES
    if root is None:
        raise ValueError(f"layout '{layout}' reads its classes from the dataset; give the dataset's directory")
    return module.read_classes(root)


def order_is_known(layout: str) -> bool:
    """Whether the images of a group, sorted by name, are in the order of recording."""
    return getattr(_module(layout), "ORDERED", False)


def find_pairs(layout: str, root: Path, split: str) -> list[ImagePair]:
    """Pairs of images and labels of a split, sorted by name.

    Raises:
        ValueError: the split is empty; or an image has no label, a label has no image, or a listed file is missing: one
            line per error.
    """
    pairs, problems = match_pairs(layout, root, split)
    if problems:
        raise ValueError("\n".join(problems))
    if not pairs:
        raise ValueError(f"{root}: no image in split '{split}'; add images in the layout '{layout}'")
    return pairs


def match_pairs(layout: str, root: Path, split: str) -> tuple[list[ImagePair], list[str]]:
    """Pairs of a split whose files both exist, sorted by name, and one error message per other file.

    Raises:
        ValueError: the dataset's lists contradict each other.
    """
    module = _module(layout)
    images, labels = module.find(root, split)
    group = getattr(module, "group", lambda _: "")
    alone = [f"{images[name]}: image without a label" for name in sorted(images.keys() - labels)]
    alone += [f"{labels[name]}: label without an image" for name in sorted(labels.keys() - images)]
    problems = [f"{what}; add one or remove it" for what in alone]
    foreign = [name for name in sorted(images) if name.encode("utf-8", "replace").decode() != name]
    problems += [f"{images[name]}: its name is not UTF-8, which results are written in; rename it" for name in foreign]
    pairs = [ImagePair(name, images[name], labels[name], group(name)) for name in sorted(images.keys() & labels.keys())]
    absent = {path for pair in pairs for path in (pair.image, pair.label) if not path.is_file()}
    problems += [
        f"{path}: missing from split '{split}'; add the file or remove its name from the split's list"
        for path in sorted(absent)
    ]
    return [pair for pair in pairs if absent.isdisjoint((pair.image, pair.label))], problems


def unit_hash(name: str) -> float:
    """Uniformly distributed hash of a name in [0, 1)."""
    digest = hashlib.sha256(f"0/{name}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:6]) / 2**48


def draw_split(group: str) -> str:
    """Split of a group of images, 70:15:15; depends only on the group's name."""
    drawn = unit_hash(group)
    return "train" if drawn < 0.7 else "val" if drawn < 0.85 else "test"


def _module(layout: str) -> Any:
    if layout not in FOLDERS:
        raise ValueError(f"layout '{layout}' is unknown; known are {', '.join(FOLDERS)}")
    return import_module(f"seg.datasets.{layout}")
