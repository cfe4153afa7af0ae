"""Labels given as polygons: COCO, LabelMe, YOLO (drawn by pycocotools) and Cityscapes, at the size of the image.

Where objects overlap, the later one in the file is on top; in COCO, whose order has no meaning, the smaller one. Crowds
and the parts of an object belong to its class.
"""

import base64
import json
import math
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from seg.datasets.classes import ClassTable
from seg.system.console import nearest

POLYGONS = ("coco", "labelme", "yolo", "cityscapes")
_CORNERS = 64  # of the polygon that stands for a circle
_ROUNDING = 1e-4  # fractions of the size may lie outside of 0 to 1 by this much
_MOST_PIXELS = 2**28


class Shape(NamedTuple):
    """Class and outline of an object.

    Attributes:
        name: name of its class, or its position (YOLO).
        parts: polygons [x1, y1, x2, y2, ...] in pixels, a COCO run-length encoding, or a mask (H, W) bool.
    """

    name: str | int
    parts: Any


class _CocoImage(NamedTuple):
    height: int
    width: int
    shapes: list[Shape]


def polygon_size(path: Path, encoding: str, name: str) -> tuple[int, int] | None:
    """Height and width that the file of an image's polygons gives; `None` for YOLO."""
    if encoding == "yolo":
        return None
    if encoding == "coco":
        image = coco_images(path)[name]
        return image.height, image.width
    content = read_annotations(path)
    keys = ("imageHeight", "imageWidth") if encoding == "labelme" else ("imgHeight", "imgWidth")
    height, width = (content.get(key) for key in keys)
    if not (isinstance(height, int) and isinstance(width, int) and 0 < height * width < _MOST_PIXELS):
        raise ValueError(f"{path}: has no {' and '.join(keys)}, expected a file of {encoding}")
    return height, width


def draw_shapes(path: Path, encoding: str, name: str, size: tuple[int, int], table: ClassTable) -> np.ndarray:
    """Positions (H, W) uint8 in `table.ids` of the objects of an image; `table.background` where there is none.

    Args:
        path: file with the polygons.
        encoding: one of `POLYGONS`.
        name: stem of the image's file name, which finds it in a file of COCO.
        size: see `polygon_size`; of YOLO, that of the image.
        table: classes.

    Raises:
        ValueError: the file is damaged, or has classes or outlines that cannot be drawn.
    """
    label = np.full(size, table.background, np.uint8)
    try:
        if encoding == "cityscapes":
            return _draw_cityscapes(path, label, table)
        read = {"labelme": _labelme, "yolo": _yolo}
        for shape in coco_images(path)[name].shapes if encoding == "coco" else read[encoding](path, size):
            label[_mask(shape.parts, *size)] = _position(shape.name, table)
    except (AttributeError, KeyError, TypeError, IndexError) as error:
        raise ValueError(
            f"{path}: is no file of {encoding} ({type(error).__name__}: {error}); export it again"
        ) from None
    except (ValueError, OSError) as error:  # OSError: a mask of LabelMe that is no image
        raise ValueError(f"{path}: {error}") from None
    return label


