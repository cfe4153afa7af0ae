"""`seg init` on masks that no description combines, and on names that images and labels do not share."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from own_data import COUNT, coco, save, truth, write_images

from seg.recognition.recognise import recognise

MERGE = "merge the masks of each image into one of its name, with 0 for background and a number for each class"


def of_classes(root: Path, *patterns: str) -> None:
    """A mask of 0 and 255 for each class, by a pattern of its own."""
    write_images(root, "images/{k:03}.png")
    for k in range(COUNT):
        for position, pattern in enumerate(patterns, 1):
            save(root / pattern.format(k=k), np.where(truth(k) == position, 255, 0).astype(np.uint8))


def of_objects(root: Path) -> None:
    """As in DSB 2018: the masks of the objects of an image, in a directory beside that of the image."""
    write_images(root, "stage1_train/{k:08x}/images/{k:08x}.png")
    for k in range(COUNT):
        for n in range(1 + k % 3):
            save(root / f"stage1_train/{k:08x}/masks/{k:08x}{n}.png", np.eye(8, dtype=np.uint8) * 255)


def with_further(root: Path) -> None:
    """As in BUSI: a second lesion in a mask of its own."""
    write_images(root, "benign/benign ({k}).png")
    for k in range(COUNT):
        save(root / f"benign/benign ({k})_mask.png", (truth(k) == 1) * np.uint8(255))
    save(root / "benign/benign (4)_mask_1.png", (truth(4) == 2) * np.uint8(255))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda root: of_classes(root, "masks/crack/{k:03}.png", "masks/rust/{k:03}.png"),
         "masks/crack/{stem}.png and masks/rust/{stem}.png are masks of one class each"),
        (lambda root: of_classes(root, "crack_masks/{k:03}.png", "rust_masks/{k:03}.png"),
         "crack_masks/{stem}.png and rust_masks/{stem}.png are masks of one class each"),
        (lambda root: of_classes(root, "masks/{k:03}_crack.png", "masks/{k:03}_rust.png"),
         "are masks of one class each"),
        (of_objects, "stage1_train/00000001/masks has 2 masks of one image"),
        (with_further, "benign/benign (4)_mask_1.png is a further mask of the image of benign/benign (4)_mask.png"),
    ],
)  # fmt: skip
def test_several_masks_of_an_image_are_refused(tmp_path: Path, write: Callable[[Path], None], message: str) -> None:
    write(tmp_path)
    with pytest.raises(ValueError, match=re.escape(f"{message}; {MERGE}")) as caught:
        recognise(tmp_path)
    assert "\n" not in str(caught.value)


def test_masks_of_two_observers_are_no_classes(tmp_path: Path) -> None:
    write_images(tmp_path, "images/{k:03}.png")
    for k in range(COUNT):
        for observer in ("first", "second"):
            save(tmp_path / f"{observer}_masks/{k:03}.png", (truth(k) > 0) * np.uint8(255))
    assert recognise(tmp_path).unknown[-1] == "what 40 other images are, such as second_masks/000.png"


@pytest.mark.parametrize("shift", [0, 1])
def test_a_list_of_other_pairs_is_refused(tmp_path: Path, shift: int) -> None:
    write_images(tmp_path, "images/{k:03}.png")
    rows = ["image,mask"]
    for k in range(COUNT):
        save(tmp_path / f"masks/{k:03}.png", truth(k))
        rows.append(f"images/{k:03}.png,./masks/{(k + shift) % COUNT:03}.png")
    (tmp_path / "pairs.csv").write_text("\n".join(rows))
    if not shift:
        assert recognise(tmp_path).keys["labels"] == "masks/{stem}.png"
        return
    with pytest.raises(
        ValueError, match=r"pairs\.csv gives images/000\.png the label masks/001\.png, which is not read"
    ):
        recognise(tmp_path)


def test_the_name_of_an_image_in_the_middle_of_that_of_its_label(tmp_path: Path) -> None:
    write_images(tmp_path, "images/img{k:03}.png")
    for k in range(COUNT):
        save(tmp_path / f"masks/seg_img{k:03}_v2.png", truth(k))
    found = recognise(tmp_path)
    assert (found.keys["images"], found.keys["labels"]) == ("images/{stem}.png", "masks/seg_{stem}_v2.png")


def test_directories_such_as_trainset_are_splits(tmp_path: Path) -> None:
    for n, split in enumerate(("TrainSet", "ValSet", "TestSet")):
        for k in range(4 * n, 4 * n + 4):
            save(tmp_path / f"{split}/images/{k}.png", np.full((8, 8, 3), k, np.uint8))
            save(tmp_path / f"{split}/masks/{k}.png", np.eye(8, dtype=np.uint8))
    assert recognise(tmp_path).keys["images"] == "{split}Set/images/{stem}.png"


def test_names_that_differ_are_shown(tmp_path: Path) -> None:
    write_images(tmp_path, "images/{k}.png")
    for k in range(COUNT):
        save(tmp_path / f"masks/{k:03}.png", truth(k))
    expected = r"got 40 images/\{stem\}.png, such as images/0.png, 40 masks/\{stem\}.png, such as masks/000.png; expect"
    with pytest.raises(ValueError, match=expected):
        recognise(tmp_path)


@pytest.mark.parametrize("ending", ["jp2", "heic", "npy"])
def test_endings_that_are_not_read_are_named(tmp_path: Path, ending: str) -> None:
    for k in range(COUNT):
        save(tmp_path / f"masks/{k:03}.png", truth(k))
        (tmp_path / f"masks/{k:03}.{ending}").touch()
    what = "is one of the arrays" if ending == "npy" else f"files .{ending} (40)"
    with pytest.raises(ValueError, match=re.escape(what)):
        recognise(tmp_path)


def test_boxes_of_coco_are_named(tmp_path: Path) -> None:
    coco(tmp_path)
    content = json.loads((tmp_path / "annotations.json").read_text())
    content["annotations"][0]["segmentation"] = []
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="annotation 1 has no outline; export segmentation, not detection"):
        recognise(tmp_path)


def test_names_of_coco_may_be_paths_of_windows(tmp_path: Path) -> None:
    coco(tmp_path)
    content = json.loads((tmp_path / "annotations.json").read_text())
    for row in content["images"]:
        row["file_name"] = f"C:\\photos\\{row['file_name']}"
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    assert recognise(tmp_path).keys["images"] == "photos/{stem}.png"
