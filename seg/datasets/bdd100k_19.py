"""BDD100K, release of 2018: like `seg.datasets.bdd100k`, but labels `*_train_id.png` with 19 train ids and 255."""

from pathlib import Path

from seg.datasets import bdd100k, cityscapes
from seg.datasets.classes import ClassTable

CLASSES = ClassTable(
    ids=cityscapes.CLASSES.names, scored=tuple(range(19)), palette=cityscapes.CLASSES.palette, ignored=255
)
group = bdd100k.group


def find(root: Path, split: str) -> tuple[dict[str, Path], dict[str, Path]]:
    """Images and labels of a split by name."""
    return bdd100k.find(root, split, "_train_id.png")
