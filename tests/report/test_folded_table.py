"""The table of a cross-validation: means and intervals over folds, pairs on the images of all folds."""

import json
import sys
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import pytest
from results_tree import SOURCE, confusion, write, write_run, write_statistics

from seg.report import page, table
from seg.report.rows import read_rows, read_table

# mIoU of the seeds 0 and 1 by variant and fold
MIOU = {
    "baseline": [(0.30, 0.34), (0.40, 0.40), (0.34, 0.36)],
    "unet": [(0.52, 0.50), (0.50, 0.52), (0.60, 0.58)],
}
FACTOR = 4.302652729911275 * (1 / 3 + 1 / 2) ** 0.5  # Student's quantile of two degrees of freedom, and the correction


@pytest.fixture
def folded(tmp_path: Path) -> Path:
    """A study of two variants with two seeds and three folds, whose images have the names of their fold."""
    for variant, folds in MIOU.items():
        for fold, scores in enumerate(folds):
            for seed, miou in enumerate(scores):
                made = tmp_path / "made" / f"seed{seed}"
                write_run(made, miou)
                metrics = json.loads((made / "metrics.json").read_text())
                metrics["names"] = [f"fold{fold}_{name}" for name in metrics["names"]]
                write(made / "metrics.json", metrics)
                target = tmp_path / "streets" / variant / f"seed{seed}" / f"fold{fold}"
                target.parent.mkdir(parents=True, exist_ok=True)
                made.rename(target)
    write(tmp_path / "published.csv", "study,variant,split,metric,class,value,note\nstreets,unet,val,miou,,0.5,\n")
    return tmp_path


