"""Images of shapes and patterns for the pretext task: classify the shape independently of its colours and pose."""

from collections.abc import Callable

import cv2
import numpy as np


def _polygon(corners: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Signed distance to a regular polygon with corners at radius 1."""
    wedge = 2 * np.pi / corners

    def distance(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        angle = np.arctan2(v, u) % wedge - wedge / 2
        return np.hypot(u, v) * np.cos(angle) - np.cos(wedge / 2)

    return distance


# Approximate signed distances to the outline, negative inside. u and v (n, size, size) are coordinates that rotate and
# scale with the shape, whose radius is 1.
SHAPES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "disc": lambda u, v: np.hypot(u, v) - 1,
    "triangle": _polygon(3),
    "square": _polygon(4),
    "bar": lambda u, v: np.maximum(abs(u) - 1.1, abs(v) - 0.25),
    "cross": lambda u, v: np.minimum(np.maximum(abs(u) - 1, abs(v) - 0.3), np.maximum(abs(v) - 1, abs(u) - 0.3)),
    "star": lambda u, v: np.hypot(u, v) - 0.75 - 0.3 * np.cos(5 * np.arctan2(v, u)),
    "ring": lambda u, v: abs(np.hypot(u, v) - 0.8) - 0.2,
    "crescent": lambda u, v: np.maximum(np.hypot(u, v) - 1, 0.85 - np.hypot(u - 0.5, v)),
    # patterns that fill the image
    "stripes": lambda u, _: np.sin(6 * u) / 6,
    "checks": lambda u, v: np.sin(5 * u) * np.sin(5 * v) / 5,
    "dots": lambda u, v: (0.3 - np.sin(5 * u) * np.sin(5 * v)) / 5,
    "waves": lambda u, v: np.sin(9 * np.hypot(u, v)) / 9,
}
CLASSES = tuple(SHAPES)
_CONTRAST = 60.0  # of 255; minimum difference between shape and background in each channel


def draw_shapes(images: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (images, size, size, 3) uint8 RGB and their classes (images,) int64, equally frequent.

    Position, rotation, size, colours, background clouds and noise are drawn from the seed.
    """
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(images) % len(CLASSES))
    u, v, radius = _poses(generator, images, size)
    distance = np.empty_like(u)
    for number, name in enumerate(CLASSES):
        those = labels == number
        distance[those] = SHAPES[name](u[those], v[those])
    cover = np.clip(0.5 - distance * radius, 0, 1)[..., None]  # antialiased over one pixel
    back = generator.uniform(0, 255, (images, 1, 1, 3)).astype(np.float32)
    step = generator.uniform(_CONTRAST, 255 - _CONTRAST, (images, 1, 1, 3)).astype(np.float32)
    front = (back + step) % 255
    picture = back + cover * (front - back)
    picture += _clouds(generator, images, size) * (1 - 0.7 * cover)
    picture += generator.normal(0, 6, picture.shape).astype(np.float32)
    return np.clip(picture, 0, 255).astype(np.uint8), labels


def _poses(generator: np.random.Generator, images: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates u, v (images, size, size) in units of the shape's radius, and the radius (images, 1, 1) in pixels."""
    turn, x, y, radius = (
        generator.uniform(low, high, (images, 1, 1)).astype(np.float32)
        for low, high in ((0, 2 * np.pi), (0.35, 0.65), (0.35, 0.65), (0.22, 0.4))
    )
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    across, down = columns - x * size, rows - y * size
    radius *= size
    cos, sin = np.cos(turn) / radius, np.sin(turn) / radius
    return across * cos + down * sin, down * cos - across * sin, radius


def _clouds(generator: np.random.Generator, images: int, size: int) -> np.ndarray:
    """Smooth noise (images, size, size, 1): an enlarged coarse grid of random values."""
    coarse = generator.normal(0, 15, (images, 5, 5)).astype(np.float32)
    return np.stack([cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC) for grid in coarse])[..., None]
