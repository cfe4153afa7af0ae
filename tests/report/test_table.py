"""The table stage: hand-worked means, published figures, absent classes, notes, and refused input."""

import csv
import json
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from results_tree import CLASSES, HISTORY, HOSTILE, MIOU, NOTES, SOURCE, confusion, write, write_run

from seg.evaluation.jackknife import estimate_classes, estimate_metric, interval
from seg.metrics.scores import PARTS, class_counts, iou_parts
from seg.report import table
from seg.report.captions import near_best_caption, units_caption
from seg.report.figure_names import STUDY_FIGURES
from seg.report.formatting import duration, signed, size
from seg.report.rows import best, read_rows, read_table, shares_differ, table_text

OUTPUTS = {"csv": "table.csv", "markdown": "table.md", "latex": "table.tex", "pairs": "pairs.csv", "figures": "figures"}


def make_table(
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    seeds: str = "0 1",
    notes: str | None = None,
    classes: Sequence[str] = ("building", "person", "train", "bicycle", HOSTILE),
    eval_split: str = "val",
    scoring: str = "native",
    variants: Sequence[str] = tuple(MIOU),
    source: str | None = None,
    equivalence: float = 0.05,
) -> Path:
    """Run the stage as a rule does. Returns the directory of the study."""
    study = results / "streets"
    arguments = ["--study", "streets", "--title", "Streets", "--eval-split", eval_split]
    arguments += ["--classes", json.dumps(classes), "--scoring", scoring]
    arguments += ["--published", str(results / "published.csv"), "--notes", notes or json.dumps(NOTES)]
    arguments += ["--source", source or json.dumps(SOURCE)]
    arguments += ["--variants", *(f"{name}={study / name}" for name in variants), "--seeds", *seeds.split()]
    arguments += ["--block", "10", "--equivalence", str(equivalence)]
    for option, name in OUTPUTS.items():
        arguments += [f"--{option}", str(study / name)]
    monkeypatch.setattr(sys, "argv", ["table", *arguments])
    table.main()
    return study


def markdown_of(study: Path) -> str:
    """`table.md` without the spaces that align its columns."""
    return re.sub(" +", " ", (study / "table.md").read_text())


def rows_of(study: Path) -> dict[str, dict[str, str]]:
    with (study / "table.csv").open(newline="") as file:
        return {row["variant"]: row for row in csv.DictReader(file)}


def test_scores_are_means_over_seeds_with_the_sample_standard_deviation(results, monkeypatch):
    rows = rows_of(make_table(results, monkeypatch))
    assert list(rows) == ["baseline", "unet", "dice"]
    row = rows["baseline"]
    assert row["seeds"] == "0 1"
    assert float(row["miou"]) == pytest.approx(0.32)
    assert float(row["miou_std"]) == pytest.approx(0.04 / 2**0.5)  # sqrt((0.02^2 + 0.02^2) / (2 - 1))
    # The standard error over two seeds is 0.02, and Student's quantile with one degree of freedom 12.71.
    assert (float(row["miou_low"]), float(row["miou_high"])) == pytest.approx((0.32 - 0.254, 0.32 + 0.254), abs=0.001)
    assert float(row["pixel_accuracy"]) == pytest.approx(0.72)
    assert float(row["iou[person]"]) == pytest.approx(0.22)
    assert float(row["training_seconds"]) == 65.0
    assert row["training_peak_memory_bytes"] == "1200000001"
    assert (row["parameters"], row["commonest_class"], row["commonest_miou"]) == ("3140691", "road", "0.0825")
    assert float(rows["dice"]["miou_std"]) == 0.0


def test_the_study_chooses_the_size_at_which_scores_are_compared(results, monkeypatch):
    native = rows_of(make_table(results, monkeypatch))["unet"]
    study = make_table(results, monkeypatch, scoring="pack")
    pack = rows_of(study)["unet"]
    assert (native["scoring"], pack["scoring"]) == ("native", "pack")
    assert (float(native["miou"]), float(pack["miou"])) == pytest.approx((0.51, 0.46))
    for end in ("miou_low", "miou_high"):  # from the matrices at this size
        assert float(native[end]) - float(pack[end]) == pytest.approx(0.05, abs=0.005)
    assert (float(native["iou[person]"]), float(pack["iou[person]"])) == pytest.approx((0.41, 0.36))
    assert float(pack["boundary_iou"]) == pytest.approx(0.36)
    assert "Scored on 24 images of the val split at the size of the network's input." in markdown_of(study)
    for row in (native, pack):  # both figures, whichever is compared
        assert (float(row["miou_native"]), float(row["miou_pack"])) == pytest.approx((0.51, 0.46))


