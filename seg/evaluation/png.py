"""PNG files written row by row, so that a large picture is never in memory (W3C, PNG Specification, 2003)."""

import struct
import zlib
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

_GREY, _RGB, _PALETTE = 0, 2, 3  # colour types
_SUB = 1  # filter: difference from the pixel to the left


class PngWriter:
    """Writer of rows from top to bottom.

    Args:
        path: file to write.
        height, width: size in pixels.
        dtype: of the values, uint8 or uint16.
        palette: colours (N, 3) uint8 of the values 0 to N - 1; else grey.
        rgb: whether rows have three channels.
    """

    def __init__(
        self, path: Path, height: int, width: int, dtype: type, palette: np.ndarray | None = None, *, rgb: bool = False
    ) -> None:
        self._file, self._zlib = path.open("wb"), zlib.compressobj(6)
        self._step = 3 if rgb else 0  # bytes of a pixel of a filtered row; ids compress better unfiltered
        kind = _RGB if rgb else _GREY if palette is None else _PALETTE
        self._file.write(b"\x89PNG\r\n\x1a\n")
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8 * np.dtype(dtype).itemsize, kind, 0, 0, 0))
        if palette is not None:
            self._chunk(b"PLTE", palette.tobytes())

    def write(self, rows: np.ndarray) -> None:
        """Append rows (h, W) or (h, W, 3)."""
        flat = rows.astype(rows.dtype.newbyteorder(">"), order="C").reshape(len(rows), -1).view(np.uint8)
        lines = np.empty((len(rows), flat.shape[1] + 1), np.uint8)
        lines[:, 0], lines[:, 1:] = _SUB if self._step else 0, flat
        if self._step:
            lines[:, 1 + self._step :] -= flat[:, : -self._step]
        if data := self._zlib.compress(lines.data):
            self._chunk(b"IDAT", data)

    def _chunk(self, kind: bytes, data: bytes) -> None:
        self._file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        with self._file:
            if error is None:
                self._chunk(b"IDAT", self._zlib.flush())
                self._chunk(b"IEND", b"")
