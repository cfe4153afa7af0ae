"""Splits that cannot be trained or scored on: no image, no label of a scored class, images of one pixel."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from requirements import not_met
from trials import Trial, run_trial

from seg.datasets.manifest import write_manifest
from seg.datasets.splits import draw_split

CLASSES = "classes: [wall, crack, void]\nignore: 2\n"
BEYOND = "classes: [wall, crack]\nignore: 255\n"
PACKED = ("packs*",)


def dataset(
    labels: dict[str, int | np.ndarray],
    classes: str = CLASSES,
    splits: dict[str, str] | None = None,
    size: tuple[int, int] = (6, 8),
) -> Callable[[Path], None]:
    """A user's own dataset in `own`: labels of one id or given ones, images of their size, lists of the splits."""

    def arrange(root: Path) -> None:
        own = root / "own"
        for folder in ("images", "labels"):
            (own / folder).mkdir(parents=True)
        for number, (name, label) in enumerate(labels.items()):
            ids = np.full(size, label, np.uint8) if isinstance(label, int) else label
            pixels = np.random.default_rng(number).integers(256, size=(*ids.shape, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(own / "images" / f"{name}.png")
            Image.fromarray(ids).save(own / "labels" / f"{name}.png")
        (own / "classes.yaml").write_text(classes)
        for split, names in (splits or {"train": "a\nb", "val": "c"}).items():
            (own / f"{split}.txt").write_text(names)
        write_manifest(own / "manifest.json", {"name": "own"})

    return arrange


def pack(split: str, height: int = 6, width: int = 8, dataset: str = "folder") -> tuple[str, ...]:
    size = ("--height", str(height), "--width", str(width))
    return ("seg.data.pack", "--manifest", "own/manifest.json", "--dataset", dataset, "--split", split, *size,
            "--out", f"packs/{split}")  # fmt: skip


def without_lists(root: Path) -> None:
    """Six images of three clips."""
    dataset({f"clip{k // 2}_{k % 2}": k % 2 for k in range(6)})(root)
    for path in (root / "own").glob("*.txt"):
        path.unlink()


def folded(keys: str) -> tuple[str, ...]:
    return pack("test", dataset=f'{{"layout": "folder", {keys}}}')


def one_pixel(row: int, column: int) -> np.ndarray:
    label = np.full((6, 8), 2, np.uint8)
    label[row, column] = 1
    return label


DOCTOR = ("seg.cli", "doctor", "own", "--layout", "folder")
EXPECTED = r"expected ids such as 0 \(wall\), 1 \(crack\); correct the labels or the classes"
UNLABELLED = r"no pixel of its {} is scored; found only id 2 \(void, {} pixels\); " + EXPECTED
ALL_VOID = r"error: own: split 'train': " + UNLABELLED.format("2 labels", 96)


TRIALS = [
    Trial("a split of ignored pixels", pack("train"), dataset({"a": 2, "b": 2, "c": 0}), ALL_VOID, writes=PACKED),
    Trial("the same in a process", pack("train"), dataset({"a": 2, "b": 2, "c": 0}), ALL_VOID, writes=PACKED,
          process=True),
    Trial("seg doctor: a split of ignored pixels", DOCTOR, dataset({"a": 2, "b": 2, "c": 0}),
          r"    own: split 'train': no pixel of its 2 labels is scored; found only id 2 .+", code=1),
    Trial("a validation split of ignored pixels", pack("val"), dataset({"a": 0, "b": 1, "c": 2}),
          r"error: own: split 'val': " + UNLABELLED.format("1 label", 48), writes=PACKED),
    Trial("seg doctor: a validation split of ignored pixels", DOCTOR, dataset({"a": 0, "b": 1, "c": 2}),
          r"    own: split 'val': no pixel of its 1 label is scored; found only id 2 .+", code=1),
    Trial("ids beyond the list", pack("train"), dataset({"a": 255, "b": 255, "c": 0}, BEYOND),
          rf"error: own: split 'train': no pixel of its 2 labels is scored; found only id 255 \(ignored, 96 pixels\); "
          rf"{EXPECTED}", writes=PACKED),
    Trial("one scored pixel", pack("train"), dataset({"a": one_pixel(3, 3), "b": 2, "c": 0}), "", code=0, errors=0,
          writes=PACKED),
    Trial("one scored pixel that resizing loses", pack("train", 3, 4), dataset({"a": one_pixel(0, 0), "b": 2, "c": 0}),
          r"error: own: split 'train': no pixel of its 2 labels is scored; found only id 2 .+", writes=PACKED),
    Trial("an unknown id", pack("train"), dataset({"a": 9, "b": 0, "c": 0}),
          r"error: own/labels/a\.png: got id 9 \(48 pixels\), expected 0 to 2; fix the label", writes=PACKED),
    Trial("an empty list", pack("train"), dataset({"a": 0, "b": 1, "c": 0}, splits={"train": "", "val": "c"}),
          r"error: own: no image in split 'train'; add images .+", writes=PACKED),
    Trial("a list of names that do not exist", pack("val"), dataset({"a": 0}, splits={"train": "a", "val": "z"}),
          r"error: own/images/z\.\*: missing from split 'val'; add the file or remove its name from the split's list",
          errors=2, writes=PACKED),
    Trial("a name in two lists", pack("val"), dataset({"a": 0, "b": 0}, splits={"train": "a\nb", "val": "b"}),
          r"error: own: 'b' is listed in train\.txt and in val\.txt; keep one", writes=PACKED),
    Trial("no labels at all", pack("train"), dataset({}), r"error: own/.+: missing from split 'train'; .+", errors=4,
          writes=PACKED),
    Trial("images of one pixel", pack("train"), dataset({"a": 0, "b": 1, "c": 0}, size=(1, 1)), "", code=0, errors=0,
          writes=PACKED),
    Trial("images of one row", pack("train"), dataset({"a": 0, "b": 1, "c": 0}, size=(1, 5000)), "", code=0, errors=0,
          writes=PACKED),
    Trial("a pack of one pixel", pack("train", 1, 1), dataset({"a": 0, "b": 1, "c": 0}), "", code=0, errors=0,
          writes=PACKED),
    Trial("a label of one pixel beside an image", pack("train"),
          lambda root: (dataset({"a": 0, "b": 1, "c": 0})(root),
                        Image.new("L", (1, 1)).save(root / "own/labels/a.png")),
          r"error: own/labels/a\.png: label of 1x1, image of 8x6; resize one, .+", writes=PACKED),
    Trial("a fold", folded('"folds": 3, "fold": 2'), without_lists, "", code=0, errors=0, writes=PACKED),
    Trial("folds beside lists", folded('"folds": 3, "fold": 0'), dataset({"a": 0, "b": 1, "c": 0}),
          r"error: own: got folds: 3, but train\.txt divides the images; remove folds, or give .+", writes=PACKED),
    Trial("more folds than images", folded('"folds": 7, "fold": 0'), without_lists,
          r"error: own: got 6 images or groups of images for 7 folds, expected one or more in each fold .+",
          writes=PACKED),
    Trial("more folds than groups", folded('"folds": 4, "fold": 0, "group": "(.*)_"'), without_lists,
          r"error: own: got 3 images or groups of images for 4 folds, .+; give fewer folds .+",
          writes=PACKED),
    Trial("one group", folded('"folds": 2, "fold": 0, "group": "clip"'), without_lists,
          r"error: own: got 1 images or groups of images for 2 folds, expected .+", writes=PACKED),
    Trial("one fold", folded('"folds": 1, "fold": 0'), without_lists,
          r"error: --dataset: folds: got 1; input should be greater than or equal to 2", writes=PACKED),
    Trial("a fold beyond the last", folded('"folds": 3, "fold": 3'), without_lists,
          r"error: --dataset: fold: got 3, expected less than folds, which is 3", writes=PACKED),
    Trial("a fold without folds", folded('"fold": 0'), without_lists,
          r"error: --dataset: fold: got 0, expected less than folds, which is not given", writes=PACKED),
    Trial("folds in dataset.yaml", ("seg.data.pack", "--root", "own", "--manifest", "m.json", *pack("test")[3:]),
          lambda root: (without_lists(root), (root / "own/manifest.json").rename(root / "m.json"),
                        (root / "own/dataset.yaml").write_text("folds: 3\n")),
          r"error: own: got folds: 3, but no number of the fold; give folds in params\.yaml, .+", writes=PACKED),
    Trial("an image of no pixel", pack("train"),
          lambda root: (dataset({"a": 0, "b": 1, "c": 0})(root), (root / "own/images/a.png").write_bytes(b"")),
          r"error: own/images/a\.png: cannot be decoded \(cannot identify .+\); replace the file", writes=PACKED),
    Trial("a directory as an image", pack("train"),
          lambda root: (dataset({"a": 0, "b": 1, "c": 0})(root), (root / "own/images/a.png").unlink(),
                        (root / "own/images/a.png").mkdir()),
          r"error: own/images/a\.\*: missing from split 'train'; .+", writes=PACKED),
]  # fmt: skip


@pytest.mark.parametrize("trial", TRIALS, ids=str)
def test_splits(trial: Trial, tmp_path: Path) -> None:
    run_trial(trial, tmp_path)
    if trial.code:
        assert not [path for path in (tmp_path / "packs").glob("*") if path.name != ".lock"]


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    name = "a\udcff"  # the byte 0xff
    line = r"error: own/images/a.+\.png: its name is not UTF-8, which results are written in; rename it"
    arrange = dataset({name: 0}, splits={"train": "a"})
    try:
        (tmp_path / name).touch()
    except OSError:
        not_met("this file system refuses names that are not UTF-8")
    (tmp_path / name).unlink()

    def unlisted(root: Path) -> None:
        arrange(root)
        (root / "own/train.txt").unlink()

    run_trial(Trial(name, pack(draw_split(name)), unlisted, line, writes=PACKED), tmp_path)
