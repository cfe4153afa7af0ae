"""Images and labels at the size of a pack: stretched to it, padded to its aspect, or cropped to it.

Images are resized bilinearly with antialiasing, labels by the nearest pixel.
"""

from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

from seg.datasets import IGNORE


class Box(NamedTuple):
    """A part of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


class Placement(NamedTuple):
    """Which part of an image is resized, and where it is in the pack."""

    source: Box
    target: Box


def place(resize: Literal["stretch", "pad", "crop"], image: tuple[int, int], pack: tuple[int, int]) -> Placement:
    """Placement of an image of a size (height, width) in a pack of a size, both in pixels.

    `stretch` changes the aspect; `pad` keeps it and centres the whole image; `crop` takes the largest central part with
    the aspect of the pack.
    """
    whole, target = Box(0, 0, *image), Box(0, 0, *pack)
    ratios = [side / own for side, own in zip(pack, image, strict=True)]
    if resize == "pad":
        return Placement(whole, _centred(pack, [own * min(ratios) for own in image]))
    if resize == "crop":
        return Placement(_centred(image, [side / max(ratios) for side in pack]), target)
    return Placement(whole, target)


def place_whole(
    resize: Literal["stretch", "pad", "crop"], image: tuple[int, int], pack: tuple[int, int]
) -> tuple[Placement, tuple[int, int]]:
    """Placement of the whole of an image at the scale that it has in a pack, and the size that this requires.

    It is the size of the pack, but for `crop` that of the resized image, nothing of which is removed.
    """
    if resize != "crop":
        return place(resize, image, pack), pack
    scale = max(side / own for side, own in zip(pack, image, strict=True))
    size = (max(pack[0], round(image[0] * scale)), max(pack[1], round(image[1] * scale)))
    return place("stretch", image, size), size


def _centred(outer: tuple[int, int], inner: list[float]) -> Box:
    height, width = (min(most, max(1, round(side))) for most, side in zip(outer, inner, strict=True))
    return Box((outer[0] - height) // 2, (outer[1] - width) // 2, height, width)


def resize_image(pixels: np.ndarray, placement: Placement, size: tuple[int, int]) -> np.ndarray:
    """Image (h, w, C) uint8 of a size from pixels (H, W, C) uint8; 0 around the placed part."""
    part, target = pixels[placement.source.slices], placement.target
    if part.shape[:2] != (target.height, target.width):
        # One channel at a time unless they are RGB: Pillow multiplies RGBA by its last channel.
        channels = [part] if part.shape[2] == 3 else np.split(part, part.shape[2], 2)
        part = np.dstack([_resized(channel, target, Image.Resampling.BILINEAR) for channel in channels])
    return _inserted(part, target, size, 0)


def resize_label(label: np.ndarray, placement: Placement, size: tuple[int, int]) -> np.ndarray:
    """Label (h, w) uint8 of a size from a label (H, W) uint8; `IGNORE` around the placed part."""
    part, target = label[placement.source.slices], placement.target
    if part.shape != (target.height, target.width):
        part = _resized(part, target, Image.Resampling.NEAREST)
    return _inserted(part, target, size, IGNORE)


def _resized(part: np.ndarray, target: Box, resampling: Image.Resampling) -> np.ndarray:
    picture = Image.fromarray(part.squeeze(2) if part.ndim == 3 and part.shape[2] == 1 else part)
    return np.asarray(picture.resize((target.width, target.height), resampling))


def _inserted(part: np.ndarray, target: Box, size: tuple[int, int], around: int) -> np.ndarray:
    if (target.height, target.width) == size:
        return part
    whole = np.full((*size, *part.shape[2:]), around, np.uint8)
    whole[target.slices] = part
    return whole
