"""The canvas: what is painted where."""

import numpy as np
import pytest

from seg.synthetic.canvas import Canvas, Look
from seg.synthetic.shapes import SHAPES, TEXTURES

RED = Look("square", (200, 0, 0), "plain")


@pytest.fixture
def canvas() -> Canvas:
    return Canvas(20, 40, np.random.default_rng(0))


def test_a_shape_covers_its_place_in_image_and_labels(canvas: Canvas) -> None:
    canvas.place(RED, 3, centre=(1.5, 0.5), size=(0.5, 0.25))  # the square is 0.8 of both sides: 8 by 4 pixels
    rows, columns = np.nonzero(canvas.labels == 3)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (8, 12, 26, 34)
    assert set(np.unique(canvas.labels)) == {0, 3}
    assert abs(canvas.image[10, 30] - (200, 0, 0)).max() < 20
    assert not canvas.image[canvas.labels == 0].any()


def test_a_quarter_turn_swaps_width_and_height(canvas: Canvas) -> None:
    canvas.place(RED, 1, centre=(1, 0.5), size=(0.5, 0.25), turn=np.pi / 2)
    rows, columns = np.nonzero(canvas.labels)
    assert (np.ptp(rows), np.ptp(columns)) == (8, 4)


def test_later_things_cover_earlier_ones_and_parts_outside_are_cut_off(canvas: Canvas) -> None:
    canvas.place(RED, 1, centre=(1, 0.5), size=(3, 3))
    canvas.place(RED, 2, centre=(0, 0), size=(0.5, 0.5))
    canvas.place(RED, 3, centre=(5, 5), size=(1, 1))
    assert set(np.unique(canvas.labels)) == {1, 2}
    assert canvas.labels[0, 0] == 2


def test_a_ring_has_a_hole(canvas: Canvas) -> None:
    canvas.place(Look("ring", (0, 200, 0), "plain"), 1, centre=(1, 0.5), size=(0.9, 0.9))
    assert (canvas.labels[10, 20], canvas.labels[10, 12]) == (0, 1)


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_fill_a_part_of_their_square(name: str) -> None:
    canvas = Canvas(100, 100, np.random.default_rng(0))
    canvas.place(Look(name, (0, 0, 0), "plain"), 1, centre=(0.5, 0.5), size=(0.8, 0.8))
    assert 0.1 < (canvas.labels[10:91, 10:91] == 1).mean() <= 1
    assert (canvas.labels == 1).sum() == (canvas.labels[10:91, 10:91] == 1).sum()


def test_textures_differ_and_stay_within_their_range() -> None:
    v, u = np.mgrid[:64, :64] / 64
    patterns = np.stack([texture(u, v) for texture in TEXTURES.values()])
    assert abs(patterns).max() <= 1
    for i, one in enumerate(patterns):
        assert all(abs(one - other).mean() > 0.2 for other in patterns[i + 1 :])
