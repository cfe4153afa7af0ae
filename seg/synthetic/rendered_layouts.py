"""Layouts on disk that rendered scenes are written in, one row per layout."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seg.config.description import describe
from seg.datasets.classes import bit_colour, class_table
from seg.synthetic.objects import render_objects
from seg.synthetic.streets import render_street

# PNG: fast, because it is read once, by the pack. JPEG: without subsampling, which would blur colours of small images.
_SAVE: dict[str, dict[str, Any]] = {".png": {"compress_level": 1}, ".jpg": {"quality": 92, "subsampling": 0}}
_GROUP = 2  # scenes per recording in BDD100K's layout and per city in Cityscapes'
_VOC = "VOCdevkit/VOC2007"  # the year whose test labels are public

Scene = tuple[np.ndarray, np.ndarray]  # image (H, W, 3) and ids (H, W), uint8


@dataclass(frozen=True, kw_only=True)
class RenderedLayout:
    """How the scenes of a layout are rendered and named.

    Attributes:
        render: (generator, height, width) -> image (H, W, 3) and ids (H, W), uint8.
        files: (split, k) -> image file and label file of scene k, relative to the dataset's folder.
        own: regular expression of the relative file names; other files are never replaced.
        palette: red, green and blue of the ids 0 to 255 in label files; without it, these are greyscale.
        names: file with the names of a split's images, with `{split}` in its path.
    """

    render: Callable[[np.random.Generator, int, int], Scene]
    files: Callable[[str, int], tuple[str, str]]
    own: str
    palette: bytes | None = None
    names: str | None = None

    def save(self, root: Path, split: str, k: int, scene: Scene) -> None:
        """Write image and labels of scene k of a split below `root`."""
        image, labels = (Image.fromarray(picture) for picture in scene)
        if self.palette:
            labels.putpalette(self.palette)
        for file, picture in zip(self.files(split, k), (image, labels), strict=True):
            path = root / file
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path, **_SAVE[path.suffix])

    def save_names(self, root: Path, split: str, count: int) -> None:
        """Write the list of a split's scenes below `root`, where the layout has lists."""
        if self.names:
            path = root / self.names.format(split=split)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{Path(self.files(split, k)[0]).stem}\n" for k in range(count)), encoding="utf-8")


def render_snapshot(generator: np.random.Generator, height: int, width: int) -> Scene:
    """An object scene of one of many sizes, lying or standing, as VOC has 500x375 and 375x500, 500x333 and others.

    The longer side is that of the given size, the shorter one at least three quarters of it.
    """
    short, long = sorted((height, width))
    if generator.random() < 0.5:
        short = round(short * generator.uniform(0.75, 1))
    return render_objects(generator, *((long, short) if generator.random() < 0.25 else (short, long)))


def _cityscapes_files(split: str, k: int) -> tuple[str, str]:
    city = f"synthetic-{split.replace('_', '-')}-{k // _GROUP:04d}"
    name = f"{city}/{city}_{k:06d}_000019"  # Cityscapes labels the 20th frame of each sequence
    return f"leftImg8bit/{split}/{name}_leftImg8bit.png", f"gtFine/{split}/{name}_gtFine_labelIds.png"


def _bdd100k_files(split: str, k: int) -> tuple[str, str]:
    recording = zlib.crc32(f"{split}/{k // _GROUP}".encode())
    name = f"{split}/{recording:08x}-{k:08x}"
    return f"bdd100k/seg/images/{name}.jpg", f"bdd100k/seg/labels/{name}_id.png"


def _voc_files(split: str, k: int) -> tuple[str, str]:
    name = f"synthetic_{split}_{k:06d}"
    return f"{_VOC}/JPEGImages/{name}.jpg", f"{_VOC}/SegmentationClass/{name}.png"


RENDERED_LAYOUTS = {
    "cityscapes": RenderedLayout(
        render=render_street, files=_cityscapes_files, own=r"(leftImg8bit|gtFine)/\w+/synthetic-[\w-]+/[\w-]+\.png"
    ),
    "bdd100k": RenderedLayout(
        render=partial(render_street, ids=class_table(describe("bdd100k")).ids),
        files=_bdd100k_files,
        own=r"bdd100k/seg/(images|labels)/\w+/[0-9a-f]{8}-000[0-9a-f]{5}(\.jpg|_id\.png)",
    ),
    "voc": RenderedLayout(
        render=render_snapshot,
        files=_voc_files,
        own=rf"{_VOC}/((JPEGImages|SegmentationClass)/synthetic_\w+\.(jpg|png)|ImageSets/Segmentation/\w+\.txt)",
        palette=bytes(channel for i in range(256) for channel in bit_colour(i)),
        names=f"{_VOC}/ImageSets/Segmentation/{{split}}.txt",
    ),
}
