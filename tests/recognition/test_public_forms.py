"""`seg init` on directories as public datasets and labelling tools arrange them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from own_data import CLASSES, COLOURS, COUNT, HEIGHT, WIDTH, boxes, outline, save, truth, write_images
from PIL import Image

from seg.config.description import Description
from seg.datasets.classes import class_table
from seg.datasets.images import read_pair
from seg.datasets.matching import match_pairs
from seg.datasets.splits import SPLITS
from seg.doctor.examine import examine
from seg.recognition.recognise import recognise

BINARY = np.array([0, 255, 255], np.uint8)


class Form(NamedTuple):
    """A way of arranging the images of `own_data`.

    Attributes:
        image: name of image `k`.
        label: name of its label; empty if `write` writes labels.
        look: value or colour of each class in labels.
        keys: keys of the description that are expected, among others.
        write: writes other files.
        numbers: of the images with a label.
    """

    image: Callable[[int], str]
    label: Callable[[int], str] | str
    look: np.ndarray
    keys: dict[str, Any]
    write: Callable[[Path], None] = lambda root: None
    numbers: range = range(COUNT)


def named(pattern: str) -> Callable[[int], str]:
    """Name of image `k`, in the splits `{roboflow}`, `{split}` and the directories `{clip}`."""

    def name(k: int) -> str:
        split = SPLITS[(k % 10 >= 6) + (k % 10 >= 8)]
        roboflow = split.replace("val", "valid")
        return pattern.format(k=k, n=k // 8, split=split, roboflow=roboflow, clip=f"clip{'ABCDE'[k // 8]}")

    return name


def text(file: str, content: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(content)

    return write


def several(*writers: Callable[[Path], None]) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        for writer in writers:
            writer(root)

    return write


def lists(folder: str, pattern: str = "{k:03}") -> Callable[[Path], None]:
    names = {split: [pattern.format(k=k) for k in range(COUNT) if named("{split}")(k) == split] for split in SPLITS}
    return several(*(text(f"{folder}/{split}.txt", "\n".join(names[split])) for split in SPLITS))


def extra(pattern: str, count: int = 5) -> Callable[[Path], None]:
    """Images that have no label."""

    def write(root: Path) -> None:
        for k in range(count):
            save(root / pattern.format(k=k), np.zeros((HEIGHT, WIDTH, 3), np.uint8))

    return write


def roboflow_coco(root: Path) -> None:
    """Each split has its own file; the project's name is listed as a category, and objects refer to the others."""
    for split in ("train", "valid", "test"):
        numbers = [k for k in range(COUNT) if named("{roboflow}")(k) == split]
        rows = [(k, *each) for k in numbers for each in boxes(k)]
        content = {
            "images": [
                {"id": k, "file_name": f"{k:03}_png.rf.{k:08x}.jpg", "height": HEIGHT, "width": WIDTH} for k in numbers
            ],
            "categories": [
                {"id": 0, "name": "defects", "supercategory": "none"},
                {"id": 1, "name": "crack", "supercategory": "defects"},
                {"id": 2, "name": "rust", "supercategory": "defects"},
            ],
            "annotations": [
                {"id": i, "image_id": k, "category_id": c, "area": 1000 - i, "iscrowd": 0,
                 "segmentation": [np.ravel(outline(box)).tolist()]}
                for i, (k, c, box) in enumerate(rows)
            ],
        }  # fmt: skip
        text(f"{split}/_annotations.coco.json", json.dumps(content))(root)


def roboflow_yolo(root: Path) -> None:
    for k in range(COUNT):
        rows = [
            f"{c - 1} {' '.join(map(str, (np.array(outline(box)) / [WIDTH, HEIGHT]).ravel()))}" for c, box in boxes(k)
        ]
        text(named("{roboflow}/labels/{k:03}_png.rf.{k:08x}.txt")(k), "\n".join(rows))(root)
    text("data.yaml", "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: ['crack', 'rust']\n")(root)
    text("README.roboflow.txt", "exported")(root)