def test_scores_without_intervals_are_means_over_seeds(results, monkeypatch):
    row = rows_of(make_table(results, monkeypatch))["baseline"]
    details = {"image_accuracy": 0.62, "image_miou": 0.30, "boundary_iou": 0.22, "calibration_error": 0.125}
    assert {name: float(row[name]) for name in details} == pytest.approx(details)


def test_the_loss_of_the_split_is_beside_the_published_one(results, monkeypatch):
    study = make_table(results, monkeypatch)
    row = rows_of(study)["unet"]
    assert (float(row["loss"]), row["loss_published"]) == (1.5, "0.9")  # mean of 1.25 and 1.75
    assert "| 1.5000 ± 0.3536 | 0.9000 | 4 |" in markdown_of(study)
    assert "| 1.5000 ± 0.3536 | – | 4 |" in markdown_of(study)


def test_costs_of_a_variant(results, monkeypatch):
    row = rows_of(make_table(results, monkeypatch))["unet"]
    assert (row["parameters"], row["multiply_adds"]) == ("3140691", "12345678901")
    assert (float(row["latency_seconds"]), row["latency_runs"]) == (pytest.approx(0.025), "19")  # mean and fewest
    assert float(row["throughput_images_per_second"]) == 77.5


def test_one_seed_has_its_interval_and_no_deviation(results, monkeypatch):
    study = make_table(results, monkeypatch, seeds="1")
    row = rows_of(study)["baseline"]
    assert (row["miou"], row["miou_std"]) == ("0.34", "")
    counts = class_counts(confusion(0.34))[None]
    expected = interval(estimate_metric(counts, PARTS["miou"]))
    assert [float(row["miou_low"]), float(row["miou_high"])] == expected.tolist()
    building = interval(estimate_classes(counts, iou_parts))[:, CLASSES.index("building")]
    assert [float(row["iou[building]_low"]), float(row["iou[building]_high"])] == building.tolist()
    assert (row["iou[train]_low"], row["iou[bicycle]_low"]) == ("", "")
    ends = "–".join(f"{end:.4f}" for end in expected)
    text = markdown_of(study)
    assert f"| 0.3400 | {ends} | 0.2210 |" in text
    assert "of seed 1 with 95% intervals over images, which leave out the noise of training: " in text


def test_published_figures_are_beside_measured_scores(results, monkeypatch):
    rows = rows_of(make_table(results, monkeypatch))
    assert rows["baseline"]["miou_published"] == "0.221"
    assert rows["baseline"]["iou[building]_published"] == "0.5819"
    assert rows["baseline"]["published_split"] == "val"
    assert rows["unet"]["miou_published"] == "0.51"  # its own study's, not the 0.99 of another
    assert rows["unet"]["iou[person]_published"] == "1.3824"
    assert rows["unet"]["published_notes"] == "iou[person]: impossible: an IoU cannot exceed 1 (as printed)"
    assert rows["dice"]["miou_published"] == rows["dice"]["published_split"] == ""
    assert rows["dice"]["variant_notes"] == "lr 0.005 is assumed & <b>bold</b> | lr 1e-4 is assumed"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"scored": "objects", "split": "test", "classes": 9}, "dataset objects in place of streets"),
        ({"split": "half of val"}, "split half of val in place of val"),
        ({"classes": 30}, "5 classes in place of 30"),
        ({"split": "half of val", "classes": 30}, "split half of val in place of val, 5 classes in place of 30"),
    ],
)
def test_without_the_data_of_the_source_figures_are_for_reference(results, monkeypatch, changes, why):
    study = make_table(results, monkeypatch, source=json.dumps(SOURCE | changes))
    rows = rows_of(study)
    assert [row["published_obstacle"] for row in rows.values()] == [why, why, ""]  # no figure of `dice` is published
    assert rows["baseline"]["miou_published"] == "0.221"
    text = markdown_of(study)
    assert f"on the source's val split and for reference only, without a difference ({why})." in text
    assert not re.search("[▲▼]|= 0", text)
    assert re.search(r"\| ≈ 0\.3200 \| ± 0\.0283, 0\.\d{4}–0\.\d{4} \| 0\.2210 \| \|", text)


