"""A user's own images: classes.yaml, lists, and splits by name."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from seg.config.description import describe
from seg.data.pack import pack_split
from seg.data.pack_format import memory_map
from seg.datasets import IGNORE
from seg.datasets.classes import class_table
from seg.datasets.manifest import write_manifest
from seg.datasets.matching import find_pairs
from seg.datasets.splits import draw_split

SPLITS = ("train", "val", "test")


def table_of(root: Path, text: str):  # type: ignore[no-untyped-def]
    (root / "classes.yaml").write_text(text)
    return class_table(describe("folder"), root)


def errors_of(root: Path, text: str) -> list[str]:
    with pytest.raises(ValueError, match=r"classes\.yaml") as caught:
        table_of(root, text)
    return [line.removeprefix(f"{root}/classes.yaml: ") for line in str(caught.value).splitlines()]


def write_files(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


# classes.yaml


def test_a_list_of_names(tmp_path: Path) -> None:
    table = table_of(tmp_path, "- background\n- crack\n- rust\n")
    assert table.names == table.ids == ("background", "crack", "rust")
    assert table.palette == ((0, 0, 0), (128, 0, 0), (0, 128, 0))
    assert table.ignored == ()


def test_colours_are_given_or_found_and_never_twice(tmp_path: Path) -> None:
    text = "classes: [ground, {name: crack, colour: [0, 0, 0]}, rust, {name: bolt, colour: [9, 8, 7]}]\nignore: 255\n"
    table = table_of(tmp_path, text)
    assert table.palette == ((128, 0, 0), (0, 0, 0), (0, 128, 0), (9, 8, 7))
    assert (table.scored, table.ignored) == ((0, 1, 2, 3), (255,))


def test_an_ignored_id_of_the_list_is_not_scored(tmp_path: Path) -> None:
    table = table_of(tmp_path, "classes: [void, crack, rust]\nignore: 0\n")
    assert (table.names, table.scored, table.ignored) == (("crack", "rust"), (1, 2), ())
    assert table.train_ids()[:4].tolist() == [IGNORE, 0, 1, IGNORE]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "classes: got None, expected a list such as '- background'"),
        ("classes: crack", "classes: got 'crack', expected a list such as '- background'"),
        ("[crack]", "classes: got 1, expected 2 to 255"),
        ("[a, no]", "class 1: got name False, expected text; put numbers and words such as no in quotes"),
        ("[a, 7]", "class 1: got name 7, expected text; put numbers and words such as no in quotes"),
        ("[a, b, a]", "class 2: name 'a' is already used by class 0; rename one"),
        ("[a, {name: b, color: [1, 2, 3]}]", "class 1: unknown key 'color'; known are name, colour"),
        (
            "[a, {name: b, colour: [1, 2, 256]}]",
            "class 1: got colour [1, 2, 256], expected red, green and blue such as [220, 20, 60]",
        ),
        (
            "[{name: a, colour: [1, 2, 3]}, {name: b, colour: [1, 2, 3]}]",
            "class 1: colour [1, 2, 3] is already used by class 0; choose another",
        ),
        ("classes: [a, b]\nignore: 256", "ignore: got 256, expected an id from 0 to 255"),
        ("classes: [a, b]\nignored: 255", "unknown key 'ignored'; known are classes, ignore"),
    ],
)
def test_errors_in_classes_yaml_are_reported(tmp_path: Path, text: str, line: str) -> None:
    assert errors_of(tmp_path, text) == [line]


def test_all_errors_are_reported_at_once(tmp_path: Path) -> None:
    assert len(errors_of(tmp_path, "classes: [a, 3, a, {name: b, colour: red}]\nignore: -1\nsize: 3")) == 5


def test_a_missing_or_broken_classes_yaml(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"classes\.yaml: missing; create it with the names of the classes"):
        class_table(describe("folder"), tmp_path)
    (tmp_path / "classes.yaml").write_text("[a, b")
    with pytest.raises(ValueError, match=r"classes\.yaml, line 1, column 6: a comma or a bracket is missing") as caught:
        class_table(describe("folder"), tmp_path)
    assert "\n" not in str(caught.value)


# Files and splits


def test_lists_make_the_splits(tmp_path: Path) -> None:
    images = ["images/a.png", "images/b.JPG", "images/c.jpeg", "images/d.bmp", "images/e.tif", "images/unlisted.png"]
    write_files(tmp_path, *images, "images/notes.txt", "images/.a.png", *(f"labels/{name}.png" for name in "abcde"))
    (tmp_path / "train.txt").write_bytes(b"\xef\xbb\xbfa\r\n\r\nb \r\nc\r\n")
    (tmp_path / "val.txt").write_text("d\ne")
    assert [(pair.name, pair.image.name) for pair in find_pairs(describe("folder"), tmp_path, "train")] == [
        ("a", "a.png"),
        ("b", "b.JPG"),
        ("c", "c.jpeg"),
    ]
    assert [pair.label.name for pair in find_pairs(describe("folder"), tmp_path, "val")] == ["d.png", "e.png"]
    with pytest.raises(ValueError, match="no image in split 'test'"):
        find_pairs(describe("folder"), tmp_path, "test")


def test_listed_names_without_files_are_reported_at_once(tmp_path: Path) -> None:
    write_files(tmp_path, "images/a.png", "labels/a.png", "images/b.png")
    (tmp_path / "train.txt").write_text("a\nb\nc\n")
    with pytest.raises(ValueError, match="missing") as caught:
        find_pairs(describe("folder"), tmp_path, "train")
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == [
        f"{tmp_path}/images/c.*",
        f"{tmp_path}/labels/b.png",
        f"{tmp_path}/labels/c.png",
    ]


def test_a_name_may_be_listed_only_once(tmp_path: Path) -> None:
    write_files(tmp_path, *(f"{kind}/{name}.png" for kind in ("images", "labels") for name in "abc"))
    (tmp_path / "train.txt").write_text("a\nb\nb\n")
    (tmp_path / "test.txt").write_text("c\na\n")
    with pytest.raises(ValueError, match="listed") as caught:
        find_pairs(describe("folder"), tmp_path, "train")
    assert str(caught.value).splitlines() == [
        f"{tmp_path}: 'a' is listed in train.txt and in test.txt; keep one",
        f"{tmp_path}: 'b' is listed in train.txt and in train.txt; keep one",
    ]


def test_two_images_of_one_name(tmp_path: Path) -> None:
    write_files(tmp_path, "images/a.png", "images/a.jpg", "labels/a.png")
    with pytest.raises(ValueError, match=r"images/a\.png: has the same name as a\.jpg; remove or rename one"):
        find_pairs(describe("folder"), tmp_path, draw_split("a"))


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(old=st.sets(st.integers(0, 10**6), max_size=15), new=st.sets(st.integers(0, 10**6), min_size=1, max_size=15))
def test_without_lists_splits_cover_all_images_and_do_not_change(
    tmp_path_factory: pytest.TempPathFactory, old: set[int], new: set[int]
) -> None:
    root = tmp_path_factory.mktemp("folder")
    found = []
    for numbers in (old, new):
        write_files(root, *(f"{kind}/{k}.png" for kind in ("images", "labels") for k in numbers))
        found.append({split: {pair.name for pair in pairs(root, split)} for split in SPLITS})
    before, after = found
    assert sum(map(len, after.values())) == len(old | new)
    assert set.union(*after.values()) == {str(k) for k in old | new}
    assert all(before[split] <= after[split] for split in SPLITS)


def pairs(root: Path, split: str) -> list:  # type: ignore[type-arg]
    try:
        return find_pairs(describe("folder"), root, split)
    except ValueError as error:
        if "select other splits" in str(error) or "no image in split" in str(error):  # few names may leave one empty
            return []
        raise


def test_an_empty_split_is_reported_with_what_to_do(tmp_path: Path) -> None:
    write_files(tmp_path, "images/a.png", "labels/a.png")
    empty = next(split for split in SPLITS if split != draw_split("a"))
    message = (
        f"split '{empty}' is empty, the hashes of all 1 names select other splits; "
        "add images, or create the lists train.txt, val.txt and test.txt"
    )
    with pytest.raises(ValueError, match=message):
        find_pairs(describe("folder"), tmp_path, empty)


def test_a_pack_knows_the_folders_own_classes(tmp_path: Path) -> None:
    table_of(tmp_path, "classes: [background, crack]\nignore: 9\n")
    label = np.array([[0, 1], [9, 1]], np.uint8)
    for kind, pixels in (("images", label), ("labels", label)):
        (tmp_path / kind).mkdir()
        Image.fromarray(pixels).save(tmp_path / kind / "a.png")
    (tmp_path / "train.txt").write_text("a")
    write_manifest(tmp_path / "manifest.json", {"name": "mine"})
    pack_split(tmp_path / "manifest.json", describe("folder"), "train", 2, 2, tmp_path / "packs/train")
    assert memory_map(tmp_path / "packs/train.json", "labels")[0].tolist() == [[0, 1], [IGNORE, 1]]
