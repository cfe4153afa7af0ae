"""Warnings on the page about the data of a study."""

import json
from pathlib import Path
from typing import Any

import pytest
from results_tree import write_statistics

from seg.data.pack_format import PACK_VERSION
from seg.report.data_warnings import data_warnings
from seg.report.runs import read_statistics
from seg.results import Statistics

Changes = dict[str, Any]


@pytest.fixture
def statistics(tmp_path: Path) -> Statistics:
    """Statistics of 10 images of 20x50: 8,000 of 10,000 pixels are labelled, none of them as the class `train`."""
    write_statistics(tmp_path / "statistics.json")
    return read_statistics(tmp_path / "statistics.json")


def other_pack(path: Path, statistics: Statistics, **changes: Any) -> Path:
    """The `.json` of a pack with the same classes."""
    own = {"schema_version": PACK_VERSION, "names": [], "label_values": [], "form": {}}
    content = {**statistics.model_dump(mode="json"), **own, **changes}
    path.write_text(json.dumps(content))
    return path


ABSENT = "Classes that the training split lacks: train. They cannot be learned."


def test_a_class_without_a_training_pixel_cannot_be_learned(statistics: Statistics) -> None:
    assert data_warnings(statistics, {}) == [ABSENT]


def test_classes_that_another_split_lacks_are_named_with_the_effect(statistics: Statistics, tmp_path: Path) -> None:
    val = other_pack(tmp_path / "val.json", statistics, id_pixels=[0, 0, 5, 0, 0, 0, 9])
    test = other_pack(tmp_path / "test.json", statistics, id_pixels=[0, 0, 5, 5, 0, 5, 9])
    assert data_warnings(statistics, {"validation": val, "evaluation": test}) == [
        ABSENT,
        "Classes of the training split that the validation split lacks: building, person. Therefore the loss curves and"
        " early stopping do not show how well they are learned.",
        "Classes of the training split that the evaluation split lacks: person. Therefore their IoU is absent, or 0"
        " where a model predicts them.",
    ]


@pytest.mark.parametrize(("labelled", "warned"), [(500, False), (499, True)])
def test_few_labelled_pixels(statistics: Statistics, labelled: int, warned: bool) -> None:
    few = statistics.model_copy(update={"pixels": (labelled, 0, 0, 0, 0)})
    warning = "Only 5% of the training pixels (499 of 10,000) are labelled; the scores may depend on which."
    assert (warning in data_warnings(few, {})) == warned


def test_a_pack_with_other_classes_is_refused(statistics: Statistics, tmp_path: Path) -> None:
    val = other_pack(tmp_path / "val.json", statistics, classes=["road"])
    with pytest.raises(ValueError, match=r"val\.json: its classes are not those of the training pack; delete both .+"):
        data_warnings(statistics, {"validation": val})
