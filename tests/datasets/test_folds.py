"""Cross-validation: the folds of names and groups, and what each fold trains on."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from seg.config.description import Description, SplitName
from seg.datasets.matching import find_pairs
from seg.datasets.splits import SPLITS, divide, draw_fold


def alone(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def test_single_images_are_dealt_in_the_order_of_their_hashes() -> None:
    hashes = {name: hashlib.sha256(f"0/{name}".encode()).hexdigest()[:2] for name in "abcde"}
    assert hashes == {"c": "28", "b": "7d", "e": "7e", "d": "9d", "a": "d3"}
    assert divide(alone(*"abcde"), 2) == {"c": 0, "b": 1, "e": 0, "d": 1, "a": 0}


def test_the_largest_groups_are_first_and_go_to_the_smallest_part() -> None:
    groups = dict.fromkeys(["a1", "a2", "a3"], "a") | dict.fromkeys(["b1", "b2"], "b") | alone("c", "d")
    # a (3) to part 0, b (2) to part 1; c, whose hash is lower than that of d, to part 1; then both have 3: d to part 0.
    assert divide(groups, 2) == {"a1": 0, "a2": 0, "a3": 0, "b1": 1, "b2": 1, "c": 1, "d": 0}


def test_a_fold_by_hand() -> None:
    # c, b, e, d, a are dealt to three folds: c and d, b and a, e. Each of the others is a part of its own, and the
    # first of the smallest parts, the name with the lowest hash, is for validation.
    assert draw_fold(alone(*"abcde"), 3, 0) == {"c": "test", "d": "test", "b": "val", "e": "train", "a": "train"}
    assert draw_fold(alone(*"abcde"), 3, 2) == {"e": "test", "c": "val", "b": "train", "d": "train", "a": "train"}


NAMES = st.dictionaries(st.text("abcxyz_0123456789é", min_size=1, max_size=6), st.integers(0, 12), min_size=1)


@given(NAMES, st.integers(2, 6))
def test_every_image_is_tested_once_and_no_group_is_divided(numbers: dict[str, int], folds: int) -> None:
    groups = {name: f"clip {number}" for name, number in numbers.items()}
    count = len(set(groups.values()))
    parts = divide(groups, folds)
    outside = [len({groups[name] for name, part in parts.items() if part != fold}) for fold in range(folds)]
    if count < folds or min(outside) < 2:
        with pytest.raises(ValueError, match=f"got {count} images or groups of images for {folds} folds"):
            draw_fold(groups, folds, 0)
        return
    drawn = [draw_fold(groups, folds, fold) for fold in range(folds)]
    reversed_groups = dict(reversed(groups.items()))
    for fold, splits in enumerate(drawn):
        assert splits == draw_fold(reversed_groups, folds, fold)
        assert splits.keys() == groups.keys()
        assert set(splits.values()) == set(SPLITS)
        assert len({(groups[name], split) for name, split in splits.items()}) == count
    tested = Counter(name for splits in drawn for name, split in splits.items() if split == "test")
    assert tested == dict.fromkeys(groups, 1)


@given(st.integers(10, 200), st.integers(2, 10))
def test_folds_of_single_images_are_balanced(images: int, folds: int) -> None:
    names = alone(*(f"frame_{k:04}" for k in range(images)))
    for fold in range(folds):
        counts = Counter(draw_fold(names, folds, fold).values())
        assert counts["test"] in (images // folds, -(-images // folds))
        others = images - counts["test"]
        assert counts["val"] == max(1, others // 7)


# on disk


def write_pairs(root: Path, *names: str, images: str = "images", labels: str = "labels") -> None:
    for name in names:
        for folder in (images, labels):
            (root / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.zeros((4, 4), np.uint8)).save(root / folder / f"{name}.png")


def splits_of(root: Path, **keys: Any) -> dict[str, SplitName]:
    description = Description(classes=["wall", "crack"], **keys)
    return {pair.name: split for split in SPLITS for pair in find_pairs(description, root, split)}


CLIPS = [f"clip{c}_{k}" for c in range(4) for k in range(3)]


def test_the_folds_of_a_directory(tmp_path: Path) -> None:
    write_pairs(tmp_path, *CLIPS)
    drawn = [splits_of(tmp_path, folds=4, fold=fold, group=r"(.*)_\d") for fold in range(4)]
    for splits in drawn:
        clips = {(name.partition("_")[0], split) for name, split in splits.items()}
        assert Counter(split for _, split in clips) == {"test": 1, "val": 1, "train": 2}
    assert splits_of(tmp_path, folds=4, group=r"(.*)_\d") == drawn[0]  # as `seg doctor` reads it


def test_folds_of_pooled_split_directories(tmp_path: Path) -> None:
    for split, names in {"train": CLIPS[:6], "val": CLIPS[6:]}.items():
        write_pairs(tmp_path, *names, images=f"{split}/images", labels=f"{split}/labels")
    pooled = splits_of(tmp_path, folds=3, fold=1, splits={"draw": ["train", "val"]})
    assert Counter(pooled.values()) == {"test": 4, "val": 1, "train": 7}


def error(root: Path, **keys: Any) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the message is compared
        splits_of(root, **keys)
    return str(caught.value)


POOL = "remove folds, or give `splits: {draw: [train, val, test]}` to pool them"


def test_folds_together_with_splits_are_refused(tmp_path: Path) -> None:
    write_pairs(tmp_path / "lists", *CLIPS)
    (tmp_path / "lists/val.csv").write_text("clip1_1\n")
    line = f"{tmp_path}/lists: got folds: 4, but val.csv divides the images; {POOL}"
    assert error(tmp_path / "lists", folds=4, fold=0) == line
    write_pairs(tmp_path / "images", *CLIPS, images="images/train", labels="labels/train")
    line = f"{tmp_path}/images: got folds: 4, but images/{{split}}/{{stem}}.* divides the images; {POOL}"
    assert error(tmp_path / "images", folds=4, fold=0) == line
    write_pairs(tmp_path / "labels", *CLIPS, images="images", labels="labels/train")
    line = f"{tmp_path}/labels: got folds: 4, but labels/{{split}}/{{stem}}.* divides the images; {POOL}"
    assert error(tmp_path / "labels", folds=4, fold=0) == line


def test_more_folds_than_groups_are_refused(tmp_path: Path) -> None:
    write_pairs(tmp_path, *CLIPS)
    line = (
        "{}: got {} images or groups of images for {} folds, expected one or more in each fold and two outside of it; "
        "give fewer folds or more images, or correct `group`"
    )
    assert error(tmp_path, folds=5, group=r"(.*)_\d") == line.format(tmp_path, 4, 5)
    assert error(tmp_path, folds=2, group=r"_\d") == line.format(tmp_path, 3, 2)
