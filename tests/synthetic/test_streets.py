"""Rendered streets: properties that they share with the dataset that they replace."""

import numpy as np
import pytest

from seg.config.description import describe
from seg.datasets.classes import class_table
from seg.synthetic.streets import SURFACES, THINGS, label_id, render_street

CLASSES = class_table(describe("cityscapes"))
SCENES = 100


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
    assert found <= {label_id(name, CLASSES.ids) for name in (*SURFACES, *THINGS)}
    assert {"ego vehicle", "rectification border", "static", "dynamic", "parking"} <= {CLASSES.ids[i] for i in found}


# Shares of the scored pixels, in percent. As in Cityscapes (Cordts et al., figure 5), road and buildings are common,
# traffic lights and riders rare; rare classes are larger here, so that short trainings learn them.
BANDS = {
    "road": (16, 30),
    "building": (8, 20),
    "vegetation": (8, 16),
    "car": (5, 12),
    "sidewalk": (4, 10),
    "sky": (10, 18),
    "person": (1, 4),
    "pole": (1, 3),
    "bicycle": (0.8, 3),
    "motorcycle": (0.6, 3),
    "traffic sign": (0.2, 1.2),
    "traffic light": (0.2, 1.2),
    "rider": (0.2, 1.2),
}


def test_classes_are_as_unevenly_frequent_as_in_cityscapes(many: tuple[np.ndarray, np.ndarray]) -> None:
    counts = np.bincount(many[1].ravel(), minlength=len(CLASSES.ids))
    share = 100 * counts / counts[list(CLASSES.scored)].sum()
    measured = {name: share[CLASSES.ids.index(name)] for name in BANDS}
    outside = {name: value for name, value in measured.items() if not BANDS[name][0] < value < BANDS[name][1]}
    assert not outside


def test_colour_tells_much_about_the_class_but_not_all(many: tuple[np.ndarray, np.ndarray]) -> None:
    """The best guess from a pixel's colour alone, learned on half of the scenes, scored on the others."""
    scored = np.isin(many[1], CLASSES.scored)
    codes = (many[0] >> 5).astype(int) @ np.array([64, 8, 1])
    half = SCENES // 2
    table = np.zeros((512, len(CLASSES.ids)), int)
    np.add.at(table, (codes[:half][scored[:half]], many[1][:half][scored[:half]]), 1)
    guess, truth = table.argmax(1)[codes[half:][scored[half:]]], many[1][half:][scored[half:]]
    commonest = (truth == CLASSES.ids.index("road")).mean()
    assert commonest + 0.1 < (guess == truth).mean() < 0.99


def test_light_changes_from_scene_to_scene(many: tuple[np.ndarray, np.ndarray]) -> None:
    road = many[1] == CLASSES.ids.index("road")
    means = np.array([image[mask].mean(axis=0) for image, mask in zip(many[0], road, strict=True)])
    assert means.mean(axis=1).std() > 5
    assert (means[:, 0] - means[:, 2]).std() > 4


def test_another_layout_gets_its_own_ids() -> None:
    ids = ("unlabeled", "lane divider", *reversed([name for name in CLASSES.ids if name not in ("unlabeled", "car")]))
    labels, other = (
        render_street(np.random.Generator(np.random.Philox(2)), 96, 192, names)[1] for names in (CLASSES.ids, ids)
    )
    found = {name: set(np.unique(other[labels == i]).tolist()) for i, name in enumerate(CLASSES.ids) if i in labels}
    assert found["car"] == {0}  # not among the ids
    assert found["road"] == {ids.index("road"), ids.index("lane divider")}  # a part of the road in Cityscapes
    assert found["building"] == {ids.index("building")}


def test_looks_differ_between_scored_classes() -> None:
    looks = {name: THINGS[name].look if name in THINGS else SURFACES[name] for name in CLASSES.names}
    assert len(set(looks.values())) == len(CLASSES.names)