@lru_cache(maxsize=4)
def coco_images(path: Path) -> dict[str, _CocoImage]:
    """Images of a COCO file with their objects, the largest first, by the stem of their file name."""
    content = read_annotations(path)
    try:
        names = {row["id"]: row["name"] for row in content["categories"]}
        images = {row["id"]: _CocoImage(int(row["height"]), int(row["width"]), []) for row in content["images"]}
        stems = {
            unicodedata.normalize("NFC", PurePosixPath(row["file_name"].replace("\\", "/")).stem): images[row["id"]]
            for row in content["images"]
        }
        for row in sorted(content["annotations"], key=lambda row: -row.get("area", 0)):
            if not row.get("segmentation"):
                raise ValueError(f"{path}: annotation {row['id']} has no outline; export segmentation, not detection")
            images[row["image_id"]].shapes.append(Shape(names[row["category_id"]], row["segmentation"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: is no file of COCO instances ({type(error).__name__}: {error})") from None
    if len(stems) < len(images):
        raise ValueError(f"{path}: two images have the same file name; expected one entry per image")
    return stems


def _labelme(path: Path, size: tuple[int, int]) -> Iterator[Shape]:
    for row in read_annotations(path)["shapes"]:
        points, kind = np.array(row["points"], float), row.get("shape_type", "polygon")
        if len(points) < (3 if kind == "polygon" else 2):
            raise ValueError(f"got a {kind} of {len(points)} points; delete or redraw it")
        if kind == "polygon":
            outline = points
        elif kind == "rectangle":
            (left, top), (right, bottom) = points.min(0), points.max(0)
            outline = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        elif kind == "circle":
            angles = np.arange(_CORNERS) * 2 * math.pi / _CORNERS
            radius = np.hypot(*(points[1] - points[0]))
            outline = points[0] + radius * np.stack([np.cos(angles), np.sin(angles)], 1)
        elif kind == "mask":
            yield Shape(row["label"], _placed(row["mask"], points, size))
            continue
        else:
            raise ValueError(
                f"got the shape '{kind}', expected polygon, rectangle, circle or mask; delete or redraw it"
            )
        yield Shape(row["label"], [outline.ravel().tolist()])


def _placed(text: str, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Mask (H, W) of LabelMe, a PNG at the corner of its box."""
    with Image.open(BytesIO(base64.b64decode(text))) as file:
        part = np.asarray(file) > 0
    mask = np.zeros(size, bool)
    left, top = points.min(0).round().astype(int)
    mask[top : top + part.shape[0], left : left + part.shape[1]] = part[: size[0] - top, : size[1] - left]
    return mask


def _yolo(path: Path, size: tuple[int, int]) -> Iterator[Shape]:
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        if not (columns := line.split()):
            continue
        try:
            position, values = int(columns[0]), np.array(columns[1:], float)
        except ValueError:
            raise ValueError(f"line {number}: got '{line[:40]}', expected a class and numbers from 0 to 1") from None
        if len(values) < 6 or len(values) % 2:
            what = "a box" if len(values) in (4, 5) else f"{len(values)} numbers"
            raise ValueError(f"line {number}: got {what}, expected a polygon; export segmentation, not detection")
        if not -_ROUNDING <= values.min() <= values.max() <= 1 + _ROUNDING:
            raise ValueError(
                f"line {number}: got {values.min()} to {values.max()}, expected 0 to 1, parts of the image"
            )
        yield Shape(position, [(values.reshape(-1, 2) * [size[1], size[0]]).ravel().tolist()])


def _draw_cityscapes(path: Path, label: np.ndarray, table: ClassTable) -> np.ndarray:
    """Draw as cityscapesScripts does: by Pillow, groups of objects as objects, no licence plates."""
    image = Image.fromarray(label)
    draw = ImageDraw.Draw(image)
    for row in read_annotations(path)["objects"]:
        name = row["label"]
        name = name if name in table.ids else name.removesuffix("group")
        if not row.get("deleted") and name != "license plate":
            draw.polygon([tuple(point) for point in row["polygon"]], fill=_position(name, table))
    return np.asarray(image)


def _position(name: str | int, table: ClassTable) -> int:
    if isinstance(name, int):
        if not 0 <= name < len(table.ids):
            raise ValueError(f"got class {name}, expected 0 to {len(table.ids) - 1}; add its name to `classes`")
        return name
    if name not in table.ids:
        raise ValueError(f"class '{name}' is unknown; {nearest(name, table.ids)}; add it to `classes`")
    return table.ids.index(name)


def _mask(parts: Any, height: int, width: int) -> np.ndarray:
    """Pixels (H, W) bool of an object."""
    if isinstance(parts, np.ndarray):
        return parts
    try:
        from pycocotools import mask as coco
    except ImportError:
        raise ValueError("polygons require pycocotools; pip install -e '.[polygons]'") from None
    if isinstance(parts, list):
        polygons = [part for part in parts if len(part) >= 6]  # three points
        if not polygons:
            return np.zeros((height, width), bool)
        encoded = coco.merge(coco.frPyObjects(polygons, height, width))
    elif isinstance(parts["counts"], list):
        if sum(parts["counts"]) != height * width:
            raise ValueError(f"got runs of {sum(parts['counts'])} pixels, expected {height * width}; export again")
        encoded = coco.frPyObjects(parts, height, width)
    else:
        encoded = {"size": parts["size"], "counts": parts["counts"].encode()}
    decoded: np.ndarray = coco.decode(encoded)
    if decoded.shape != (height, width):
        raise ValueError(
            f"got a mask of {decoded.shape[1]}x{decoded.shape[0]}, image of {width}x{height}; export again"
        )
    return decoded.astype(bool)


def read_annotations(path: Path) -> dict[str, Any]:
    """Content of a JSON file of polygons. Raises ValueError if it is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path}: is no JSON ({error}); export it again") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: got {type(content).__name__}, expected an object; export it again")
    return content
