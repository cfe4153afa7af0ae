"""Validation of a dataset on disk: all errors at once, with how to fix them."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seg.config.description import Description, SplitName
from seg.datasets.classes import ClassTable, class_table
from seg.datasets.faults import group_faults
from seg.datasets.images import id_counts, read_pair, unlabelled
from seg.datasets.matching import ImagePair, match_pairs, missing_directory
from seg.datasets.own_files import with_own_keys
from seg.datasets.splits import SPLITS

_OPTIONAL_SPLIT = "test"
_ANY_IDS = ClassTable(
    tuple(map(str, range(256))), (), (), {i: i for i in range(256)}
)  # used if the dataset's table cannot be read


class Findings(NamedTuple):
    """Result of a validation, one line per finding.

    Attributes:
        problems: errors that prevent training or invalidate its scores.
        warnings: findings that may be intended.
        summary: number and sizes of images per split, and the classes.
    """

    problems: list[str]
    warnings: list[str]
    summary: list[str]


class _Sample(NamedTuple):
    pair: ImagePair
    size: tuple[int, int]  # width, height
    pixels: str  # SHA-256 of the decoded image
    counts: np.ndarray  # (256,) pixels by id


def examine(root: Path, description: Description) -> Findings:
    """Decode and check all images and labels of a dataset.

    Args:
        root: directory of the dataset.
        description: of its files and classes.

    Raises:
        ValueError: the layout is unknown, or the directory does not exist.
    """
    if not root.is_dir():
        raise ValueError(f"{root}: no such directory; give the dataset's directory")
    description, problems, table = with_own_keys(description, root), [], _ANY_IDS
    try:
        table = class_table(description, root)
    except ValueError as error:
        problems.append(str(error))
    valid: dict[str, list[_Sample]] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoding and hashing release the interpreter lock
        for split in SPLITS:
            pairs, wrong = _pairs(root, description, split)
            problems += wrong
            found = list(pool.map(lambda pair: _sample(pair, table), pairs))
            problems += [sample for sample in found if isinstance(sample, str)]
            valid[split] = [sample for sample in found if isinstance(sample, _Sample)]
    problems += _duplicates(valid)
    for name, samples in valid.items():
        if samples:
            counts = np.sum([sample.counts for sample in samples], axis=0)
            problems += [f"{root}: {line}" for line in unlabelled(name, table, len(samples), counts)]
    pixels = sum((sample.counts for sample in valid["train"]), np.zeros(256, np.int64))
    absent = [table.ids[i] for i in table.scored if not pixels[i]] if valid["train"] else []
    warnings = [f"class '{name}' is not in split 'train', so it cannot be learned" for name in absent]
    summary = [_summary(split, samples) for split, samples in valid.items()]
    summary.append(f"{len(table.names)} classes: {', '.join(table.names)}")
    return Findings(group_faults(problems), warnings, summary)


def _pairs(root: Path, description: Description, split: SplitName) -> tuple[list[ImagePair], list[str]]:
    """Pairs of a split, and errors in its directories and lists."""
    lists = description.splits.lists
    kinds = [description.images, [row.files for row in description.labels], [lists] if lists else []]
    places = [missing_directory(description, root, patterns, [split]) for patterns in kinds if patterns]
    missing = [place for place in places if place]
    if split == _OPTIONAL_SPLIT and len(missing) == len(places):
        return [], []
    if missing:
        requires = (
            f"no such directory, but layout '{description.layout}' requires it; create it or choose another layout"
        )
        return [], [f"{path}: {requires}" for path in missing]
    try:
        pairs, problems = match_pairs(description, root, split)
    except ValueError as error:
        return [], [str(error)]
    if not pairs and not problems and split != _OPTIONAL_SPLIT:
        problems = [f"{root}: no image in split '{split}'; add images with their labels"]
    return pairs, problems


def _sample(pair: ImagePair, table: ClassTable) -> _Sample | str:
    try:
        image, label = read_pair(pair, table)
    except ValueError as error:
        return str(error)
    digest = hashlib.sha256(repr(image.size).encode() + image.tobytes()).hexdigest()
    return _Sample(pair, image.size, digest, id_counts(label))


def _duplicates(splits: dict[str, list[_Sample]]) -> Iterator[str]:
    """One line per image that an earlier split contains too: scores would include images that were trained on."""
    first: dict[str, tuple[str, _Sample]] = {}
    for split, samples in splits.items():
        for sample in samples:
            other, twin = first.setdefault(sample.pixels, (split, sample))
            if other != split:
                same = f"same pixels as {twin.pair.image} in split '{other}'"
                yield f"{sample.pair.image}: in split '{split}', {same}; remove one"


def _summary(split: str, samples: list[_Sample]) -> str:
    if not samples:
        return f"{split}: no images"
    sizes = sorted({sample.size for sample in samples}, key=lambda size: (size[0] * size[1], size))
    text = f"{sizes[0][0]}x{sizes[0][1]}"
    if len(sizes) > 1:
        text = f"{len(sizes)} sizes from {text} to {sizes[-1][0]}x{sizes[-1][1]}"
    return f"{split}: {len(samples)} image{'s' if len(samples) > 1 else ''}, {text}"
