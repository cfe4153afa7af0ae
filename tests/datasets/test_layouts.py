"""The layouts: class tables against the official ones, and files paired by name."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from cityscapesscripts.helpers import labels as official
from hypothesis import given
from hypothesis import strategies as st

from seg.config.description import describe, layouts
from seg.datasets import IGNORE
from seg.datasets.classes import bit_colour, class_table
from seg.datasets.manifest import fingerprint, read_manifest, write_manifest
from seg.datasets.matching import find_pairs
from seg.datasets.splits import draw_split, unit_hash


@pytest.fixture
def camvid(camvid_root: Path, tmp_path: Path) -> Path:
    """A copy of the dataset that tests may change."""
    return shutil.copytree(camvid_root, tmp_path / "camvid")


def test_cityscapes_ids_are_those_of_its_owners() -> None:
    table = class_table(describe("cityscapes"))
    rows = [label for label in official.labels if label.id >= 0]  # -1 is the licence plate, in no label file
    assert table.ids == tuple(label.name for label in rows)
    expected = [label.trainId if 0 <= label.trainId < IGNORE else IGNORE for label in rows]
    assert table.train_ids()[:34].tolist() == expected
    assert (table.train_ids()[34:] == IGNORE).all()
    scored = sorted((label for label in rows if label.trainId < IGNORE), key=lambda label: label.trainId)
    assert table.names == tuple(label.name for label in scored)
    assert table.palette == tuple(label.color for label in scored)


def test_camvid_has_the_eleven_classes_in_their_order() -> None:
    table = class_table(describe("camvid"))
    names = "sky building pole road pavement tree sign fence car pedestrian bicyclist"
    assert table.names == tuple(names.split())
    assert table.train_ids()[:13].tolist() == [*range(11), IGNORE, IGNORE]


@pytest.mark.parametrize("layout", layouts())
def test_a_class_table_is_sound(layout: str, tmp_path: Path) -> None:
    (tmp_path / "classes.yaml").write_text("[background, crack, rust]")  # the folder's own
    table = class_table(describe(layout), tmp_path)
    assert table.train_ids().dtype == np.uint8
    assert len(set(table.ids)) == len(table.ids)
    assert len(set(table.palette)) == len(table.palette) == len(table.scored)
    assert [table.train_ids()[i] for i in table.scored] == list(range(len(table.scored)))


def test_pairs_share_a_name_and_are_sorted(camvid_root: Path, cityscapes_root: Path) -> None:
    for pair in (pairs := find_pairs(describe("camvid"), camvid_root, "train")):
        assert pair.image == camvid_root / "train" / f"{pair.name}.png"
        assert pair.label == camvid_root / "trainannot" / f"{pair.name}.png"
    assert [pair.name for pair in pairs] == [f"scene_{k:04d}" for k in range(12)]
    pairs = find_pairs(describe("cityscapes"), cityscapes_root, "val")
    assert [pair.name for pair in pairs] == [f"ulm_{k:06d}_000019" for k in range(4)]
    assert pairs[1].image.name == "ulm_000001_000019_leftImg8bit.png"
    assert pairs[1].label.name == "ulm_000001_000019_gtFine_labelIds.png"


@pytest.mark.parametrize(
    ("layout", "image", "label", "group", "ordered"),
    [
        ("camvid", "val/0001TP_008550.png", "valannot/0001TP_008550.png", "0001TP", True),
        ("camvid", "val/Seq05VD_f00030.png", "valannot/Seq05VD_f00030.png", "Seq05VD", True),
        ("camvid", "val/1.png", "valannot/1.png", "", True),
        (
            "cityscapes",
            "leftImg8bit/val/frankfurt/frankfurt_000001_063045_leftImg8bit.png",
            "gtFine/val/frankfurt/frankfurt_000001_063045_gtFine_labelIds.png",
            "frankfurt",
            True,
        ),
        (  # recording 0a0a0b1c is in the split val
            "bdd100k",
            "bdd100k/seg/images/val/0a0a0b1c-7c39d841.jpg",
            "bdd100k/seg/labels/val/0a0a0b1c-7c39d841_id.png",
            "0a0a0b1c",
            False,
        ),
        ("folder", "images/a_1.png", "labels/a_1.png", "", False),
        (
            "voc",
            "VOCdevkit/VOC2012/JPEGImages/2007_000033.jpg",
            "VOCdevkit/VOC2012/SegmentationClass/2007_000033.png",
            "",
            False,
        ),
    ],
)
def test_groups_and_their_order(tmp_path: Path, layout: str, image: str, label: str, group: str, ordered: bool) -> None:
    for file in (image, label):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    for listed in ("val.txt", "VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt"):
        (tmp_path / listed).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / listed).write_text(Path(image).stem)
    [pair] = find_pairs(describe(layout), tmp_path, "train" if layout == "voc" else "val")
    assert (pair.group, describe(layout).ordered) == (group, ordered)


def test_images_may_be_jpeg(camvid: Path) -> None:
    (camvid / "val" / "scene_0001.png").rename(camvid / "val" / "scene_0001.jpg")
    names = [pair.image.name for pair in find_pairs(describe("camvid"), camvid, "val")]
    assert names == ["scene_0000.png", "scene_0001.jpg", "scene_0002.png", "scene_0003.png"]


def test_other_files_are_not_part_of_cityscapes(cityscapes_root: Path, tmp_path: Path) -> None:
    root = shutil.copytree(cityscapes_root, tmp_path / "cityscapes")
    for kind in ("gtFine_color.png", "gtFine_instanceIds.png", "gtFine_polygons.json"):
        (root / "gtFine" / "val" / "ulm" / f"ulm_000001_000019_{kind}").write_bytes(b"")
    assert len(find_pairs(describe("cityscapes"), root, "val")) == 4


def test_all_files_without_a_partner_are_listed(camvid: Path) -> None:
    (camvid / "valannot" / "scene_0001.png").unlink()
    (camvid / "valannot" / "scene_0002.png").rename(camvid / "valannot" / "scene_0009.png")
    with pytest.raises(ValueError, match="without") as caught:
        find_pairs(describe("camvid"), camvid, "val")
    assert str(caught.value).splitlines() == [
        f"{camvid}/val/scene_0001.png: image without a label; add one or remove it",
        f"{camvid}/val/scene_0002.png: image without a label; add one or remove it",
        f"{camvid}/valannot/scene_0009.png: label without an image; add one or remove it",
    ]


@pytest.mark.parametrize("layout", layouts())
def test_an_empty_split(tmp_path: Path, layout: str) -> None:
    message = f"{tmp_path}: no image in split 'train'; add images in the layout '{layout}'"
    with pytest.raises(ValueError, match="no image") as caught:
        find_pairs(describe(layout), tmp_path, "train")
    assert str(caught.value) == message


def test_an_unknown_layout() -> None:
    with pytest.raises(
        ValueError, match="layout 'city' is unknown; known are ade20k, bdd100k, bdd100k_19, camvid, cityscapes, "
    ):
        describe("city")


def test_a_table_in_the_dataset_requires_the_directory() -> None:
    with pytest.raises(
        ValueError, match="layout 'folder' reads its classes from the dataset; give the dataset's directory"
    ):
        class_table(describe("folder"))


def test_colours_are_interleaved_bits() -> None:
    """Bits of i, lowest first, go to red, green, blue, red, ...; the first of a channel is worth 128, then 64, 32."""
    assert [bit_colour(i) for i in (0, 1, 2, 3, 4, 8, 9, 64)] == [
        (0, 0, 0),
        (128, 0, 0),
        (0, 128, 0),
        (128, 128, 0),
        (0, 0, 128),
        (64, 0, 0),
        (192, 0, 0),
        (32, 0, 0),
    ]
    assert len({bit_colour(i) for i in range(256)}) == 256


# Splits drawn by name


def test_a_drawn_split_never_changes() -> None:
    """Another value would move training images of a model into the split that it is evaluated on."""
    assert unit_hash("a") == int(hashlib.sha256(b"0/a").hexdigest()[:12], 16) / 2**48
    assert [draw_split(name) for name in "abcdefgh"] == ["val", *["train"] * 6, "test"]


@given(st.text())
def test_a_hash_is_in_the_unit_interval_and_selects_the_split(name: str) -> None:
    assert 0 <= unit_hash(name) < 1
    assert draw_split(name) == ("train" if unit_hash(name) < 0.7 else "val" if unit_hash(name) < 0.85 else "test")


def test_shares_are_near_70_15_15_over_2000_groups() -> None:
    drawn = [draw_split(f"{k:08x}") for k in range(2000)]
    shares = [drawn.count(split) / 2000 for split in ("train", "val", "test")]
    assert np.abs(np.subtract(shares, [0.7, 0.15, 0.15])).max() < 0.03  # 3 standard deviations


def test_a_fingerprint_depends_only_on_the_content(camvid: Path, tmp_path: Path) -> None:
    before = fingerprint(read_manifest(camvid / "manifest.json"))
    moved = camvid.rename(tmp_path / "elsewhere")
    write_manifest(moved / "manifest.json", {"name": "another name"})
    assert fingerprint(read_manifest(moved / "manifest.json")) == before
    image = moved / "train" / "scene_0003.png"
    image.write_bytes(image.read_bytes()[:-1] + b"\0")
    write_manifest(moved / "manifest.json", {})
    assert fingerprint(read_manifest(moved / "manifest.json")) != before


def test_a_manifest_lists_every_file_but_itself(camvid_root: Path) -> None:
    files = read_manifest(camvid_root / "manifest.json")["files"]
    assert len(files) == 2 * (12 + 4 + 4)
    for name, entry in files.items():
        assert entry["size"] == (camvid_root / name).stat().st_size
        assert len(entry["sha256"]) == 64


def test_a_manifest_lists_files_behind_links_and_no_hidden_ones(tmp_path: Path) -> None:
    root = tmp_path / ".hidden" / "mine"  # directories above the dataset do not matter
    for name in ("a.b", ".DS_Store", "../disk/a.png", "../disk/._a.png", ".git/config", "../disk/.cache/a.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "images").symlink_to(tmp_path / ".hidden" / "disk")
    write_manifest(root / "manifest.json", {})
    assert list(read_manifest(root / "manifest.json")["files"]) == ["a.b", "images/a.png"]


def test_a_file_that_is_no_manifest(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match="lists no files; delete it and run again"):
        read_manifest(path)
