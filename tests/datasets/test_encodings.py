"""Shipped datasets in every encoding that their owners publish give the same train ids."""

import json
from pathlib import Path

import numpy as np
import pytest
from cityscapesscripts.helpers import labels as official
from PIL import Image

from seg.config.description import describe
from seg.datasets import IGNORE
from seg.datasets.classes import bit_colour, class_table
from seg.datasets.images import read_pair_label
from seg.datasets.matching import find_pairs

ROWS = [row for row in official.labels if row.id >= 0]
# 32 colours and their classes in CamVid's own order; the names are those of its list of colours.
CAMVID = {(64, 0, 128): "car", (128, 0, 192): "road", (0, 64, 64): "sign", (192, 128, 64): "pedestrian"}


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def train_ids(layout: str, root: Path, split: str = "train") -> np.ndarray:
    description = describe(layout)
    table = class_table(description, root)
    [pair] = find_pairs(description, root, split)  # type: ignore[arg-type]
    return table.train_ids()[read_pair_label(pair, table)]


@pytest.mark.parametrize("encoding", ["labelIds", "labelTrainIds", "color", "polygons"])
def test_cityscapes(tmp_path: Path, encoding: str) -> None:
    rows = [row for row in ROWS if row.name != "polegroup"]  # its colour is that of pole
    ids = np.repeat(np.repeat(np.array([row.id for row in rows]), 8)[None], 8, 0)
    train = np.array([row.trainId for row in ROWS])[ids]
    name = "ulm/ulm_000001_000019"
    save(tmp_path / f"leftImg8bit/train/{name}_leftImg8bit.png", np.zeros((*ids.shape, 3)))
    path = tmp_path / f"gtFine/train/{name}_gtFine_{encoding}.png"
    if encoding == "polygons":
        objects = [
            {"label": row.name, "polygon": [[8 * k, 0], [8 * k + 7, 0], [8 * k + 7, 7], [8 * k, 7]]}
            for k, row in enumerate(rows)
        ]
        path.parent.mkdir(parents=True)
        content = {"imgHeight": ids.shape[0], "imgWidth": ids.shape[1], "objects": objects}
        path.with_suffix(".json").write_text(json.dumps(content))
    else:
        colours = np.array([row.color for row in ROWS])[ids]
        save(path, {"labelIds": ids, "labelTrainIds": train, "color": colours}[encoding])
    assert np.array_equal(train_ids("cityscapes", tmp_path), train)


@pytest.mark.parametrize("mode", ["palette", "RGB"])
def test_voc(tmp_path: Path, mode: str) -> None:
    ids = np.array([[*range(21), 255]] * 2)
    folder = tmp_path / "VOCdevkit/VOC2012"
    save(folder / "JPEGImages/a.jpg", np.zeros((*ids.shape, 3)))
    colours = np.array([bit_colour(i) for i in range(256)])
    save(folder / "SegmentationClass/a.png", ids if mode == "palette" else colours[ids])
    (folder / "ImageSets/Segmentation").mkdir(parents=True)
    (folder / "ImageSets/Segmentation/train.txt").write_text("a")
    assert np.array_equal(train_ids("voc", tmp_path), ids)


@pytest.mark.parametrize("encoding", ["ids", "colours"])
def test_bdd100k_of_19_classes(tmp_path: Path, encoding: str) -> None:
    ids = np.array([[*range(19), 255]] * 2)
    name = "train/00000003-0"  # of the split train
    save(tmp_path / f"bdd100k/seg/images/{name}.jpg", np.zeros((*ids.shape, 3)))
    colours = np.zeros((256, 3))
    colours[:19] = [row.color for row in sorted(ROWS, key=lambda row: row.trainId) if 0 <= row.trainId < IGNORE]
    if encoding == "ids":
        save(tmp_path / f"bdd100k/seg/labels/{name}_train_id.png", ids)
    else:
        save(tmp_path / f"bdd100k/seg/color_labels/{name}_train_color.png", colours[ids])
    assert np.array_equal(train_ids("bdd100k_19", tmp_path), ids)


def test_camvid_as_its_owners_publish_it(tmp_path: Path) -> None:
    pixels = np.array([[*CAMVID, (0, 0, 0)]])
    save(tmp_path / "701_StillsRaw_full/0001TP_006690.png", pixels)
    save(tmp_path / "LabeledApproved_full/0001TP_006690_L.png", pixels)
    (tmp_path / "test.txt").write_text("0001TP_006690.png\n")
    names = class_table(describe("camvid")).names
    expected = [[*(names.index(name) for name in CAMVID.values()), IGNORE]]
    assert train_ids("camvid", tmp_path, "test").tolist() == expected
    assert len(describe("camvid").colours or ()) == 32
