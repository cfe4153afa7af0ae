"""Rendered street scenes with the ids of Cityscapes or BDD100K: a straight street seen from a car.

Lengths are in units of the image's height. What stands on the ground is larger the lower its foot is in the image.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seg.config.description import describe
from seg.datasets.classes import class_table
from seg.synthetic.canvas import Canvas, Look
from seg.synthetic.shapes import Outline

# Surfaces that are painted as polygons in perspective; their shape is not used.
SURFACES: dict[str, Look] = {
    "sky": Look("box", (120, 180, 240), "plain"),
    "building": Look("box", (210, 170, 100), "checks"),
    "vegetation": Look("tree", (40, 110, 40), "clouds"),
    "wall": Look("box", (130, 60, 40), "stripes"),
    "fence": Look("box", (150, 120, 230), "bars"),
    "guard rail": Look("box", (190, 190, 200), "stripes"),
    "bridge": Look("box", (110, 90, 110), "bars"),
    "terrain": Look("box", (170, 190, 60), "clouds"),
    "sidewalk": Look("box", (220, 140, 180), "checks"),
    "parking": Look("box", (150, 150, 160), "stripes"),
    "rail track": Look("box", (90, 70, 60), "stripes"),
    "road": Look("box", (84, 84, 92), "plain"),
    "lane divider": Look("box", (210, 210, 210), "plain"),
    "ego vehicle": Look("box", (30, 30, 36), "plain"),
    "rectification border": Look("box", (4, 4, 4), "plain"),
}
PART_OF = {"lane divider": "road"}  # where the layout has no such class


class Thing(NamedTuple):
    """A class of things: its look, where it stands, expected number per scene, height nearby, width over height.

    `on` names what carries it: half of its height above the foot of that thing.
    """

    look: Look
    place: str  # key of `PLACES`
    often: float
    height: float
    aspect: float
    on: str | None = None


# Left and right end of the places, as fractions of the street from its middle to the kerb, on either side.
PLACES = {"lane": (0.1, 0.7), "kerb": (1.05, 1.5)}
THINGS: dict[str, Thing] = {
    "car": Thing(Look("car", (40, 50, 190), "plain"), "lane", 2.2, 0.34, 1.6),
    "truck": Thing(Look("bus", (0, 130, 120), "stripes"), "lane", 0.45, 0.62, 0.9),
    "bus": Thing(Look("bus", (240, 240, 230), "checks"), "lane", 0.45, 0.62, 1.1),
    "train": Thing(Look("bus", (60, 230, 240), "bars"), "lane", 0.3, 0.66, 1.1),
    "caravan": Thing(Look("bus", (250, 220, 200), "plain"), "lane", 0.06, 0.45, 1.2),
    "trailer": Thing(Look("box", (150, 120, 60), "bars"), "lane", 0.06, 0.4, 1.3),
    "motorcycle": Thing(Look("cycle", (240, 30, 230), "plain"), "lane", 0.6, 0.42, 1.3),
    "bicycle": Thing(Look("cycle", (30, 220, 60), "plain"), "kerb", 1.0, 0.42, 1.3),
    "person": Thing(Look("person", (230, 30, 60), "plain"), "kerb", 2.2, 0.6, 0.45),
    "rider": Thing(Look("person", (255, 130, 20), "plain"), "kerb", 0.6, 0.5, 0.6, on="bicycle"),
    "pole": Thing(Look("box", (25, 25, 25), "plain"), "kerb", 1.2, 0.9, 0.1),
    "polegroup": Thing(Look("box", (60, 60, 64), "bars"), "kerb", 0.05, 0.8, 0.15),
    "traffic light": Thing(Look("box", (110, 0, 110), "dots"), "kerb", 0.7, 0.34, 0.5, on="pole"),
    "traffic sign": Thing(Look("disc", (250, 240, 40), "plain"), "kerb", 0.7, 0.28, 1.0, on="pole"),
    "vegetation": Thing(SURFACES["vegetation"], "kerb", 1.0, 0.8, 0.8),
    "static": Thing(Look("box", (100, 110, 90), "dots"), "kerb", 0.25, 0.2, 1.2),
    "dynamic": Thing(Look("triangle", (200, 100, 140), "dots"), "kerb", 0.15, 0.25, 1.0),
}


def render_street(
    generator: np.random.Generator,
    height: int,
    width: int,
    ids: Sequence[str] = class_table(describe("cityscapes")).ids,
) -> tuple[np.ndarray, np.ndarray]:
    """One street scene.

    Args:
        generator: source of all randomness; the same state gives the same scene at every size.
        height, width: in pixels.
        ids: names of the label ids; a class that is not among them becomes "unlabeled".

    Returns:
        Image (H, W, 3) uint8 and ids (H, W) uint8.
    """
    street = Street(Canvas(height, width, generator), ids)
    street.paint()
    return street.canvas.photograph(), street.canvas.labels


def label_id(name: str, ids: Sequence[str]) -> int:
    """Id of a class by the names of a layout's ids; that of "unlabeled" if the layout lacks it."""
    return ids.index(next(known for known in (name, PART_OF.get(name), "unlabeled") if known in ids))


