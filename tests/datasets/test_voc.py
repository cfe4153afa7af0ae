"""VOC: lists, halves of the validation list, and palettes and borders in packs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seg.config.description import describe
from seg.data.pack import pack_split
from seg.data.pack_format import memory_map
from seg.datasets import IGNORE
from seg.datasets.classes import bit_colour, class_table
from seg.datasets.manifest import write_manifest
from seg.datasets.matching import find_pairs
from seg.system.files import read_json

SEGMENTATION = "ImageSets/Segmentation"


def write_voc(root: Path, year: int, lists: dict[str, list[str]], public: tuple[str, ...]) -> Path:
    """Write a VOC dataset of empty files with labels for the `public` lists. Returns the directory of the year."""
    folder = root / "VOCdevkit" / f"VOC{year}"
    for name in ("JPEGImages", "SegmentationClass", SEGMENTATION):
        (folder / name).mkdir(parents=True)
    for split, names in lists.items():
        (folder / SEGMENTATION / f"{split}.txt").write_text("\n".join(names) + "\n")
        for name in names:
            (folder / "JPEGImages" / f"{name}.jpg").touch()
            if split in public:
                (folder / "SegmentationClass" / f"{name}.png").touch()
    (folder / "JPEGImages" / "2007_999999.jpg").touch()  # most of VOC's images have no segmentation
    return folder


def names(root: Path, split: str) -> list[str]:
    return [pair.name for pair in find_pairs(describe("voc"), root, split)]


def identifiers(year: int, start: int, count: int) -> list[str]:
    return [f"{year}_{k:06d}" for k in range(start, start + count)]


def test_classes_colours_and_border_are_vocs() -> None:
    table = class_table(describe("voc"))
    assert len(table.names) == 21
    assert (table.names[0], table.names[15], table.names[20]) == ("background", "person", "tvmonitor")
    assert table.palette[1] == (128, 0, 0)  # aeroplane, as every viewer shows it
    assert table.palette[15] == (192, 128, 128)  # person
    assert table.palette[20] == (0, 64, 128)  # tvmonitor
    assert bit_colour(255) == (224, 224, 192)  # the border
    assert table.train_ids().tolist() == [*range(21), *[IGNORE] * 235]


def test_public_lists_are_used_unchanged(tmp_path: Path) -> None:
    lists = {split: identifiers(2007, 100 * k, 5 + k) for k, split in enumerate(("train", "val", "test"))}
    folder = write_voc(tmp_path, 2007, lists, ("train", "val", "test"))
    for split, listed in lists.items():
        assert names(tmp_path, split) == listed
    pair = find_pairs(describe("voc"), tmp_path, "test")[0]
    assert pair.image == folder / "JPEGImages/2007_000200.jpg"
    assert pair.label == folder / "SegmentationClass/2007_000200.png"


@pytest.mark.parametrize("with_list", [True, False])
def test_without_public_test_labels_val_is_halved(tmp_path: Path, with_list: bool) -> None:
    val = identifiers(2012, 0, 449)
    lists = {"train": identifiers(2012, 5000, 3), "val": val} | ({"test": ["2012_009999"]} if with_list else {})
    folder = write_voc(tmp_path, 2012, lists, ("train", "val"))
    halves = names(tmp_path, "val"), names(tmp_path, "test")
    assert [len(half) for half in halves] == [225, 224]
    assert sorted(halves[0] + halves[1]) == val
    assert names(tmp_path, "train") == lists["train"]
    assert abs(sum(val.index(name) for name in halves[0]) / 225 - 224) < 25  # no half is the beginning of the list
    (folder / SEGMENTATION / "val.txt").write_text("\n".join(reversed(val)))
    assert (names(tmp_path, "val"), names(tmp_path, "test")) == halves


def test_all_listed_files_that_are_missing_are_reported(tmp_path: Path) -> None:
    folder = write_voc(tmp_path, 2007, {"train": identifiers(2007, 0, 4), "test": ["a"]}, ("train", "test"))
    missing = [folder / name for name in ("JPEGImages/2007_000001.jpg", "SegmentationClass/2007_000003.png")]
    for path in missing:
        path.unlink()
    with pytest.raises(ValueError, match="missing") as caught:
        find_pairs(describe("voc"), tmp_path, "train")
    assert str(caught.value).splitlines() == [
        f"{path}: missing from split 'train'; add the file or remove its name from the split's list" for path in missing
    ]


def test_two_years_are_refused(tmp_path: Path) -> None:
    for year in (2007, 2012):
        write_voc(tmp_path, year, {"train": ["a"]}, ("train",))
    with pytest.raises(ValueError, match="got 2007, 2012, expected one year per dataset; move the others away"):
        find_pairs(describe("voc"), tmp_path, "train")


def test_palette_border_and_sizes_are_packed_exactly(tmp_path: Path) -> None:
    """Labels of two sizes, twice as large as the pack: every second pixel is selected, and no new id appears."""
    sizes = [(32, 48), (64, 16)]
    folder = write_voc(tmp_path, 2007, {"train": ["a", "b"], "test": ["c"]}, ("train", "test"))
    labels = []
    for name, (height, width) in zip("ab", sizes, strict=True):
        blocks = np.random.default_rng(height).choice([*range(21), 255], (16, 8)).astype(np.uint8)
        label = blocks.repeat(height // 16, 0).repeat(width // 8, 1)
        image = Image.fromarray(label)
        image.putpalette([value for i in range(256) for value in bit_colour(i)])
        assert image.mode == "P"
        image.save(folder / "SegmentationClass" / f"{name}.png")
        Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(folder / "JPEGImages" / f"{name}.jpg")
        labels.append(blocks)
    write_manifest(tmp_path / "manifest.json", {"name": "voc"})
    pack_split(tmp_path / "manifest.json", describe("voc"), "train", 16, 8, tmp_path / "train")
    assert (memory_map(tmp_path / "train.json", "labels") == np.stack(labels)).all()
    counts = np.bincount(np.concatenate(labels).ravel(), minlength=256)
    assert read_json(tmp_path / "train.json")["id_pixels"] == counts[:21].tolist()
    assert counts[255] > 0


def test_an_id_between_the_classes_and_the_border_is_refused(tmp_path: Path) -> None:
    folder = write_voc(tmp_path, 2007, {"train": ["a"]}, ("train",))
    label = np.zeros((32, 32), np.uint8)
    label[0, :3], label[1, :1], label[2] = 21, 200, 255
    Image.fromarray(label).save(folder / "SegmentationClass/a.png")
    Image.fromarray(label).save(folder / "JPEGImages/a.jpg")
    write_manifest(tmp_path / "manifest.json", {})
    with pytest.raises(ValueError, match="got id") as caught:
        pack_split(tmp_path / "manifest.json", describe("voc"), "train", 16, 16, tmp_path / "train")
    assert str(caught.value) == (
        f"{folder}/SegmentationClass/a.png: got id 21 (3 pixels), id 200 (1 pixel), expected 0 to 20 and 255; "
        "fix the label"
    )


def test_an_empty_test_list_is_not_public(tmp_path: Path) -> None:
    folder = write_voc(tmp_path, 2012, {"val": ["a", "b"], "test": ["c"]}, ("val",))
    (folder / SEGMENTATION / "test.txt").write_text("")
    assert sorted(names(tmp_path, "val") + names(tmp_path, "test")) == ["a", "b"]
