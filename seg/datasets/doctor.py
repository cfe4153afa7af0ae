"""Examination of a data set on disk: everything wrong with it at once, in words that say how to mend it."""

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seg.datasets.classes import ClassTable
from seg.datasets.images import id_counts, read_pair
from seg.datasets.layouts import FOLDERS, Pair, class_table, match_pairs

_SPLITS = ("train", "val", "test")
_OPTIONAL = "test"  # a data set may do without
_ANY_IDS = ClassTable(tuple(map(str, range(256))), (), ())  # where the data's own table cannot be read


class Findings(NamedTuple):
    """What an examination found, a line each.

    Attributes:
        problems: what hinders a training or spoils its scores; empty for a sound data set.
        warnings: what may be meant so.
        summary: images and sizes of every split, and the classes.
    """

    problems: list[str]
    warnings: list[str]
    summary: list[str]


class _Sample(NamedTuple):
    pair: Pair
    size: tuple[int, int]  # width, height
    pixels: str  # digest of the decoded image
    counts: np.ndarray  # (256,) pixels of every id


def examine(root: Path, layout: str) -> Findings:
    """Check all files of a data set, decoding every image and label.

    Args:
        root: folder of the data set.
        layout: a row of `seg.datasets.layouts.FOLDERS`.

    Raises:
        ValueError: the layout is unknown, or there is no such folder.
    """
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder; name the one that holds the data set")
    problems: list[str] = []
    table = _ANY_IDS
    try:
        table = class_table(layout, root)
    except ValueError as error:
        if layout not in FOLDERS:
            raise
        problems += str(error).splitlines()
    sound: dict[str, list[_Sample]] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoding and hashing release the interpreter lock
        for split in _SPLITS:
            pairs, wrong = _pairs(root, layout, split)
            problems += wrong
            found = list(pool.map(lambda pair: _sample(pair, table), pairs))
            problems += [sample for sample in found if isinstance(sample, str)]
            sound[split] = [sample for sample in found if isinstance(sample, _Sample)]
    problems += _in_two_splits(sound)
    warnings = _never(table, sound["train"]) if sound["train"] else []
    summary = [_summary(split, samples) for split, samples in sound.items()]
    summary.append(f"{len(table.names)} classes: {', '.join(table.names)}")
    lines = [line for problem in problems for line in problem.splitlines()]
    return Findings(list(dict.fromkeys(lines)), warnings, summary)


def _pairs(root: Path, layout: str, split: str) -> tuple[list[Pair], list[str]]:
    """Pairs of a split, and what is wrong with its folders and lists."""
    folders = [pattern.format(split=split) for pattern in FOLDERS[layout]]
    missing = [folder for folder in folders if not any(path.is_dir() for path in root.glob(folder))]
    if missing:
        if split == _OPTIONAL and len(missing) == len(folders):
            return [], []
        return [], [
            f"{root / folder}: no such folder; the layout '{layout}' has its files there; is it the right one?"
            for folder in missing
        ]
    try:
        pairs, problems = match_pairs(layout, root, split)
    except ValueError as error:
        return [], [str(error)]
    if not pairs and not problems and split != _OPTIONAL:
        problems = [f"{root}: no image in split '{split}'; add images with their labels"]
    return pairs, problems


def _sample(pair: Pair, table: ClassTable) -> _Sample | str:
    try:
        image, label = read_pair(pair, table)
    except ValueError as error:
        return str(error)
    digest = hashlib.sha256(repr(image.size).encode())
    digest.update(image.tobytes())
    return _Sample(pair, image.size, digest.hexdigest(), id_counts(label))


def _in_two_splits(splits: dict[str, list[_Sample]]) -> Iterable[str]:
    """A line for every image whose very pixels an earlier split has too: it would be scored on what it learnt."""
    first: dict[str, tuple[str, _Sample]] = {}
    for split, samples in splits.items():
        for sample in samples:
            other, twin = first.setdefault(sample.pixels, (split, sample))
            if other != split:
                yield (
                    f"{sample.pair.image}: in split '{split}', "
                    f"shows the same as {twin.pair.image} in split '{other}'; keep one"
                )


def _never(table: ClassTable, train: list[_Sample]) -> list[str]:
    """A line for the scored classes that no label of the training split holds."""
    pixels = np.sum([sample.counts for sample in train], axis=0)
    absent = [table.ids[i] for i in table.scored if not pixels[i]]
    return [f"never in split 'train', so it cannot be learnt: {name}" for name in absent]


def _summary(split: str, samples: list[_Sample]) -> str:
    if not samples:
        return f"{split}: no images"
    sizes = sorted({sample.size for sample in samples}, key=lambda size: (size[0] * size[1], size))
    text = f"{sizes[0][0]}x{sizes[0][1]}"
    if len(sizes) > 1:
        text = f"{len(sizes)} sizes from {text} to {sizes[-1][0]}x{sizes[-1][1]}"
    return f"{split}: {len(samples)} image{'s' if len(samples) > 1 else ''}, {text}"
