"""Keys of a description with which images of any depth and number of bands can be read."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seg.datasets.decoding import decode_image, full_scale

_DECODED = 8  # images whose values are read


class FormKeys(NamedTuple):
    """Keys `range` and `channels` of a description, and what was assumed."""

    keys: dict[str, Any]
    assumed: list[str]


def suggest_form(paths: Iterable[Path]) -> FormKeys:
    """Keys for images like these, of which at most eight that are not damaged are decoded."""
    stored = []
    for path in paths:
        with suppress(ValueError):
            stored.append(decode_image(path))
        if len(stored) == _DECODED:
            break
    keys: dict[str, Any] = {}
    assumed = []
    if deep := [each.pixels for each in stored if each.pixels.dtype != np.uint8]:
        keys["range"] = [0, max(map(full_scale, deep))]
        assumed.append(f"range {keys['range']} of the images")
    bands = {each.pixels.shape[2] - (each.alpha and not each.shaded) for each in stored}
    if len(bands) == 1 and bands.isdisjoint({1, 3}):
        keys["channels"] = bands.pop()
        assumed.append(f"channels {keys['channels']} of the images")
    if any(each.shaded for each in stored):
        assumed.append("the last band is data, though it is marked as transparency: it has many values")
    elif any(each.alpha for each in stored):
        assumed.append("transparency is not used; `channels: 4` would use it as a band")
    return FormKeys(keys, assumed)
