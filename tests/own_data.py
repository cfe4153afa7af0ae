"""Directories of images and labels of every kind, written on the spot."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

HEIGHT, WIDTH, COUNT = 64, 96, 40
CLASSES = ("background", "crack", "rust")
COLOURS = np.array([[0, 0, 0], [220, 20, 60], [0, 128, 255]])


def boxes(k: int) -> list[tuple[int, list[int]]]:
    """Class and box (left, top, right, bottom) of the objects of image k."""
    generator = np.random.default_rng(k)
    left, top = generator.integers(0, WIDTH // 2, 2), generator.integers(0, HEIGHT // 2, 2)
    return [(c + 1, [int(left[c]), int(top[c]), int(left[c]) + 40, int(top[c]) + 25]) for c in range(2)]


def truth(k: int) -> np.ndarray:
    """Positions (H, W) uint8 in `CLASSES` of image k."""
    label = np.zeros((HEIGHT, WIDTH), np.uint8)
    for position, (left, top, right, bottom) in boxes(k):
        label[top:bottom, left:right] = position
    return label


def outline(box: list[int]) -> list[list[float]]:
    left, top, right, bottom = map(float, box)
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def write_images(root: Path, pattern: str) -> None:
    for k in range(COUNT):
        noise = np.random.default_rng(k).integers(-20, 20, (HEIGHT, WIDTH, 3))
        save(root / pattern.format(k=k), np.clip(COLOURS[truth(k)] * 0.8 + 25 + noise, 0, 255).astype(np.uint8))


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def masks(look: np.ndarray) -> Callable[[Path], None]:
    """Writer of masks with these values or colours of the classes."""

    def write(root: Path) -> None:
        write_images(root, "photos/{k:03}.png")
        for k in range(COUNT):
            save(root / f"masks/{k:03}_mask.png", look[truth(k)])

    return write


def binary(root: Path) -> None:
    write_images(root, "photos/{k:03}.png")
    for k in range(COUNT):
        save(root / f"masks/{k:03}.png", np.where(truth(k) > 0, 255, 0).astype(np.uint8))


def coco(root: Path) -> None:
    write_images(root, "photos/{k:03}.png")
    categories = [{"id": 10 * i, "name": name} for i, name in enumerate(CLASSES) if i]
    images = [{"id": k, "file_name": f"{k:03}.png", "height": HEIGHT, "width": WIDTH} for k in range(COUNT)]
    rows: list[dict[str, Any]] = []
    for k in range(COUNT):
        for position, box in boxes(k):
            polygon = [value for point in outline(box) for value in point]
            area = 1000.0 - len(rows)  # all are of one size; later ones on top
            row = {"image_id": k, "category_id": 10 * position, "segmentation": [polygon], "area": area, "iscrowd": 0}
            rows.append({"id": len(rows) + 1, **row})
    (root / "annotations.json").write_text(
        json.dumps({"images": images, "annotations": rows, "categories": categories})
    )


def labelme(root: Path) -> None:
    write_images(root, "data/{k:03}.png")
    for k in range(COUNT):
        shapes = [{"label": CLASSES[position], "points": outline(box)} for position, box in boxes(k)]
        content = {"imageHeight": HEIGHT, "imageWidth": WIDTH, "shapes": shapes}
        (root / f"data/{k:03}.json").write_text(json.dumps(content))


def yolo(root: Path) -> None:
    write_images(root, "images/{k:03}.png")
    (root / "labels").mkdir()
    (root / "classes.txt").write_text("crack\nrust\n")
    for k in range(COUNT):
        lines = []
        for position, box in boxes(k):
            points = (np.array(outline(box)) / [WIDTH, HEIGHT]).ravel().tolist()
            lines.append(f"{position - 1} {' '.join(map(str, points))}\n")
        (root / f"labels/{k:03}.txt").write_text("".join(lines))


KINDS: dict[str, Callable[[Path], None]] = {
    "ids": masks(np.array([0, 1, 2], np.uint8)),
    "gaps": masks(np.array([0, 100, 200], np.uint8)),
    "colours": masks(COLOURS.astype(np.uint8)),
    "binary": binary,
    "16 bits": masks(np.array([0, 1000, 40000], np.uint16)),
    "coco": coco,
    "labelme": labelme,
    "yolo": yolo,
}
