"""Three folds and two variants to a table; a corrected label reruns the folds that it belongs to."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from clones import Clone
from PIL import Image

pytestmark = pytest.mark.workflow

STUDY = {
    "title": "Cracks",
    "source": "our own",
    "dataset": "cracks",
    "defaults": {"model": {"name": "fcn"}, "loss": "cross_entropy", "batch": 2, "epochs": 1, "lr": 0.01},
    "variants": {"fcn": {}, "slow": {"lr": 0.001}},
}
DATASET = {"size": [32, 32], "eval_split": "test", "classes": ["wall", "crack"], "folds": 3, "group": "(.*)_"}
FILES = [f"clip{clip}_{frame}.png" for clip in range(6) for frame in range(2)]


def test_three_folds_to_a_table_and_a_corrected_label(new_clone: Clone) -> None:
    new_clone.set("studies", {"cracks": STUDY})
    new_clone.set("datasets.cracks", DATASET)
    root, generator = new_clone.path / "data/raw/cracks", np.random.default_rng(0)
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    for name in FILES:
        Image.fromarray(generator.integers(0, 256, (32, 48, 3), np.uint8)).save(root / "images" / name)
        Image.fromarray(generator.integers(0, 2, (32, 48), np.uint8)).save(root / "labels" / name)
    target = "results/demo/cracks/table.csv"
    new_clone.snakemake("--", target)
    table = pd.read_csv(new_clone.path / target)
    assert table[["variant", "folds", "images", "split"]].to_numpy().tolist() == [
        ["fcn", 3, 12, "test"],
        ["slow", 3, 12, "test"],
    ]
    assert (table["miou_low"] < table["miou"]).all()
    packs = new_clone.path / "data/packs/demo/cracks-32x32"
    names = {
        split: [json.loads((packs / f"fold{fold}/{split}.json").read_text())["names"] for fold in range(3)]
        for split in ("test", "val")
    }
    assert sorted(f"{name}.png" for tested in names["test"] for name in tested) == sorted(FILES)
    assert new_clone.scheduled("--", target) == []

    # An image that is for training wherever it is not tested: validation alone changes no model.
    fold, name = next((k, x) for k in range(3) for x in names["test"][k] if not any(x in val for val in names["val"]))
    label = root / "labels" / f"{name}.png"
    Image.fromarray(1 - np.asarray(Image.open(label))).save(label)
    targets = [f"results/demo/cracks/fcn/seed0/fold{k}/metrics.json" for k in range(3)]
    printed = new_clone.snakemake("--", *targets)
    ran = re.findall(r"^Job \d+: (Train|Evaluate) cracks/fcn with seed 0/fold(\d)$", printed, re.MULTILINE)
    expected = [
        (verb, str(k)) for verb, folds in {"Train": {0, 1, 2} - {fold}, "Evaluate": {0, 1, 2}}.items() for k in folds
    ]
    assert sorted(ran) == sorted(expected)
    assert new_clone.scheduled("--", *targets) == []
