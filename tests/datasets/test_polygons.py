"""Labels of COCO, LabelMe, YOLO and Cityscapes, against pycocotools and the owners' tools."""

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cityscapesscripts.helpers.annotation import Annotation
from cityscapesscripts.preparation.json2labelImg import createLabelImage
from PIL import Image
from pycocotools import mask as coco
from pycocotools.coco import COCO

from seg.config.description import Description, describe
from seg.datasets import IGNORE
from seg.datasets.classes import class_table
from seg.datasets.images import label_size, read_pair_label
from seg.datasets.matching import ImagePair, find_pairs

HEIGHT, WIDTH = 40, 60
SQUARE = [5.0, 5.0, 25.0, 5.0, 25.0, 30.0, 5.0, 30.0]
STAR = [30.5, 2.2, 34.1, 15.7, 55.3, 15.2, 38.8, 22.4, 45.9, 38.6, 30.1, 28.3, 12.4, 38.2, 20.2, 22.9]
TABLE = class_table(Description(classes=["wall", "crack", "rust"], background="wall"))


def drawn(path: Path, encoding: str, name: str = "a", table: Any = TABLE) -> np.ndarray:
    image = path.with_name(f"{name}.png")
    if not image.exists():
        Image.new("RGB", (WIDTH, HEIGHT)).save(image)
    pair = ImagePair(name, image, path, "", encoding)
    assert label_size(pair) == (HEIGHT, WIDTH)
    return read_pair_label(pair, table)


def mask_of(*polygons: list[float]) -> np.ndarray:
    decoded: np.ndarray = coco.decode(coco.merge(coco.frPyObjects(list(polygons), HEIGHT, WIDTH)))
    return decoded.astype(bool)


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


# COCO


def write_coco(path: Path, *annotations: dict[str, Any], names: tuple[str, ...] = ("a.png",)) -> Path:
    images = [{"id": 7 + k, "file_name": name, "height": HEIGHT, "width": WIDTH} for k, name in enumerate(names)]
    rows = [{"id": k + 1, "image_id": 7, "iscrowd": 0, **row} for k, row in enumerate(annotations)]
    categories = [{"id": 3, "name": "crack"}, {"id": 90, "name": "rust"}]
    return write(path, {"images": images, "annotations": rows, "categories": categories})


def test_masks_of_coco_are_those_of_pycocotools(tmp_path: Path) -> None:
    hole = np.zeros((HEIGHT, WIDTH), np.uint8)
    hole[5:35, 10:50] = 1
    hole[15:25, 20:40] = 0
    packed = coco.encode(np.asfortranarray(hole))
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[2], hole.T.ravel(), [2]]))))
    crowd = {"size": [HEIGHT, WIDTH], "counts": [0, *runs.tolist()] if hole[0, 0] else runs.tolist()}
    for segmentation in (
        [SQUARE, STAR],
        {"size": packed["size"], "counts": packed["counts"].decode()},
        crowd,
    ):
        row = {"category_id": 90, "segmentation": segmentation, "area": 10, "iscrowd": int(segmentation is crowd)}
        path = write_coco(tmp_path / f"{len(str(segmentation))}.json", row)
        api = COCO(str(path))
        expected = np.where(api.annToMask(api.loadAnns(1)[0]) > 0, 2, 0)
        assert np.array_equal(drawn(path, "coco"), expected)


def test_the_smaller_object_of_coco_is_on_top(tmp_path: Path) -> None:
    rows = [
        {"category_id": 3, "segmentation": [SQUARE], "area": 500.0},
        {"category_id": 90, "segmentation": [[0, 0, 60, 0, 60, 40, 0, 40]], "area": 2400.0},
    ]
    label = drawn(write_coco(tmp_path / "c.json", *rows), "coco")
    assert np.array_equal(label, np.where(mask_of(SQUARE), 1, 2))


def test_pixels_without_an_object_are_not_scored_without_a_background(tmp_path: Path) -> None:
    path = write_coco(tmp_path / "c.json", {"category_id": 3, "segmentation": [SQUARE], "area": 500.0})
    table = class_table(Description(classes=["crack", "rust"]))
    assert np.array_equal(drawn(path, "coco", table=table), np.where(mask_of(SQUARE), 0, IGNORE))


def test_one_file_of_coco_for_each_split(tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / "images" / split).mkdir(parents=True)
        for name in ("a", "b"):
            Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "images" / split / f"{split}_{name}.png")
        (tmp_path / "annotations").mkdir(exist_ok=True)
        names = (f"{split}/{split}_a.png", f"{split}/{split}_b.png")
        write_coco(tmp_path / f"annotations/instances_{split}.json", names=names)
    description = Description.model_validate(
        {
            "images": "images/{split}/*.png",
            "labels": {"files": "annotations/instances_{split}.json", "encoding": "coco"},
            "classes": ["crack", "rust"],
        }
    )
    pairs = find_pairs(description, tmp_path, "val")
    assert [(pair.name, pair.label.name) for pair in pairs] == [
        ("val_a", "instances_val.json"),
        ("val_b", "instances_val.json"),
    ]
    (tmp_path / "images/val/val_b.png").unlink()
    with pytest.raises(ValueError, match=r"instances_val\.json: label without an image 'val_b'; add one or remove it"):
        find_pairs(description, tmp_path, "val")


