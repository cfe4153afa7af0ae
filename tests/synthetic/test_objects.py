"""Object scenes: properties that they share with PASCAL VOC."""

import numpy as np
import pytest

from seg.config.description import describe
from seg.datasets import IGNORE
from seg.datasets.classes import class_table
from seg.synthetic.objects import KINDS, render_objects

CLASSES = class_table(describe("voc"))
SCENES = 400


def rendered(k: int, height: int = 64, width: int = 64) -> tuple[np.ndarray, np.ndarray]:
    return render_objects(np.random.Generator(np.random.Philox(k)), height, width)


@pytest.fixture(scope="module")
def many() -> tuple[np.ndarray, np.ndarray]:
    images, labels = zip(*(rendered(k) for k in range(SCENES)), strict=True)
    return np.stack(images), np.stack(labels)


def test_a_scene_is_the_same_at_every_size() -> None:
    for k in range(8):
        small, large = rendered(k)[1], rendered(k, 192, 192)[1][1::3, 1::3]
        inside = (small != IGNORE) & (large != IGNORE)
        assert (small == large)[inside].mean() > 0.99


def test_ids_are_those_of_voc_and_all_of_them_occur(many: tuple[np.ndarray, np.ndarray]) -> None:
    assert tuple(KINDS) == CLASSES.ids[1:]
    assert np.unique(many[1]).tolist() == [*range(21), IGNORE]


def test_frequencies_are_as_uneven_as_in_voc(many: tuple[np.ndarray, np.ndarray]) -> None:
    counts = np.bincount(many[1].ravel(), minlength=256)
    share = counts[:21] / counts[:21].sum()
    assert 0.5 < share[0] < 0.7  # most of the image, as in VOC
    assert share[1:].argmax() + 1 == CLASSES.ids.index("person")
    assert share[1:].min() > 0.005
    assert share[1:].max() < 0.08
    shown = np.array([(many[1] == i).any(axis=(1, 2)).mean() for i in range(1, 21)])
    assert 0.2 < shown[CLASSES.ids.index("person") - 1] < 0.45
    assert shown.min() > 0.015
    things = sorted((len(np.setdiff1d(np.unique(labels), [0, IGNORE])) for labels in many[1]), reverse=True)
    assert things[0] >= 3
    assert things[-1] == 1


@pytest.mark.parametrize(("size", "border"), [(64, 1), (224, 2), (500, 5)])
def test_a_border_of_one_hundredth_of_the_size_parts_all_things(size: int, border: int) -> None:
    for k in range(6):
        labels = rendered(k, size, size)[1]
        for here, there in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
            assert not ((here != there) & (here != IGNORE) & (there != IGNORE)).any()
        # Along a row the border is as wide as it should be where the outline is upright, and wider where it is not.
        rises = np.diff(np.pad(labels == IGNORE, ((0, 0), (1, 1))).astype(np.int8))
        starts, ends = (np.argwhere(rises == sign)[:, 1] for sign in (1, -1))
        inside = (starts > 0) & (ends < size)
        widths = (ends - starts)[inside]
        assert border <= widths.min() <= border + 1
        assert np.quantile(widths, 0.25) <= 2 * border


def test_colour_tells_much_about_the_class_but_not_all(many: tuple[np.ndarray, np.ndarray]) -> None:
    """The best guess from the colour of a pixel, learned on half of the scenes, scored on the others."""
    codes = (many[0] >> 4).astype(int) @ np.array([256, 16, 1])
    half = SCENES // 2
    known = many[1] != IGNORE
    table = np.zeros((4096, 21), int)
    np.add.at(table, (codes[:half][known[:half]], many[1][:half][known[:half]]), 1)
    guess, truth = table.argmax(1)[codes[half:][known[half:]]], many[1][half:][known[half:]]
    assert (truth == 0).mean() + 0.05 < (guess == truth).mean() < 0.99
    hit = [(guess[truth == i] == i).mean() for i in range(1, 21)]
    assert np.mean(hit) < 0.95


def test_looks_differ_between_classes_and_between_things_of_a_class(many: tuple[np.ndarray, np.ndarray]) -> None:
    assert len({kind.look for kind in KINDS.values()}) == len(KINDS)
    for i in range(1, 21):
        means = [image[labels == i].mean(axis=0) for image, labels in zip(*many, strict=True) if (labels == i).any()]
        assert np.std(means, axis=0).max() > 5, CLASSES.ids[i]
