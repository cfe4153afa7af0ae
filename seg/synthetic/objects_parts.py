"""What every object of the object scenes is made of: outlines, limbs, rounded bodies.

A thing is drawn at its own scale, y upwards, looking to the right, and stood into the picture once it is whole.
Outlines are written as SVG writes points: "x,y x,y".
"""

import math
from functools import cache

import numpy as np

from seg.synthetic.scenes_brush import Brush
from seg.synthetic.scenes_canvas import Colour
from seg.synthetic.scenes_props import bar, disc

CIRCLE = np.array(disc(0, 0, 1.0, 28))


@cache
def hard(text: str) -> np.ndarray:
    """Points (N, 2) of an outline with corners."""
    return np.array([pair.split(",") for pair in text.split()], np.float64)


@cache
def soft(text: str) -> np.ndarray:
    """Points (4 N, 2) of an outline whose corners have been cut twice (Chaikin), so that it looks grown."""
    points = hard(text)
    for _ in range(2):
        after = np.roll(points, -1, axis=0)
        points = np.stack([0.75 * points + 0.25 * after, 0.25 * points + 0.75 * after], axis=1).reshape(-1, 2)
    return points


def moved(points: np.ndarray, x: float, y: float) -> np.ndarray:
    """Points (..., 2) moved to the right and upwards."""
    return points + np.array((x, y))


def turned(points: np.ndarray, x: float, y: float, angle: float) -> np.ndarray:
    """Points (..., 2) turned anticlockwise about (x, y) by an angle in radians."""
    cos, sin = math.cos(angle), math.sin(angle)
    return (points - (x, y)) @ np.array([[cos, sin], [-sin, cos]]) + (x, y)


class Parts(Brush):
    """Collects the parts of one thing, then stands the whole into the picture.

    Attributes:
        place: the backdrop's name.
    """

    place: str

    def start(self) -> None:
        """Begin a thing with its own light."""
        self._parts: list[tuple[np.ndarray, Colour]] = []
        self._light = self.dice.uniform(0.78, 1.15)

    def part(self, outline: np.ndarray, colour: Colour, shade: float = 1.0) -> None:
        """Add an outline (N, 2), or several (M, N, 2)."""
        light = shade * self._light
        self._parts.append((outline, (colour[0] * light, colour[1] * light, colour[2] * light)))

    def body(self, outline: np.ndarray, colour: Colour, shade: float = 1.0) -> None:
        """A rounded part: darker below, lighter where the light falls on it."""
        middle = outline.mean(axis=0)
        self.part(outline, colour, 0.84 * shade)
        self.part((outline - middle) * (0.86, 0.74) + middle + (0, 0.07 * np.ptp(outline[:, 1])), colour, 1.06 * shade)

    def disc(self, x: float, y: float, radius: float, colour: Colour, shade: float = 1.0, flat: float = 1.0) -> None:
        """A circle, or an ellipse `flat` times as high as wide."""
        self.part(CIRCLE * (radius, radius * flat) + (x, y), colour, shade)

    def bar(
        self, x0: float, y0: float, x1: float, y1: float, width: float, *, colour: Colour, shade: float = 1.0
    ) -> None:
        """A straight tube."""
        self.part(np.array(bar(x0, y0, x1, y1, width)), colour, shade)

    def limb(
        self, x: float, y: float, length: float, width: float, *, swing: float, colour: Colour, shade: float = 1.0
    ) -> tuple[float, float]:
        """A limb that hangs from a joint, turned by `swing` radians and thinner below; where it ends."""
        shape = np.array(((-0.5, 0.3), (0.5, 0.3), (0.34, -1.0), (-0.34, -1.0))) * (width, length)
        shape[:2, 1] = width * 0.3
        self.part(turned(moved(shape, x, y), x, y, swing), colour, shade)
        return x + length * math.sin(swing), y - length * math.cos(swing)

    def legs(
        self, places: tuple[float, ...], y: float, width: float, colours: tuple[Colour, Colour], far: bool
    ) -> None:
        """Legs from height `y` to the ground, with feet; the `far` ones in the shade of the body."""
        coat, foot = colours
        shade, shift = (0.62, 0.12 * y) if far else (0.95, 0.0)
        for place in places:
            swing = self.dice.uniform(-0.22, 0.22)
            end = self.limb(place + shift, y, y * 0.96, width, swing=swing, colour=coat, shade=shade)
            self.disc(end[0] + width * 0.12, end[1], width * 0.42, foot, shade, 0.7)

    def stand(self, name: str, centre: float, foot: float, *, top: float, size: float, turn: float) -> None:
        """Put the thing into the picture, turned to either side. Lengths are in the picture's shorter side.

        Args:
            name: the canvas' name for it.
            centre: of its foot, to the right of the picture's middle.
            foot: above the picture's lower edge; lower where the thing would reach above `top`.
            top: height of the picture.
            size: side of a square as large as the rectangle around it.
            turn: about its middle, in radians.
        """
        points = np.concatenate([outline.reshape(-1, 2) for outline, _ in self._parts])
        low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        wide, tall = high[0] - low[0], high[1] - low[1]
        scale = min(size / math.sqrt(wide * tall), 1.2 / max(wide, tall))  # 1.2: most of it stays in sight
        foot = min(foot, top - scale * tall)
        matrix = np.array([[self.dice.choice((-scale, scale)), 0.0], [self.dice.uniform(-0.08, 0.08) * scale, scale]])
        for outline, colour in self._parts:
            shape = turned((outline - ((low[0] + high[0]) / 2, low[1])) @ matrix, 0.0, scale * tall / 2, turn)
            self.upright(name, centre, 1.0, moved(shape, 0, foot), colour)
