"""Jobs of all five studies, and a study on a user's own images."""

import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from clones import Clone
from PIL import Image

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.workflow


@pytest.fixture
def whole(clone: Clone) -> Clone:
    """The clone with the project's params.yaml and without results."""
    shutil.copy2(ROOT / "params.yaml", clone.path / "params.yaml")
    for folder in ("data", "results", ".snakemake"):
        shutil.rmtree(clone.path / folder)
    return clone


def jobs(output: str) -> Counter[str]:
    """Number of jobs by rule, from a dry run's table."""
    return Counter({name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE)})


@pytest.mark.parametrize(("preset", "seeds"), [("demo", 1), ("camvid", 3), ("paper", 3)])
def test_every_preset_trains_thirty_variants_with_its_seeds(whole: Clone, preset: str, seeds: int) -> None:
    planned = jobs(whole.snakemake("-n", "--config", f"preset={preset}"))
    runs = 30 * seeds
    assert (planned["train_variant"], planned["evaluate_variant"], planned["tabulate_study"]) == (runs, runs, 5)
    assert planned["pretrain_backbone" if preset == "demo" else "fetch_weights"] == 5


def test_seeds_given_for_one_run_replace_those_of_the_preset(whole: Clone) -> None:
    planned = jobs(whole.snakemake("-n", "--config", "preset=camvid", "seeds=[0]"))
    assert planned["train_variant"] == 30


def test_data_that_requires_a_login_is_reported_before_any_job(whole: Clone) -> None:
    output = whole.snakemake("--config", "preset=paper", code=2)
    lines = [line for line in output.splitlines() if line.startswith("error: ")]
    assert [line.split(":")[1].strip() for line in lines] == ["bdd100k", "cityscapes"]
    assert all("https://" in line and "licence: " in line and "data/archives" in line for line in lines)
    assert not (whole.path / "data").exists()


def test_a_study_of_the_users_own_runs_to_the_page(clone: Clone) -> None:
    generator = np.random.default_rng(0)
    root = clone.path / "data/raw/cracks"
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    (root / "classes.yaml").write_text("[wall, crack]\n")
    for k in range(24):
        label = np.zeros((48, 64), np.uint8)
        label[:, generator.integers(4, 60) :][:, :3] = 1
        image = generator.integers(150, 200, (48, 64, 3)).astype(np.uint8) - 120 * label[..., None]
        Image.fromarray(label).save(root / f"labels/{k:03}.png")
        Image.fromarray(image.astype(np.uint8)).save(root / f"images/{k:03}.jpg")
    for split, names in {"train": range(16), "val": range(16, 20), "test": range(20, 24)}.items():
        (root / f"{split}.txt").write_text("".join(f"{k:03}\n" for k in names))

    pretext = {
        "backbone": "resnet34",
        "images": 512,
        "size": 32,
        "epochs": 2,
        "batch": 32,
        "lr": 0.002,
        "seed": 7,
        "threads": 1,
    }
    clone.set("weights.resnet34_shapes.pretext", pretext)
    clone.set("datasets.cracks", {"layout": "folder", "size": [48, 64], "eval_split": "test"})
    transfer = {"model": {"name": "resnet_unet", "options": {"backbone": "resnet34"}}, "weights": "resnet34_imagenet"}
    study = {
        "title": "--- Cracks in walls",  # no option of a command
        "source": "our own",
        "dataset": "cracks",
        "defaults": {"loss": "cross_entropy", "batch": 4, "epochs": 60, "lr": 0.001},
        "variants": {"fcn": {"model": {"name": "fcn"}}, "transfer": transfer},
    }
    clone.set("studies.cracks", study)
    clone.snakemake()
    assert clone.scheduled() == []
    table = (clone.path / "results/demo/cracks/table.md").read_text()
    assert "The backbone starts from resnet34_shapes" in table
    page = (clone.path / "results/demo/index.html").read_text()
    assert "Cracks in walls" in page
    assert "FCN, U-Net and Dice loss on Cityscapes" in page

    # Data that requires a login is required only by targets that use it.
    paper = ("--config", "preset=paper", "--")
    clone.snakemake(*paper, "data/packs/paper/cracks-48x64/train.json")
    refused = clone.snakemake(*paper, "results/paper/cityscapes_fcn/table.csv", code=2)
    assert refused.count("error: cityscapes: ") == 1

    (root / "classes.yaml").write_text("[wall, gap]\n")
    stale = clone.scheduled()
    assert "Train cracks/fcn with seed 0" in stale
    assert not [line for line in stale if "cityscapes_fcn" in line]
