"""Keys of a description with which images of any depth and number of bands can be read."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from seg.datasets.decoding import decode_image, full_scale
from seg.datasets.tiff import is_tiff

_DECODED = 8  # images whose values are read


def suggest_form(paths: Iterable[Path]) -> tuple[dict[str, Any], list[str]]:
    """Keys `range` and `channels` for images like these, of which at most eight are decoded, and what was assumed."""
    stored = []
    shaded = []
    for path in paths:
        with suppress(ValueError):
            stored.append(image := decode_image(path))
            shaded.append(image.alpha and is_tiff(path) and _is_shaded(image.pixels[..., -1]))
        if len(stored) == _DECODED:
            break
    keys: dict[str, Any] = {}
    assumed = []
    if deep := [each.pixels for each in stored if each.pixels.dtype != np.uint8]:
        keys["range"] = [0, max(map(full_scale, deep))]
        assumed.append(f"range {keys['range']} of the images")
    bands = {each.pixels.shape[2] - (each.alpha and not data) for each, data in zip(stored, shaded, strict=True)}
    if len(bands) == 1 and bands.isdisjoint({1, 3}):
        keys["channels"] = bands.pop()
        assumed.append(f"channels {keys['channels']} of the images")
    if any(shaded):
        assumed.append("the last band is data, though it is marked as transparency: it has many values")
    elif any(each.alpha for each in stored):
        assumed.append("transparency is not used; `channels: 4` would use it as a band")
    return keys, assumed


def _is_shaded(band: np.ndarray) -> bool:
    """Whether a band has more than two values, so that it may be one such as infrared."""
    return bool(((band != band.min()) & (band != band.max())).any())
