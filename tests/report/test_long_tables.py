"""Long tables of classes and confusions, against values worked out by hand."""

import pytest
from results_tree import CLASSES, write_run

from seg.report.long_tables import class_score_table, confusion_table
from seg.report.runs import read_run


def test_scores_of_classes_are_means_over_seeds(tmp_path):
    for seed, miou in enumerate((0.3, 0.5)):
        write_run(tmp_path / f"seed{seed}", miou)
    runs = [read_run(tmp_path / f"seed{seed}", "native") for seed in (0, 1)]
    table = class_score_table({"streets": {"unet": runs}}).set_index("class")
    assert list(table.index) == list(CLASSES)
    assert table.loc["road", ["iou", "boundary_iou"]].tolist() == pytest.approx([0.5, 0.4])
    assert table.loc["building", ["iou", "boundary_iou"]].tolist() == pytest.approx([0.4, 0.3])
    assert table.loc["train", ["iou", "boundary_iou"]].isna().all()
    assert set(table["study"] + "/" + table["variant"]) == {"streets/unet"}


def test_confusions_are_shares_of_the_true_class(tmp_path):
    """Of 24 x 1000 pixels per class, 0.5 - miou / 2 are predicted as the next class, and 1.5 - miou / 2 labelled."""
    write_run(tmp_path / "seed0", 0.5)
    table = confusion_table({"streets": {"unet": [read_run(tmp_path / "seed0", "native")]}})
    assert table.columns.tolist() == ["study", "variant", "truth", "prediction", "share"]
    shares = table.set_index(["truth", "prediction"])["share"]
    assert shares["road", "road"] == pytest.approx(0.5 / 0.75)
    assert shares["road", "building"] == pytest.approx(0.25 / 0.75)
    assert len(shares) == 2 * 4  # nobody has trains, and nothing else is confused
