"""The files of a pack, and reading them.

A pack is three files: `<split>.images.npy` (N, H, W, 3) uint8, `<split>.labels.npy` (N, H, W) uint8 with train ids and
255 for pixels that are not scored, and `<split>.json`: names, class table, size, digests, and pixels and images of
every id in the class table.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from seg.system.files import read_json

PIXEL_PARTS = {"images": (3,), "labels": ()}


class Pack:
    """A pack opened for reading.

    Attributes:
        about: the pack's `.json`: names, class table, size.
        height, width: of its images, pixels.
    """

    def __init__(self, path: Path) -> None:
        """Open the pack of a `.json`.

        Raises:
            ValueError: a file is missing, or of another shape than the `.json` says.
        """
        self.about: dict[str, Any] = read_json(path)
        self.height, self.width = self.about["height"], self.about["width"]
        self._files: dict[str, int] = {}
        self._offsets: dict[str, int] = {}
        self._shapes = {part: (self.height, self.width, *channels) for part, channels in PIXEL_PARTS.items()}
        for part in self._shapes:
            found = memory_map(path, part)
            self._offsets[part] = found.offset
            self._files[part] = os.open(str(found.filename), os.O_RDONLY)

    def __len__(self) -> int:
        return int(self.about["images"])

    def __del__(self) -> None:
        for file in getattr(self, "_files", {}).values():
            os.close(file)

    @property
    def classes(self) -> list[str]:
        """Names of the scored classes, by train id."""
        return list(self.about["classes"])

    def read(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images (B, H, W, 3) and labels (B, H, W), uint8, of the samples at these positions (B,)."""
        return self._read("images", samples), self._read("labels", samples)

    def _read(self, part: str, samples: np.ndarray) -> np.ndarray:
        values = np.empty((len(samples), *self._shapes[part]), np.uint8)
        size = values[0].nbytes
        for value, sample in zip(values, samples, strict=True):
            start, got = self._offsets[part] + int(sample) * size, 0
            while got < size:  # a read may stop early, above 2 GiB or at a signal
                count = os.preadv(self._files[part], [value.reshape(-1)[got:]], start + got)
                if not count:
                    name = self.about["split"]
                    raise ValueError(f"pack '{name}': sample {sample} is cut off; delete it and run again")
                got += count
        return values

    @property
    def nbytes(self) -> int:
        """Bytes of all samples."""
        return len(self) * sum(int(np.prod(shape)) for shape in self._shapes.values())


def memory_map(path: Path, part: str) -> np.memmap:
    """The values of a part of the pack of a `.json`, read only.

    Raises:
        ValueError: the file is missing, or of another shape than the `.json` says.
    """
    about = read_json(path)
    shape = (about["images"], about["height"], about["width"], *PIXEL_PARTS[part])
    file = path.with_name(f"{path.stem}.{part}.npy")
    try:
        found: np.memmap = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"{file}: cannot be read ({error}); delete the pack and run again") from None
    if found.shape != shape or found.dtype != np.uint8:
        raise ValueError(
            f"{file}: got {found.dtype} {found.shape}, expected uint8 {shape}; delete the pack and run again"
        )
    return found
