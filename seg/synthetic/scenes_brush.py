"""What every family of synthetic scenes is painted with: a camera, and a brush that takes shapes in metres."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seg.synthetic.scenes_canvas import Canvas, Colour, Weather

Outline = Sequence[tuple[float, float]]
Figure = Sequence[tuple[str, Outline]]  # outlines from back to front, each with the key of its colour
_STEPS = (1.5, 4.0, 7.0, 11.0, 16.0, 24.0, 36.0, 55.0, 100.0)  # distances in metres at which a strip of ground bends
_AROUND_U, _AROUND_V = np.array([0, 1, 1, 0]), np.array([2, 2, 3, 3])  # a patch's corners, once around


def _ragged(count: int, corners: int) -> np.ndarray:
    """Unit circles (count, corners, 2) with ragged edges, always the same."""
    reach = 1 + 0.22 * np.random.default_rng(0).uniform(-1, 1, (count, corners, 1))
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return reach * np.stack([np.cos(angle), np.sin(angle)], axis=1)


_RAGGED = _ragged(64, 18)


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A pinhole camera above a plane; the world bends sideways with distance, as a street does.

    Attributes:
        focal: focal length in pixels.
        centre: column of the vanishing point, in pixels.
        horizon: row of the horizon, in pixels.
        height: height above the ground, in metres.
        curve: sideways bend, in metres a square metre of distance.
    """

    focal: float
    centre: float
    horizon: float
    height: float
    curve: float

    def project(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) in metres, right, up and forward of the camera's foot -> pixels (..., 2)."""
        depth = points[..., 2]
        scale = self.focal / depth
        pixels = np.empty((*depth.shape, 2))
        pixels[..., 0] = self.centre + (points[..., 0] + self.curve * depth * depth) * scale
        pixels[..., 1] = self.horizon + (self.height - points[..., 1]) * scale
        return pixels


