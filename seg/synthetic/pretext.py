"""Images of shapes and textures for the pretext task: classify them independently of colours and pose."""

import numpy as np

from seg.synthetic.canvas import Canvas, Look

_OUTLINES = ("disc", "triangle", "square", "bar", "cross", "star", "ring", "crescent")
_PATTERNS = ("stripes", "checks", "dots", "waves")  # fill the image
CLASSES = _OUTLINES + _PATTERNS
_CONTRAST = 60  # minimum difference between shape and background in each channel, of 255


def draw_shapes(images: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (images, size, size, 3) uint8 RGB and their classes (images,) int64, equally frequent.

    Position, rotation, size and colours are drawn from the seed.
    """
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(images) % len(CLASSES))
    return np.stack([_draw(CLASSES[label], size, generator) for label in labels]), labels


def _draw(name: str, size: int, generator: np.random.Generator) -> np.ndarray:
    canvas = Canvas(size, size, generator)
    back = generator.integers(0, 256, 3)
    front = (back + generator.integers(_CONTRAST, 256 - _CONTRAST, 3)) % 256
    turn, side = generator.uniform(-0.5, 0.5), generator.uniform(0.6, 0.9)
    texture = name if name in _PATTERNS else "plain"
    canvas.place(Look("box", tuple(back.tolist()), texture), 0, (0.5, 0.5), (1.5, 1.5), turn)
    if name in _OUTLINES:
        x, y = generator.uniform(0.4, 0.6, 2)
        canvas.place(Look(name, tuple(front.tolist()), "plain"), 1, (x, y), (side, side), turn)
    return canvas.photograph()
