"""Images of the pretext task."""

import numpy as np

from seg.synthetic.pretext import CLASSES, draw_shapes


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
