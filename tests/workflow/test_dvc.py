"""What DVC records after a run of Snakemake, and what it reruns."""

import csv
import io
import json

import pytest
from clones import VARIANTS, Clone

pytestmark = pytest.mark.workflow

CURVES = {
    "train_loss": "Training loss",
    "val_loss": "Validation loss",
    "val_miou": "Validation mIoU",
    "lr": "Learning rate",
}
OTHERS = {  # plots and the number of their rows: variants; classes; confusions
    "mIoU with 95% intervals": len(VARIANTS),
    "mIoU against parameters": len(VARIANTS),
    "mIoU against training time (s)": len(VARIANTS),
    "Class IoU": 19 * len(VARIANTS),
    "Class boundary IoU": 19 * len(VARIANTS),
}


def trained(clone: Clone) -> dict[str, int]:
    return {name: clone.result(f"{name}/seed0/model.safetensors").stat().st_mtime_ns for name in VARIANTS}


def test_repro_records_and_trains_nothing_then_an_experiment_trains_one(clone: Clone) -> None:
    before = trained(clone)
    for name in ("statistics.json", "classes.svg"):  # no table needs them, but DVC records them too
        (clone.path / "data/packs/demo/streets-32x64" / name).unlink()
    clone.run("dvc", "repro")
    assert trained(clone) == before
    assert "up to date" in clone.run("dvc", "status")
    assert clone.scheduled() == []

    shown = json.loads(clone.run("dvc", "metrics", "show", "--json"))
    figures = next(iter(shown[""]["data"].values()))["data"]["cityscapes_fcn"]
    assert set(figures) == set(VARIANTS)
    assert 0 <= figures["unet"]["miou"] <= 1
    clone.run("dvc", "plots", "show", "--out", "plots")
    plots = (clone.path / "plots/index.html").read_text()
    assert "augmented_full_resolution" in plots
    assert all(title in plots for title in CURVES.values())
    drawn = json.loads(clone.run("dvc", "plots", "show", "--json"))
    for column, title in CURVES.items():
        (plot,) = drawn["data"][title]
        points = plot["content"]["data"]["values"]
        assert {row["variant"] for row in points} == set(VARIANTS)
        assert all(float(row[column]) >= 0 for row in points)
        assert plot["content"]["transform"][-1]["calculate"] == f"toNumber(datum['{column}'])"
        assert plot["content"]["spec"]["encoding"]["y"]["title"].casefold() == title.casefold()

    for title, count in OTHERS.items():
        (plot,) = drawn["data"][title]
        assert len(plot["content"]["data"]["values"]) == count, title
        assert "<DVC_METRIC" not in json.dumps(plot["content"])
    (confusion,) = drawn["data"]["Confusion from 1% of a true class"]
    assert all(0.01 <= float(row["share"]) <= 1 for row in confusion["content"]["data"]["values"])
    (image,) = drawn["data"]["results/demo/figures/cost.svg"]
    assert image["type"] == "image"

    clone.run("git", "add", "-A")
    clone.run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", "results")
    clone.run("dvc", "exp", "run", "-S", "studies.cityscapes_fcn.variants.baseline.lr=0.01")
    assert clone.params()["studies"]["cityscapes_fcn"]["variants"]["baseline"]["lr"] == 0.01
    assert [name for name, moment in trained(clone).items() if moment != before[name]] == ["baseline"]
    assert "up to date" in clone.run("dvc", "status")
    assert clone.scheduled() == []
    assert "cityscapes_fcn.baseline.miou" in clone.run("dvc", "metrics", "diff")
    table = csv.DictReader(io.StringIO(clone.run("dvc", "exp", "show", "--only-changed", "--csv")))
    columns = [name for name in table.fieldnames or [] if "." in name]
    assert "studies.cityscapes_fcn.variants.baseline.lr" in columns
    assert all("baseline" in name for name in columns)


def test_a_fresh_clone_shows_what_would_run(new_clone: Clone) -> None:
    printed = new_clone.run("dvc", "repro", "--dry")
    assert "> mkdir -p data/weights && snakemake --cores 4 --resources gpu=1 -- all data" in printed
    assert new_clone.run("dvc", "stage", "list", "--name-only").split() == ["all"]
    assert "->" not in new_clone.run("dvc", "dag", "--dot")


def test_a_new_study_is_covered_without_a_line_in_dvc_yaml(new_clone: Clone) -> None:
    study = new_clone.params()["studies"]["cityscapes_fcn"]
    new_clone.set("studies", {"another": study})
    outputs = new_clone.run("dvc", "dag", "--outs", "--dot")
    assert "results/demo" in outputs
    assert "cityscapes_fcn" not in (new_clone.path / "dvc.yaml").read_text()


def test_byte_code_is_no_dependency(new_clone: Clone) -> None:
    cached = new_clone.path / "seg/__pycache__/plan.pyc"
    cached.parent.mkdir(exist_ok=True)
    cached.write_bytes(b"byte code")
    assert new_clone.run("dvc", "check-ignore", "seg/__pycache__/plan.pyc").strip() == "seg/__pycache__/plan.pyc"