# LabelMe


def labelme(*shapes: dict[str, Any]) -> dict[str, Any]:
    return {"imageHeight": HEIGHT, "imageWidth": WIDTH, "imagePath": "a.png", "shapes": list(shapes)}


def test_shapes_of_labelme_in_their_order(tmp_path: Path) -> None:
    stamp = BytesIO()
    Image.fromarray(np.array([[255, 0], [255, 255]], np.uint8)).save(stamp, "PNG")
    path = write(
        tmp_path / "a.json",
        labelme(
            {"label": "crack", "points": np.reshape(SQUARE, (-1, 2)).tolist()},
            {"label": "rust", "points": [[20, 20], [50, 35]], "shape_type": "rectangle"},
            {
                "label": "rust",
                "points": [[0, 0], [2, 2]],
                "shape_type": "mask",
                "mask": base64.b64encode(stamp.getvalue()).decode(),
            },
        ),
    )
    expected = np.where(mask_of(SQUARE), 1, 0)
    expected[mask_of([20, 20, 50, 20, 50, 35, 20, 35])] = 2
    expected[[0, 1, 1], [0, 0, 1]] = 2
    assert np.array_equal(drawn(path, "labelme"), expected)


def test_a_circle_of_labelme_has_its_area(tmp_path: Path) -> None:
    shape = {"label": "crack", "points": [[30, 20], [45, 20]], "shape_type": "circle"}
    label = drawn(write(tmp_path / "a.json", labelme(shape)), "labelme")
    assert (label == 1).sum() == pytest.approx(np.pi * 15**2, rel=0.02)


# YOLO


def test_polygons_of_yolo_are_fractions_of_the_size(tmp_path: Path) -> None:
    values = (np.reshape(SQUARE, (-1, 2)) / [WIDTH, HEIGHT]).ravel()
    path = write(tmp_path / "a.txt", f"2 {' '.join(map(str, values))}\n\n")
    assert np.array_equal(drawn(path, "yolo"), np.where(mask_of(SQUARE), 2, 0))


# Cityscapes


def test_polygons_of_cityscapes_are_drawn_as_by_its_owners(tmp_path: Path) -> None:
    objects = [
        ("road", [[0, 20], [59, 20], [59, 39], [0, 39]]),
        ("cargroup", np.reshape(STAR, (-1, 2)).round().astype(int).tolist()),
        ("license plate", [[0, 0], [5, 0], [5, 5]]),
        ("polegroup", [[50, 0], [55, 0], [55, 30]]),
    ]
    rows = [{"label": label, "polygon": polygon} for label, polygon in objects]
    content = {"imgHeight": HEIGHT, "imgWidth": WIDTH, "objects": rows}
    path = write(tmp_path / "a.json", content)
    official = Annotation()
    official.fromJsonFile(str(path))
    table = class_table(describe("cityscapes").model_copy(update={"background": "unlabeled"}))
    assert np.array_equal(drawn(path, "cityscapes", table=table), np.asarray(createLabelImage(official, "ids")))


@pytest.mark.parametrize(
    ("encoding", "content", "line"),
    [
        ("coco", "[]", "c.json: got list, expected an object"),
        ("coco", "{", "c.json: is no JSON"),
        ("coco", "{}", "c.json: is no file of COCO instances (KeyError: 'categories')"),
        ("labelme", {"shapes": []}, "c.json: has no imageHeight and imageWidth, expected a file of labelme"),
        ("labelme", labelme({"label": "crak", "points": [[0, 0], [9, 0], [9, 9]]}), "did you mean crack?"),
        (
            "labelme",
            labelme({"label": "crack", "points": [[0, 0], [9, 9]], "shape_type": "line"}),
            "c.json: got the shape 'line', expected polygon, rectangle, circle or mask; delete or redraw it",
        ),
        ("yolo", "0 0.5 0.5 0.2 0.2", "c.json: line 1: got a box, expected a polygon"),
        ("yolo", "1 0.1 0.1 0.2 0.2 5 0.9", "c.json: line 1: got 0.1 to 5.0, expected 0 to 1"),
        ("yolo", "7 0.1 0.1 0.2 0.2 0.5 0.9", "c.json: got class 7, expected 0 to 2; add its name to `classes`"),
        ("yolo", "crack 0.1", "c.json: line 1: got 'crack 0.1', expected a class and numbers from 0 to 1"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, encoding: str, content: Any, line: str) -> None:
    path = write(tmp_path / "c.json", content)
    with pytest.raises(ValueError, match=r".") as caught:
        drawn(path, encoding)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
