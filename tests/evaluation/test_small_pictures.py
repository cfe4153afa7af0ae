"""Pictures of labels and predictions in the frame of the whole image, by hand; their file."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seg.data.resizing import Box, place
from seg.evaluation.small_pictures import (
    distinct_colours,
    label_picture,
    label_png,
    picture_box,
    picture_size,
    read_predictions,
    write_predictions,
)

PALETTE = [(10, 20, 30), (0, 0, 0), (10, 20, 30)]


@pytest.mark.parametrize(
    ("image", "size"),
    [((48, 64), (48, 64)), ((1024, 2048), (128, 256)), ((600, 300), (256, 128)), ((1, 4000), (1, 256))],
)
def test_the_size_of_a_picture(image: tuple[int, int], size: tuple[int, int]) -> None:
    assert picture_size(image) == size
    assert picture_box(Box(0, 0, *image), image) == (0, 0, *size)


def test_a_prediction_of_a_cropped_image_leaves_the_rest_empty() -> None:
    """A 4x8 image is cropped to its central square; a pack of 2x2 has one pixel for four of the picture."""
    source = place("crop", (4, 8), (2, 2)).source
    assert source == (0, 2, 4, 4)
    drawn = label_picture(np.array([[0, 1], [2, 0]], np.uint8), source, (4, 8))
    empty = np.full((4, 2), 255)
    assert np.array_equal(drawn, np.hstack([empty, np.array([[0, 1], [2, 0]]).repeat(2, 0).repeat(2, 1), empty]))


def test_every_part_has_a_pixel() -> None:
    for left in (0, 1999, 3999):
        box = picture_box(Box(0, left, 1, 1), (1, 4000))
        assert (box.height, box.width) == (1, 1)
        assert 0 <= box.left < 256


def test_equal_colours_become_distinct_and_others_stay() -> None:
    assert distinct_colours([(9, 9, 0), (9, 9, 0), (9, 9, 0), (5, 5, 255), (5, 5, 255)]) == [
        (9, 9, 0),
        (9, 9, 1),
        (9, 9, 2),
        (5, 5, 255),
        (5, 5, 254),
    ]
    assert len(set(distinct_colours([(7, 7, 7)] * 254))) == 254


def test_ids_colours_and_transparency_of_a_png() -> None:
    labels = np.array([[0, 1, 255], [2, 1, 0]], np.uint8)
    with Image.open(io.BytesIO(label_png(labels, PALETTE))) as file:
        assert np.array_equal(np.asarray(file), [[0, 1, 3], [2, 1, 0]])
        pixels = np.asarray(file.convert("RGBA"))
    assert np.array_equal(pixels[..., 3], np.where(labels == 255, 0, 255))
    assert pixels[0, 0].tolist() == [10, 20, 30, 255]
    assert pixels[0, 1].tolist() == [0, 0, 0, 255]  # a black class is not what is transparent


def test_the_most_classes() -> None:
    labels = np.array([[253, 255]], np.uint8)
    with Image.open(io.BytesIO(label_png(labels, [(i, 0, 0) for i in range(254)]))) as file:
        assert np.asarray(file.convert("RGBA")).tolist() == [[[253, 0, 0, 255], [0, 0, 0, 0]]]


def test_the_same_predictions_give_the_same_bytes_and_damage_is_reported(tmp_path: Path) -> None:
    contents = [label_png(np.full((2, 2), i, np.uint8), PALETTE) for i in range(3)]
    for name in ("a.zip", "b.zip"):
        write_predictions(tmp_path / name, contents)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert read_predictions(tmp_path / "a.zip", [2, 0], "") == [contents[2], contents[0]]
    (tmp_path / "b.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:-30])
    for name, position, fault in (("a", 3, "cannot be read"), ("b", 0, "cannot be read"), ("c", 0, "missing")):
        with pytest.raises(ValueError, match=rf"{name}\.zip: {fault}.*; evaluate again$"):
            read_predictions(tmp_path / f"{name}.zip", [position], "evaluate again")
