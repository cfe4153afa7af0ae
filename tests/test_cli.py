"""The command line, run as a process."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from seg.config.recipe import Recipe
from seg.models import build_model
from seg.models.checkpoint import save_checkpoint

PALETTE = [[10, 20, 30], [200, 0, 0], [0, 0, 250]]
VALUES = [7, 8, 11]  # labels of the three classes in their dataset
ABOUT = {
    "classes": list("abc"),
    "palette": PALETTE,
    "precision": "fp32",
    "label_values": VALUES,
    "eval_size": (64, 96),
}


def seg(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "seg.cli", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_show_prints_the_row_that_a_value_was_written_in() -> None:
    values, _, _ = seg("show", "cityscapes_fcn/adapted").stdout.partition("\n\n")
    lines = {line.split()[0]: line for line in values.splitlines()}
    assert "0.005" in lines["lr"]
    assert lines["lr"].endswith("studies.cityscapes_fcn.variants.adapted (not in the source)")
    assert lines["scaling"].split()[-1] == "defaults"
    assert lines["threads"].endswith("budgets.demo.threads, in place of 2 in defaults")
    assert lines["epochs"].endswith(
        "presets.demo.epochs_scale, in place of 32 in studies.cityscapes_fcn.variants.adapted"
    )
    assert lines["weights"].split()[1] == "null"  # as in params.yaml
    assert lines["compile"].split()[1] == "false"


def test_show_prints_the_weights_that_replace_others() -> None:
    text = seg("show", "voc2012_fcn/resnet34").stdout
    line = next(line for line in text.splitlines() if line.startswith("weights"))
    assert line.split()[1] == "resnet34_shapes"
    assert line.endswith("presets.demo.weights, in place of resnet34_imagenet in studies.voc2012_fcn.variants.resnet34")


def test_show_prints_that_a_preset_uses_all_training_images() -> None:
    text = seg("show", "bdd100k_lite/u_lite").stdout
    line = next(line for line in text.splitlines() if line.startswith("train_images"))
    assert line.split()[1] == "null"
    assert line.endswith("presets.demo.limit_train_images, in place of 700 in studies.bdd100k_lite.variants.u_lite")


def test_show_prints_what_a_variant_inherits() -> None:
    done = seg("show", "voc2007_erfnet/darrennet_affine")
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.partition("\n\n")[0].splitlines()}
    row = "studies.voc2007_erfnet.variants."
    assert lines["like"].split() == ["like", "darrennet_resnet34", f"{row}darrennet_affine"]
    assert lines["augmentation.flip"].split()[1:] == ["0.5", f"{row}darrennet"]
    assert lines["augmentation.affine.shear"].split()[1:3] == ["10.0", f"{row}darrennet_affine"]
    assert lines["model.options.stem"].split()[1:] == ["resnet34", f"{row}darrennet_resnet34"]
    assert lines["schedule.name"].split()[1:] == ["cosine", f"{row}darrennet"]


def test_show_prints_the_readings_of_the_source() -> None:
    readings = seg("show", "cityscapes_fcn/adapted").stdout.split("\n\n")[1].splitlines()
    assert readings[0] == "readings of the source"
    assert (
        "- Section 3.4: no further transposed convolution. Here: a sixth one of 512 channels, because the output would "
        "otherwise have half the size of the image." in readings
    )
    assert not [line for line in readings if line.startswith("- Table 3:")]


def test_show_counts_layers_parameters_and_multiply_adds(tmp_path: Path) -> None:
    here = yaml.safe_load(Path("params.yaml").read_text())
    here["datasets"]["objects"]["size"] = [64, 64]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(here))
    done = seg("show", "voc2012_fcn/baseline", "--params", tmp_path / "params.yaml")
    *layers, total = done.stdout.partition("\n\n")[2].splitlines()
    first = next(line for line in layers if line.startswith("encoder.0.convolution"))
    # A 3x3 convolution from 3 to 32 channels with bias that halves 64 x 64: 32 x 32 outputs per channel.
    assert first.split()[1:] == ["Conv2d", "32", "x", "32", "x", "32", "896", f"{3 * 3 * 3 * 32 * 32 * 32:,}"]
    assert total.startswith("total for an image of 64 x 64")
    # Table 1's 5,498,195 for 19 classes, two more of 33 numbers, and a bias for each of 992 + 992 channels.
    assert total.split()[-2] == f"{5_498_195 + 2 * 33 + 992 + 992:,}"


def test_show_of_an_unknown_variant_is_one_line() -> None:
    done = seg("show", "cityscapes_fcn/unett")
    assert done.returncode == 2
    assert done.stderr.startswith("error: cityscapes_fcn/unett: unknown variant; did you mean cityscapes_fcn/unet?")
    assert done.stderr.count("\n") == 1


@pytest.fixture
def model(tmp_path: Path, tiny_recipe: Recipe) -> Path:
    path = tmp_path / "model.safetensors"
    torch.manual_seed(0)
    network = build_model(tiny_recipe.model.name, 3, tiny_recipe.model.options)
    save_checkpoint(path, network, tiny_recipe, ABOUT)
    return path


def test_predict_writes_a_palette_image_of_the_same_size(model: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (37, 51, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "street.jpg")
    done = seg("predict", model, tmp_path / "street.jpg", "--out", tmp_path / "out\n1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"{tmp_path}/out\\n1/street.png"
    with Image.open(tmp_path / "out\n1/street.png") as picture:
        assert (picture.mode, picture.size) == ("P", (51, 37))
        ids = np.asarray(picture)
        assert set(np.unique(ids)) <= set(VALUES)
        colours = np.asarray(picture.convert("RGB"))
    assert np.array_equal(colours, np.array(PALETTE, np.uint8)[np.searchsorted(VALUES, ids)])


def test_predict_of_a_file_that_is_not_an_image_is_one_line(model: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    done = seg("predict", model, tmp_path / "notes.txt", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "notes.txt: cannot be decoded" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("out", ["photos", "photos/../photos", "link"])
def test_predict_into_the_directory_of_its_images_is_refused(model: Path, tmp_path: Path, out: str) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    street = tmp_path / "photos/street.png"
    Image.new("RGB", (40, 32), "red").save(street)
    before = street.read_bytes()
    done = seg("predict", model, street, "--out", tmp_path / out)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "contains street.png, which could be overwritten; use another directory" in done.stderr
    assert street.read_bytes() == before


def test_predict_over_images_that_are_links_is_refused(model: Path, tmp_path: Path) -> None:
    for name in ("cache", "photos"):
        (tmp_path / name).mkdir()
    Image.new("RGB", (40, 32), "red").save(tmp_path / "cache/4f", "PNG")
    street = tmp_path / "photos/street.png"
    street.symlink_to(tmp_path / "cache/4f")
    done = seg("predict", model, street, "--out", tmp_path / "photos")
    assert done.returncode == 2
    assert "contains street.png, which could be overwritten; use another directory" in done.stderr
    assert street.is_symlink()


def test_show_describes_datasets_of_the_catalogue_and_names_the_nearest() -> None:
    assert "classes:" in seg("show", "--dataset", "ade20k").stdout
    done = seg("show", "--dataset", "camvit")
    assert done.returncode == 2
    assert done.stderr == "error: --dataset camvit: unknown; did you mean camvid?\n"


def test_init_names_own_images_unlike_a_dataset_that_is_downloaded(tmp_path: Path) -> None:
    for folder in ("images", "labels"):
        (tmp_path / "my files/CamVid" / folder).mkdir(parents=True)
        for k in range(3):
            Image.fromarray(np.eye(40, 60, dtype=np.uint8)).save(tmp_path / f"my files/CamVid/{folder}/{k}.png")
    lines = seg("init", tmp_path / "my files/CamVid").stdout
    assert lines.startswith("# the dataset 'camvid' would be downloaded in place of yours, so rename the directory to")
    assert lines.splitlines()[0].endswith(f"link it: ln -s '{tmp_path}/my files/CamVid' data/raw/own_camvid")
    assert list(yaml.safe_load(lines)["datasets"]) == ["own_camvid"]