def labelme(root: Path) -> None:
    for k in range(COUNT):
        shapes = [
            {"label": CLASSES[c], "points": outline(box), "group_id": None, "shape_type": "polygon", "flags": {}}
            for c, box in boxes(k)
        ]
        content = {"version": "5.4.1", "imagePath": f"IMG_{k:04}.JPG", "imageData": None, "shapes": shapes}
        text(f"IMG_{k:04}.json", json.dumps(content | {"imageHeight": HEIGHT, "imageWidth": WIDTH}))(root)


CVAT = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncrack:220,20,60::\nrust:0,128,255::\n"
FORMS = {
    "CVAT, segmentation mask 1.1": Form(
        named("JPEGImages/{k:03}.jpg"),
        named("SegmentationClass/{k:03}.png"),
        COLOURS,
        {"images": "JPEGImages/{stem}.jpg", "labels": "SegmentationClass/{stem}.png", "classes": list(CLASSES)},
        several(
            text("labelmap.txt", CVAT),
            text("ImageSets/Segmentation/default.txt", "\n".join(f"{k:03}" for k in range(COUNT))),
            extra("SegmentationObject/{k:03}.png", COUNT),
        ),
    ),
    "Roboflow, COCO": Form(
        named("{roboflow}/{k:03}_png.rf.{k:08x}.jpg"),
        "",
        COLOURS,
        {
            "images": "{split}/{stem}.jpg",
            "labels": {"files": "{split}/_annotations.coco.json", "encoding": "coco"},
            "classes": list(CLASSES),
        },
        roboflow_coco,
    ),
    "Roboflow, YOLO": Form(
        named("{roboflow}/images/{k:03}_png.rf.{k:08x}.jpg"),
        "",
        COLOURS,
        {"images": "{split}/images/{stem}.jpg", "classes": ["crack", "rust", "background"]},
        roboflow_yolo,
    ),
    "Roboflow, masks": Form(
        named("{roboflow}/{k:03}_png.rf.{k:08x}.jpg"),
        named("{roboflow}/{k:03}_png.rf.{k:08x}_mask.png"),
        np.array([0, 1, 2], np.uint8),
        {"images": "{split}/{stem}.jpg", "labels": "{split}/{stem}_mask.png",
         "ids": {0: "background", 1: "crack", 2: "rust"}},
        several(*(text(f"{split}/_classes.csv", "Pixel Value, Class\n0, background\n1, crack\n2, rust\n")
                  for split in ("train", "valid", "test"))),
    ),
    "Carvana": Form(
        named("train/{k:03}.jpg"),
        named("train_masks/{k:03}_mask.gif"),
        BINARY,
        {"images": "train/{stem}.jpg", "labels": "train_masks/{stem}_mask.gif"},
        extra("test/unlabelled{k}.jpg"),
    ),
    "MoNuSeg": Form(
        named("Tissue Images/TCGA-{k:03}.tif"),
        named("masks/TCGA-{k:03}.png"),
        BINARY,
        {"images": "Tissue Images/{stem}.tif", "labels": "masks/{stem}.png"},
        text("Annotations/TCGA-000.xml", "<Annotations/>"),
    ),
    "VOC": Form(
        named("JPEGImages/{k:03}.jpg"),
        named("SegmentationClass/{k:03}.png"),
        np.array([0, 1, 2], np.uint8),
        {"labels": "SegmentationClass/{stem}.png", "splits": {"lists": "ImageSets/Segmentation/{split}.txt"}},
        several(lists("ImageSets/Segmentation"), extra("JPEGImages/other_{k}.jpg")),
    ),
    "LabelMe": Form(
        named("IMG_{k:04}.JPG"), "", COLOURS, {"images": "{stem}.jpg", "classes": list(CLASSES)}, labelme
    ),
    "clips in directories": Form(
        named("imgs/{clip}/{k:04}.png"),
        named("labels/{clip}/{k:04}.png"),
        np.array([0, 1, 2], np.uint8),
        {"images": "imgs/**/{stem}.png", "labels": "labels/**/{stem}.png", "group": "(.+)/"},
    ),
    "patients, slices beside their masks": Form(
        named("kaggle_3m/TCGA_{n}/TCGA_{n}_{k}.tif"),
        named("kaggle_3m/TCGA_{n}/TCGA_{n}_{k}_mask.tif"),
        BINARY,
        {"images": "kaggle_3m/**/{stem:(?:(?!_mask[.])[^/])+}.tif", "labels": "kaggle_3m/**/{stem}_mask.tif",
         "group": "(.+)/"},
    ),
    "patients, slices and masks": Form(
        named("patient{n:02}/images/slice_{k:03}.png"),
        named("patient{n:02}/masks/slice_{k:03}.png"),
        BINARY,
        {"images": "**/images/{stem}.png", "labels": "**/masks/{stem}.png", "group": "(.+)/"},
    ),
    "a directory per image": Form(
        named("sample{k:03}/image.png"),
        named("sample{k:03}/mask.png"),
        BINARY,
        {"images": "{stem}/image.png", "labels": "{stem}/mask.png"},
    ),
    "DeepGlobe": Form(
        named("train/{k:03}_sat.jpg"),
        named("train/{k:03}_mask.png"),
        COLOURS,
        {"images": "train/{stem}_sat.jpg", "labels": "train/{stem}_mask.png", "classes": list(CLASSES)},
        several(text("class_dict.csv", "name,r,g,b\nbackground,0,0,0\ncrack,220,20,60\nrust,0,128,255\n"),
                extra("test/{k}_sat.jpg")),
    ),
    "names that begin differently": Form(
        named("data/image_{k:03}.png"),
        named("data/mask_{k:03}.png"),
        BINARY,
        {"images": "data/image_{stem}.png", "labels": "data/mask_{stem}.png"},
    ),
    "splits in names of directories": Form(
        named("{split}_images/{k:03}.jpg"),
        named("{split}_masks/{k:03}.png"),
        np.array([0, 1, 2], np.uint8),
        {"images": "{split}_images/{stem}.jpg", "labels": "{split}_masks/{stem}.png"},
    ),
    "a table of splits": Form(
        named("photos/{k:03}.jpg"),
        named("annotations/{k:03}.png"),
        np.array([0, 1, 2], np.uint8),
        {"labels": "annotations/{stem}.png"},
        text("split.csv", "name,split\n" + "".join(f"{k:03}.jpg,{named('{split}')(k)}\n" for k in range(COUNT))),
    ),
}  # fmt: skip


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Form, Path]:
    """A form, and the directory that is arranged in it."""
    chosen: Form = FORMS[request.param]
    write_images(tmp_path, "{k:03}.png")
    for k in range(COUNT):
        with Image.open(tmp_path / f"{k:03}.png") as image:
            image.load()
        (tmp_path / f"{k:03}.png").unlink()
        save(tmp_path / chosen.image(k), np.asarray(image))
        if callable(chosen.label):
            save(tmp_path / chosen.label(k), chosen.look[truth(k)].astype(np.uint8))
    chosen.write(tmp_path)
    return chosen, tmp_path


