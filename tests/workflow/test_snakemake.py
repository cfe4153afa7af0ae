"""Jobs that Snakemake schedules after a change."""

import hashlib
import json
import os
import random
import re
import time
from pathlib import Path
from zipfile import ZipFile

import pytest
from clones import VARIANTS, Clone, rerun
from safetensors import safe_open

from seg.report.figure_names import STUDY_FIGURES
from workflow.records import RECORDS, read_records

pytestmark = pytest.mark.workflow

RESULTS = "results/demo/cityscapes_fcn"


def digests(clone: Clone, variant: str) -> list[str]:
    files = ("model.safetensors", "history.csv", "metrics.json", "confusion.npy", "predictions.zip", "samples.png")
    return [hashlib.sha256(clone.result(f"{variant}/seed0/{name}").read_bytes()).hexdigest() for name in files]


def recorded_params(clone: Clone, file: str) -> list[str]:
    """Parameters in Snakemake's record of a file."""
    params: list[str] = json.loads(read_records(clone.path / RECORDS)[file].read_bytes())["params"]
    return params


def files(clone: Clone) -> set[Path]:
    """All files except caches and Snakemake's log."""
    return {path for path in clone.path.rglob("*") if not {"__pycache__", "log"} & set(path.parts)}


def test_the_page_and_the_table_list_every_variant(template: Clone) -> None:
    page = (template.path / "results/demo/index.html").read_text()
    rows = (template.path / "results/demo/comparison.csv").read_text().splitlines()
    assert len(rows) == 1 + len(VARIANTS)
    assert all(variant in page for variant in VARIANTS)


def test_a_second_run_does_nothing(clone: Clone) -> None:
    assert "Nothing to be done" in clone.snakemake()


def test_time_stamps_schedule_nothing(clone: Clone) -> None:
    chance = random.Random(0)
    for path in clone.path.rglob("*"):
        if path.is_file() and ".git" not in path.parts:
            moment = time.time() - chance.uniform(0, 1e6)
            os.utime(path, (moment, moment))
    assert clone.scheduled() == []


def test_a_number_of_a_variant_reruns_it_alone(clone: Clone) -> None:
    clone.set("studies.cityscapes_fcn.variants.dice.lr", 0.004)
    assert clone.scheduled() == rerun("dice")
    before = clone.result("baseline/seed0/model.safetensors").stat().st_mtime_ns
    clone.snakemake()
    assert clone.result("baseline/seed0/model.safetensors").stat().st_mtime_ns == before
    assert clone.scheduled() == []


def test_another_seed_trains_that_seed_and_compares_in_pairs(clone: Clone) -> None:
    for name in VARIANTS[1:4] + VARIANTS[5:]:
        clone.set(f"studies.cityscapes_fcn.variants.{name}.enabled", False)
    clone.set("seeds", [0, 1])
    steps = [
        f"{verb} cityscapes_fcn/{name} with seed 1" for name in ("baseline", "dice") for verb in ("Train", "Evaluate")
    ]
    assert clone.scheduled() == sorted([*steps, "Tabulate cityscapes_fcn", "Report preset demo"])
    clone.snakemake()
    assert (
        "Measured scores are means over seeds 0, 1 with their standard deviation"
        in clone.result("table.md").read_text()
    )
    _, row = clone.result("pairs.csv").read_text().splitlines()
    assert row.startswith("cityscapes_fcn,baseline,dice,")
    assert "All pairs of variants" in (clone.path / "results/demo/index.html").read_text()
    assert clone.scheduled() == []


def test_a_limit_of_the_training_images_applies_where_the_preset_says_so(clone: Clone) -> None:
    clone.set("studies.cityscapes_fcn.variants.dice.train_images", 3)
    assert clone.scheduled() == ["Report preset demo", "Tabulate cityscapes_fcn"]  # it says that all images are used
    clone.set("presets.demo.limit_train_images", True)
    assert clone.scheduled() == rerun("dice")
    clone.snakemake()
    run = json.loads(clone.result("dice/seed0/run.json").read_text())
    assert (run["train_images"], run["steps"]) == (3, run["epochs"])
    table = clone.result("table.md").read_text()
    assert "Trained on a fixed subset of 3 images of the training split, or on all if it has fewer." in table
    assert clone.scheduled() == []


def test_a_default_of_the_study_reruns_the_variants_that_use_it(clone: Clone) -> None:
    clone.set("studies.cityscapes_fcn.defaults.loss", "dice")
    assert clone.scheduled() == rerun(*(name for name in VARIANTS if name != "dice"))