def test_figures_are_compared_if_the_source_says_nothing_of_the_number_of_classes(results, monkeypatch):
    study = make_table(results, monkeypatch, source=json.dumps(SOURCE | {"classes": None}))
    assert rows_of(study)["baseline"]["published_obstacle"] == ""
    assert "▲ +0.0990" in markdown_of(study)


def test_budgets_are_beside_the_scores(results, monkeypatch):
    study = make_table(results, monkeypatch)
    row = rows_of(study)["unet"]
    columns = ("epochs", "budget_epochs", "full_epochs", "images_seen", "steps")
    assert [row[column] for column in columns] == ["4.0", "4", "4", "400.0", "100.0"]
    assert "| Epochs | Budget | Images seen | Steps | Parameters | Training |" in markdown_of(study)
    assert "| 4 | 4 of 4 | 400 | 100 | 3,140,691 | 1 min 05 s |" in markdown_of(study)


def test_early_stopping_leaves_a_part_of_the_budget(results, monkeypatch):
    """Two of four epochs with one seed; the budget was the full one, so the variants are compared."""
    path = results / "streets/unet/seed0/run.json"
    write(path, json.loads(path.read_text()) | {"epochs": 2, "steps": 50})
    study = make_table(results, monkeypatch)
    assert "| 3 | 4 of 4 | 300 | 75 |" in markdown_of(study)
    assert rows_of(study)["unet"]["against_best"] == "best"


def test_verdicts_of_one_seed_are_on_trainings(results, monkeypatch):
    sentence = "With one seed, trainings are compared: another seed may rank variants differently."
    assert sentence in markdown_of(make_table(results, monkeypatch, seeds="0"))
    two = markdown_of(make_table(results, monkeypatch, seeds="0 1"))
    assert sentence not in two
    assert "With 2 seeds, only large differences are decided." in two
    row = {"seeds": "0 1 2 3 4", "margin": "0.01", "budget_epochs": "4", "full_epochs": "4"}
    assert "seeds" not in near_best_caption([row, row])


def test_variants_with_different_shares_of_their_budgets_are_not_ranked(results, monkeypatch):
    near(results)
    budgets = {"baseline": 40, "unet": 5, "dice": 40}
    study = make_table(results, monkeypatch, source=json.dumps(SOURCE | {"epochs": budgets}))
    assert {row["against_best"] for row in rows_of(study).values()} == {""}
    assert {pair["verdict"] for pair in pairs_of(study).values()} == {""}
    text = markdown_of(study)
    assert "≈" not in text
    assert "different shares of their full budgets (baseline 4 of 40 epochs, unet 4 of 5 epochs)" in text
    assert "| 4 | 4 of 40 | 400 | 100 |" in text


@pytest.mark.parametrize(
    ("budgets", "differ"),
    [
        ([(35, 35), (30, 30)], False),
        ([(7, 35), (6, 30), (6, 32), (7, 37)], False),  # a fifth, rounded to whole epochs
        ([(1, 35), (1, 30), (1, 500)], False),  # at least one epoch
        ([(7, 35), (1, 30)], True),
        ([(34, 35), (30, 30)], True),
        ([(70, 35), (60, 30)], False),
    ],
)
def test_shares_of_budgets_differ_beyond_rounding(budgets, differ):
    assert shares_differ(budgets) is differ


def test_a_source_that_cannot_be_read_is_refused(results, monkeypatch):
    with pytest.raises(ValueError, match=r"--source \{.*: has no epochs of unet, dice; copy it from the command"):
        make_table(results, monkeypatch, source=json.dumps(SOURCE | {"epochs": {"baseline": 4}}))
    with pytest.raises(ValueError, match=r"--source \{\}: Field required; copy it from the command"):
        make_table(results, monkeypatch, source="{}")


