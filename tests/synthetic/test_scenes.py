"""Synthetic scenes: properties that they share with the dataset that they replace."""

import numpy as np
import pytest

from seg.datasets.cityscapes import CLASSES
from seg.synthetic import scenes_props
from seg.synthetic.scenes import render_street

SCENES = 64


def rendered(k: int, height: int = 96, width: int = 192) -> tuple[np.ndarray, np.ndarray]:
    return render_street(np.random.Generator(np.random.Philox(k)), height, width)


@pytest.fixture(scope="module")
def many() -> tuple[np.ndarray, np.ndarray]:
    images, labels = zip(*(rendered(k) for k in range(SCENES)), strict=True)
    return np.stack(images), np.stack(labels)


def test_a_scene_is_the_same_street_at_every_size() -> None:
    for k in range(8):
        small, large = rendered(k)[1], rendered(k, 288, 576)[1]
        assert (small == large[1::3, 1::3]).mean() > 0.95


def test_every_scored_class_occurs_and_no_label_is_foreign(many: tuple[np.ndarray, np.ndarray]) -> None:
    found = set(np.unique(many[1]).tolist())
    assert set(CLASSES.scored) <= found
    assert found <= {CLASSES.ids.index(name) for name in scenes_props.GRAIN}
    assert {"ego vehicle", "rectification border", "static", "dynamic", "parking"} <= {CLASSES.ids[i] for i in found}


# Shares of the scored pixels, in percent; those of Cityscapes are inside (Cordts et al., figure 5).
BANDS = {
    "road": (31, 41),
    "building": (18, 28),
    "vegetation": (12, 20),
    "car": (4.5, 10),
    "sidewalk": (4, 8),
    "sky": (3, 8),
    "person": (0.6, 2),
    "pole": (0.8, 2),
    "traffic sign": (0.3, 1.2),
    "bicycle": (0.2, 1),
    "traffic light": (0.1, 0.5),
    "train": (0.02, 1.5),
    "motorcycle": (0.02, 0.5),
}


def test_classes_are_as_unevenly_frequent_as_in_cityscapes(many: tuple[np.ndarray, np.ndarray]) -> None:
    counts = np.bincount(many[1].ravel(), minlength=len(CLASSES.ids))
    share = 100 * counts / counts[list(CLASSES.scored)].sum()
    measured = {name: share[CLASSES.ids.index(name)] for name in BANDS}
    outside = {name: value for name, value in measured.items() if not BANDS[name][0] < value < BANDS[name][1]}
    assert not outside


def test_colour_tells_something_about_the_class_but_not_all(many: tuple[np.ndarray, np.ndarray]) -> None:
    """The best guess from a pixel's colour alone, learned on half of the scenes, scored on the others."""
    scored = np.isin(many[1], CLASSES.scored)
    codes = (many[0] >> 5).astype(int) @ np.array([64, 8, 1])
    half = SCENES // 2
    table = np.zeros((512, len(CLASSES.ids)), int)
    np.add.at(table, (codes[:half][scored[:half]], many[1][:half][scored[:half]]), 1)
    guess, truth = table.argmax(1)[codes[half:][scored[half:]]], many[1][half:][scored[half:]]
    commonest = (truth == CLASSES.ids.index("road")).mean()
    assert commonest + 0.1 < (guess == truth).mean() < 0.8


def test_light_changes_from_scene_to_scene(many: tuple[np.ndarray, np.ndarray]) -> None:
    road = many[1] == CLASSES.ids.index("road")
    means = np.array([image[mask].mean(axis=0) for image, mask in zip(many[0], road, strict=True)])
    assert means.mean(axis=1).std() > 10
    assert (means[:, 0] - means[:, 2]).std() > 4


def test_another_layout_gets_its_own_ids_and_unlabeled_for_what_it_lacks() -> None:
    ids = tuple(reversed([name for name in CLASSES.ids if name != "road"]))
    labels = rendered(2)[1]
    other = render_street(np.random.Generator(np.random.Philox(2)), 96, 192, ids)[1]
    expected = [ids.index(name if name in ids else "unlabeled") for name in CLASSES.ids]
    assert np.array_equal(other, np.array(expected, np.uint8)[labels])
