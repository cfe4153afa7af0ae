"""Units of the jackknife: groups of images, blocks of consecutive images of a group, or images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Intervals over three groups have nearly the right coverage, those over their images far too little (simulated in
# docs/explanation/intervals.md). With three to five groups they are so wide that blocks are preferred where possible.
MIN_GROUPS = 6
MIN_UNORDERED_GROUPS = 3
MIN_BLOCKS = 10


@dataclass(frozen=True)
class Units:
    """Partition of the images of a split.

    Attributes:
        kind: `group`, `block` or `image`.
        length: images of a block, except in groups that have fewer; 1 for the other kinds.
        index: (N,) int, the unit of each image, counted from 0.
    """

    kind: str
    length: int
    index: np.ndarray

    @property
    def count(self) -> int:
        """Number of units."""
        return int(self.index.max()) + 1

    def sum(self, counts: np.ndarray) -> np.ndarray:
        """Sums over the images of each unit (U, ...), of counts (N, ...)."""
        total = np.zeros((self.count, *counts.shape[1:]), counts.dtype)
        np.add.at(total, self.index, counts)
        return total


def choose_units(groups: Sequence[str], ordered: bool, block: int) -> Units:
    """Units whose dependence on each other is as small as their number permits.

    Whole groups if there are at least `MIN_GROUPS`, or `MIN_UNORDERED_GROUPS` whose order is unknown; else blocks of
    consecutive images of a group if their order is known; else images. Blocks have `block` images or somewhat more, as
    the images of a group are divided evenly. In a split with too few images they are shorter, so that there are
    `MIN_BLOCKS` of them. An image without a group is a group of its own, as in the division into folds.

    Args:
        groups: group of each image (N,); empty if unknown. If all are unknown, images are the units.
        ordered: the images of a group are in the order of recording.
        block: images of a block.
    """
    own = [f"group {group}" if group else f"image {i}" for i, group in enumerate(groups)]
    names, index, sizes = np.unique(own, return_inverse=True, return_counts=True)
    images = Units("image", 1, np.arange(len(groups)))
    if not any(groups):
        return images
    if len(names) >= (MIN_GROUPS if ordered else MIN_UNORDERED_GROUPS):
        return Units("group", 1, index)
    fitting = [length for length in range(block, 1, -1) if _blocks(sizes, length).sum() >= MIN_BLOCKS]
    if not ordered or not fitting:
        return images
    numbers = _blocks(sizes, fitting[0])
    unit = np.empty(len(groups), np.int64)
    for group, (size, number) in enumerate(zip(sizes, numbers, strict=True)):
        unit[index == group] = numbers[:group].sum() + np.arange(size) * number // size
    return Units("block", fitting[0], unit)


def _blocks(sizes: np.ndarray, length: int) -> np.ndarray:
    """Number of blocks of each group."""
    return np.maximum(sizes // length, 1)