def test_an_absent_class_differs_from_one_that_the_dataset_lacks(results, monkeypatch):
    study = make_table(results, monkeypatch)
    row = rows_of(study)["baseline"]
    assert row["iou[train]"] == row["iou[train]_published"] == "absent"
    assert row["iou[bicycle]"] == ""
    assert not {"nan", "NaN", "None"} & set((study / "table.csv").read_text().replace("\n", ",").split(","))


def test_a_class_absent_in_one_seed_is_the_mean_of_the_others(results, monkeypatch):
    path = results / "streets" / "unet" / "seed0" / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["native"]["iou"]["person"] = None
    write(path, metrics)
    row = rows_of(make_table(results, monkeypatch))["unet"]
    assert float(row["iou[person]"]) == pytest.approx(0.40)
    assert row["iou[person]_std"] == ""


def test_the_number_of_classes_in_the_mean_is_shown_where_variants_differ(results, monkeypatch):
    """`train` is in the predictions of one seed of the U-Net, where it is wrong."""
    study = make_table(results, monkeypatch)
    assert {row["miou_classes"] for row in rows_of(study).values()} == {"4"}
    assert "classes" not in markdown_of(study).partition("## The study")[0]
    path = results / "streets" / "unet" / "seed0" / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["native"]["iou"]["train"] = 0.0
    write(path, metrics)
    study = make_table(results, monkeypatch)
    assert [row["miou_classes"] for row in rows_of(study).values()] == ["4", "4–5", "4"]
    text = markdown_of(study)
    assert re.search(r"\| unet \[2\] .* \| 0\.5100 \| ± 0\.0141, 0\.\d{4}–0\.\d{4}, 4–5 classes \|", text)
    assert "their number is given, because it differs between variants." in text
    assert len(read_rows(study / "table.csv")) == 3


def test_markdown_is_rounded_with_numbered_footnotes(results, monkeypatch):
    text = markdown_of(make_table(results, monkeypatch))
    assert text.startswith("# Streets\n\nScored on 24 images of the val split at the labels' own size.")
    assert "their standard deviation and 95% intervals over images and seeds; published" in text
    assert "\n\n## Notes\n\n- all variants: Its \\<i\\>stride\\</i\\> is assumed.\n\n- [1] published" in text
    assert text.count("± 0.0283, 0.0653–0.5747 | 0.2210") == 1
    text = re.sub(r", 0\.\d{4}–0\.\d{4} \|", " |", text)
    assert "| baseline | 0.7200 | ± 0.0283 | 0.7527 | ▼ −0.0327 | ≈ 0.3200 | ± 0.0283 | 0.2210 | ▲ +0.0990 |" in text
    assert "| unet [2] | 0.9100 | ± 0.0141 | – | | 0.5100 | ± 0.0141 | 0.5100 | = 0.0000 |" in text
    assert "| dice [2–3] |" in text
    assert "| person | 0.2200 / – | 0.4100 / 1.3824 [1] | 0.1000 / – |" in text
    assert "| train | absent / absent | absent / – | absent / – |" in text
    assert '| \\<script\\>alert("1, 2")\\</script\\> | 0.3200 / –' in text
    assert (
        "- [1] published: impossible: an IoU cannot exceed 1 (as printed)\n- [2] variant: lr 1e-4 is assumed\n" in text
    )


def test_the_same_input_gives_the_same_bytes(results, monkeypatch):
    study = make_table(results, monkeypatch)
    first = {path: path.read_bytes() for path in (*study.glob("*.*"), *study.glob("figures/*"))}
    assert len(first) == 4 + 2 * len(STUDY_FIGURES)
    make_table(results, monkeypatch)
    assert first == {path: path.read_bytes() for path in first}


