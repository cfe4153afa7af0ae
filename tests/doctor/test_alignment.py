"""Labels that fit their image better in another position."""

from collections.abc import Callable

import numpy as np
import pytest
from scenes import scene

from seg.doctor.alignment import measure_agreement


@pytest.mark.parametrize("seed", range(5))
def test_a_label_that_fits_is_not_reported(seed: int) -> None:
    agreement = measure_agreement(*scene(seed))
    assert agreement is not None
    assert agreement.better == ""
    assert agreement.score > 0.3


@pytest.mark.parametrize(
    ("edit", "better"),
    [
        (np.fliplr, "mirrored left to right"),
        (np.flipud, "mirrored top to bottom"),
        (lambda label: label[::-1, ::-1], "turned by 180 degrees"),
        (np.rot90, "turned by 90 degrees to the right"),
        (lambda label: np.rot90(label, -1), "turned by 90 degrees to the left"),
        (np.transpose, "mirrored along a diagonal"),
        (lambda label: np.roll(label, (10, -8), (0, 1)), "moved about 8 pixels to the right and 10 pixels up"),
    ],
)
def test_other_positions_are_named(edit: Callable[[np.ndarray], np.ndarray], better: str) -> None:
    image, label = scene(3, 128, 128)
    agreement = measure_agreement(image, np.ascontiguousarray(edit(label)))
    assert agreement is not None
    assert agreement.better == better


def test_the_label_of_another_image_scores_low() -> None:
    agreement = measure_agreement(scene(0)[0], scene(1)[1])
    assert agreement is not None
    assert agreement.score < 0.15


def test_nothing_is_known_of_images_without_edges_and_labels_without_borders() -> None:
    image, label = scene(0)
    assert measure_agreement(np.full_like(image, 90), label) is None
    assert measure_agreement(image, np.zeros_like(label)) is None
    assert measure_agreement(image[:8, :8], label[:8, :8]) is None
