"""The doctor summarises a valid dataset, and shows the faults of others in groups, with their number and the fix."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seg.config.description import describe
from seg.doctor.examine import examine
from seg.doctor.findings import Finding

ROOT = Path(__file__).parents[2]


@pytest.fixture
def camvid(camvid_root: Path, tmp_path: Path) -> Path:
    """A copy of the dataset that tests may damage."""
    return shutil.copytree(camvid_root, tmp_path / "camvid")


def doctor(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seg.cli", "doctor", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def findings(root: Path, layout: str = "camvid") -> dict[str, Finding]:
    """Findings by kind, of which each occurs once."""
    found = examine(root, describe(layout)).findings
    assert len({finding.kind for finding in found}) == len(found)
    return {finding.kind: finding for finding in found}


def change(path: Path, edit: Callable[[np.ndarray], np.ndarray]) -> None:
    Image.fromarray(np.ascontiguousarray(edit(np.array(Image.open(path))))).save(path)


def test_a_valid_dataset_is_summarised_by_a_real_process(camvid_root: Path) -> None:
    done = doctor(camvid_root, "--layout", "camvid")
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert lines[:3] == ["train: 12 images, 64x48", "val: 4 images, 64x48", "test: 4 images, 64x48"]
    assert lines[3].split() == ["11", "classes", "train", "val", "test"]
    assert len(lines) == 3 + 1 + 11 + 1 + 2
    assert lines[-1] == "0 errors, 0 warnings"


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
    (labels / "scene_0006.png").write_bytes(b"nothing")
    shutil.copy(images / "scene_0007.png", camvid / "val" / "scene_0001.png")
    shutil.rmtree(camvid / "testannot")

    done = doctor(camvid, "--layout", "camvid", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    content = json.loads(done.stdout)
    assert content["failed"]
    assert content["splits"]["train"]["images"] == 5
    lines = {row["kind"]: row["lines"] for row in content["findings"] if row["severity"] == "error"}
    broken = lines.pop("undecodable")
    assert [line.partition(": ")[0] for line in broken] == [f"{cut}", f"{labels}/scene_0006.png"]
    assert lines == {
        "image_without_label": [f"{images}/scene_0001.png: image without a label"],
        "label_without_image": [f"{labels}/scene_0002.png: label without an image"],
        "missing_directory": [f"{camvid}/testannot: no such directory, but layout 'camvid' requires it"],
        "size_mismatch": [f"{labels}/scene_0004.png: label of 63x48, image of 64x48"],
        "colours_without_classes": [
            f"{labels}/scene_0005.png: got colours (mode RGB), expected 8-bit ids (mode L or P)"
        ],
        "unknown_label_values": [f"{labels}/scene_0003.png: has 12, 40"],
        "duplicate_across_splits": [
            f"{camvid}/val/scene_0001.png: in split 'val', same pixels as {images}/scene_0007.png in 'train'"
        ],
    }


def test_the_same_pixels_in_another_file_format_are_found(camvid: Path) -> None:
    (camvid / "val" / "scene_0002.png").unlink()
    Image.open(camvid / "train" / "scene_0011.png").save(camvid / "val" / "scene_0002.png", compress_level=9)
    assert findings(camvid)["duplicate_across_splits"].number == 1


def test_classes_that_are_not_in_train_are_a_warning(camvid: Path) -> None:
    for path in (camvid / "trainannot").iterdir():
        change(path, lambda label: np.where((label == 2) | (label == 8), 11, label))
    done = doctor(camvid, "--layout", "camvid")
    assert done.returncode == 0
    assert "warning: classes that the training split lacks (2)" in done.stdout.splitlines()
    assert "    class 'pole' is not in split 'train', so it cannot be learned" in done.stdout.splitlines()


def test_the_summary_gives_the_smallest_and_the_largest_size(camvid: Path) -> None:
    for k, size in enumerate([(40, 40), (100, 30)]):
        for folder in ("val", "valannot"):
            path = camvid / folder / f"scene_000{k}.png"
            Image.open(path).resize(size, Image.Resampling.NEAREST).save(path)
    done = doctor(camvid, "--layout", "camvid")
    assert "val: 4 images, 3 sizes from 40x40 to 64x48, width/height 1.00 to 3.33" in done.stdout.splitlines()
    assert {"unusual_aspect", "small_image"} <= findings(camvid).keys()


def test_only_the_test_split_is_optional(camvid: Path) -> None:
    for name in ("test", "testannot"):
        shutil.rmtree(camvid / name)
    diagnosis = examine(camvid, describe("camvid"))
    assert (diagnosis.failed, diagnosis.samples["test"]) == (False, [])
    for name in ("val", "valannot"):
        shutil.rmtree(camvid / name)
        (camvid / name).mkdir()
    found = findings(camvid)["empty_split"]
    assert (found.lines, found.fix) == ([f"{camvid}: no image in split 'val'"], "add images with their labels")


def test_missing_directories_and_classes_yaml_are_reported_once(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    found = findings(tmp_path, "folder")
    assert found["classes"].lines == [f"{tmp_path}/classes.yaml: missing"]
    assert found["missing_directory"].lines == [
        f"{tmp_path}/labels: no such directory, but layout 'folder' requires it"
    ]


def test_files_are_checked_where_classes_yaml_cannot_be_read(tmp_path: Path) -> None:
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
        for name in ("a", "b"):
            Image.fromarray(np.full((9, 9), ord(name), np.uint8)).save(tmp_path / kind / f"{name}.png")
    (tmp_path / "labels/b.png").write_bytes(b"")
    (tmp_path / "train.txt").write_text("a")
    (tmp_path / "val.txt").write_text("b")
    found = findings(tmp_path, "folder")
    assert {"classes", "undecodable"} <= found.keys()


def test_unknown_layouts_and_directories_are_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="layout 'pascal' is unknown"):
        examine(tmp_path, describe("pascal"))
    done = doctor(tmp_path / "nowhere", "--layout", "camvid")
    assert (done.returncode, done.stderr) == (
        2,
        f"error: {tmp_path}/nowhere: no such directory; give the dataset's directory\n",
    )
