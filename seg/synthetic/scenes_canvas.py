"""What every family of synthetic scenes is painted on: a canvas for colour and class at once, and its weather."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

Colour = tuple[float, float, float]

_SCALE = 2  # the raster is painted at twice the size and averaged: edges are smooth, labels are picked, never mixed
_SHIFT = 4  # OpenCV takes polygons in sixteenths of a pixel


class Canvas:
    """A raster of four channels, red, green, blue and class, so that one fill paints image and label together."""

    def __init__(self, height: int, width: int, names: Sequence[str]) -> None:
        self._slots = {name: slot for slot, name in enumerate(names)}
        self.height, self.width = height, width
        self._raster = np.zeros((_SCALE * height, _SCALE * width, 4), np.uint8)

    def fill(self, name: str, polygons: np.ndarray, colour: Colour) -> None:
        """Fill a polygon (N, 2) or several at once (M, N, 2) with a class and a colour.

        Args:
            name: one of the canvas' class names.
            polygons: x and y in pixels of the finished image, from its top left corner; may lie outside.
            colour: red, green and blue, 0 to 255.
        """
        self.fill_grid(name, self.grid(polygons), colour)

    def grid(self, points: np.ndarray) -> np.ndarray:
        """Pixels (..., 2) on the raster's fine grid, int32; many at once cost hardly more than one."""
        return np.rint((points * _SCALE - 0.5) * (1 << _SHIFT)).astype(np.int32)

    def fill_grid(self, name: str, polygons: np.ndarray, colour: Colour) -> None:
        """As `fill`, for polygons that are on the fine grid already."""
        contours = list(polygons) if polygons.ndim == 3 else [polygons]
        cv2.fillPoly(self._raster, contours, (*colour, self._slots[name]), shift=_SHIFT)

    def image(self) -> np.ndarray:
        """Colours (H, W, 3), float32, 0 to 255."""
        small = cv2.resize(self._raster, (self.width, self.height), interpolation=cv2.INTER_AREA)
        return small[..., :3].astype(np.float32)

    def slots(self) -> np.ndarray:
        """Classes (H, W), uint8, as positions in the canvas' names."""
        return np.ascontiguousarray(self._raster[1::_SCALE, 1::_SCALE, 3])


@dataclass(frozen=True, kw_only=True)
class Weather:
    """Light and air of one scene.

    Attributes:
        haze: colour into which things far away fade.
        visibility: distance in metres at which a third of a thing's own colour is left.
        warmth: colour temperature; red is multiplied by 1 + warmth, blue by 1 - warmth.
        exposure: brightness, 1 is neutral.
        contrast: spread about mid grey, 1 is neutral.
        slope: how much brighter the right edge is than the left, as a fraction.
    """

    haze: Colour
    visibility: float
    warmth: float
    exposure: float
    contrast: float
    slope: float

    def tone(self, colours: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """Colours (N, 3) of surfaces at distances (N,) in metres, as they arrive at the camera."""
        clear = np.exp(-distance / self.visibility)[:, None]
        return np.clip(colours * clear + np.array(self.haze) * (1 - clear), 0, 255)


def develop(canvas: Canvas, grain: Mapping[str, Colour], weather: Weather, rng: np.random.Generator) -> np.ndarray:
    """Give the painted surfaces their texture, then expose the picture.

    Args:
        canvas: what was painted.
        grain: contrast of each class' texture, as a fraction, by size of the grain: a pixel, 1/40, 1/8 of the height.
            The same names in the same order as the canvas'.
        weather: exposure, contrast, warmth and slope.
        rng: where the texture and the sensor's noise come from.

    Returns:
        image (H, W, 3), uint8.
    """
    image, slots = canvas.image(), canvas.slots()
    height, width = slots.shape
    table = np.array(list(grain.values()), np.float32)
    gain = np.linspace(1 - weather.slope / 2, 1 + weather.slope / 2, width, dtype=np.float32) * weather.exposure
    texture = np.ones((height, width), np.float32)
    for column, rows in enumerate((height // 3, 40, 8)):
        cells = (rows, max(1, round(rows * width / height)))
        noise = rng.random(cells, np.float32) * 2 - 1
        texture += table[slots, column] * cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    image *= (texture * gain)[..., None]
    balance = np.array([1 + weather.warmth, 1, 1 - weather.warmth], np.float32) * weather.contrast
    image *= balance
    image += 128 * (1 - weather.contrast)
    image += rng.integers(-2, 3, image.shape, np.int8)  # the sensor's noise
    return np.clip(image, 0, 255, out=image).astype(np.uint8)
