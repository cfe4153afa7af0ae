"""Rendered object scenes with the labels of PASCAL VOC: one to four things of 20 classes before a wall and a floor."""

from typing import NamedTuple

import cv2
import numpy as np

from seg.datasets import IGNORE
from seg.synthetic.canvas import Canvas, Look

_BORDER = 0.01  # width of the unscored border, of the longer side: VOC's 5 pixels of 500
_THINGS = (0.4, 0.35, 0.2, 0.05)  # probability of one, two, three and four things


class Kind(NamedTuple):
    """A class: its look, relative frequency, largest height (of the image's shorter side), width over height."""

    look: Look
    often: int
    height: float
    aspect: float


# By id, from 1. Frequencies are in the order of VOC's: people are commonest by far.
KINDS: dict[str, Kind] = {
    "aeroplane": Kind(Look("plane", (226, 228, 236), "plain"), 20, 0.60, 1.5),
    "bicycle": Kind(Look("cycle", (20, 150, 150), "plain"), 16, 0.65, 1.4),
    "bird": Kind(Look("bird", (240, 60, 160), "plain"), 20, 0.60, 1.4),
    "boat": Kind(Look("hull", (30, 70, 200), "stripes"), 17, 0.70, 1.2),
    "bottle": Kind(Look("bottle", (30, 170, 60), "plain"), 17, 0.85, 0.5),
    "bus": Kind(Look("bus", (240, 60, 30), "checks"), 16, 0.65, 1.2),
    "car": Kind(Look("car", (60, 30, 150), "plain"), 24, 0.55, 1.7),
    "cat": Kind(Look("sitting", (240, 150, 40), "stripes"), 25, 0.80, 0.9),
    "chair": Kind(Look("chair", (130, 70, 20), "plain"), 18, 0.75, 0.8),
    "cow": Kind(Look("beast", (90, 50, 50), "dots"), 16, 0.65, 1.4),
    "diningtable": Kind(Look("table", (200, 140, 90), "stripes"), 17, 0.65, 1.5),
    "dog": Kind(Look("sitting", (150, 100, 60), "dots"), 23, 0.75, 0.9),
    "horse": Kind(Look("beast", (160, 30, 30), "plain"), 17, 0.80, 1.2),
    "motorbike": Kind(Look("cycle", (20, 20, 40), "plain"), 17, 0.65, 1.3),
    "person": Kind(Look("person", (250, 200, 60), "plain"), 60, 0.95, 0.55),
    "pottedplant": Kind(Look("plant", (110, 220, 40), "checks"), 17, 0.75, 0.8),
    "sheep": Kind(Look("beast", (250, 240, 220), "dots"), 15, 0.60, 1.3),
    "sofa": Kind(Look("sofa", (150, 40, 150), "checks"), 18, 0.60, 1.7),
    "train": Kind(Look("bus", (80, 200, 230), "bars"), 18, 0.65, 1.4),
    "tvmonitor": Kind(Look("monitor", (30, 30, 30), "stripes"), 17, 0.65, 1.2),
}
_ODDS = np.array([kind.often for kind in KINDS.values()]) / sum(kind.often for kind in KINDS.values())


def render_objects(generator: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """One object scene.

    Args:
        generator: source of all randomness; the same state gives the same scene at every size.
        height, width: in pixels.

    Returns:
        Image (H, W, 3) uint8 and ids (H, W) uint8: 0 background, 1 to 20 by `KINDS`, 255 along every outline.
    """
    canvas = Canvas(height, width, generator)
    _backdrop(canvas)
    things = generator.choice(len(KINDS), 1 + generator.choice(len(_THINGS), p=_THINGS), p=_ODDS)
    unit, crowd = min(canvas.wide, 1), len(things) ** -0.2
    sizes = np.sort(generator.uniform(0.8, 1.2, len(things)))  # the farthest first
    for number, (kind, size) in enumerate(zip(things, sizes, strict=True), start=1):
        _, (look, _, high, aspect) = list(KINDS.items())[kind]
        tall = unit * crowd * size * high
        x, y = (
            generator.uniform(*sorted((side / 2, end - side / 2)))
            for side, end in ((tall * aspect, canvas.wide), (tall, 1))
        )
        canvas.place(look, number, (x, y), (tall * aspect, tall), generator.uniform(-0.15, 0.15))
    ids = np.array([0, *(1 + things)], np.uint8)[canvas.labels]
    side = 1 + max(1, round(_BORDER * max(height, width)))  # a square of n pixels marks an outline of n - 1 pixels
    square = np.ones((side, side), np.uint8)
    ids[cv2.dilate(canvas.labels, square) != cv2.erode(canvas.labels, square)] = IGNORE
    return canvas.photograph(), ids


def _backdrop(canvas: Canvas) -> None:
    """A wall and a floor in greyish colours."""
    draw = canvas.generator
    for top in (0.0, draw.uniform(0.5, 0.8)):
        grey = draw.uniform(80, 180) + draw.uniform(-15, 15, 3)
        look = Look("box", (int(grey[0]), int(grey[1]), int(grey[2])), "clouds")
        canvas.place(look, 0, (canvas.wide / 2, top + 0.6), (canvas.wide * 1.1, 1.2))
