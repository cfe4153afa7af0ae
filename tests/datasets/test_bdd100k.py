"""BDD100K: class tables of both releases, and a split that keeps recordings together when images are added."""

from pathlib import Path

import numpy as np
import pytest
from cityscapesscripts.helpers import labels as official
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from seg.config.description import describe
from seg.data.pack import pack_split
from seg.data.pack_format import memory_map
from seg.datasets import IGNORE, matching
from seg.datasets.classes import class_table
from seg.datasets.manifest import write_manifest
from seg.datasets.matching import find_pairs, match_pairs
from seg.datasets.splits import draw_split

SPLITS = ("train", "val", "test")
HEX = st.text("0123456789abcdef", min_size=8, max_size=8)


def write_bdd100k(root: Path, names: dict[str, list[str]], *endings: str) -> Path:
    """Write empty images and labels with these names in the official directories. Returns `root`."""
    for owners, members in names.items():
        for kind in ("images", "labels"):
            (root / "bdd100k/seg" / kind / owners).mkdir(parents=True, exist_ok=True)
        for name in members:
            (root / "bdd100k/seg/images" / owners / f"{name}.jpg").touch()
            for ending in endings:
                (root / "bdd100k/seg/labels" / owners / f"{name}{ending}").touch()
    return root


def splits(root: Path, layout: str = "bdd100k") -> dict[str, set[str]]:
    return {split: {pair.name for pair in match_pairs(describe(layout), root, split)[0]} for split in SPLITS}


def test_the_41_ids_are_the_official_ones_in_order() -> None:
    table = class_table(describe("bdd100k"))
    assert table.scored == tuple(range(41))
    first = "unlabeled,dynamic,ego vehicle,ground,static,parking,rail track,road,sidewalk,bridge"
    assert table.ids[:10] == tuple(first.split(","))
    assert (table.ids[10], table.ids[20], table.ids[30], table.ids[40]) == ("building", "pole", "sky", "truck")
    assert table.train_ids().tolist() == [*range(41), *[IGNORE] * 215]


def test_classes_of_cityscapes_have_its_colours() -> None:
    table = class_table(describe("bdd100k"))
    cityscapes = {label.name: label.color for label in official.labels}
    changed = {"ego vehicle", "static", "polegroup"}  # officially black, black and the colour of pole
    shared = set(table.ids) & set(cityscapes) - changed
    assert len(shared) == 29
    assert all(table.palette[table.ids.index(name)] == cityscapes[name] for name in shared)


def test_the_19_train_ids_are_cityscapes() -> None:
    table, cityscapes = class_table(describe("bdd100k_19")), class_table(describe("cityscapes"))
    assert (table.names, table.palette) == (cityscapes.names, cityscapes.palette)
    assert table.train_ids().tolist() == [*range(19), *[IGNORE] * 237]
    assert table.ignored == (255,)


def test_each_form_has_its_own_labels(tmp_path: Path) -> None:
    members = [f"{k:08x}-{k:08x}" for k in range(20)]
    root = write_bdd100k(tmp_path, {"train": members, "test": ["ffffffff-0"]}, "_id.png", "_train_id.png")
    for layout, ending in (("bdd100k", "_id.png"), ("bdd100k_19", "_train_id.png")):
        pairs = [pair for split in SPLITS for pair in match_pairs(describe(layout), root, split)[0]]
        assert sorted(pair.name for pair in pairs) == members  # the directory `test` is not used
        for pair in pairs:
            assert pair.group == pair.name[:8]
            assert pair.image == root / "bdd100k/seg/images/train" / f"{pair.name}.jpg"
            assert pair.label == root / "bdd100k/seg/labels/train" / f"{pair.name}{ending}"


def test_labels_of_only_the_other_release_are_reported(tmp_path: Path) -> None:
    root = write_bdd100k(tmp_path, {"train": [f"{k:08x}-0" for k in range(9)]}, "_train_id.png")
    with pytest.raises(ValueError, match="image without a label; add one or remove it"):
        find_pairs(describe("bdd100k"), root, "train")


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    names=st.dictionaries(st.builds("{}-{}".format, HEX, HEX), st.sampled_from(["train", "val"]), max_size=12),
    recordings=st.lists(HEX, unique=True, min_size=1, max_size=6),
)
def test_splits_cover_all_images_and_do_not_change_when_images_are_added(
    tmp_path_factory: pytest.TempPathFactory, names: dict[str, str], recordings: list[str]
) -> None:
    few = {owners: [name for name, where in names.items() if where == owners] for owners in ("train", "val")}
    root = write_bdd100k(tmp_path_factory.mktemp("bdd"), few, "_id.png")
    before = splits(root)
    added = {name: "val" for recording in recordings for k in range(3) if (name := f"{recording}-{k:08x}") not in names}
    write_bdd100k(root, {"val": list(added)}, "_id.png")
    after = splits(root)
    assert sum(map(len, after.values())) == len(names.keys() | added.keys())
    assert set.union(*after.values()) == names.keys() | added.keys()
    assert all(before[split] <= after[split] for split in SPLITS)
    where = {(name.partition("-")[0], split) for split in SPLITS for name in after[split]}
    assert len(where) == len({recording for recording, _ in where})  # none is split


def test_shares_of_2000_recordings_are_near_70_15_15(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """3 clips per recording. Files are not written, for speed: only their names are used."""
    names = [f"{k:08x}-{clip:08x}" for k in range(2000) for clip in range(3)]
    files = [f"bdd100k/seg/labels/train/{name}_id.png" for name in names]
    monkeypatch.setattr(matching, "list_files", lambda root: files)
    counts = [len(match_pairs(describe("bdd100k"), tmp_path, split)[1]) for split in SPLITS]
    assert sum(counts) == 6000
    assert np.abs(np.array(counts) / 6000 - [0.7, 0.15, 0.15]).max() < 0.03


def test_ids_of_both_forms_are_packed(tmp_path: Path) -> None:
    name = next(f"{k:08x}-0" for k in range(99) if draw_split(f"{k:08x}") == "train")
    root = write_bdd100k(tmp_path, {"val": [name]})
    ids = np.arange(40 * 40, dtype=np.uint16).reshape(40, 40) % 41
    labels = {"bdd100k": (ids, "_id.png"), "bdd100k_19": (np.where(ids > 18, 255, ids), "_train_id.png")}
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(root / f"bdd100k/seg/images/val/{name}.jpg")
    for label, ending in labels.values():
        Image.fromarray(label.astype(np.uint8)).save(root / f"bdd100k/seg/labels/val/{name}{ending}")
    write_manifest(root / "manifest.json", {})
    for layout, (label, _) in labels.items():
        pack_split(root / "manifest.json", describe(layout), "train", 40, 40, tmp_path / layout)
        assert (memory_map(tmp_path / f"{layout}.json", "labels")[0] == label).all()
