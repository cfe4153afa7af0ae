"""The doctor summarizes a valid dataset and reports all errors of invalid ones at once."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seg.config.description import describe
from seg.datasets.doctor import examine

ROOT = Path(__file__).parents[2]


@pytest.fixture
def camvid(camvid_root: Path, tmp_path: Path) -> Path:
    """A copy of the dataset that tests may damage."""
    return shutil.copytree(camvid_root, tmp_path / "camvid")


def doctor(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seg.cli", "doctor", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_valid_dataset_is_summarised_by_a_real_process(camvid_root: Path) -> None:
    done = doctor(camvid_root, "--layout", "camvid")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "train: 12 images, 64x48",
        "val: 4 images, 64x48",
        "test: 4 images, 64x48",
        "11 classes: sky, building, pole, road, pavement, tree, sign, fence, car, pedestrian, bicyclist",
    ]


def test_all_errors_are_reported_at_once_by_a_real_process(camvid: Path) -> None:
    images, labels = camvid / "train", camvid / "trainannot"
    cut = images / "scene_0000.png"
    cut.write_bytes(cut.read_bytes()[:400])
    (labels / "scene_0001.png").unlink()
    (images / "scene_0002.png").unlink()
    label = np.array(Image.open(labels / "scene_0003.png"))
    label[0, :5], label[1, :1] = 12, 40
    Image.fromarray(label[:, :-1]).save(labels / "scene_0003.png")  # two errors: ids are checked before the size
    Image.fromarray(np.zeros((48, 63), np.uint8)).save(labels / "scene_0004.png")
    Image.open(labels / "scene_0005.png").convert("RGB").save(labels / "scene_0005.png")
    Image.fromarray(np.zeros((48, 64), np.uint16)).save(images / "scene_0006.png")
    (labels / "scene_0006.png").write_bytes(b"nothing")
    shutil.copy(images / "scene_0007.png", camvid / "val" / "scene_0001.png")
    shutil.rmtree(camvid / "testannot")

    done = doctor(camvid, "--layout", "camvid")
    assert done.returncode == 2
    lines = [line.removeprefix("error: ") for line in done.stderr.splitlines()]
    assert lines[:4] == [
        f"{images}/scene_0001.png: image without a label; add one or remove it",
        f"{labels}/scene_0002.png: label without an image; add one or remove it",
        lines[2],
        f"{labels}/scene_0003.png: got id 12 (5 pixels), id 40 (1 pixel), expected 0 to 11; fix the label",
    ]
    assert lines[2].startswith(f"{cut}: cannot be decoded (")
    assert lines[4] == f"{labels}/scene_0004.png: label of 63x48, image of 64x48; resize one, their sizes must be equal"
    assert lines[5] == (
        f"{labels}/scene_0005.png: got colours (mode RGB), expected 8-bit ids (mode L or P); store the id of each pixel"
    )
    assert lines[6] == f"{images}/scene_0006.png: got mode I;16, expected at most 8 bits per channel; convert the image"
    assert lines[7].startswith(f"{labels}/scene_0006.png: cannot be decoded (")
    assert (
        lines[8]
        == f"{camvid}/testannot: no such directory, but layout 'camvid' requires it; create it or choose another layout"
    )
    assert lines[9] == (
        f"{camvid}/val/scene_0001.png: in split 'val', same pixels as {images}/scene_0007.png in split 'train'; "
        "remove one"
    )
    assert len(lines) == 10


def test_the_same_pixels_in_another_file_format_are_found(camvid: Path) -> None:
    (camvid / "val" / "scene_0002.png").unlink()
    Image.open(camvid / "train" / "scene_0011.png").save(camvid / "val" / "scene_0002.png", compress_level=9)
    (problem,) = examine(camvid, describe("camvid")).problems
    assert "in split 'val', same pixels as" in problem


def test_classes_that_are_not_in_train_are_a_warning(camvid: Path) -> None:
    for path in (camvid / "trainannot").iterdir():
        label = np.array(Image.open(path))
        Image.fromarray(np.where((label == 2) | (label == 8), 11, label)).save(path)
    done = doctor(camvid, "--layout", "camvid")
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "warning: class 'pole' is not in split 'train', so it cannot be learned",
        "warning: class 'car' is not in split 'train', so it cannot be learned",
    ]


def test_the_summary_gives_the_smallest_and_the_largest_size(camvid: Path) -> None:
    for k, size in enumerate([(40, 40), (100, 30)]):
        for folder in ("val", "valannot"):
            path = camvid / folder / f"scene_000{k}.png"
            Image.open(path).resize(size, Image.Resampling.NEAREST).save(path)
    findings = examine(camvid, describe("camvid"))
    assert findings.problems == []
    assert findings.summary[1] == "val: 4 images, 3 sizes from 40x40 to 64x48"


def test_only_the_test_split_is_optional(camvid: Path) -> None:
    for name in ("test", "testannot"):
        shutil.rmtree(camvid / name)
    findings = examine(camvid, describe("camvid"))
    assert (findings.problems, findings.summary[2]) == ([], "test: no images")
    for name in ("val", "valannot"):
        shutil.rmtree(camvid / name)
        (camvid / name).mkdir()
    assert examine(camvid, describe("camvid")).problems == [
        f"{camvid}: no image in split 'val'; add images with their labels"
    ]


def test_missing_directories_and_classes_yaml_are_reported_once(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    assert examine(tmp_path, describe("folder")).problems == [
        f"{tmp_path}/classes.yaml: missing; create it with the names of the classes, in the order of their ids",
        f"{tmp_path}/labels: no such directory, but layout 'folder' requires it; create it or choose another layout",
    ]


def test_files_are_checked_where_classes_yaml_cannot_be_read(tmp_path: Path) -> None:
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
        for name in ("a", "b"):
            Image.fromarray(np.full((9, 9), ord(name), np.uint8)).save(tmp_path / kind / f"{name}.png")
    (tmp_path / "labels/b.png").write_bytes(b"")
    (tmp_path / "train.txt").write_text("a")
    (tmp_path / "val.txt").write_text("b")
    lines = examine(tmp_path, describe("folder")).problems
    assert [line.split(": ")[0] for line in lines] == [f"{tmp_path}/classes.yaml", f"{tmp_path}/labels/b.png"]


def test_unknown_layouts_and_directories_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="layout 'pascal' is unknown"):
        examine(tmp_path, describe("pascal"))
    done = doctor(tmp_path / "nowhere", "--layout", "camvid")
    assert (done.returncode, done.stderr) == (
        2,
        f"error: {tmp_path}/nowhere: no such directory; give the dataset's directory\n",
    )
