"""Masks that a description cannot combine: several of an image, and pairs that a list names."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import permutations
from pathlib import Path, PurePosixPath

import numpy as np

from seg.datasets.decoding import decode_label
from seg.datasets.patterns import ENDINGS
from seg.recognition.arrangement import LABEL_WORDS, FileKind, file_kinds
from seg.recognition.mask_kinds import spread

_SAMPLES = 8  # images whose masks are compared
_OVERLAP = 0.01  # of the smaller one of two masks, up to which they are of different classes
_MOST_LISTS, _MOST_LINES = 20, 200
_MERGE = "merge the masks of each image into one of its name, with 0 for background and a number for each class"


def refuse_other_masks(root: Path, images: FileKind, labels: FileKind, files: list[str]) -> None:
    """Raise ValueError if images have several masks, of which `labels` are one, or if a list names other pairs."""
    other_pair = next(_other_pairs(root, images, labels, files), None)
    if other_pair:
        raise ValueError(f"{root}: {other_pair}, which is not read; rename the labels, or link them, as their images")
    chosen = images.paths | labels.paths
    others = [file for file in files if file not in chosen]
    further = [file for file in [*others, *sorted(images.paths)] if _numbered(file) in labels.paths]
    if further:
        raise ValueError(f"{root}: {further[0]} is a further mask of the image of {_numbered(further[0])}; {_MERGE}")
    for kind in _alternatives(labels, others):
        if _are_classes(root, labels, kind):
            raise ValueError(
                f"{root}: {labels.pattern} and {kind.pattern} are masks of one class each; {_MERGE}, or move all but "
                "one kind away"
            )


def several_masks(files: Iterable[str]) -> str:
    """A directory with several masks beside the directory of one image, as in DSB 2018; empty if there is none."""
    folders = Counter(PurePosixPath(file).parent for file in files if _ending(file) in ENDINGS)
    for folder, count in folders.items():
        single = any(folders[each] == 1 for each in folders if each.parent == folder.parent and each != folder)
        if count > 1 and single and LABEL_WORDS.search(folder.name):
            return f"{folder} has {count} masks of one image; {_MERGE}"
    return ""


def _ending(file: str) -> str:
    return PurePosixPath(file).suffix[1:].lower()


def _numbered(file: str) -> str:
    """The name without a number at its end, such as that of `a_mask.png` for `a_mask_1.png`."""
    return re.sub(r"[_ -]\(?\d+\)?(?=\.\w+$)", "", file)


def _alternatives(labels: FileKind, others: list[str]) -> Iterator[FileKind]:
    """Kinds of files that have the names of labels."""
    for kind in file_kinds(others, ENDINGS):
        for variant in kind.variants():
            if _same_names(labels, variant):
                yield variant


def _same_names(labels: FileKind, others: FileKind) -> list[tuple[str, str]]:
    """Files of two kinds with the same name, in pairs; none if one kind has directories of splits or others."""
    if (labels.divided, labels.nested) != (others.divided, others.nested):
        return []
    return [(labels.files[key], others.files[key]) for key in sorted(labels.files.keys() & others.files.keys())]


def _are_classes(root: Path, labels: FileKind, others: FileKind) -> bool:
    """Whether the masks of an image have one value each beside 0, and do not overlap."""
    pairs = _same_names(labels, others)
    drawn = 0
    for pair in spread(pairs, _SAMPLES):
        masks = []
        with suppress(ValueError):
            masks = [np.asarray(decode_label(root / file)) for file in pair]
        if len(masks) < 2 or masks[0].shape != masks[1].shape or any(len(np.unique(mask)) > 2 for mask in masks):
            return False
        one, other = (mask.reshape(*mask.shape[:2], -1).max(2) > 0 for mask in masks)
        if (one & other).sum() > _OVERLAP * min(one.sum(), other.sum()):
            return False
        drawn += bool(one.any() and other.any())
    return drawn > 0


def _other_pairs(root: Path, images: FileKind, labels: FileKind, files: list[str]) -> Iterator[str]:
    """Lines of lists that name an image and the label of another one."""
    label_of = dict(_same_names(images, labels))
    known, by_name = set(files), {PurePosixPath(file).name: file for file in files if _ending(file) in ENDINGS}
    lists = [file for file in files if _ending(file) in ("csv", "tsv", "txt")]
    for file in lists[:_MOST_LISTS]:
        with suppress(UnicodeDecodeError), (root / file).open(encoding="utf-8-sig") as lines:
            for line, _ in zip(lines, range(_MOST_LINES), strict=False):
                cells = [cell.strip(" \"'\n").removeprefix("./") for cell in re.split(r"[,;\t]|\s(?=\S+\.)", line)]
                found = [cell if cell in known else by_name.get(PurePosixPath(cell).name, "") for cell in cells]
                for image, label in permutations(filter(None, found), 2):
                    if image in images.paths and label in labels.paths and label_of.get(image, label) != label:
                        yield f"{file} gives {image} the label {label}"
