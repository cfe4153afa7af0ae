"""Images that two splits share, also if they were encoded or resized again: scores would include trained images.

Difference hashes (dHash: signs of the differences between neighbours of an 8x9 image; Krawetz, "Kind of like that",
2013) of near-duplicates differ in few of 64 bits. If at most 7 bits differ, at least one of 8 bytes is equal, so only
images with an equal byte in the same place are compared.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

_BITS = 7
_CONTRAST = 5.0  # grey levels, standard deviation; images below it have no content that could be compared
_COPY = 2.0  # grey levels: mean difference of copies at 32x32, which JPEG and resizing cause
_SIMILAR = 8.0
_CHUNK = 2**22  # comparisons at once


class NearDuplicate(NamedTuple):
    """Two images by position, and whether they are copies of each other or just similar."""

    first: int
    second: int
    copy: bool


def near_duplicates(thumbnails: np.ndarray, splits: np.ndarray) -> list[NearDuplicate]:
    """For each image, the most similar one of an earlier split, if they are near-duplicates.

    Args:
        thumbnails: grey images (N, 32, 32) uint8.
        splits: number of each image's split (N,).
    """
    usable = np.array([k for k, each in enumerate(thumbnails) if each.std() > _CONTRAST], int)
    if not len(usable):
        return []
    hashes = difference_hashes(thumbnails[usable])
    flat = thumbnails[usable].reshape(len(usable), -1).astype(np.int16)
    best: dict[int, tuple[float, int]] = {}
    for one, other in _candidates(hashes, splits[usable]):
        differences = np.abs(flat[one] - flat[other]).mean(1)
        for i, j, difference in zip(one.tolist(), other.tolist(), differences.tolist(), strict=True):
            if difference < _SIMILAR:
                best[j] = min(best.get(j, (difference, i)), (difference, i))
    return [
        NearDuplicate(int(usable[i]), int(usable[j]), difference < _COPY) for j, (difference, i) in sorted(best.items())
    ]


def difference_hashes(thumbnails: np.ndarray) -> np.ndarray:
    """Hashes (N, 8) uint8 of grey images (N, H, W) uint8."""
    small = [cv2.resize(each, (9, 8), interpolation=cv2.INTER_AREA) for each in thumbnails]
    stacked = np.array(small, np.uint8).reshape(-1, 8, 9)
    return np.packbits(stacked[:, :, 1:] > stacked[:, :, :-1], axis=2)[:, :, 0].copy()


def _candidates(hashes: np.ndarray, splits: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Positions of images of an earlier and of a later split whose hashes differ in few bits."""
    words = hashes.view(np.uint64)[:, 0]
    for byte in range(hashes.shape[1]):
        order = np.argsort(hashes[:, byte], kind="stable")
        for group in np.split(order, np.flatnonzero(np.diff(hashes[order, byte])) + 1):
            for split in np.unique(splits[group])[1:]:
                earlier, later = group[splits[group] < split], group[splits[group] == split]
                for part in _parts(later, len(earlier)):
                    near = np.bitwise_count(words[earlier, None] ^ words[part]) <= _BITS
                    one, other = np.nonzero(near)
                    if len(one):
                        yield earlier[one], part[other]


def _parts(positions: np.ndarray, others: int) -> Sequence[np.ndarray]:
    return np.array_split(positions, max(1, -(-len(positions) * others // _CHUNK)))
