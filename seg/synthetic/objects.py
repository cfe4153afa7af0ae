"""Synthetic object scenes: one to four things of 20 classes before a backdrop that suits them, with their labels.

Frequencies follow PASCAL VOC in kind: background covers most of the picture and people are commonest by far
(Everingham et al., The PASCAL Visual Object Classes Challenge: A Retrospective).
"""

import math
import random
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from seg.datasets import IGNORE
from seg.synthetic.objects_backdrops import GRAIN, Backdrops
from seg.synthetic.objects_things import Things
from seg.synthetic.scenes_brush import Camera
from seg.synthetic.scenes_canvas import Canvas, Colour, Weather, develop

_BORDER = 0.01  # of the longer side: VOC's 5 pixels of 500
_COUNTS = (1, 1, 1, 1, 1, 1, 2, 2, 3, 4)  # things in a picture

_FUR: Colour = (0.14, 0.1, 0.1)
_CLOTH: Colour = (0.08, 0.1, 0.08)
_SHINE: Colour = (0.03, 0.04, 0.1)


class Kind(NamedTuple):
    """A class of things: what draws it, how often, how large, of which texture, before which backdrops."""

    draw: Callable[[Things], None]
    often: int
    size: float
    grain: Colour
    places: tuple[str, ...]


# By label id, from 1. How often and how large: by eye, people in every third picture, buses larger than bottles.
KINDS: dict[str, Kind] = {
    "aeroplane": Kind(Things.aeroplane, 20, 0.78, _SHINE, ("air",)),
    "bicycle": Kind(Things.bicycle, 16, 0.62, _SHINE, ("road", "meadow")),
    "bird": Kind(Things.bird, 20, 0.68, _FUR, ("air", "meadow", "water")),
    "boat": Kind(Things.boat, 17, 0.7, _SHINE, ("water",)),
    "bottle": Kind(Things.bottle, 17, 0.5, _SHINE, ("room",)),
    "bus": Kind(Things.bus, 16, 0.84, _SHINE, ("road",)),
    "car": Kind(Things.car, 24, 0.66, _SHINE, ("road", "road", "meadow")),
    "cat": Kind(Things.cat, 25, 0.8, _FUR, ("room", "room", "meadow")),
    "chair": Kind(Things.chair, 18, 0.58, _CLOTH, ("room",)),
    "cow": Kind(Things.cow, 16, 0.74, _FUR, ("meadow",)),
    "diningtable": Kind(Things.dining_table, 17, 0.78, _CLOTH, ("room",)),
    "dog": Kind(Things.dog, 23, 0.74, _FUR, ("meadow", "room", "road")),
    "horse": Kind(Things.horse, 17, 0.78, _FUR, ("meadow", "meadow", "road")),
    "motorbike": Kind(Things.motorbike, 17, 0.74, _SHINE, ("road",)),
    "person": Kind(Things.person, 50, 0.62, _CLOTH, ("road", "meadow", "room", "room", "water", "rails")),
    "pottedplant": Kind(Things.potted_plant, 17, 0.62, (0.14, 0.14, 0.1), ("room",)),
    "sheep": Kind(Things.sheep, 15, 0.7, (0.14, 0.16, 0.08), ("meadow",)),
    "sofa": Kind(Things.sofa, 18, 0.82, _CLOTH, ("room",)),
    "train": Kind(Things.train, 18, 0.86, _SHINE, ("rails",)),
    "tvmonitor": Kind(Things.tv_monitor, 17, 0.66, (0.02, 0.02, 0.06), ("room",)),
}


def render_objects(rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """One object scene.

    Args:
        rng: source of all chance; the same state gives the same bits, and the same scene at every size.
        height: in pixels.
        width: in pixels.

    Returns:
        image (H, W, 3) uint8 and label ids (H, W) uint8: 0 background, 1 to 20 by `KINDS`, 255 along every outline.
    """
    snapshot = Snapshot(random.Random(int(rng.integers(2**63))), height, width)
    snapshot.paint()
    image = develop(snapshot.canvas, snapshot.grain, snapshot.weather, rng)
    slots = snapshot.canvas.slots()
    names = list(KINDS)
    table = [0] * len(GRAIN) + [1 + names.index(name) for name in snapshot.things]
    labels = np.array(table, np.uint8)[slots]
    thing = np.maximum(slots, len(GRAIN) - 1)  # all backdrops are one
    side = 1 + max(1, round(_BORDER * max(height, width)))  # a square of n pixels marks a seam n - 1 pixels wide
    square = np.ones((side, side), np.uint8)
    labels[cv2.dilate(thing, square) != cv2.erode(thing, square)] = IGNORE
    return image, labels


class Snapshot(Backdrops):
    """A picture of things before their backdrop."""

    def __init__(self, dice: random.Random, height: int, width: int) -> None:
        first = dice.choices(list(KINDS), [kind.often for kind in KINDS.values()])[0]
        self.place = dice.choice(KINDS[first].places)
        suited = [name for name, kind in KINDS.items() if self.place in kind.places]
        company = (first, "person" if "person" in suited else first, dice.choice(suited))
        others = dice.choices(company, (4, 3, 4), k=dice.choice(_COUNTS) - 1)
        self.things = (first, *others)
        self.grain = GRAIN | {str(k): KINDS[name].grain for k, name in enumerate(self.things)}
        unit = min(height, width)
        weather = Weather(
            haze=(128, 128, 128),
            visibility=1e9,  # nothing is far away
            warmth=dice.uniform(-0.06, 0.06),
            exposure=dice.uniform(0.86, 1.12),
            contrast=dice.uniform(0.9, 1.06),
            slope=dice.uniform(-0.15, 0.15),
        )
        camera = Camera(focal=unit, centre=width / 2, horizon=height, height=0.0, curve=0.0)
        super().__init__(dice, Canvas(height, width, tuple(self.grain)), camera, weather)
        self.wide, self.tall = width / unit, height / unit
        self.horizon = self.tall * dice.uniform(0.32, 0.58)

    def paint(self) -> None:
        """Paint the backdrop, then the things from the smallest, which is farthest, to the largest."""
        self.backdrop()
        crowd = len(self.things) ** -0.3
        sizes = [KINDS[name].size * crowd * self.dice.uniform(0.64, 1.02) for name in self.things]
        sizes[0] /= 0.75  # the first is what the picture was taken of
        for k in sorted(range(len(sizes)), key=sizes.__getitem__):
            self.thing(k, sizes[k])
        self.finish()

    def thing(self, k: int, size: float) -> None:
        """One of the things; the larger it is the nearer it stands."""
        kind = KINDS[self.things[k]]
        self.start()
        kind.draw(self)
        foot = self.horizon * (0.85 - 0.95 * size + self.dice.uniform(-0.1, 0.1))
        if self.place == "air":
            foot = self.tall * self.dice.uniform(0.15, 0.5)
        elif self.chance(0.1):  # a close-up
            size, foot = size * 1.4, foot - 0.15
        reach = self.wide * (0.15 if k == 0 else 0.42)
        turn = self.dice.uniform(-0.35, 0.35) if self.place == "air" else self.dice.uniform(-0.05, 0.05)
        size *= math.sqrt(self.wide * self.tall)
        self.stand(str(k), self.dice.uniform(-reach, reach), foot, top=self.tall, size=size, turn=turn)
