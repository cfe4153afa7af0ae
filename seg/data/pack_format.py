"""File format of packs, and their reader.

A pack is three files: `<split>.images.npy` (N, H, W, C) uint8, `<split>.labels.npy` (N, H, W) uint8 with train ids and
255 for pixels that are not scored, and `<split>.json`: schema version, class table, label value of each scored class,
size, digests, numbers of pixels and images of each id in the class table, names of the images, the group of each (a
video, a city; empty if unknown), whether the images of a group are in the order of recording, and how image files
became channels (`form`).

Beside the pack of a split that models are evaluated on are the labels at their own size: `<split>.native.npy`, the
train ids of all labels one after the other (flat, uint8), and `<split>.native.json`: schema version, names and sizes.
A label of the pack's own size is not repeated there.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seg.config.image_form import ImageForm
from seg.system.files import read_json

PACK_VERSION = 2  # of the `.json`; increases when older packs would be misread
NATIVE_VERSION = 1  # of the `.native.json`
PIXEL_PARTS = ("images", "labels")
_PACK_KEYS = {"split", "images", "height", "width", "classes", "scored", "ids", "id_pixels", "names"}
_PACK_KEYS |= {"label_values", "form"}
_NATIVE_KEYS = {"names", "classes", "sizes"}


def read_pack_info(path: Path) -> dict[str, Any]:
    """Content of a pack's `.json` file.

    Raises:
        ValueError: the file is missing, damaged or has another schema version.
    """
    return _read_info(path, PACK_VERSION, _PACK_KEYS, "delete the pack and run again")


def _read_info(path: Path, version: int, keys: set[str], fix: str) -> dict[str, Any]:
    if not path.exists():
        raise ValueError(f"{path}: missing; {fix}")
    info = read_json(path)
    found = info.get("schema_version") if isinstance(info, dict) else None
    if found != version:
        raise ValueError(f"{path}: schema version {found}, expected {version}; {fix}")
    if lacking := sorted(keys - info.keys()):
        raise ValueError(f"{path}: lacks {', '.join(lacking)}; {fix}")
    content: dict[str, Any] = info
    return content


def _load_pixels(file: Path, mapped: bool, fix: str) -> np.ndarray:
    """Array of a .npy file. Raises ValueError if the file is missing or damaged."""
    try:
        found: np.ndarray = np.load(file, mmap_mode="r" if mapped else None, allow_pickle=False)
    except FileNotFoundError:
        raise ValueError(f"{file}: missing; {fix}") from None
    except (EOFError, ValueError) as error:
        raise ValueError(f"{file}: cannot be read ({error}); {fix}") from None
    return found


class Pack:
    """Reader of a pack, or of some of its samples.

    Attributes:
        about: content of the `.json` file; its numbers of images and pixels are those of the whole pack.
        names: names of the samples.
        height, width: size of the images in pixels.
    """

    def __init__(self, path: Path, subset: np.ndarray | None = None) -> None:
        """Open the pack with this `.json` file.

        Args:
            path: `.json` file.
            subset: positions (N,) in the pack of the samples to read, which are then numbered from 0; default: all.

        Raises:
            ValueError: a file is missing or damaged, or has another schema version or shape.
        """
        self.about = read_pack_info(path)
        self._positions = np.arange(self.about["images"]) if subset is None else subset
        self.names = [str(self.about["names"][i]) for i in self._positions]
        self.height, self.width = self.about["height"], self.about["width"]
        self._shapes = {part: pixel_shape(self.about, part) for part in PIXEL_PARTS}
        found = {part: memory_map(path, part) for part in PIXEL_PARTS}
        self._offsets = {part: pixels.offset for part, pixels in found.items()}
        self._files = {part: os.open(str(pixels.filename), os.O_RDONLY) for part, pixels in found.items()}

    def __len__(self) -> int:
        return len(self._positions)

    def __del__(self) -> None:
        for file in getattr(self, "_files", {}).values():
            os.close(file)

    @property
    def channels(self) -> int:
        """Number of channels of the images."""
        return channel_count(self.about)

    @property
    def classes(self) -> list[str]:
        """Names of the scored classes, by train id."""
        return list(self.about["classes"])

    def read(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images (B, H, W, channels) and labels (B, H, W), uint8, of the samples at positions (B,)."""
        return self._read("images", samples), self.read_labels(samples)

    def read_labels(self, samples: np.ndarray) -> np.ndarray:
        """Labels (B, H, W), uint8, of the samples at positions (B,)."""
        return self._read("labels", samples)

    def _read(self, part: str, samples: np.ndarray) -> np.ndarray:
        values = np.empty((len(samples), *self._shapes[part]), np.uint8)
        size = int(np.prod(self._shapes[part]))  # bytes
        for value, sample in zip(values, self._positions[samples], strict=True):
            start, got = self._offsets[part] + int(sample) * size, 0
            while got < size:  # a read may return early: above 2 GiB, or after a signal
                count = os.preadv(self._files[part], [value.reshape(-1)[got:]], start + got)
                if not count:
                    truncated = f"pack '{self.about['split']}': sample {sample} is truncated"
                    raise ValueError(f"{truncated}; delete the pack and run again")
                got += count
        return values

    @property
    def nbytes(self) -> int:
        """Size of all samples in bytes."""
        return len(self) * sum(int(np.prod(shape)) for shape in self._shapes.values())


