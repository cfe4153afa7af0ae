"""Agreement of a label with its image: whether borders of classes lie on edges of the image.

The score is the correlation of the image's gradients with the label's borders, both at 128 pixels. It is compared with
that of the label turned, mirrored and shifted. Thresholds are from CamVid, whose 701 labels score 0.31 in the median
and 0.06 when mirrored; see docs/how-to/check-dataset.md for the rate of false alarms.
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

_SIDE = 128  # pixels of the longer side
_FLAT = 33  # pixels: gradients are compared with their mean in a square of this side
_NEAR = 1  # pixels by which annotations are inexact
_SHIFT = 4  # pixels that are a shift
_FARTHEST = 16  # pixels of the largest shift that is found
_CLEAR = 0.15  # score of labels that agree with their images
_MARGIN = 0.08
_FACTOR = 2.0  # by which another position must score higher
_LEAST_BORDER = 0.005  # share of border pixels below which nothing is known
_TURNS: dict[str, Callable[[np.ndarray], np.ndarray]] = {  # the last four are for square images
    "mirrored left to right": lambda border: border[:, ::-1],
    "mirrored top to bottom": lambda border: border[::-1],
    "turned by 180 degrees": lambda border: border[::-1, ::-1],
    "turned by 90 degrees to the right": lambda border: np.rot90(border, -1),
    "turned by 90 degrees to the left": np.rot90,
    "mirrored along a diagonal": lambda border: border.T,
    "mirrored along the other diagonal": lambda border: border[::-1, ::-1].T,
}


class Agreement(NamedTuple):
    """How well a label fits its image.

    Attributes:
        score: correlation of gradients and borders, -1 to 1; around 0 for the label of another image.
        better: how the label fits clearly better, such as `mirrored left to right`; empty if it does not.
    """

    score: float
    better: str = ""


def measure_agreement(image: np.ndarray, label: np.ndarray) -> Agreement | None:
    """Compare a label with its image; `None` if it has too few borders or the image no edges.

    Args:
        image: (H, W, 3) uint8.
        label: (H, W) uint8.
    """
    height, width = label.shape
    scale = min(1.0, _SIDE / max(height, width))
    size = (round(width * scale), round(height * scale))
    if min(size) < _FARTHEST:
        return None
    gradients, borders = _gradients(image, size), _borders(label, size)
    if gradients.std() < 1 or (borders > 0).mean() < _LEAST_BORDER:
        return None
    spectrum = _spectrum(gradients)
    own = _correlations(spectrum, borders)
    score = _centre(own)
    row, column = np.unravel_index(own.argmax(), own.shape)
    down, right = int(row) - own.shape[0] // 2, int(column) - own.shape[1] // 2
    scores = {}
    if max(abs(down), abs(right)) >= _SHIFT:
        scores[_moved(round(right / scale), round(down / scale))] = float(own.max())
    for name, turn in _TURNS.items():
        if (turned := turn(borders)).shape == borders.shape:
            scores[name] = _centre(_correlations(spectrum, turned))
    best = max(scores, key=lambda name: scores[name])
    clear = scores[best] > max(_CLEAR, _FACTOR * score, score + _MARGIN)
    return Agreement(score, best if clear else "")


def _moved(right: int, down: int) -> str:
    parts = [f"{abs(right)} pixels to the {'right' if right > 0 else 'left'}"] if right else []
    parts += [f"{abs(down)} pixels {'down' if down > 0 else 'up'}"] if down else []
    return f"moved about {' and '.join(parts)}"


def _gradients(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Magnitudes, relative to those around, of the channel that changes most."""
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    smooth = cv2.GaussianBlur(small, (0, 0), 0.8)
    magnitude = np.hypot(cv2.Sobel(smooth, -1, 1, 0), cv2.Sobel(smooth, -1, 0, 1)).max(2)
    root: np.ndarray = np.sqrt(magnitude)  # so that few strong edges do not decide
    return root - cv2.blur(root, (_FLAT, _FLAT))


def _borders(label: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Share of border pixels, spread over the neighbours."""
    border = border_pixels(label).view(np.uint8) * np.uint8(255)
    small = cv2.resize(border, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return cv2.GaussianBlur(np.minimum(small / 255 * max(label.shape) / max(size), 1), (0, 0), 1.0)


def border_pixels(labels: np.ndarray) -> np.ndarray:
    """Pixels (H, W) bool of labels (H, W) uint8 whose left or upper neighbour is of another class."""
    border = np.zeros(labels.shape, bool)  # one byte per pixel: labels may be large
    border[:, 1:] = labels[:, 1:] != labels[:, :-1]
    border[1:] |= labels[1:] != labels[:-1]
    return border


def _padded(values: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """Standardised values and a shape around which a shift does not wrap."""
    shape = (values.shape[0] + _FARTHEST, values.shape[1] + _FARTHEST)
    return (values - values.mean()) / (values.std() + 1e-6), shape


def _spectrum(values: np.ndarray) -> np.ndarray:
    standard, shape = _padded(values)
    return np.fft.rfft2(standard, shape) / values.size


def _correlations(spectrum: np.ndarray, borders: np.ndarray) -> np.ndarray:
    """Correlations of the image with the borders moved by up to an eighth; in the centre, with those unmoved."""
    standard, shape = _padded(borders)
    found = np.fft.irfft2(spectrum * np.conj(np.fft.rfft2(standard, shape)), shape)
    reach = [min(_FARTHEST, side // 4) for side in borders.shape]
    rolled = np.roll(found, reach, (0, 1))
    return rolled[: 2 * reach[0] + 1, : 2 * reach[1] + 1]


def _centre(correlations: np.ndarray) -> float:
    row, column = (side // 2 for side in correlations.shape)
    return float(correlations[row - _NEAR : row + _NEAR + 1, column - _NEAR : column + _NEAR + 1].max())