def make_table(results: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    study = results / "streets"
    source = SOURCE | {"split": "test of 3 folds"}
    arguments = ["--study", "streets", "--title", "Streets", "--eval-split", "val", "--scoring", "native"]
    arguments += ["--classes", '["person", "train"]', "--published", str(results / "published.csv")]
    arguments += ["--source", json.dumps(source), "--variants", *(f"{name}={study / name}" for name in MIOU)]
    arguments += ["--seeds", "0", "1", "--folds", "3", "--block", "10", "--equivalence", "0.01"]
    for option, name in {
        "csv": "table.csv",
        "markdown": "table.md",
        "latex": "table.tex",
        "pairs": "pairs.csv",
        "figures": "figures",
    }.items():
        arguments += [f"--{option}", str(study / name)]
    monkeypatch.setattr(sys, "argv", ["table", *arguments])
    table.main()
    return study


def test_scores_are_means_and_intervals_over_folds(folded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_table(folded, monkeypatch)
    rows = {row["variant"]: row for row in read_rows(study / "table.csv")}
    for variant, folds in MIOU.items():
        row, of_folds = rows[variant], [fmean(scores) for scores in folds]
        assert (row["seeds"], row["folds"], row["images"]) == ("0 1", "3", "72")
        assert float(row["miou"]) == pytest.approx(fmean(of_folds))
        assert float(row["miou_std"]) == pytest.approx(stdev(of_folds))
        half_width = FACTOR * stdev(of_folds)
        ends = [float(row["miou_low"]), float(row["miou_high"])]
        assert ends == pytest.approx([fmean(of_folds) - half_width, fmean(of_folds) + half_width])
        assert float(row["iou[person]"]) == pytest.approx(fmean(of_folds) - 0.1)
        assert (row["iou[train]"], row["iou[train]_low"]) == ("absent", "")
    assert rows["unet"]["published_obstacle"] == "split test of 3 folds in place of val"
    text = (study / "table.md").read_text()
    assert "72 images in the 3 folds of a cross-validation" in text
    assert "means over 3 folds, each the mean over seeds 0, 1, with" in text
    assert "jackknife intervals over 72 single images" in text


def test_means_over_images_are_over_the_images_of_all_folds(folded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fold has 12 labelled images, the others 24. The boundary IoU is counted by fold: the mean over the folds."""
    for seed in (0, 1):
        path = folded / f"streets/unet/seed{seed}/fold2/confusion.npy"
        matrices = np.load(path)
        matrices[:, 12:] = 0
        np.save(path, matrices)
    row = {row["variant"]: row for row in read_rows(make_table(folded, monkeypatch) / "table.csv")}["unet"]
    # Means over the seeds: 0.49, 0.49 and 0.57 of the mIoU, and 0.32 more of the accuracy.
    assert float(row["image_miou"]) == pytest.approx((24 * 0.49 + 24 * 0.49 + 12 * 0.57) / 60)
    assert float(row["image_accuracy"]) == pytest.approx((24 * 0.81 + 24 * 0.81 + 12 * 0.89) / 60)
    assert float(row["boundary_iou"]) == pytest.approx((0.41 + 0.41 + 0.49) / 3)


def test_numbers_of_classes_are_those_of_the_means_of_single_folds(
    folded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class without a pixel is predicted in one fold: all folds together have five classes, the other folds four."""
    path = folded / "streets/unet/seed1/fold2/metrics.json"
    metrics = json.loads(path.read_text())
    metrics["native"]["iou"]["train"] = 0.0
    write(path, metrics)
    study = make_table(folded, monkeypatch)
    assert [row["miou_classes"] for row in read_rows(study / "table.csv")] == ["4", "4–5"]
    (pair,) = read_table(study / "pairs.csv", [], "").to_dict("records")
    assert (pair["classes"], pair["other_classes"], pair["same_classes"]) == ("4", "4–5", "False")


def pooled_miou(folds: list[tuple[float, float]], seed: int) -> float:
    matrix = sum(confusion(scores[seed]).sum(0) for scores in folds)
    correct = np.diagonal(matrix)
    union = matrix.sum(0) + matrix.sum(1) - correct
    return float((correct[union > 0] / union[union > 0]).mean())


def test_pairs_are_compared_on_the_images_of_all_folds(folded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_table(folded, monkeypatch)
    (pair,) = read_table(study / "pairs.csv", [], "").to_dict("records")
    expected = fmean(pooled_miou(MIOU["baseline"], seed) - pooled_miou(MIOU["unet"], seed) for seed in (0, 1))
    assert float(pair["difference"]) == pytest.approx(expected)
    assert pair["verdict"] == "worse"
    assert [row["against_best"] for row in read_rows(study / "table.csv")] == ["worse", "best"]
    caption = "The best one has the highest mIoU of the matrices of all 3 folds together."
    assert caption in (study / "table.md").read_text()


def test_an_image_in_two_folds_is_refused(folded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in folded.glob("streets/*/seed*/fold2/metrics.json"):
        metrics = json.loads(path.read_text())
        metrics["names"][0] = "fold1_scene_000"
        write(path, metrics)
    with pytest.raises(ValueError, match=r"baseline/seed0: 'fold1_scene_000' is in several folds; evaluate again$"):
        make_table(folded, monkeypatch)


def test_folds_of_other_images_are_not_compared(folded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folded / "streets/unet/seed1/fold2/metrics.json"
    metrics = json.loads(path.read_text())
    metrics["names"][3] = "another"
    write(path, metrics)
    with pytest.raises(ValueError, match=r"unet/seed1/fold2/metrics\.json: not the images of .+baseline/seed0/fold2/"):
        make_table(folded, monkeypatch)


def test_the_page_shows_every_fold(folded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_table(folded, monkeypatch)
    write_statistics(folded / "statistics.json")
    (folded / "classes.svg").write_bytes((study / "figures/curves.svg").read_bytes())
    arguments = ["--preset", "demo", "--title", "Demo", "--study", f"streets={study}"]
    arguments += ["--statistics", f"streets/fold0={folded / 'statistics.json'}"]
    for option, name in {
        "comparison": "c.csv",
        "latex": "c.tex",
        "history": "h.csv",
        "classes": "classes.csv",
        "confusion": "confusion.csv",
        "metrics": "m.json",
        "page": "p.html",
        "figures": "f",
    }.items():
        arguments += [f"--{option}", str(folded / name)]
    monkeypatch.setattr(sys, "argv", ["page", *arguments])
    page.main()
    text = (folded / "p.html").read_text()
    runs = [f'<td class="n">{seed}/fold{fold}</td>' for seed in (0, 1) for fold in range(3)]
    assert [text.count(run) for run in runs] == [2] * 6  # a row per variant
    assert text.count('<td class="left">2031-02-03 04:05</td>') == 12  # started
    assert "Means over the seeds and folds." in text
    history = read_table(folded / "h.csv", ["seed"], "")
    assert set(history["seed"]) == {f"{seed}/fold{fold}" for seed in (0, 1) for fold in range(3)}
