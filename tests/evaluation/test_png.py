"""PNG files written row by row, read by Pillow."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seg.evaluation.png import PngWriter

GENERATOR = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("pixels", "mode"),
    [
        (GENERATOR.integers(0, 256, (37, 51), np.uint8), "L"),
        (GENERATOR.integers(0, 65536, (37, 51), np.uint16), "I;16"),
        (GENERATOR.integers(0, 256, (37, 51, 3), np.uint8), "RGB"),
    ],
    ids=["grey", "16 bits", "colours"],
)
def test_pillow_reads_what_is_written_in_strips(pixels: np.ndarray, mode: str, tmp_path: Path) -> None:
    with PngWriter(tmp_path / "a.png", 37, 51, pixels.dtype.type, rgb=pixels.ndim == 3) as writer:
        for start in range(0, 37, 10):
            writer.write(pixels[start : start + 10])
    with Image.open(tmp_path / "a.png") as file:
        assert file.mode == mode
        assert np.array_equal(np.asarray(file), pixels)


def test_ids_have_a_palette(tmp_path: Path) -> None:
    palette = GENERATOR.integers(0, 256, (256, 3), np.uint8)
    ids = GENERATOR.integers(0, 256, (5, 6), np.uint8)
    with PngWriter(tmp_path / "a.png", 5, 6, np.uint8, palette) as writer:
        writer.write(ids)
    with Image.open(tmp_path / "a.png") as file:
        assert np.array_equal(np.asarray(file), ids)
        assert np.array_equal(np.asarray(file.convert("RGB")), palette[ids])