def test_the_command_line_takes_the_same_tree(clone: Clone) -> None:
    change = "studies={cityscapes_fcn: {variants: {unet: {lr: 2.0e-4}}}}"
    assert clone.scheduled("--config", change) == rerun("unet")
    assert clone.scheduled() == []


def test_a_published_figure_retrains_nothing(clone: Clone) -> None:
    clone.edit("workflow/resources/published.csv", "baseline,val,miou,,0.2210", "baseline,val,miou,,0.2211")
    assert clone.scheduled() == ["Report preset demo", "Tabulate cityscapes_fcn"]
    clone.snakemake()
    assert "0.2211" in clone.result("table.csv").read_text()


def test_scoring_and_passes_of_evaluation_retrain_nothing(clone: Clone) -> None:
    clone.set("studies.cityscapes_fcn.scoring", "pack")
    assert clone.scheduled() == ["Report preset demo", "Tabulate cityscapes_fcn"]
    clone.set("studies.cityscapes_fcn.variants.unet.evaluation", {"flip": True})
    evaluation = "Evaluate cityscapes_fcn/unet with seed 0"
    assert clone.scheduled() == [evaluation, "Report preset demo", "Tabulate cityscapes_fcn"]
    clone.snakemake()
    assert "Evaluated with averages of logits: flip true." in clone.result("table.md").read_text()
    assert "at the size of the network's input." in clone.result("table.md").read_text()
    assert clone.scheduled() == []


def test_deleted_files_are_made_again(clone: Clone) -> None:
    clone.result("table.md").unlink()
    assert clone.scheduled() == ["Report preset demo", "Tabulate cityscapes_fcn"]
    (clone.path / "data/packs/demo/streets-32x64/statistics.json").unlink()
    assert "Count the classes of streets at 32x64" in clone.scheduled("data")
    clone.snakemake("--", "all", "data")
    assert clone.result("table.md").exists()
    assert clone.scheduled("--", "all", "data") == []


def test_a_deleted_model_is_made_again_for_what_depends_on_it_and_recorded_as_before(clone: Clone) -> None:
    metrics = f"{RESULTS}/unet/seed0/metrics.json"
    params = recorded_params(clone, metrics)
    clone.result("unet/seed0/model.safetensors").unlink()
    assert clone.scheduled("--", f"{RESULTS}/dice/seed0/metrics.json") == []
    assert clone.scheduled("--", f"{RESULTS}/table.csv") == [
        job for job in rerun("unet") if job != "Report preset demo"
    ]
    assert clone.scheduled() == rerun("unet")
    clone.snakemake("--", metrics)
    assert recorded_params(clone, metrics) == params
    assert clone.scheduled("--", metrics) == []
    clone.snakemake()
    assert clone.scheduled() == []


def test_missing_results_are_made_for_a_target_that_exists(clone: Clone) -> None:
    clone.result("unet/seed0/metrics.json").unlink()
    evaluation, tabulation = "Evaluate cityscapes_fcn/unet with seed 0", "Tabulate cityscapes_fcn"
    assert clone.scheduled("--", f"{RESULTS}/table.csv") == [evaluation, tabulation]
    clone.snakemake("--", f"{RESULTS}/unet/seed0/metrics.json")
    clone.result("pairs.csv").unlink()
    assert clone.scheduled("--", "results/demo/index.html") == ["Report preset demo", tabulation]


def test_cluster_resources_rerun_nothing(clone: Clone) -> None:
    more = {"partition": "large", "gpu_model": "a100", "memory": 64000, "minutes": 3000}
    clone.set("cluster", {"training": more, "data": {"memory": 64000, "minutes": 3000}})
    assert clone.scheduled() == []


@pytest.mark.parametrize(
    ("old", "new", "stale"),
    [
        ("class UNet(", "# A comment.\n\n\nclass UNet(", []),
        ('"""Encoder, decoder', '"""An encoder, a decoder', []),
        ("nn.MaxPool2d(2)", "nn.AvgPool2d(2)", ["unet"]),
    ],
)
def test_code_of_the_unet_reruns_the_unet_alone(clone: Clone, old: str, new: str, stale: list[str]) -> None:
    clone.edit("seg/models/unet.py", old, new)
    assert clone.scheduled() == (rerun(*stale) if stale else [])


def test_the_same_bits_with_one_core_and_with_four(clone: Clone) -> None:
    before = {name: digests(clone, name) for name in ("augmented", "unet")}
    models = [f"results/demo/cityscapes_fcn/{name}/seed0/model.safetensors" for name in before]
    moments = [(clone.path / model).stat().st_mtime_ns for model in models]
    clone.run("snakemake", "--cores", "1", "--resources", "gpu=1", "--forcerun", *models)
    assert all((clone.path / model).stat().st_mtime_ns > old for model, old in zip(models, moments, strict=True))
    assert {name: digests(clone, name) for name in before} == before


