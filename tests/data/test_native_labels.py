"""Labels at their own size: ragged, without those that a pack holds already, and refused if they do not fit."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seg.config.description import describe
from seg.data.native_labels import write_native_labels
from seg.data.pack import pack_split
from seg.data.pack_format import NativeLabels
from seg.datasets.manifest import write_manifest
from seg.system.files import sha256

SIZES = [(40, 60), (48, 64), (33, 50)]  # the second is that of the pack


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A CamVid dataset whose images differ in size; 11 is ignored."""
    for k, (height, width) in enumerate(SIZES):
        generator = np.random.default_rng(k)
        image = Image.fromarray(generator.integers(0, 256, (height, width, 3), np.uint8))
        label = Image.fromarray(generator.integers(0, 12, (height, width), np.uint8))
        for folder, each in (("test", image), ("testannot", label)):
            (tmp_path / "raw" / folder).mkdir(parents=True, exist_ok=True)
            each.save(tmp_path / "raw" / folder / f"{k}.png")
    write_manifest(tmp_path / "raw/manifest.json", {"name": "ragged"})
    return tmp_path / "raw/manifest.json"


def pack(manifest: Path, folder: Path) -> Path:
    pack_split(manifest, describe("camvid"), "test", 48, 64, folder / "test")
    write_native_labels(manifest, describe("camvid"), "test", 48, 64, folder / "test")
    return folder / "test.json"


def test_labels_of_another_size_than_the_pack_are_kept(manifest: Path, tmp_path: Path) -> None:
    path = pack(manifest, tmp_path)
    native = NativeLabels(path)
    assert native.stored
    for k in (2, 0):
        label = np.asarray(Image.open(manifest.parent / f"testannot/{k}.png"))
        assert np.array_equal(native.read(k), np.where(label == 11, 255, label))
    assert native.read(1) is None
    assert (tmp_path / "test.native.npy").stat().st_size == 128 + 40 * 60 + 33 * 50
    about = json.loads((tmp_path / "test.native.json").read_text())
    assert about["labels_sha256"] == sha256(tmp_path / "test.native.npy")
    assert about["sizes"] == [list(size) for size in SIZES]


def test_nothing_is_kept_twice(packs: tuple[Path, Path]) -> None:
    native = NativeLabels(packs[1])
    assert not native.stored
    assert [native.read(k) for k in range(4)] == [None] * 4


def test_the_stage_writes_the_same_bytes(manifest: Path, tmp_path: Path) -> None:
    pack(manifest, tmp_path)
    command = [sys.executable, "-m", "seg.data.native_labels", "--manifest", manifest, "--dataset", "camvid"]
    command += ["--split", "test", "--height", "48", "--width", "64", "--out", tmp_path / "again/test"]
    subprocess.run(command, check=True)
    for name in ("test.native.json", "test.native.npy"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_damaged_label_is_refused_and_nothing_is_written(manifest: Path, tmp_path: Path) -> None:
    (manifest.parent / "testannot/2.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"testannot/2\.png: cannot be decoded"):
        write_native_labels(manifest, describe("camvid"), "test", 48, 64, tmp_path / "out/test")
    Image.new("L", (50, 33), 99).save(manifest.parent / "testannot/2.png")
    with pytest.raises(ValueError, match=r"testannot/2\.png: got id 99 \(1650 pixels\), expected 0 to 11"):
        write_native_labels(manifest, describe("camvid"), "test", 48, 64, tmp_path / "out/test")
    assert not list(tmp_path.glob("out/*"))


def test_labels_that_do_not_fit_the_pack_are_refused(manifest: Path, tmp_path: Path) -> None:
    path = pack(manifest, tmp_path)
    native = tmp_path / "test.native.json"
    about = json.loads(native.read_text())
    for change, message in (
        ({"schema_version": 9}, "schema version 9, expected 1; delete it and run again"),
        ({"names": ["x", "y", "z"]}, f"its images or classes are not those of {path}; delete"),
    ):
        native.write_text(json.dumps(about | change))
        with pytest.raises(ValueError, match="run again") as caught:
            NativeLabels(path)
        assert str(caught.value).startswith(f"{native}: {message}")
    native.write_text(json.dumps(about))
    np.save(tmp_path / "test.native.npy", np.zeros(5, np.uint8))
    with pytest.raises(ValueError, match=r"got uint8 \(5,\), expected uint8 \(4050,\); delete it and run again"):
        NativeLabels(path)
