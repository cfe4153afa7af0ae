"""Labels over an image."""

import numpy as np

from seg.datasets.overlay import colour_table, overlaid


def test_pixels_are_averaged_with_the_colours_of_their_classes_except_where_they_are_not_scored() -> None:
    image = np.array([[[10, 20, 31], [255, 255, 255], [9, 9, 9]]], np.uint8)
    labels = np.array([[1, 0, 255]], np.uint8)
    colours = colour_table([(255, 255, 255), (0, 100, 200)])
    assert overlaid(image, labels, colours).tolist() == [[[5, 60, 116], [255, 255, 255], [9, 9, 9]]]


def test_train_ids_beyond_the_palette_are_black() -> None:
    colours = colour_table([(1, 2, 3)])
    assert colours.shape == (256, 3)
    assert colours[:2].tolist() == [[1, 2, 3], [0, 0, 0]]
    assert not colour_table([]).any()