class Street:
    """A street on a canvas: a horizon, the end of the road on it, and the kerbs at the lower edge of the image."""

    def __init__(self, canvas: Canvas, ids: Sequence[str]) -> None:
        self.canvas, self.draw = canvas, canvas.generator
        self.ids = {name: label_id(name, ids) for name in (*SURFACES, *THINGS)}
        self.horizon = self.draw.uniform(0.32, 0.42)
        self.end = canvas.wide * self.draw.uniform(0.4, 0.6)
        self.reach = canvas.wide * self.draw.uniform(0.42, 0.6)  # from the middle of the road to a kerb

    def paint(self) -> None:
        """Paint everything from back to front."""
        self.quad("sky", (0, self.canvas.wide), (0, self.canvas.wide), (0, self.horizon + 0.05))
        for side in (-1, 1):
            self.ground("terrain" if self.chance(0.8) else "parking", side, 1.0, 99.0)
            self.backdrop(side)
            self.ground("sidewalk", side, 1.0, 1.4)
            self.ground("road", side, 0.0, 1.02)
        if self.chance(0.2):
            self.ground("rail track", 1, 0.15, 0.45)
        for number in range(4):
            self.mark(0.1 + 0.25 * number, 0.22 + 0.25 * number)
        self.things()
        self.frame()

    def backdrop(self, side: int) -> None:
        """Buildings or trees on one side, and a barrier before them."""
        edge, gap = (self.canvas.wide / 2) * (1 + side), self.canvas.wide * 0.06
        for outer, inner, top in ((1.0, 0.5, self.draw.uniform(-0.1, 0.12)), (0.5, 0.0, self.draw.uniform(0.1, 0.25))):
            near, far = (self.end + side * gap + part * (edge - self.end - side * gap) for part in (outer, inner))
            name = self.pick(("building", 0.65), ("vegetation", 0.35))
            foot = self.horizon + 0.03 + 0.1 * outer
            self.polygon(name, [(near, top), (far, top), (far, foot - 0.05), (near, foot)])
        barrier = self.pick(("wall", 0.25), ("fence", 0.25), ("guard rail", 0.05), ("", 0.45))
        if barrier:
            far = self.end + side * gap
            corners = [(edge, 0.18), (far, self.horizon - 0.06), (far, self.horizon + 0.03), (edge, 0.56)]
            self.polygon(barrier, corners)
        if side > 0 and self.chance(0.06):
            self.quad("bridge", (0, self.canvas.wide), (0, self.canvas.wide), (0.08, 0.22))

    def ground(self, name: str, side: int, inner: float, outer: float) -> None:
        """A strip of the ground from the end of the road to the lower edge, between multiples of `reach`."""
        near = [self.end + side * self.reach * part for part in (inner, outer)]
        far = [self.end + side * self.reach * part * 0.04 for part in (inner, outer)]
        self.quad(name, (far[0], far[1]), (near[0], near[1]), (self.horizon, 1.0))

    def mark(self, far: float, near: float) -> None:
        """A dash in the middle of the road, from `far` to `near`; 0 is the horizon, 1 the lower edge."""
        rows = [self.horizon + part * (1 - self.horizon) for part in (far, near)]
        left, right = ([self.end + sign * 0.02 * part for part in (far, near)] for sign in (-1, 1))
        self.quad("lane divider", (left[0], right[0]), (left[1], right[1]), (rows[0], rows[1]))

    def things(self) -> None:
        """Things, the farthest first."""
        placed: list[tuple[float, str]] = []
        for name, thing in THINGS.items():
            placed += [(self.draw.uniform(0.25, 1), name) for _ in range(self.draw.poisson(thing.often))]
        for near, name in sorted(placed):
            self.thing(name, near)

    def thing(self, name: str, near: float) -> None:
        """A thing whose foot is at `near`, from 0 at the horizon to 1 at the lower edge."""
        thing = THINGS[name]
        left, right = PLACES[thing.place]
        x = self.end + self.draw.choice((-1, 1)) * self.draw.uniform(left, right) * self.reach * near
        foot = self.horizon + near * (0.95 - self.horizon)
        if thing.on:
            carrier = THINGS[thing.on]
            self.stand(thing.on, x, foot, near)
            foot -= carrier.height * near * (0.5 if carrier.height < 0.5 else 0.75)
        self.stand(name, x, foot, near)

    def stand(self, name: str, x: float, foot: float, near: float) -> None:
        look, _, _, height, aspect, _ = THINGS[name]
        height *= near * self.draw.uniform(0.9, 1.1)
        self.canvas.place(look, self.ids[name], (x, foot - height / 2), (height * aspect, height))

    def frame(self) -> None:
        """The own vehicle at the lower edge of some images, the black border of rectification on others."""
        wide = self.canvas.wide
        if self.chance(0.5):
            self.polygon("ego vehicle", [(0, 1), (0.2 * wide, 0.93), (0.8 * wide, 0.93), (wide, 1)])
        if self.chance(0.35):
            for left, top, right in ((0, 0, 0.02), (wide - 0.02, 0, wide), (0, 0.98, wide)):
                self.quad("rectification border", (left, right), (left, right), (top, 1))

    def quad(self, name: str, far: tuple[float, float], near: tuple[float, float], rows: tuple[float, float]) -> None:
        """A surface between two columns at each of two rows."""
        self.polygon(name, [(far[0], rows[0]), (far[1], rows[0]), (near[1], rows[1]), (near[0], rows[1])])

    def polygon(self, name: str, corners: Sequence[tuple[float, float]]) -> None:
        outline: Outline = np.array(corners)
        self.canvas.fill([outline], SURFACES[name], self.ids[name])

    def chance(self, probability: float) -> bool:
        return bool(self.draw.random() < probability)

    def pick(self, *odds: tuple[str, float]) -> str:
        names, probabilities = zip(*odds, strict=True)
        return str(self.draw.choice(names, p=probabilities))