def test_editing_params_changes_no_training_that_runs(clone: Clone) -> None:
    clone.set("budgets.demo.epochs", {"cityscapes_fcn/baseline": 105})
    running = clone.start("snakemake", "--cores", "4")
    assert running.stdout
    for line in running.stdout:
        if line.startswith("epoch 2/"):
            clone.set("studies.cityscapes_fcn.variants.baseline.lr", 0.5)
            break
    running.communicate()
    assert running.returncode == 0
    with safe_open(clone.result("baseline/seed0/model.safetensors"), framework="np") as file:
        recipe = json.loads(file.metadata()["seg"])["about"]["recipe"]
    assert (recipe["lr"], recipe["epochs"]) == (0.005, 105)
    table = json.loads((clone.path / "results/demo/metrics.json").read_text())
    assert table["cityscapes_fcn"]["baseline"]["miou"] is not None
    assert clone.scheduled() == rerun("baseline")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("preset", "demoo", "preset: 'demoo' is unknown; did you mean demo?"),
        ("studies.cityscapes_fcn.variants.unet.epochs", 0, "studies.cityscapes_fcn.variants.unet.epochs: got 0; "),
        ("studies.cityscapes_fcn.variants.dice.lr", "fast", "studies.cityscapes_fcn.variants.dice.lr: got 'fast'; "),
        (
            "studies.cityscapes_fcn.variants.unet.model",
            {"name": "unett"},
            "studies.cityscapes_fcn.variants.unet.model.name: 'unett' is unknown; did you mean unet?",
        ),
    ],
)
def test_impossible_params_start_nothing(clone: Clone, path: str, value: object, message: str) -> None:
    before = files(clone)
    clone.set(path, value)
    errors = [line for line in clone.snakemake(code=2).splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert errors[0].startswith(f"error: {message}")
    assert files(clone) == before


def test_a_stage_that_fails_says_why_and_leaves_nothing(clone: Clone) -> None:
    label = next((clone.path / "data/raw/streets/gtFine/val").rglob("*.png"))
    label.write_bytes(label.read_bytes()[:100])
    pack = clone.path / "data/packs/demo/streets-64x128/val.json"
    output = clone.snakemake("--forcerun", str(pack.relative_to(clone.path)), code=1)
    errors = [line for line in output.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert re.match(rf"error: .*{label.name}: cannot be decoded", errors[0])
    kept = {"val.native.json", "val.native.npy"}  # written by another stage
    assert {path.name for path in pack.parent.glob("val*")} == kept
    assert not list(pack.parent.glob(".val*"))


def test_every_command_can_be_run_by_hand(clone: Clone) -> None:
    model = clone.result("dice/seed0/model.safetensors")
    bits = model.read_bytes()
    printed = clone.snakemake("-n", "--forcerun", str(model.relative_to(clone.path)))
    command = re.search(r"^Shell command: (python -m seg.training.train .*)$", printed, re.MULTILINE)
    assert command
    model.unlink()
    clone.run("bash", "-c", command[1])
    assert model.read_bytes() == bits


def test_lint_and_report(clone: Clone) -> None:
    clone.run("snakemake", "--lint")
    for file in ("report.html", "report.zip"):
        clone.snakemake("--report", file)
    with ZipFile(clone.path / "report.zip") as archive:
        assert sum(name.endswith("table.csv") for name in archive.namelist()) == 1
    report = (clone.path / "report.html").read_text()
    assert "samples.png" in report
    assert "table.csv" in report
    assert all(f"{name}.svg" in report for name in (*STUDY_FIGURES, "cost", "classes"))
    assert "Studies use different datasets, so their scores cannot be compared with each other." in report


def test_a_variant_may_ask_for_several_gpus(clone: Clone) -> None:
    clone.set("studies.cityscapes_fcn.variants.baseline.gpus", 2)
    model = "results/demo/cityscapes_fcn/baseline/seed0/model.safetensors"
    output = clone.snakemake("--resources", "gpu=2", "--", model)
    assert "python -m seg.training.launch --standalone --nproc-per-node 2 -m seg.training.train" in output
    log = (clone.path / "logs/demo/cityscapes_fcn/baseline.seed0.train.log").read_text()
    assert log.count("epoch 1/1 loss") == 1
    assert json.loads(clone.result("baseline/seed0/run.json").read_text())["recipe"]["gpus"] == 2