def pixel_shape(info: Mapping[str, Any], part: str) -> tuple[int, ...]:
    """Shape of a sample in a pixel file (`images` or `labels`) of a pack with this content of its `.json`."""
    channels = (channel_count(info),) if part == "images" else ()
    return (info["height"], info["width"], *channels)


def channel_count(info: Mapping[str, Any]) -> int:
    """Number of channels of the images in a pack with this content of its `.json`."""
    return ImageForm.model_validate(info["form"]).channel_count()


def memory_map(path: Path, part: str) -> np.memmap:
    """Read-only array of a pixel file (`images` or `labels`) of the pack with this `.json` file.

    Raises:
        ValueError: the file is missing or damaged, or does not have the shape in the `.json` file.
    """
    info = read_pack_info(path)
    shape = (info["images"], *pixel_shape(info, part))
    file = path.with_name(f"{path.stem}.{part}.npy")
    found = _load_pixels(file, mapped=True, fix="delete the pack and run again")
    if not isinstance(found, np.memmap) or found.shape != shape or found.dtype != np.uint8:
        raise ValueError(
            f"{file}: got {found.dtype} {found.shape}, expected uint8 {shape}; delete the pack and run again"
        )
    return found


class NativeLabels:
    """Reader of the labels at their own size beside a pack.

    Attributes:
        stored: whether any label has another size than the pack.
    """

    def __init__(self, pack: Path) -> None:
        """Open the labels beside the pack with this `.json` file.

        Raises:
            ValueError: a file is missing or damaged, has another schema version, or is of other images.
        """
        path = pack.with_suffix(".native.json")
        fix = "delete it and run again"
        about, info = read_pack_info(pack), _read_info(path, NATIVE_VERSION, _NATIVE_KEYS, fix)
        if (info["names"], info["classes"]) != (about["names"], about["classes"]):
            raise ValueError(f"{path}: its images or classes are not those of {pack}; {fix}")
        self._size: tuple[int, int] = (about["height"], about["width"])
        self._sizes = [None if tuple(each) == self._size else (each[0], each[1]) for each in info["sizes"]]
        areas = [0 if each is None else each[0] * each[1] for each in self._sizes]
        self._ends = np.cumsum(areas, dtype=np.int64)
        self.stored = any(areas)
        file = path.with_suffix(".npy")
        self._pixels = _load_pixels(file, mapped=self.stored, fix=fix)  # an empty array cannot be mapped
        if self._pixels.dtype != np.uint8 or self._pixels.shape != (sum(areas),):
            got = f"{self._pixels.dtype} {self._pixels.shape}"
            raise ValueError(f"{file}: got {got}, expected uint8 ({sum(areas)},); {fix}")

    def size(self, sample: int) -> tuple[int, int]:
        """Height and width of the label, and so of the image, at this position."""
        return self._sizes[sample] or self._size

    def read(self, sample: int) -> np.ndarray | None:
        """Labels (h, w) uint8 of the image at this position; `None` if they have the size of the pack."""
        if (size := self._sizes[sample]) is None:
            return None
        end = int(self._ends[sample])
        return np.asarray(self._pixels[end - size[0] * size[1] : end]).reshape(size)
