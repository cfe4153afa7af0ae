"""Palettes of labels, against each other."""

from pathlib import Path

import numpy as np
from PIL import Image

from seg.config.description import Description
from seg.doctor.examine import examine
from seg.doctor.palettes import label_palette

BLACK, WHITE, RED = (0, 0, 0), (255, 255, 255), (255, 0, 0)
CLASSES = Description(classes=["wall", "crack"], images=["images/*.png"])


def write_label(path: Path, *colours: tuple[int, int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    label = Image.fromarray(np.eye(40, 60, dtype=np.uint8))
    label.putpalette([channel for colour in colours for channel in colour])
    label.save(path)


def test_the_palette_is_that_of_the_values_in_the_label(tmp_path: Path) -> None:
    write_label(tmp_path / "a.png", BLACK, WHITE, RED)
    assert label_palette(tmp_path / "a.png") == {0: BLACK, 1: WHITE}
    Image.new("L", (4, 4)).save(tmp_path / "b.png")
    assert label_palette(tmp_path / "b.png") == {}


def test_a_palette_unlike_the_others_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for k in range(20):
        pixels = np.random.default_rng(k).integers(0, 256, (40, 60, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"images/{k:02}.png")
        colours = (WHITE, BLACK) if k == 7 else (BLACK, WHITE)
        write_label(tmp_path / f"labels/{k:02}.png", *colours, *([RED] if k % 2 else []))  # red is of no value
    found = {each.kind: each for each in examine(tmp_path, CLASSES).findings if each.severity == "error"}
    assert found.keys() == {"palettes_differ"}
    line = f"{tmp_path}/labels/07.png: shows 0 in 255 255 255, most in 0 0 0; 1 in 0 0 0, most in 255 255 255"
    assert found["palettes_differ"].lines == [line]