@given(st.lists(st.floats(0, 1), min_size=1))
def test_csv_keeps_every_bit(tmp_path_factory, values):
    text = table_text(pd.DataFrame([{"variant": "a", "miou": value} for value in values]))
    assert [float(line.split(",")[1]) for line in text.splitlines()[1:]] == values


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r"))))
def test_cells_stay_text(tmp_path_factory, values):
    cells = ["nan", "NA", "None", "1e3", "007", "0 1", "absent", "", *values]
    path = tmp_path_factory.mktemp("tables") / "table.csv"
    frame = pd.DataFrame({"variant": cells, "seeds": "0"})
    path.write_bytes(table_text(frame).encode())
    assert read_table(path, ["variant"], "")["variant"].tolist() == cells
    assert read_table(path, ["variant"], "")["seeds"].tolist() == ["0"] * len(cells)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("variant,miou\na,0.5\n", "schema version none, expected 1"),
        ("variant,schema_version\na,1\nb,2\n", "schema version 1, 2, expected 1"),
        ("variant,schema_version\na,1\n", "lacks the columns miou"),
        ("variant,miou,schema_version\n", "has no rows, or rows that are too long"),
        ("variant,miou,schema_version\n,a,0.5,1\n", "has no rows, or rows that are too long"),
        (
            "variant,miou,schema_version\na,0.5,1\nb,0.5,1,1\n",
            "not a CSV file in UTF-8 (Error tokenizing data. C error: ",
        ),
        ("", "not a CSV file in UTF-8 (No columns to parse from file)"),
        ("variant,miou,schema_version\n\xff,0.5,1\n", "not a CSV file in UTF-8 ('utf-8' codec can't decode byte"),
    ],
)
def test_damaged_tables_and_other_versions_are_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match="; run it again") as caught:
        read_table(path, ["variant", "miou"], "run it again")
    assert str(caught.value).startswith(f"{path}: {message}")
    assert len(str(caught.value).splitlines()) == 1


def test_the_table_reads_back_as_it_was_written(results, monkeypatch):
    path = make_table(results, monkeypatch) / "table.csv"
    assert table_text(pd.DataFrame(read_rows(path))) == path.read_text()


def test_all_missing_or_damaged_files_are_reported_at_once(results, monkeypatch):
    study = results / "streets"
    (study / "baseline/seed1/metrics.json").unlink()
    path = study / "unet/seed0/run.json"
    write(path, json.loads(path.read_text()) | {"parameters": "many"})
    write(study / "dice/seed0/history.csv", HISTORY.splitlines()[0] + "\n1,0.1,nan,,,,1\n")
    write(study / "dice/seed1/evaluation.json", "{")
    with pytest.raises(ValueError, match="missing") as caught:
        make_table(results, monkeypatch)
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert lines[0].endswith("baseline/seed1/metrics.json: missing; evaluate this seed again")
    assert "unet/seed0/run.json: parameters: " in lines[1]
    assert lines[1].endswith("; train this seed again")
    assert "dice/seed0/history.csv: epoch 1 has a value that is not finite" in lines[2]
    assert "dice/seed1/evaluation.json: not a JSON file" in lines[3]
    assert not (study / "table.csv").exists()


def test_damaged_confusion_matrices_are_reported(results, monkeypatch):
    study = results / "streets"
    (study / "baseline/seed0/confusion.npy").unlink()
    np.save(study / "baseline/seed1/confusion.npy", confusion(0.3))
    np.save(study / "unet/seed0/confusion.npy", np.stack([confusion(0.3)] * 2).astype(float))
    (study / "dice/seed1/confusion.npy").write_bytes((study / "dice/seed0/confusion.npy").read_bytes()[:200])
    with pytest.raises(ValueError, match="missing") as caught:
        make_table(results, monkeypatch)
    lines = str(caught.value).splitlines()
    assert [line.split("streets/")[1].split(": ")[0] for line in lines] == [
        f"{run}/confusion.npy" for run in ("baseline/seed0", "baseline/seed1", "unet/seed0", "dice/seed1")
    ]
    assert "got int64 (24, 5, 5), expected int64 (2, 24, 5, 5)" in lines[1]
    assert "got float64 (2, 24, 5, 5), expected int64" in lines[2]
    assert all(line.endswith("; evaluate this seed again") for line in lines)
    assert not (study / "table.csv").exists()


