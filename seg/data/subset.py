"""A fixed part of a training split, for a source that trains on fewer images: `train_images` of the recipe."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seg.data.pack_format import Pack, read_pack_info

_CHUNK = 16  # images whose labels are read at a time


def training_pack(path: Path, limit: int | None) -> Pack:
    """The training pack with this `.json` file, or a fixed subset of `limit` images if it has more."""
    info = read_pack_info(path)
    if limit is None or info["images"] <= limit:
        return Pack(path)
    return Pack(path, choose_subset(info["names"], info["groups"], limit))


def choose_subset(names: Sequence[str], groups: Sequence[str], count: int) -> np.ndarray:
    """Positions (min(count, N),), ascending, of a subset of N images; depends only on their names and groups.

    Groups of images that were recorded together (a video, a city) are taken in the order of the hashes of their names,
    whole until `count` is reached, and of the last one the images with the lowest hashes. An image without a group,
    whose `groups` entry is empty, is a group of its own.
    """
    keys = [(_hash(group or name), group, _hash(name)) for name, group in zip(names, groups, strict=True)]
    ranked = sorted(range(len(keys)), key=keys.__getitem__)
    return np.sort(np.array(ranked[:count], np.int64))


def class_pixels(pack: Pack) -> np.ndarray:
    """Number of labelled pixels (C,) of each class, int64; of a subset, those of its samples."""
    if len(pack) == pack.about["images"]:
        return np.array(pack.about["id_pixels"], np.int64)[pack.about["scored"]]
    counts = np.zeros(256, np.int64)
    for start in range(0, len(pack), _CHUNK):
        labels = pack.read_labels(np.arange(start, min(start + _CHUNK, len(pack))))
        counts += np.bincount(labels.reshape(-1), minlength=256)
    return counts[: len(pack.classes)]


def _hash(name: str) -> bytes:
    return hashlib.sha256(f"train_images/{name}".encode("utf-8", "surrogateescape")).digest()