def test_images_and_labels_are_read_as_they_were_written(form: tuple[Form, Path]) -> None:
    chosen, root = form
    found = recognise(root)
    assert {key: found.keys.get(key) for key in chosen.keys} == chosen.keys
    description = Description().merged(**found.keys)
    folded = [description.merged(fold=0)] if description.folds else [description]
    pairs = {pair.image: pair for each in folded for split in SPLITS for pair in match_pairs(each, root, split)[0]}
    assert set(pairs) == {root / chosen.image(k) for k in range(COUNT)}
    table = class_table(description, root)
    order = [table.ids.index(name) for name in CLASSES] if "rust" in table.ids else [0, 1, len(table.ids) - 1]
    for k in range(0, COUNT, 7):
        image, label, _ = read_pair(pairs[root / chosen.image(k)], table)
        assert image.shape == (HEIGHT, WIDTH, 3)
        assert np.array_equal(label, np.array(order)[truth(k)])


def test_the_doctor_finds_no_error_in_what_init_describes(form: tuple[Form, Path]) -> None:
    _, root = form
    found = recognise(root)
    description = Description().merged(**found.keys)
    diagnosis = examine(root, description.merged(fold=0) if description.folds else description)
    assert [str(finding) for finding in diagnosis.findings if finding.severity == "error"] == []
    assert all(diagnosis.samples[split] for split in {"train", "val", found.eval_split})
