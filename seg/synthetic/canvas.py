"""The canvas of every rendered image: one call paints colour, texture and label of a thing."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from seg.synthetic.shapes import SHAPES, TEXTURES, Outline

_SHIFT = 4  # OpenCV takes polygons in units of 1/16 pixel
_CONTRAST = 34.0  # of a texture, of 255
_UNITS = (0.05, 0.6)  # range of the unit of textures, of the height of the image
_JITTER = 10.0  # largest deviation of a thing's colour per channel, of 255
_NOISE = 4.0  # standard deviation of the noise of the camera, of 255
_SOFTNESS = 0.6  # standard deviation of the blur of the lens, pixels


class Look(NamedTuple):
    """Shape, colour (red, green, blue) and texture of a class; keys of `SHAPES` and `TEXTURES`."""

    shape: str
    colour: tuple[int, int, int]
    texture: str


class Canvas:
    """Image and labels of one scene, painted from back to front.

    Lengths are in units of the image's height, from its top left corner, so that a scene is the same at every size.

    Attributes:
        wide: width of the image.
        image: (H, W, 3) float32, red, green and blue, 0 to 255.
        labels: (H, W) uint8, initially 0.
    """

    def __init__(self, height: int, width: int, generator: np.random.Generator) -> None:
        self.height, self.wide = height, width / height
        self.image = np.zeros((height, width, 3), np.float32)
        self.labels = np.zeros((height, width), np.uint8)
        self.generator = generator

    def place(
        self, look: Look, label: int, centre: tuple[float, float], size: tuple[float, float], turn: float = 0.0
    ) -> None:
        """Paint a shape of this width and height about `centre`, turned clockwise by `turn` radians."""
        cos, sin = np.cos(turn), np.sin(turn)
        rotation = np.array([[cos, sin], [-sin, cos]])
        outlines = [outline * size / 2 @ rotation + centre for outline in SHAPES[look.shape]]
        self.fill(outlines, look, label, turn)

    def fill(self, outlines: Sequence[Outline], look: Look, label: int, turn: float = 0.0) -> None:
        """Paint the inside of outlines; the texture is turned by `turn` radians."""
        jitter = self.generator.uniform(-_JITTER, _JITTER, 3)
        points = np.concatenate(outlines)
        (left, top), (right, bottom) = points.min(0), points.max(0)
        height, width = self.labels.shape
        rows, columns = (
            slice(max(int(low * height) - 1, 0), min(int(high * height) + 2, end))
            for low, high, end in ((top, bottom, height), (left, right, width))
        )
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return
        mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
        corner = np.array([columns.start, rows.start]) + 0.5
        pixels = [np.rint((outline * height - corner) * (1 << _SHIFT)).astype(np.int32) for outline in outlines]
        cv2.fillPoly(mask, pixels, 1, shift=_SHIFT)
        unit = height * np.clip(min(right - left, bottom - top), *_UNITS)
        v, u = np.mgrid[rows, columns] / unit - np.array([top, left])[:, None, None] * height / unit
        cos, sin = np.cos(turn), np.sin(turn)
        texture = TEXTURES[look.texture](u * cos + v * sin, v * cos - u * sin)
        inside = mask > 0
        colour = np.array(look.colour) + jitter + _CONTRAST * texture[inside][:, None]
        self.image[rows, columns][inside] = colour
        self.labels[rows, columns][inside] = label

    def photograph(self) -> np.ndarray:
        """The image (H, W, 3) uint8 in a random light, with the blur and the noise of a camera."""
        light = self.generator.uniform(0.85, 1.1) * (1 + self.generator.uniform(-0.06, 0.06) * np.array([1, 0, -1]))
        image = cv2.GaussianBlur(self.image, (0, 0), _SOFTNESS) * light
        image += self.generator.normal(0, _NOISE, image.shape)
        return np.clip(image, 0, 255).astype(np.uint8)