class Brush:
    """Paints shapes given in metres with the light and the air of a scene.

    `dice` decides the layout and never how many pixels there are, so that a scene is the same at every size.
    """

    def __init__(self, dice: random.Random, canvas: Canvas, camera: Camera, weather: Weather) -> None:
        self.dice, self.canvas, self.camera, self.weather = dice, canvas, camera, weather
        self._strokes: list[tuple[str, np.ndarray, Colour]] = []

    def fill(self, name: str, corners: npt.ArrayLike, colour: Colour, shade: float = 1.0) -> None:
        """Fill corners (N, 3) or (M, N, 3) in metres, at `finish`; `shade` below 1 is turned away from the light."""
        red, green, blue = colour
        self._strokes.append((name, np.asarray(corners, np.float64), (red * shade, green * shade, blue * shade)))

    def finish(self) -> None:
        """Paint what was filled so far, in that order. All corners are projected in one go: that is what costs."""
        names, shapes, colours = zip(*self._strokes, strict=True)
        points = np.concatenate([shape.reshape(-1, 3) for shape in shapes])
        ends = np.cumsum([shape.size // 3 for shape in shapes])
        starts = np.r_[0, ends[:-1]]
        tones = self.weather.tone(np.array(colours), (points[starts, 2] + points[ends - 1, 2]) / 2).tolist()
        grid = self.canvas.grid(self.camera.project(points))
        for name, shape, start, end, tone in zip(names, shapes, starts.tolist(), ends.tolist(), tones, strict=True):
            self.canvas.fill_grid(name, grid[start:end].reshape(*shape.shape[:-1], 2), tone)
        self._strokes.clear()

    def vary(self, colours: tuple[Colour, ...], amount: float = 0.1) -> Colour:
        """One of the colours, a little lighter or darker and of another tint."""
        red, green, blue = self.dice.choice(colours)
        light, tint = 1 + self.dice.uniform(-amount, amount), self.dice.uniform(-amount, amount) / 3
        return red * light * (1 + tint), green * light, blue * light * (1 - tint)

    def chance(self, probability: float) -> bool:
        """True in this share of the cases."""
        return self.dice.random() < probability

    def strip(self, name: str, left: float, right: float, colour: Colour, shade: float = 1.0) -> None:
        """A band of ground along the whole street, between two distances from its axis."""
        edge = [(left, 0.0, z) for z in _STEPS] + [(right, 0.0, z) for z in reversed(_STEPS)]
        self.fill(name, edge, colour, shade)

    def upright(
        self, name: str, x: float, z: float, outline: Outline | np.ndarray, colour: Colour, *, shade: float = 1.0
    ) -> None:
        """A flat outline (N, 2), or several (M, N, 2), that faces the camera; its foot stands at x and z."""
        flat = np.asarray(outline)
        points = np.empty((*flat.shape[:-1], 3))
        points[..., 0] = flat[..., 0] + x
        points[..., 1] = flat[..., 1]
        points[..., 2] = z
        self.fill(name, points, colour, shade)

    def figure(self, name: str, x: float, z: float, rows: Figure, colours: Mapping[str, Colour]) -> None:
        """A figure of several outlines, as large as life give or take a tenth, turned to either side."""
        size = self.dice.uniform(0.92, 1.08)
        turn = self.dice.choice((-size, size))
        for key, outline in rows:
            self.upright(name, x, z, [(dx * turn, dy * size) for dx, dy in outline], colours[key])

    def clumps(self, middles: np.ndarray, rx: float, ry: float) -> np.ndarray:
        """Outlines (M, 18, 2) of things that grew: ragged ellipses about `middles` (M, 2)."""
        first = self.dice.randrange(len(_RAGGED))
        which = np.arange(first, first + len(middles)) % len(_RAGGED)
        outlines: np.ndarray = _RAGGED[which] * (rx, ry) + middles[:, None]
        return outlines

    def seen(self, x: float, z: float, reach: float) -> bool:
        """Whether something as wide as `reach` to either side may be in view."""
        column = (x + self.camera.curve * z * z) * self.camera.focal / z + self.camera.centre
        margin = reach * self.camera.focal / z
        return -margin < column < self.canvas.width + margin

    def box(
        self,
        name: str,
        x: float,
        z: float,
        size: tuple[float, float],
        heights: tuple[float, float],
        *,
        colour: Colour,
        taper: float = 0.0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The top and the visible side of a box with its back to the camera, narrower above by `taper` metres a side.

        Returns:
            the corners (4, 3) of its back, to fill once the side has its windows, and of that side.
        """
        (width, length), (low, high) = size, heights
        inner = -math.copysign(width / 2, x + self.camera.curve * z * z)  # the side towards the middle of the view
        lean = math.copysign(taper, inner)
        left, right = x - width / 2, x + width / 2
        back = np.array(
            [(left, low, z), (right, low, z), (right - taper, high, z + taper), (left + taper, high, z + taper)]
        )
        far = z + length
        side = np.array(
            [(x + inner, low, z), (x + inner, low, far), (x + inner - lean, high, far - taper),
             (x + inner - lean, high, z + taper)]
        )  # fmt: skip
        if high < self.camera.height:
            self.fill(name, [(left, high, z), (right, high, z), (right, high, far), (left, high, far)], colour, 1.15)
        self.fill(name, side, colour, 0.82)
        return back, side


def flat(left: float, right: float, near: float, far: float) -> list[tuple[float, float, float]]:
    """The corners of a rectangle on the ground."""
    return [(left, 0.0, near), (right, 0.0, near), (right, 0.0, far), (left, 0.0, far)]


def panels(corners: np.ndarray, patches: np.ndarray) -> np.ndarray:
    """Rectangles on a quadrilateral: windows on a wall, lamps on a car.

    Args:
        corners: (4, 3), near bottom, far bottom, far top, near top.
        patches: (M, 4), from and to along the bottom, from and to upwards, as fractions.

    Returns:
        (M, 4, 3), the corners of each.
    """
    u, v = patches[:, _AROUND_U], patches[:, _AROUND_V]
    weights = np.empty((*u.shape, 4))
    weights[..., 2] = u * v
    weights[..., 1] = u - weights[..., 2]
    weights[..., 3] = v - weights[..., 2]
    weights[..., 0] = 1 - u - weights[..., 3]
    grid: np.ndarray = weights @ corners
    return grid


def lattice(columns: int, rows: int, width: float, height: float) -> np.ndarray:
    """Patches (columns * rows, 4) in even spacing, each `width` and `height` of its cell."""
    u = (np.arange(columns) + 0.5 - width / 2) / columns
    v = (np.arange(rows) + 0.5 - height / 2) / rows
    left, low = np.tile(u, rows), np.repeat(v, columns)
    return np.stack([left, left + width / columns, low, low + height / rows], axis=1)
