"""Packs contain the pixels that Pillow decodes; all bad files are reported at once, and no output is left."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from seg.config.description import describe
from seg.data.pack import pack_split
from seg.data.pack_format import PACK_VERSION, Pack, memory_map
from seg.datasets import IGNORE
from seg.datasets.classes import class_table
from seg.datasets.manifest import fingerprint, read_manifest, write_manifest
from seg.system.files import sha256

ROOT = Path(__file__).parents[2]
FILES = ["train.images.npy", "train.json", "train.labels.npy"]


@pytest.fixture
def camvid(camvid_root: Path, tmp_path: Path) -> Path:
    """A copy of the dataset that tests may damage."""
    return shutil.copytree(camvid_root, tmp_path / "camvid")


def stage(root: Path, out: Path, *more: str, split: str = "train") -> subprocess.CompletedProcess[str]:
    """Run the stage as the workflow does."""
    command = [sys.executable, "-m", "seg.data.pack", "--manifest", root / "manifest.json", "--dataset", "camvid"]
    command += ["--split", split, "--height", "48", "--width", "64", "--out", out, *more]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def write_pairs(root: Path, images: list[np.ndarray], labels: list[np.ndarray]) -> Path:
    """Write a CamVid dataset of these images. Returns its manifest."""
    for folder, arrays in (("train", images), ("trainannot", labels)):
        (root / folder).mkdir(parents=True)
        for k, pixels in enumerate(arrays):
            Image.fromarray(pixels).save(root / folder / f"{k}.png")
    write_manifest(root / "manifest.json", {"name": "by hand"})
    return root / "manifest.json"


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)


# Content of packs


def test_a_pack_of_the_original_size_holds_the_same_pixels(cityscapes_root: Path, tmp_path: Path) -> None:
    pack_split(cityscapes_root / "manifest.json", describe("cityscapes"), "val", 48, 64, tmp_path / "val")
    about = json.loads((tmp_path / "val.json").read_text())
    images, labels = (memory_map(tmp_path / "val.json", part) for part in ("images", "labels"))
    table = class_table(describe("cityscapes"))
    counts, present = np.zeros(34, int), np.zeros(34, int)
    for k, name in enumerate(about["names"]):
        image = Image.open(cityscapes_root / "leftImg8bit" / "val" / "ulm" / f"{name}_leftImg8bit.png")
        ids = np.asarray(Image.open(cityscapes_root / "gtFine" / "val" / "ulm" / f"{name}_gtFine_labelIds.png"))
        assert (images[k] == np.asarray(image)).all()
        for i in range(34):
            assert (labels[k][ids == i] == table.train_ids()[i]).all()
            counts[i] += (ids == i).sum()
            present[i] += (ids == i).any()
    assert about["id_pixels"] == counts.tolist()
    assert about["id_images"] == present.tolist()
    assert about["names"] == [f"ulm_{k:06d}_000019" for k in range(4)]


def test_a_pack_describes_its_content_and_its_source(packs: tuple[Path, Path], camvid_root: Path) -> None:
    train = packs[0]
    about = json.loads(train.read_text())
    table = class_table(describe("camvid"))
    assert (about["dataset"], about["layout"], about["split"]) == ("tiny camvid", "camvid", "train")
    assert (about["images"], about["height"], about["width"]) == (12, 48, 64)
    assert tuple(about["classes"]) == table.names
    assert (tuple(about["ids"]), tuple(about["scored"])) == (table.ids, table.scored)
    assert [tuple(colour) for colour in about["palette"]] == list(table.palette)
    assert (about["groups"], about["ordered"]) == (["scene"] * 12, True)
    assert about["manifest"] == fingerprint(read_manifest(camvid_root / "manifest.json"))
    for part in ("images", "labels"):
        assert about[f"{part}_sha256"] == sha256(train.with_name(f"train.{part}.npy"))
    assert sum(about["id_pixels"]) == 12 * 48 * 64


def test_ids_are_counted_as_by_hand(tmp_path: Path) -> None:
    mixed = np.array([0] * 8 + [3] * 5 + [11] * 3, np.uint8).reshape(4, 4)
    manifest = write_pairs(tmp_path / "raw", [noise(4, 4)] * 2, [mixed, np.full((4, 4), 3, np.uint8)])
    pack_split(manifest, describe("camvid"), "train", 4, 4, tmp_path / "train")
    about = json.loads((tmp_path / "train.json").read_text())
    assert about["id_pixels"] == [8, 0, 0, 21, 0, 0, 0, 0, 0, 0, 0, 3]
    assert about["id_images"] == [1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1]
    assert (memory_map(tmp_path / "train.json", "labels")[0] == np.where(mixed == 11, IGNORE, mixed)).all()


def triangle(length: int, size: int) -> np.ndarray:
    """Weights (size, length) of bilinear resizing with antialiasing: a triangle as wide as an output pixel."""
    scale = length / size
    width = max(scale, 1.0)
    centres = (np.arange(size)[:, None] + 0.5) * scale
    weights = np.clip(1 - np.abs(np.arange(length) + 0.5 - centres) / width, 0, None)
    return weights / weights.sum(1, keepdims=True)


@settings(max_examples=25, deadline=None)
@given(old=st.tuples(*[st.integers(1, 40)] * 2), new=st.tuples(*[st.integers(1, 40)] * 2))
def test_images_are_filtered_and_labels_sampled(
    tmp_path_factory: pytest.TempPathFactory, old: tuple[int, int], new: tuple[int, int]
) -> None:
    folder = tmp_path_factory.mktemp("resized")
    image, label = noise(*old), np.random.default_rng(0).integers(0, 12, old, np.uint8)
    centre = tuple((2 * i + 1) * a // (2 * b) for a, b, i in zip(old, new, (0, 0), strict=True))
    label[centre] = 0  # a split without a scored pixel is refused
    pack_split(write_pairs(folder / "raw", [image], [label]), describe("camvid"), "train", *new, folder / "train")
    packed = memory_map(folder / "train.json", "images")[0]
    rows, columns = triangle(old[0], new[0]), triangle(old[1], new[1])
    filtered = np.einsum("yh,xw,hwc->yxc", rows, columns, image.astype(float))
    assert np.abs(packed - filtered).max() <= 1.01  # Pillow rounds to 8 bits after each direction
    resized = Image.fromarray(image).resize(new[::-1], Image.Resampling.BILINEAR)
    assert (packed == np.asarray(resized)).all()
    y, x = ((np.arange(size) + 0.5) * length / size for length, size in zip(old, new, strict=True))
    nearest = label[np.floor(y).astype(int)][:, np.floor(x).astype(int)]
    expected = np.where(nearest == 11, IGNORE, nearest)
    packed_labels = memory_map(folder / "train.json", "labels")[0]
    assert set(packed_labels.ravel()) <= set(np.where(label == 11, IGNORE, label).ravel())
    on_an_edge = (y % 1 == 0)[:, None] | (x % 1 == 0)[None]  # equally near to two pixels
    assert (packed_labels == expected)[~on_an_edge].all()


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_images_of_other_modes_become_rgb(camvid: Path, tmp_path: Path, mode: str) -> None:
    path = camvid / "val" / "scene_0000.png"
    image = Image.open(path).convert(mode)
    image.save(path)
    pack_split(camvid / "manifest.json", describe("camvid"), "val", 48, 64, tmp_path / "val")
    assert (memory_map(tmp_path / "val.json", "images")[0] == np.asarray(image.convert("RGB"))).all()


@pytest.mark.parametrize(("keys", "said"), [({}, True), ({"channels": 3}, False), ({"bands": [3, 2, 1]}, False)])
def test_transparency_that_is_not_used_is_said_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], keys: dict[str, Any], said: bool
) -> None:
    varying, opaque = np.arange(2400, dtype=np.uint8).reshape(40, 60), np.full((40, 60), 255, np.uint8)
    colours = noise(40, 60)
    images = [
        colours,
        np.dstack([colours, opaque]),
        *(np.dstack([colours, varying]) for _ in range(12)),
        colours[..., 0],
    ]
    manifest = write_pairs(tmp_path / "raw", images, [np.zeros((40, 60), np.uint8)] * len(images))
    tagged = np.dstack([colours, varying])
    (tmp_path / "raw/train/2.png").unlink()
    tifffile.imwrite(tmp_path / "raw/train/2.tif", tagged, photometric="rgb", extrasamples=["unassalpha"])
    if "bands" in keys:
        (tmp_path / "raw/train/14.png").unlink()  # grey
        (tmp_path / "raw/trainannot/14.png").unlink()
    pack_split(manifest, describe("camvid").merged(**keys), "train", 40, 60, tmp_path / "train")
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == said
    for line in lines:
        assert line.startswith(f"warning: 12 of 15 images, such as {tmp_path}/raw/train/10.png, have a band")
        assert "add channels: 4 to the dataset" in line
    assert (memory_map(tmp_path / "train.json", "images")[2] == colours[..., :: -1 if "bands" in keys else 1]).all()


def test_labels_with_a_palette_are_ids(camvid: Path, packs: tuple[Path, Path], tmp_path: Path) -> None:
    path = camvid / "valannot" / "scene_0000.png"
    label = Image.open(path)
    label.putpalette(np.random.default_rng(0).integers(0, 256, 768, np.uint8).tobytes())
    assert label.mode == "P"
    label.save(path)
    pack_split(camvid / "manifest.json", describe("camvid"), "val", 48, 64, tmp_path / "val")
    assert (memory_map(tmp_path / "val.json", "labels") == memory_map(packs[1], "labels")).all()


# Refused input


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_all_bad_files_are_reported_at_once_by_a_real_process(camvid: Path, tmp_path: Path) -> None:
    images, labels = camvid / "train", camvid / "trainannot"
    truncate(images / "scene_0001.png")
    label = np.array(Image.open(labels / "scene_0003.png"))
    Image.fromarray(label[:, :-1]).save(labels / "scene_0003.png")
    label[5, 6] = 12
    Image.fromarray(label).save(labels / "scene_0005.png")
    truncate(labels / "scene_0006.png")
    jpeg = images / "scene_0007.jpg"
    Image.open(images / "scene_0007.png").save(jpeg)
    truncate(jpeg)
    (images / "scene_0007.png").unlink()
    Image.fromarray(label).convert("RGB").save(labels / "scene_0008.png")
    (images / "scene_0009.png").write_bytes(b"")
    Image.fromarray(label.astype(np.uint16) * 256).save(labels / "scene_0010.png")
    body = bytearray((images / "scene_0011.png").read_bytes())
    body[len(body) // 2] ^= 0xFF
    (images / "scene_0011.png").write_bytes(body)

    run = stage(camvid, tmp_path / "out" / "train")
    lines = run.stderr.splitlines()
    assert run.returncode == 2
    assert lines[0].startswith(f"error: {images}/scene_0001.png: cannot be decoded (")
    assert lines[1] == (
        f"error: {labels}/scene_0003.png: label of 63x48, image of 64x48; resize one, their sizes must be equal"
    )
    assert lines[2] == f"error: {labels}/scene_0005.png: got id 12 (1 pixel), expected 0 to 11; fix the label"
    assert lines[3].startswith(f"error: {labels}/scene_0006.png: cannot be decoded (")
    assert lines[4].startswith(f"error: {jpeg}: cannot be decoded (image file is truncated")
    assert lines[5].startswith(f"error: {labels}/scene_0008.png: got colours (mode RGB), expected 8-bit ids")
    assert lines[6].startswith(f"error: {images}/scene_0009.png: cannot be decoded (")
    assert lines[7].startswith(f"error: {labels}/scene_0010.png: got id 256 (")
    assert lines[8].startswith(f"error: {images}/scene_0011.png: cannot be decoded (")
    assert len(lines) == 9
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("split", ["train", "val"])
def test_an_empty_split_or_a_missing_label_in_a_real_process(camvid: Path, tmp_path: Path, split: str) -> None:
    if split == "train":
        (camvid / "trainannot" / "scene_0004.png").unlink()
        line = f"error: {camvid}/train/scene_0004.png: image without a label; add one or remove it\n"
    else:
        shutil.rmtree(camvid / "val")
        shutil.rmtree(camvid / "valannot")
        line = f"error: {camvid}: no image in split 'val'; add images in the layout 'camvid'\n"
    run = stage(camvid, tmp_path / "out" / split, split=split)
    assert (run.returncode, run.stderr) == (2, line)
    assert not (tmp_path / "out").exists()


def test_a_failed_run_keeps_the_old_pack(camvid: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pack_split(camvid / "manifest.json", describe("camvid"), "train", 48, 64, out / "train")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert sorted(before) == FILES
    truncate(camvid / "train" / "scene_0011.png")
    with pytest.raises(ValueError, match=r"scene_0011\.png: cannot be decoded"):
        pack_split(camvid / "manifest.json", describe("camvid"), "train", 48, 64, out / "train")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_full_disk_is_found_before_the_first_image_is_decoded(camvid: Path, small_disk: Path) -> None:
    truncate(camvid / "train" / "scene_0000.png")
    run = stage(camvid, small_disk / "packs" / "train", "--height", "480", "--width", "640")
    line = f"error: {small_disk}/packs: No space left on device; free some space and run again\n"
    assert (run.returncode, run.stderr) == (2, line)
    assert list((small_disk / "packs").iterdir()) == []


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (truncate, "cannot be read"),
        (Path.unlink, "missing"),
        (lambda path: np.save(path, np.zeros((12, 48, 64), np.int64)), r"got int64 \(12, 48, 64\), expected uint8"),
        (lambda path: np.save(path, np.zeros((11, 48, 64), np.uint8)), r"got uint8 \(11, 48, 64\), expected uint8"),
    ],
)
def test_a_damaged_pack_is_named(
    packs: tuple[Path, Path], tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    folder = shutil.copytree(packs[0].parent, tmp_path / "packs")
    spoil(folder / "train.labels.npy")
    with pytest.raises(ValueError, match=f"{message}.*; delete the pack and run again") as caught:
        memory_map(folder / "train.json", "labels")
    assert str(caught.value).startswith(f"{folder}/train.labels.npy: ")


def test_a_pack_of_another_schema_version_is_refused(packs: tuple[Path, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(packs[0].parent, tmp_path / "packs")
    path = folder / "train.json"
    about = json.loads(path.read_text())
    assert about["schema_version"] == PACK_VERSION
    for version, found in (({}, None), ({"schema_version": 0}, 0)):
        path.write_text(json.dumps({key: about[key] for key in about if key != "schema_version"} | version))
        message = rf"train.json: schema version {found}, expected {PACK_VERSION}; delete the pack and run again$"
        for read in (Pack, lambda path: memory_map(path, "labels")):
            with pytest.raises(ValueError, match=message):
                read(path)


# Many images


@pytest.mark.slow
def test_the_number_of_workers_changes_nothing(write_dataset: Callable[..., Path], tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "raw", "camvid", {"train": 72}, 40, 56)
    for workers in ("1", "2"):
        assert stage(root, tmp_path / workers / "train", "--workers", workers).returncode == 0
    for name in FILES:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    for k in (70, 3, 41):
        truncate(root / "train" / f"scene_{k:04d}.png")
    run = stage(root, tmp_path / "bad" / "train", "--workers", "2")
    assert run.returncode == 2
    assert [line.split(".png")[0][-4:] for line in run.stderr.splitlines()] == ["0003", "0041", "0070"]
    assert list((tmp_path / "bad").iterdir()) == []


# Peak resident memory of this program alone: `ru_maxrss` would include the process that started it.
PEAK = """
import sys
from pathlib import Path
from seg.config.description import describe
from seg.data.pack import pack_split
if __name__ == "__main__":
    pack_split(Path(sys.argv[1]), describe("camvid"), "train", 96, 128, Path(sys.argv[2]), workers=int(sys.argv[3]))
    print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_memory_does_not_grow_with_the_number_of_images(
    write_dataset: Callable[..., Path], tmp_path: Path, workers: str
) -> None:
    few = write_dataset(tmp_path / "few", "camvid", {"train": 100}, 96, 128)
    many = tmp_path / "many"
    for folder in ("train", "trainannot"):
        (many / folder).mkdir(parents=True)
        for k in range(2000):
            (many / folder / f"scene_{k:04d}.png").hardlink_to(few / folder / f"scene_{k % 100:04d}.png")
    write_manifest(many / "manifest.json", {})
    peaks = []
    for root in (few, many):
        command = [sys.executable, "-c", PEAK, root / "manifest.json", tmp_path / root.name / "out" / "train", workers]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        peaks.append(int(run.stdout) / 1024)
    pixels = 1900 * 96 * 128 * 4 / 2**20  # 89 MiB more
    assert peaks[1] - peaks[0] < 0.1 * pixels, f"MiB: {peaks}"
