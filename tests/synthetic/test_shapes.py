"""Images of the pretext task."""

import numpy as np
import pytest

from seg.synthetic.shapes import CLASSES, SHAPES, draw_shapes

# Of the points (0, 0), (0.8, 0), (0, 0.8), (0.55, 0.55) in units of the radius: which are inside.
INSIDE = {
    "disc": (1, 1, 1, 1),
    "triangle": (1, 1, 0, 0),
    "square": (1, 1, 1, 0),
    "bar": (1, 1, 0, 0),
    "cross": (1, 1, 1, 0),
    "ring": (0, 1, 1, 1),
    "crescent": (0, 0, 1, 0),
    "checks": (0, 0, 0, 0),
    "waves": (0, 0, 0, 0),
}


@pytest.mark.parametrize("name", INSIDE)
def test_a_shape_lies_where_its_geometry_says(name: str) -> None:
    u, v = (np.float32([values]) for values in ((0, 0.8, 0, 0.55), (0, 0, 0.8, 0.55)))
    if name in ("checks", "waves"):  # these have an edge at the centre: test a point next to it
        u, v = np.float32([[0.1, 0.4, 0.1, 0.9]]), np.float32([[-0.1, 0.1, 0.4, -0.9]])
        expected = {"checks": (1, 0, 0, 1), "waves": (0, 1, 1, 1)}[name]
    else:
        expected = INSIDE[name]
    assert tuple((SHAPES[name](u, v) < 0)[0].astype(int)) == expected


def test_pictures_depend_on_the_seed_alone_and_classes_are_balanced() -> None:
    pictures, labels = draw_shapes(36, 24, seed=3)
    assert pictures.shape == (36, 24, 24, 3)
    assert pictures.dtype == np.uint8
    assert np.bincount(labels).tolist() == [3] * len(CLASSES)
    again, same = draw_shapes(36, 24, seed=3)
    other, _ = draw_shapes(36, 24, seed=4)
    np.testing.assert_array_equal(pictures, again)
    np.testing.assert_array_equal(labels, same)
    assert (pictures != other).mean() > 0.9


def test_classes_differ_by_outline_not_by_colour() -> None:
    """The mean colour does not identify a class: the nearest class mean has about chance accuracy."""
    pictures, labels = draw_shapes(2400, 16, seed=1)
    colours = pictures.mean((1, 2))
    half = np.arange(len(labels)) < 1200
    means = np.stack([colours[half & (labels == k)].mean(0) for k in range(len(CLASSES))])
    guesses = np.linalg.norm(colours[~half, None] - means, axis=2).argmin(1)
    assert (guesses == labels[~half]).mean() < 0.15
