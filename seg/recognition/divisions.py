"""How the images of a directory are divided: by its directories, its lists, groups and folds."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from seg.config.description import Description, complete
from seg.datasets.lists import find_lists, read_list, read_split_table
from seg.datasets.matching import ImagePair, match_pairs
from seg.datasets.splits import SPLITS, draw_fold, draw_split, group_of
from seg.recognition.arrangement import LABEL_WORDS, SPLIT_NAMES, SPLIT_WORD

_KNOWN = 0.5  # share of the names in a list that are images
_NUMBERED = r"(.*)[_-]\d+$"
_FOLDS = 5
_HELD_OUT = 0.15
_DRAWN = "the hash of each name or group"


def divide_images(root: Path, keys: dict[str, Any], files: list[str], assumed: list[str]) -> str:
    """The split to score. Adds keys such as `splits`, `group` and `folds`, and what was assumed.

    Args:
        root: directory of the dataset.
        keys: of its description, to which others are added.
        files: all files.
        assumed: lines to which others are added.

    Raises:
        ValueError: a list of a split cannot be read, or lists contradict each other.
    """
    pairs = _pairs(root, keys)
    names = {pair.name for members in pairs.values() for pair in members}
    usual = {match.file for match in find_lists(Description(), files)}  # read without a key
    if not pairs and usual:  # a list that cannot be read
        match_pairs(complete(Description().merged(**keys)), root, "train")
    if "layout" in keys:
        return _scored(keys, pairs, assumed)
    if "{split}" in str([keys["images"], keys["labels"]]):
        assumed.append("directories are the splits")
        return _scored(keys, pairs, assumed)
    if list(pairs) == ["train"] and usual:  # such as the table of Kaggle's training images
        keys["splits"] = {"draw": ["train"]}
        assumed.append(f"lists name images of one split only: {_DRAWN} divides all images, 70:15:15")
        _add_group(keys, sorted(names), assumed)
        return "test"
    if lists := _lists(root, files, names):
        assumed.append(f"the splits are {', '.join(lists)}")
        if not usual.issuperset(lists):
            keys["splits"] = {"lists": SPLIT_WORD.sub("{split}", lists[0])}
            pairs = _pairs(root, keys)
        return _scored(keys, pairs, assumed)
    _draw(keys, sorted(names), assumed)
    return "test"


def match_splits(root: Path, keys: dict[str, Any]) -> Iterator[tuple[str, list[ImagePair], list[str]]]:
    """Each split that can be read, with its pairs and errors, see `seg.datasets.matching.match_pairs`."""
    described = complete(Description().merged(**keys))
    for split in SPLITS:
        with suppress(ValueError):
            yield split, *match_pairs(described, root, split)


def _pairs(root: Path, keys: dict[str, Any]) -> dict[str, list[ImagePair]]:
    return {split: pairs for split, pairs, _ in match_splits(root, keys) if pairs}


def _scored(keys: dict[str, Any], pairs: dict[str, list[ImagePair]], assumed: list[str]) -> str:
    """The split to score; where directories give none for validation, `keys` divide their images anew."""
    existing = list(pairs)
    if existing == ["train", "val"]:
        assumed.append("there are no test images: models are scored on the validation images")
        return "val"
    if not existing or "val" in existing or "layout" in keys:
        return "test"
    if existing == ["train", "test"]:
        keys["splits"] = keys.get("splits", {}) | {"hold_out": _HELD_OUT}
        assumed.append(f"there are no validation images: {_DRAWN} holds out {_HELD_OUT:.0%} of the training images")
    else:
        keys["splits"] = {"draw": existing}
        assumed.append(f"there are no validation images: {_DRAWN} divides all images, 70:15:15")
    _add_group(keys, sorted({pair.name for members in pairs.values() for pair in members}), assumed)
    return "test"


def _lists(root: Path, files: Iterable[str], names: set[str]) -> list[str]:
    """The lists or the table of splits that name most of the images with labels; empty if there are none."""
    found: dict[str, list[str]] = {}
    listed: dict[str, int] = {}
    for file in files:
        place, _, name = file.rpartition("/")
        if not re.search(r"\.(txt|csv)$", name, re.IGNORECASE) or LABEL_WORDS.search(name):
            continue
        with suppress(ValueError):
            if len(SPLIT_WORD.findall(name)) == 1:
                kind, entries = f"{place}/{SPLIT_WORD.sub('', name)}", read_list(root / file, names)
            elif name.lower().endswith(".csv"):
                kind, entries = (
                    file,
                    [each for some in read_split_table(root / file, names, SPLIT_NAMES).values() for each in some],
                )
            else:
                continue
            if entries and len(names.intersection(entries)) >= _KNOWN * len(entries):
                found.setdefault(kind, []).append(file)
                listed[kind] = listed.get(kind, 0) + len(names.intersection(entries))
    best = max(found, key=lambda kind: (len(found[kind]) > 1 or kind == found[kind][0], listed[kind]), default=None)
    return sorted(found[best]) if best is not None else []


def _draw(keys: dict[str, Any], names: list[str], assumed: list[str]) -> None:
    """Groups of images, and folds where the hash of few names or groups leaves a split empty."""
    groups = _add_group(keys, names, assumed)
    number = len(set(groups.values()))
    if names and {draw_split(group) for group in groups.values()} != set(SPLITS):
        with suppress(ValueError):
            draw_fold(groups, folds := min(_FOLDS, number), 0)
            keys["folds"] = folds
            assumed.append(f"{number} names or groups are too few for three splits, so {folds} folds cross-validate")
            return
        assumed.append(f"{number} names or groups, which are too few for three splits: add images, or lists of splits")
        return
    assumed.append(f"no lists of splits: {_DRAWN} selects it, 70:15:15; `folds: {_FOLDS}` cross-validates instead")


def _add_group(keys: dict[str, Any], names: list[str], assumed: list[str]) -> dict[str, str]:
    """The group of each image: its outermost directory, or what its name begins with where that is a clip."""
    outermost = r"([^/]+)/" if any(name.count("/") > 1 for name in names) else r"(.+)/"
    for expression, what in ((outermost, "directories such as {} keep their images"), (_NUMBERED, "names such as {}")):
        found = {name: group_of(expression, name) for name in names}
        number = len(set(found.values()))
        if not names or not all(found.values()) or number == len(names):
            continue
        if expression == _NUMBERED and number > len(names) / 2:
            continue
        if number < 3:
            if "/" in expression:
                assumed.append(f"images of one directory may be in several splits, for there are only {number}")
            continue
        keys["group"] = expression
        together = what.format(found[names[0]] if "/" in expression else names[0])
        assumed.append(f"{together} together: {number} groups, which are not divided")
        return found
    return {name: name for name in names}
