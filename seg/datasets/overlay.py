"""Labels over an image, in the colours of their classes."""

from collections.abc import Sequence

import cv2
import numpy as np

from seg.datasets import IGNORE


def colour_table(palette: Sequence[Sequence[int]]) -> np.ndarray:
    """Colour (256, 3) uint8 of each train id; black beyond the palette."""
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(palette)] = np.reshape(palette, (-1, 3))
    return colours


def overlaid(image: np.ndarray, labels: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Image (H, W, 3) uint8, averaged with the colours of its labels; unchanged where pixels are not scored.

    Args:
        image: (H, W, 3) uint8.
        labels: train ids (H, W) uint8; `IGNORE` for pixels that are not scored.
        colours: (N, 3) uint8, one per train id; all 256 if labels contain `IGNORE`.
    """
    mixed = cv2.addWeighted(image, 0.5, colours[labels], 0.5, 0)
    return np.where((labels == IGNORE)[..., None], image, mixed)
