"""The stage `synthesize`: files in a known layout, the same for the same arguments, written whole or not at all."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seg.config.description import describe
from seg.datasets.classes import class_table
from seg.datasets.manifest import read_manifest
from seg.datasets.matching import find_pairs
from seg.synthetic import synthesize as stage
from seg.synthetic.rendered_layouts import RENDERED_LAYOUTS
from seg.synthetic.synthesize import Scenes, parse_splits, synthesize


def scenes(seed: int = 7, layout: str = "cityscapes", **splits: int) -> Scenes:
    return Scenes(layout=layout, height=32, width=64, splits=splits, seed=seed)


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seg.synthetic.synthesize", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def options(out: Path, **changed: str) -> list[str]:
    given = {"layout": "cityscapes", "height": "32", "width": "64", "split": "train=2", "seed": "7", **changed}
    return [*(f"--{name}={value}" for name, value in given.items()), f"--out={out}"]


def test_images_and_labels_pair_up_in_the_layout(tmp_path: Path) -> None:
    out = tmp_path / "raw" / "street" / "manifest.json"
    synthesize(out, scenes(train=3, val=2))
    for split, count in (("train", 3), ("val", 2)):
        pairs = find_pairs(describe("cityscapes"), out.parent, split)
        assert len(pairs) == count
        for pair in pairs:
            with Image.open(pair.image) as image, Image.open(pair.label) as label:
                assert (image.mode, label.mode) == ("RGB", "L")
                assert image.size == label.size == (64, 32)
    manifest = read_manifest(out)
    assert len(manifest["files"]) == 10
    assert list(manifest)[:5] == ["name", "version", "licence", "citation", "source"]
    assert [path.name for path in out.parent.parent.iterdir()] == ["street"]


def test_files_hold_what_was_rendered(tmp_path: Path) -> None:
    synthesize(tmp_path / "s" / "manifest.json", scenes(train=2))
    pair = find_pairs(describe("cityscapes"), tmp_path / "s", "train")[1]
    image, labels = RENDERED_LAYOUTS["cityscapes"].render(scenes(train=2).generator("train", 1), 32, 64)
    with Image.open(pair.image) as saved_image, Image.open(pair.label) as saved_label:
        assert np.array_equal(np.asarray(saved_image), image)
        assert np.array_equal(np.asarray(saved_label), labels)


@pytest.mark.parametrize("layout", ["cityscapes", "voc"])
def test_the_same_arguments_give_the_same_bytes_in_one_process_and_in_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    synthesize(tmp_path / "a" / "manifest.json", scenes(layout=layout, train=5, val=2), jobs=1)
    monkeypatch.setattr(stage, "_POOL_PAYS", 0)
    synthesize(tmp_path / "b" / "manifest.json", scenes(layout=layout, train=5, val=2), jobs=2)
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_voc_has_lists_and_palettes_and_images_of_many_sizes(tmp_path: Path) -> None:
    rows = Scenes(layout="voc", height=48, width=64, splits={"train": 30, "val": 3, "test": 4}, seed=7)
    synthesize(tmp_path / "s" / "manifest.json", rows)
    assert [len(find_pairs(describe("voc"), tmp_path / "s", split)) for split in rows.splits] == [30, 3, 4]
    sizes = set()
    for k, pair in enumerate(find_pairs(describe("voc"), tmp_path / "s", "train")):
        image, labels = RENDERED_LAYOUTS["voc"].render(rows.generator("train", k), 48, 64)
        with Image.open(pair.image) as saved_image, Image.open(pair.label) as saved_label:
            assert (saved_image.format, saved_label.format, saved_label.mode) == ("JPEG", "PNG", "P")
            assert np.array_equal(np.asarray(saved_label), labels)
            assert np.abs(np.asarray(saved_image).astype(int) - image).mean() < 5
            palette = np.array(saved_label.getpalette()).reshape(-1, 3)
            sizes.add(saved_image.size)
        assert palette[:21].tolist() == [list(colour) for colour in class_table(describe("voc")).palette]
        assert palette[255].tolist() == [224, 224, 192]
    assert len(sizes) > 8
    assert all(max(size) == 64 and 36 <= min(size) <= 48 for size in sizes)
    assert len({width > height for width, height in sizes}) == 2


def test_bdd100k_has_41_ids_and_recordings_of_several_frames(tmp_path: Path) -> None:
    rows = scenes(layout="bdd100k", train=40)
    synthesize(tmp_path / "s" / "manifest.json", rows)
    pairs = {split: find_pairs(describe("bdd100k"), tmp_path / "s", split) for split in ("train", "val", "test")}
    assert sum(map(len, pairs.values())) == 40
    recordings = [{pair.name.partition("-")[0] for pair in found} for found in pairs.values()]
    assert sum(map(len, recordings)) == len(set.union(*recordings)) == 20
    seen = {int(i) for found in pairs.values() for pair in found for i in np.unique(np.asarray(Image.open(pair.label)))}
    names = {class_table(describe("bdd100k")).ids[i] for i in seen}
    assert {"road", "car", "sky", "person", "building", "traffic light", "unlabeled"} <= names
    for pair in pairs["train"]:
        image, labels = RENDERED_LAYOUTS["bdd100k"].render(rows.generator("train", int(pair.name[-8:], 16)), 32, 64)
        with Image.open(pair.image) as saved_image, Image.open(pair.label) as saved_label:
            assert np.array_equal(np.asarray(saved_label), labels)
            assert np.abs(np.asarray(saved_image).astype(int) - image).mean() < 5


@pytest.mark.parametrize(
    ("layout", "real"),
    [
        ("voc", "VOCdevkit/VOC2007/JPEGImages/000032.jpg"),
        ("voc", "VOCdevkit/VOC2012/JPEGImages/2007_000032.jpg"),
        ("bdd100k", "bdd100k/seg/images/train/5e0a1c6b-d3b5f08a.jpg"),
        ("bdd100k", "bdd100k/seg/labels/train/5e0a1c6b-d3b5f08a_train_id.png"),
    ],
)
def test_real_data_are_never_replaced(tmp_path: Path, layout: str, real: str) -> None:
    synthesize(tmp_path / "manifest.json", scenes(layout=layout, train=1))
    synthesize(tmp_path / "manifest.json", scenes(layout=layout, train=2))
    (tmp_path / real).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / real).write_bytes(b"photograph")
    with pytest.raises(ValueError, match="1 other files"):
        synthesize(tmp_path / "manifest.json", scenes(layout=layout, train=1))
    assert (tmp_path / real).read_bytes() == b"photograph"


def test_a_scene_depends_on_seed_split_and_number_alone(tmp_path: Path) -> None:
    synthesize(tmp_path / "few" / "manifest.json", scenes(train=2))
    synthesize(tmp_path / "many" / "manifest.json", scenes(val=1, train=4))
    synthesize(tmp_path / "other" / "manifest.json", scenes(seed=8, train=2))
    few, many = content(tmp_path / "few"), content(tmp_path / "many")
    pictures = {name for name in few if name.endswith(".png")}
    assert all(few[name] == many[name] for name in pictures)
    assert all(few[name] != content(tmp_path / "other")[name] for name in pictures)
    labels = [
        np.asarray(Image.open(find_pairs(describe("cityscapes"), tmp_path / "many", s)[0].label))
        for s in ("train", "val")
    ]
    assert not np.array_equal(*labels)


def test_an_earlier_run_is_replaced_as_a_whole(tmp_path: Path) -> None:
    out = tmp_path / "s" / "manifest.json"
    synthesize(out, scenes(train=3, val=1))
    out.unlink()  # as Snakemake does before it runs a job again
    synthesize(out, scenes(train=1))
    assert len(content(out.parent)) == 3
    assert list(tmp_path.iterdir()) == [out.parent]


@pytest.mark.parametrize("earlier", [True, False])
def test_a_failure_in_the_middle_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: bool
) -> None:
    out = tmp_path / "s" / "manifest.json"
    if earlier:
        synthesize(out, scenes(train=2))
    before = content(tmp_path)
    save, saved = Image.Image.save, []

    def full(self: Image.Image, path: Path, **options: int) -> None:
        saved.append(path)
        if len(saved) == 4:
            raise OSError("No space left on device")
        save(self, path, **options)

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="No space"):
        synthesize(out, scenes(train=3))
    assert content(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == (["s"] if earlier else [])


def test_a_failing_last_rename_puts_the_earlier_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "s" / "manifest.json"
    synthesize(out, scenes(train=2))
    before, rename = content(tmp_path), Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name == target.name == "s":
            raise OSError("refused")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="refused"):
        synthesize(out, scenes(train=3))
    assert content(tmp_path) == before


def test_what_a_killed_run_left_is_cleared_and_the_earlier_folder_survives(tmp_path: Path) -> None:
    out = tmp_path / "s" / "manifest.json"
    synthesize(out, scenes(train=2))
    (tmp_path / ".s.1.part").mkdir()
    (tmp_path / ".s.1.part" / "half").touch()
    (tmp_path / ".s.1.part" / ".lock").touch()
    out.parent.rename(tmp_path / ".s.1.part/.old")  # killed between the two renames
    synthesize(out, scenes(train=1))
    assert len(content(tmp_path)) == 3


def test_a_link_to_another_disk_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "s").symlink_to(tmp_path / "disk")
    for count in (2, 1):
        synthesize(tmp_path / "s" / "manifest.json", scenes(train=count))
    assert (tmp_path / "s").is_symlink()
    assert len(content(tmp_path / "disk")) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "s"]


def test_a_folder_with_other_files_is_refused_and_kept(tmp_path: Path) -> None:
    real = tmp_path / "leftImg8bit" / "train" / "aachen" / "aachen_000000_000019_leftImg8bit.png"
    real.parent.mkdir(parents=True)
    real.write_bytes(b"photograph")
    with pytest.raises(ValueError, match=r"1 other files, such as .*aachen.*folder of its own"):
        synthesize(tmp_path / "manifest.json", scenes(train=1))
    assert content(tmp_path) == {str(real.relative_to(tmp_path)): b"photograph"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"layout": "vienna"}, "error: --layout vienna: is unknown; known are cityscapes, bdd100k, voc"),
        ({"split": "train=0"}, "error: --split train=0: has no scenes; expected 1 or more"),
        ({"width": "31"}, "error: --width 31: is too small; expected 32 or more"),
        ({"split": "train:5"}, "error: --split train:5: expected a name and a number of scenes, such as train=64"),
    ],
)
def test_bad_arguments_exit_2_with_one_line_and_leave_nothing(
    tmp_path: Path, changed: dict[str, str], message: str
) -> None:
    done = run(*options(tmp_path / "s" / "manifest.json", **changed))
    assert done.returncode == 2
    assert done.stderr.splitlines() == [message]
    assert not list(tmp_path.iterdir())


def test_an_unwritable_place_exits_2_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run(*options(tmp_path / "file" / "s" / "manifest.json"))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_command_line_renders_several_splits(tmp_path: Path) -> None:
    done = run(*options(tmp_path / "s" / "manifest.json"), "--split", "val=1")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(read_manifest(tmp_path / "s" / "manifest.json")["files"]) == 6


@pytest.mark.parametrize(
    "text", ["train", "=3", "train=", "train=-1", "train=1.5", "../x=1", "a b=1", "3=3", "train=٣"]
)
def test_malformed_splits_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a name and a number"):
        parse_splits(["val=1", text])


def test_a_split_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="'train' is given twice"):
        parse_splits(["train=1", "train=2"])


def test_everything_that_is_wrong_is_listed_at_once() -> None:
    with pytest.raises(ValueError, match="height") as caught:
        Scenes(layout="x", height=8, width=8, splits={"train": 0}, seed=-1)
    assert len(str(caught.value).splitlines()) == 5