def pairs_of(study: Path) -> dict[tuple[str, str], dict[str, str]]:
    with (study / "pairs.csv").open(newline="") as file:
        return {(row["variant"], row["other"]): row for row in csv.DictReader(file)}


def near(results: Path) -> None:
    """Results in which `dice` is close to `unet`: 0.49 and 0.51 against 0.52 and 0.50."""
    for seed, miou in enumerate((0.49, 0.51)):
        write_run(results / "streets" / "dice" / f"seed{seed}", miou, loss="dice")


def test_each_pair_has_its_difference_and_verdict(results, monkeypatch):
    """Over images alone, differences are nearly constant; 0.5 against 0.51 is equivalent within 0.05."""
    near(results)
    pairs = pairs_of(make_table(results, monkeypatch, seeds="1"))
    assert list(pairs) == [("baseline", "unet"), ("baseline", "dice"), ("unet", "dice")]
    assert [float(pair["difference"]) for pair in pairs.values()] == pytest.approx([-0.16, -0.17, -0.01])
    assert [pair["verdict"] for pair in pairs.values()] == ["worse", "worse", "equivalent"]
    for pair in pairs.values():
        low, high, joint_low, joint_high = (float(pair[end]) for end in ("low", "high", "joint_low", "joint_high"))
        for end, expected in ((low, -1e-9), (high, 1e-9), (joint_low, -1e-9), (joint_high, 1e-9)):
            assert end - float(pair["difference"]) == pytest.approx(0, abs=abs(expected))
        assert (pair["classes"], pair["other_classes"], pair["same_classes"]) == ("4", "4", "True")


def test_the_margin_decides_between_better_and_equivalent(results, monkeypatch):
    near(results)
    for margin, verdict, standing in ((0.02, "equivalent", "equivalent"), (0.005, "worse", "worse")):
        study = make_table(results, monkeypatch, seeds="1", equivalence=margin)
        assert pairs_of(study)["unet", "dice"]["verdict"] == verdict
        assert rows_of(study)["unet"]["against_best"] == standing


def test_two_seeds_that_vary_decide_nothing(results, monkeypatch):
    """unet minus dice is 0.03 and -0.01: 0.01 with a standard error of 0.02, and Student's quantile is 12.71."""
    near(results)
    study = make_table(results, monkeypatch)
    pairs = pairs_of(study)
    assert [pair["verdict"] for pair in pairs.values()] == ["undecided"] * 3
    assert float(pairs["unet", "dice"]["low"]) == pytest.approx(0.01 - 0.254, abs=0.001)
    assert float(pairs["unet", "dice"]["high"]) == pytest.approx(0.01 + 0.254, abs=0.001)
    standing = {name: row["against_best"] for name, row in rows_of(study).items()}
    assert standing == {"baseline": "undecided", "unet": "best", "dice": "undecided"}
    assert "| ≈ 0.5000 | ± 0.0141" in markdown_of(study)


def test_the_mark_near_the_best_is_explained(results, monkeypatch):
    near(results)
    text = markdown_of(make_table(results, monkeypatch, seeds="1"))
    assert "| ≈ 0.5000 |" in text
    assert text.count("≈") == 2
    assert "the 90% interval of their difference is within ±0.05) or undecided (the 95% interval contains 0)" in text
    assert "Undecided does not mean equal. The intervals are wide enough to hold for all 3 pairs at once." in text


def test_a_pair_whose_means_are_over_other_classes_is_marked(results, monkeypatch):
    """The U-Net predicts `train` too, which is in no truth: IoU 0."""
    path = results / "streets/unet/seed1"
    matrices = confusion(0.50)
    matrices[0, 0, 3] = 9
    np.save(path / "confusion.npy", np.stack([matrices] * 2))
    metrics = json.loads((path / "metrics.json").read_text())
    metrics["native"]["iou"]["train"] = 0.0
    write(path / "metrics.json", metrics)
    pairs = pairs_of(make_table(results, monkeypatch, seeds="1"))
    marks = {names: (pair["classes"], pair["other_classes"], pair["same_classes"]) for names, pair in pairs.items()}
    assert marks == {
        ("baseline", "unet"): ("4", "5", "False"),
        ("baseline", "dice"): ("4", "4", "True"),
        ("unet", "dice"): ("5", "4", "False"),
    }


