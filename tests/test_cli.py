"""The command line as a person types it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from seg.models import build_model
from seg.recipe import Recipe
from seg.training.checkpoint import save_checkpoint

PALETTE = [[10, 20, 30], [200, 0, 0], [0, 0, 250]]


def seg(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "seg.cli", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_show_tells_where_a_value_comes_from() -> None:
    lines = {line.split()[0]: line for line in seg("show", "cityscapes_fcn/adapted").stdout.splitlines()}
    assert "0.005" in lines["lr"]
    assert lines["lr"].endswith("studies.cityscapes_fcn.variants.adapted (ours)")
    assert lines["threads"].split()[-1] == "defaults"


def test_show_of_what_is_not_there_is_one_line() -> None:
    done = seg("show", "cityscapes_fcn/unett")
    assert done.returncode == 2
    assert done.stderr.startswith("error: cityscapes_fcn/unett: no such variant; known are ")
    assert done.stderr.count("\n") == 1


@pytest.fixture
def model(tmp_path: Path, tiny_recipe: Recipe) -> Path:
    path = tmp_path / "model.safetensors"
    torch.manual_seed(0)
    network = build_model(tiny_recipe.model.name, 3, tiny_recipe.model.options)
    save_checkpoint(path, network, tiny_recipe, {"classes": list("abc"), "palette": PALETTE, "precision": "fp32"})
    return path


def test_predict_writes_a_palette_picture_of_the_images_size(model: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (37, 51, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "street.jpg")
    done = seg("predict", model, tmp_path / "street.jpg", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out/street.png") as picture:
        assert (picture.mode, picture.size) == ("P", (51, 37))
        ids = np.asarray(picture)
        assert set(np.unique(ids)) <= {0, 1, 2}
        colours = np.asarray(picture.convert("RGB"))
    assert np.array_equal(colours, np.array(PALETTE, np.uint8)[ids])


def test_predict_of_a_file_that_is_no_image_is_one_line(model: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    done = seg("predict", model, tmp_path / "notes.txt", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "notes.txt: cannot be decoded" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
