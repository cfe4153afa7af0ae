"""Rendered scenes can be learned in few steps, which the demo relies on."""

from pathlib import Path

import numpy as np
import pytest
from trainings import fit, history, varied

from seg.config.description import describe
from seg.config.params import read_params
from seg.data.pack import pack_split
from seg.datasets import IGNORE
from seg.synthetic.synthesize import Scenes, synthesize

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_u_lite_learns_rendered_streets(tmp_path: Path) -> None:
    manifest = tmp_path / "raw" / "manifest.json"
    synthesize(manifest, Scenes(layout="bdd100k", height=32, width=48, splits={"train": 160}, seed=7))
    for split in ("train", "val"):
        pack_split(manifest, describe("bdd100k"), split, 32, 48, tmp_path / split)
    recipe = read_params(ROOT / "params.yaml").recipe("demo", "bdd100k_lite", "u_lite", 0)
    out = fit(tmp_path, varied(recipe, epochs=4, validate_every=4), (tmp_path / "train.json", tmp_path / "val.json"))
    labels = np.load(tmp_path / "val.labels.npy")
    pixels = np.bincount(labels[labels != IGNORE])
    commonest = pixels.max() / pixels.sum() / np.count_nonzero(pixels)  # mIoU of predicting the commonest class
    assert float(history(out)[-1]["val_miou"]) > commonest + 0.2