def regroup(results: Path, groups: Sequence[str], ordered: bool) -> None:
    for path in results.glob("streets/*/seed*/metrics.json"):
        write(path, json.loads(path.read_text()) | {"groups": list(groups), "ordered": ordered})


@pytest.mark.parametrize(
    ("groups", "ordered", "expected", "text"),
    [
        ([""] * 24, False, ("image", "24", "1"), "over 24 single images. Dependence between images, for"),
        (["a"] * 24, True, ("block", "12", "2"), "12 blocks of 2 consecutive images (or somewhat more) of a video"),
        ([f"{k % 12}" for k in range(24)], True, ("group", "12", "1"), "over 12 groups of images (videos, patients,"),
        ([f"{k % 4}" for k in range(24)], False, ("group", "4", "1"), "over 4 groups of images (videos, patients,"),
    ],
)
def test_the_table_tells_what_intervals_are_over(results, monkeypatch, groups, ordered, expected, text):
    regroup(results, groups, ordered)
    study = make_table(results, monkeypatch, seeds="1")
    row = rows_of(study)["baseline"]
    assert (row["unit"], row["units"], row["block"]) == expected
    assert text in markdown_of(study)
    # Images alternate between easy and hard, blocks of two and these groups do not.
    width = float(row["miou_high"]) - float(row["miou_low"])
    assert width == pytest.approx(0, abs=1e-9) if expected[0] == "block" else width > 0.01


def test_with_fewer_than_six_units_all_intervals_are_called_too_narrow():
    row = {"units": "4", "unit": "image", "block": "1", "scarce_classes": "road | person"}
    assert units_caption([row]).endswith(" makes them too narrow. With so few, all intervals are too narrow.")


def test_scarce_classes_are_named(results, monkeypatch):
    """`person` is in the truth of five images."""
    for path in results.glob("streets/*/seed*/confusion.npy"):
        matrices = np.load(path)
        matrices[:, 5:, CLASSES.index("person")] = 0
        np.save(path, matrices)
    study = make_table(results, monkeypatch)
    assert {row["scarce_classes"] for row in rows_of(study).values()} == {"person"}
    assert "Classes in the truth of fewer than 6 of the 24: person. Their intervals, and those" in markdown_of(study)


def test_a_single_variant_is_not_compared(results, monkeypatch):
    study = make_table(results, monkeypatch, variants=["unet"], notes="{}")
    assert (study / "pairs.csv").read_text().startswith("study,variant,other,difference,")
    assert pairs_of(study) == {}
    assert rows_of(study)["unet"]["against_best"] == ""
    assert "≈" not in (study / "table.md").read_text()


def test_images_are_paired_by_name_and_not_by_position(results, monkeypatch):
    expected = {name: (make_table(results, monkeypatch) / name).read_bytes() for name in ("table.csv", "pairs.csv")}
    directory = results / "streets/unet/seed1"
    order = np.random.default_rng(0).permutation(24)
    metrics = json.loads((directory / "metrics.json").read_text())
    write(directory / "metrics.json", metrics | {"names": [metrics["names"][i] for i in order]})
    np.save(directory / "confusion.npy", np.load(directory / "confusion.npy")[:, order])
    assert expected == {name: (make_table(results, monkeypatch) / name).read_bytes() for name in expected}


def test_variants_scored_on_other_images_are_not_paired(results, monkeypatch):
    path = results / "streets/unet/seed1/metrics.json"
    metrics = json.loads(path.read_text())
    write(path, metrics | {"names": ["another", *metrics["names"][1:]]})
    with pytest.raises(ValueError, match="evaluate it again") as caught:
        make_table(results, monkeypatch)
    first = results / "streets/baseline/seed0/metrics.json"
    assert str(caught.value) == f"{path}: not the images of {first}: another and 1 more in only one; evaluate it again"
    write(path, metrics | {"names": metrics["names"][:-1]})
    with pytest.raises(ValueError, match="'names' and 'images' differ in number, or a name is repeated"):
        make_table(results, monkeypatch)


