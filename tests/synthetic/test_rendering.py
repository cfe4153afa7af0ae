"""Properties of every rendered scene."""

from collections.abc import Callable

import numpy as np
import pytest

from seg.synthetic.objects import render_objects
from seg.synthetic.streets import render_street

Render = Callable[[np.random.Generator, int, int], tuple[np.ndarray, np.ndarray]]


def rendered(render: Render, k: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    return render(np.random.Generator(np.random.Philox(k)), height, width)


@pytest.mark.parametrize(
    ("render", "height", "width"),
    [(render_objects, 24, 32), (render_objects, 96, 96), (render_street, 32, 32), (render_street, 96, 192)]
    + [(render, *size) for render in (render_objects, render_street) for size in ((33, 47), (128, 64))],
)
def test_image_and_labels_have_the_size_asked_for(render: Render, height: int, width: int) -> None:
    image, labels = rendered(render, 3, height, width)
    assert image.shape == (height, width, 3)
    assert labels.shape == (height, width)
    assert image.dtype == labels.dtype == np.uint8


@pytest.mark.parametrize(("render", "height", "width"), [(render_objects, 64, 64), (render_street, 96, 192)])
def test_the_same_generator_gives_the_same_bits_and_another_gives_another_scene(
    render: Render, height: int, width: int
) -> None:
    once, again, other = (rendered(render, k, height, width) for k in (5, 5, 6))
    assert np.array_equal(once[0], again[0])
    assert np.array_equal(once[1], again[1])
    assert (once[1] != other[1]).mean() > 0.1