def test_nan_in_metrics_is_refused(results, monkeypatch):
    path = results / "streets/dice/seed0/metrics.json"
    write(path, path.read_text().replace('"miou": 0.2,', '"miou": NaN,'))
    with pytest.raises(ValueError, match=r"dice/seed0/metrics\.json: native\.miou: .*evaluate this seed again$"):
        make_table(results, monkeypatch)


def test_variants_scored_on_another_split_or_other_classes_are_refused(results, monkeypatch):
    with pytest.raises(ValueError, match="scored on 24 images of 'val' with 5 classes, expected 24 of 'test'"):
        make_table(results, monkeypatch, eval_split="test")
    write_run(results / "streets/unet/seed1", 0.5, classes=(*CLASSES, "sky"))
    with pytest.raises(ValueError, match=r"unet/seed1/metrics\.json.*6 classes.*evaluate it again") as caught:
        make_table(results, monkeypatch)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        ('{"unett": ["x"]}', "--notes names unett; known are streets, baseline, unet, dice"),
        ('{"unet": "x"}', "expected a JSON object, name -> list of texts"),
        ("{", "expected a JSON object, name -> list of texts"),
    ],
)
def test_notes_of_unknown_variants_are_refused(results, monkeypatch, notes, message):
    with pytest.raises(ValueError, match=message):
        make_table(results, monkeypatch, notes=notes)


def test_damaged_published_figures_are_refused_with_their_lines(results, monkeypatch):
    text = (results / "published.csv").read_text()
    write(results / "published.csv", text + "streets,unet,val,miou,,0.6,\nstreets,dice,val,miou,,high,\n")
    with pytest.raises(
        ValueError, match=r"line 10: unet has a second figure for miou, after line 6; remove one"
    ) as caught:
        make_table(results, monkeypatch)
    assert "line 11: 'high' is not a number" in str(caught.value)
    write(results / "published.csv", "study,variant\nstreets,unet\n")
    with pytest.raises(ValueError, match=r"published\.csv: lacks the columns split, metric, class, value, note"):
        make_table(results, monkeypatch)


def test_the_best_of_several_scores():
    assert best(["0.2", "absent", "0.3", ""]) == 0.3
    assert math.isnan(best(["0.2", "absent"]))  # nothing to compare with
    assert math.isnan(best(["0.0", "0.0"]))


def test_formatting():
    assert [duration(value) for value in (12.34, 59.97, 245, 7620)] == [
        "12.3 s",
        "1 min 00 s",
        "4 min 05 s",
        "2 h 07 min",
    ]
    assert [size(value) for value in (640e6, 1.25e9)] == ["640 MB", "1.25 GB"]
    assert [signed(value) for value in (None, 0.00004, 0.25, -0.25)] == ["", "= 0.0000", "▲ +0.2500", "▼ −0.2500"]


def test_without_classes_of_its_own_a_study_has_no_table_of_them(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_table(results, monkeypatch, classes=())
    assert "own classes" not in markdown_of(study)
    assert not [column for column in rows_of(study)["unet"] if column.startswith("iou[")]


def test_names_of_classes_in_another_form_are_refused(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r'^--classes "road,building": expected a JSON list of names$'):
        make_table(results, monkeypatch, classes="road,building")


def test_any_text_is_shown_by_markdown_as_it_is(results, monkeypatch):
    """Read back with a parser of CommonMark and GitHub's tables and strikethrough."""
    texts = [
        "_a_ __b__ c_d",
        "~~a~~",
        "&lt;b&gt; &amp; &#35;",
        "$x^2$",
        "*a* **b** `c`",
        "[a](b) ![a](b)",
        "a | b",
        "\\*",
    ]
    study = make_table(results, monkeypatch, notes=json.dumps({"unet": [*texts, HOSTILE, "a\nb"]}))
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    blocks = [token.children or [] for token in parser.parse((study / "table.md").read_text())]
    shown = ["".join(each.content for each in tokens) for tokens in blocks]
    for text in (*texts, HOSTILE, "a b"):
        (at,) = (i for i, line in enumerate(shown) if line.endswith(f"variant: {text}"))
        assert {each.type for each in blocks[at]} <= {"text", "text_special"}
    assert HOSTILE in shown  # the name of a class, in a cell
