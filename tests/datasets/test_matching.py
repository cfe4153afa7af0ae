"""Patterns of files: which files match, how images and labels pair up, and which split they are in."""

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg.config.description import Description, describe
from seg.datasets.classes import class_table
from seg.datasets.images import read_pair
from seg.datasets.lists import read_list
from seg.datasets.matching import files_read, find_pairs, match_pairs
from seg.datasets.patterns import ENDINGS, compile_pattern, find_matches
from seg.datasets.splits import SPLITS, draw_split, group_of, halve

NAMES = {"train": ["train", "training"], "val": ["val", "valid"], "test": ["test"]}


def write_files(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def describe_files(images: str, labels: str, **keys: object) -> Description:
    return Description.model_validate({"images": images, "labels": labels, **keys})


def found(description: Description, root: Path, split: str = "train") -> dict[str, tuple[str, str]]:
    """Image and label of each pair, relative to the dataset's directory, by name."""
    return {
        pair.name: (pair.image.relative_to(root).as_posix(), pair.label.relative_to(root).as_posix())
        for pair in find_pairs(description, root, split)  # type: ignore[arg-type]
    }


# Patterns


@pytest.mark.parametrize(
    ("pattern", "file", "stem", "parent", "split"),
    [
        ("images/{stem}.png", "images/a.png", "a", "", ""),
        ("images/{stem}.png", "images/a.PNG", "a", "", ""),
        ("images/*.png", "images/a b.png", "a b", "", ""),
        ("images/{stem}.*", "images/a.v2.JPeG", "a.v2", "", ""),
        ("imgs/**/*.jpg", "imgs/a.jpg", "a", "", ""),
        ("imgs/**/*.jpg", "imgs/day/1/a.jpg", "a", "day/1", ""),
        ("{parent}/img/{stem}.tif", "clip 3/b/img/7.tif", "7", "clip 3/b", ""),
        ("{split}/images/{stem}.*", "valid/images/a.webp", "a", "", "val"),
        ("{split}/x_{split}/{stem}.png", "train/x_train/a.png", "a", "", "train"),
        ("gt/*/{stem}_gt.png", "gt/ulm/a_1_gt.png", "a_1", "", ""),
        ("gt/{stem:[0-9]+}_id.png", "gt/12_id.png", "12", "", ""),
        ("images/{stem}.*", "images/e\u0301.png", "\u00e9", "", ""),  # as macOS writes it
    ],
)
def test_a_file_that_matches(pattern: str, file: str, stem: str, parent: str, split: str) -> None:
    [match] = find_matches(pattern, [file], NAMES)  # type: ignore[arg-type]
    assert (match.file, match.stem, match.parent, match.split) == (file, stem, parent, split)


@pytest.mark.parametrize(
    ("pattern", "file"),
    [
        ("images/{stem}.png", "images/a.jpg"),
        ("images/{stem}.png", "images/b/a.png"),
        ("images/{stem}.png", "x/images/a.png"),
        ("images/{stem}.*", "images/a.txt"),
        ("{split}/{stem}.png", "other/a.png"),
        ("{split}/x_{split}/{stem}.png", "train/x_val/a.png"),
        ("gt/{stem:[0-9]+}_id.png", "gt/12_train_id.png"),
        ("a+b/{stem}.png", "aab/x.png"),
    ],
)
def test_a_file_that_does_not_match(pattern: str, file: str) -> None:
    assert find_matches(pattern, [file], NAMES) == []  # type: ignore[arg-type]


@given(
    st.text(st.characters(exclude_characters="/\n\r", exclude_categories=["Cs"]), min_size=1), st.sampled_from(ENDINGS)
)
def test_any_name_is_found_again(stem: str, ending: str) -> None:
    match = compile_pattern("images/{stem}.*", []).fullmatch(f"images/{stem}.{ending.upper()}")
    assert match
    assert match["stem"] == stem


@pytest.mark.parametrize("pattern", ["/abs/*.png", "../x/*.png", "a\\b.png", "a/{}.png", "a/{no name}.png"])
def test_patterns_that_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Description(images=[pattern])


# Pairs


@pytest.mark.parametrize("suffix", ["", "_mask", "_label", "_labels", "_gt", "_seg"])
@pytest.mark.parametrize("folders", ["images labels", "images/train labels/train", "train/images train/labels"])
def test_common_arrangements_are_recognised(tmp_path: Path, suffix: str, folders: str) -> None:
    images, labels = folders.split()
    write_files(tmp_path, *(f"{images}/{k}.jpg" for k in range(20)), *(f"{labels}/{k}{suffix}.PNG" for k in range(20)))
    pairs = found(Description(), tmp_path)
    expected = [str(k) for k in range(20) if "train" in folders or draw_split(str(k)) == "train"]
    assert pairs == {k: (f"{images}/{k}.jpg", f"{labels}/{k}{suffix}.PNG") for k in expected}


def test_labels_in_directories_like_the_images(tmp_path: Path) -> None:
    write_files(tmp_path, "img/a/1.png", "img/b/1.png", "gt/a/1.png", "gt/b/1.png", "train.txt")
    (tmp_path / "train.txt").write_text("a/1\nb/1\n")
    assert found(describe_files("img/**/*.png", "gt/**/*.png"), tmp_path) == {
        "a/1": ("img/a/1.png", "gt/a/1.png"),
        "b/1": ("img/b/1.png", "gt/b/1.png"),
    }


def test_names_that_directories_tell_apart_are_refused_without_them(tmp_path: Path) -> None:
    write_files(tmp_path, "img/a/1.png", "img/b/1.png", "gt/1.png")
    with pytest.raises(ValueError, match=r"img/b/1\.png: has the same name as img/a/1\.png; rename one, or give"):
        find_pairs(describe_files("img/**/*.png", "gt/{stem}.png"), tmp_path, "train")


def test_labels_of_all_splits_in_one_directory(tmp_path: Path) -> None:
    write_files(tmp_path, "train/1.jpg", "train/2.jpg", "valid/3.jpg", *(f"gt/{k}_mask.png" for k in (1, 2, 3)))
    description = describe_files("{split}/{stem}.jpg", "gt/{stem}_mask.png")
    assert list(found(description, tmp_path)) == ["1", "2"]
    assert list(found(description, tmp_path, "val")) == ["3"]


def test_system_files_do_not_count(tmp_path: Path) -> None:
    write_files(tmp_path, *(f"images/{name}" for name in ("._1.png", ".DS_Store", "Thumbs.db", "desktop.ini", "1.png")))
    write_files(tmp_path, "labels/1.png", "labels/._1.png", "train.txt")
    (tmp_path / "train.txt").write_text("1")
    assert list(found(Description(), tmp_path)) == ["1"]


def test_names_that_differ_in_their_normal_form_are_the_same(tmp_path: Path) -> None:
    write_files(tmp_path, "images/caf\u00e9.png", "labels/cafe\u0301.png")
    (tmp_path / "train.txt").write_text("caf\u00e9\n")
    assert list(found(Description(), tmp_path)) == ["caf\u00e9"]


def test_a_group_is_never_divided(tmp_path: Path) -> None:
    names = [f"patient{k}-{frame}" for k in range(60) for frame in range(3)]
    write_files(tmp_path, *(f"{kind}/{name}.png" for kind in ("images", "labels") for name in names))
    description = Description(group="(patient[0-9]+)-")
    splits = {split: match_pairs(description, tmp_path, split)[0] for split in ("train", "val", "test")}  # type: ignore[arg-type]
    assert sum(map(len, splits.values())) == len(names)
    groups = [{pair.group for pair in pairs} for pairs in splits.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 60


def test_a_group_that_matches_no_name_is_refused(tmp_path: Path) -> None:
    """Else the images of a patient would be divided without a word."""
    write_files(tmp_path, *(f"{kind}/p{k:02}.png" for kind in ("images", "labels") for k in range(30)))
    _, (problem,) = match_pairs(Description(group="(patient[0-9]+)-"), tmp_path, "train")
    assert re.search(r"group '\(patient\[0-9\]\+\)-' matches no name, such as p\d\d; correct it$", problem)


@pytest.mark.parametrize(
    ("expression", "name", "group"),
    [("(.*)_", "a_b_1", "a_b"), ("^[^_]+", "a_b_1", "a"), ("(x)?a", "ab", ""), ("z", "a", ""), (None, "a", "")],
)
def test_the_group_of_a_name(expression: str | None, name: str, group: str) -> None:
    assert group_of(expression, name) == group


# Lists


@pytest.mark.parametrize(
    "content",
    [
        b"a 1\nb\n",
        b"a 1.png\r\nb.png\r\n",
        b"\xef\xbb\xbfa 1  \n\n  b\t\n",
        "a 1\nb\n".encode("utf-16"),
        b"images/a 1.png,labels/a 1.png\nimages/b.png,labels/b.png\n",
        b"image;label\na 1.png;x\nb.png;y\n",
        b'"a 1.png","x"\n"b.png","y"\n',
        b".\\images\\a 1.png\nimages\\b.png\n",
        b"a 1\nb 1\n",
    ],
)
def test_lists_as_people_write_them(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "train.txt").write_bytes(content)
    assert read_list(tmp_path / "train.txt", {"a 1", "b"}) == ["a 1", "b"]


def test_endings_of_lists_in_any_letter_case(tmp_path: Path) -> None:
    write_files(tmp_path, *(f"{kind}/{name}.jpg" for kind in ("images", "labels") for name in "abc"))
    (tmp_path / "A.CSV").write_text("image\na\nb\n")
    (tmp_path / "B.TXT").write_text("c\n")
    description = Description().merged(splits={"lists": {"train": ["A.CSV"], "val": ["B.TXT"]}})
    assert [list(found(description, tmp_path, split)) for split in ("train", "val")] == [["a", "b"], ["c"]]


def test_a_list_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(ValueError, match=r"train\.txt: is neither UTF-8 nor UTF-16 \(.*\); save it as UTF-8"):
        read_list(tmp_path / "train.txt", {"a"})


def test_names_that_do_not_exist_are_kept(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a\nmissing.png\n")
    assert read_list(tmp_path / "train.txt", {"a"}) == ["a", "missing"]


# What would lose images, or let splits overlap


def test_a_name_in_two_pooled_splits_is_refused(tmp_path: Path) -> None:
    write_files(tmp_path, *(f"{split}/{kind}/0.png" for split in ("train", "val") for kind in ("images", "labels")))
    description = Description.model_validate({"splits": {"draw": ["train", "val"]}})
    with pytest.raises(ValueError, match=r"val/images/0\.png: has the same name as train/images/0\.png"):
        find_pairs(description, tmp_path, "train")


def test_one_label_of_two_images_is_refused(tmp_path: Path) -> None:
    write_files(tmp_path, "images/train/0.png", "images/val/0.png", "labels/0.png")
    with pytest.raises(
        ValueError, match=r"labels/0\.png: is the label of images/train/0\.png and of images/val/0\.png"
    ):
        find_pairs(Description(), tmp_path, "train")


def test_lists_in_a_directory_may_not_overlap(tmp_path: Path) -> None:
    write_files(tmp_path, *(f"{kind}/{k}.png" for kind in ("images", "labels") for k in range(4)))
    (tmp_path / "lists").mkdir()
    for split, names in {"train": "0\n1\n2", "val": "2"}.items():
        (tmp_path / f"lists/{split}.txt").write_text(names)
    description = Description.model_validate({"splits": {"lists": "lists/{split}.txt"}})
    with pytest.raises(ValueError, match=r"'2' is listed in lists/train\.txt and in lists/val\.txt; keep one"):
        find_pairs(description, tmp_path, "train")


def test_labels_divide_images_of_one_directory(tmp_path: Path) -> None:
    write_files(tmp_path, "images/0.png", "images/1.png", "labels/train/0.png", "labels/val/1.png")
    description = describe_files("images/{stem}.png", "labels/{split}/{stem}.png")
    assert list(found(description, tmp_path)) == ["0"]
    assert list(found(description, tmp_path, "val")) == ["1"]


def test_files_at_the_top_and_names_with_brackets(tmp_path: Path) -> None:
    write_files(tmp_path, "a.jpg", "a.png", "train.txt", "imgs [1]/b.png", "gt [1]/b.png")
    (tmp_path / "train.txt").write_text("a")
    description = describe_files("{stem}.jpg", "{stem}.png")
    assert list(found(description, tmp_path)) == ["a"]
    assert files_read(description, tmp_path) == ["a.jpg", "a.png", "train.txt"]
    brackets = describe_files("imgs [1]/*.png", "gt [1]/*.png")
    assert files_read(brackets, tmp_path) == ["gt [1]/b.png", "imgs [1]/b.png", "train.txt"]


def test_names_of_splits_in_any_case_and_with_the_usual_ones(tmp_path: Path) -> None:
    write_files(tmp_path, "Train/images/0.png", "Train/labels/0.png", "Dev/images/1.png", "Dev/labels/1.png")
    description = Description.model_validate({"splits": {"names": {"val": ["dev"]}}})
    assert list(found(description, tmp_path)) == ["0"]
    assert list(found(description, tmp_path, "val")) == ["1"]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 99)), unique=True, min_size=2, max_size=40))
def test_halves_divide_no_group(pairs: list[tuple[int, int]]) -> None:
    halves = halve([f"{group}_{k}" for group, k in pairs], lambda name: name.partition("_")[0])
    groups = [{name.partition("_")[0] for name in names} for names in halves.values()]
    assert not groups[0] & groups[1]
    assert sum(map(len, halves.values())) == len(pairs)


@pytest.mark.parametrize(
    "content",
    [
        "name,split\na.jpg,train\nb.jpg,valid\nc.jpg,Test\n",
        "\ufeffsplit;image\r\ntrain;images/a.jpg\r\nval;b\r\ntest;c\r\n",
        "id\tfile\tsplit\n1\ta.jpg\ttraining\n2\tb.jpg\tval\n3\tc.jpg\ttest\n4\td.jpg\t\n",
    ],
)
@pytest.mark.parametrize("lists", [None, "split.csv"])
def test_a_table_of_splits(tmp_path: Path, content: str, lists: str | None) -> None:
    write_files(tmp_path, *(f"{kind}/{name}.jpg" for kind in ("images", "labels") for name in "abcd"))
    (tmp_path / "split.csv").write_text(content)
    description = Description().merged(splits={"lists": lists}) if lists else Description()
    assert [list(found(description, tmp_path, split)) for split in ("train", "val", "test")] == [["a"], ["b"], ["c"]]
    assert "split.csv" in files_read(description, tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,part\na,1\n", r"split\.csv: got the columns 'name,part', expected a column of splits .+; correct it"),
        ("name,split\nx,train\n", r"split\.csv: got the columns 'name,split', expected .+ one of the images' names"),
        ("name,split\na,train\na,test\n", r"'a' is listed in split\.csv and in split\.csv; keep one"),
    ],
)
def test_a_table_without_splits_is_refused(tmp_path: Path, content: str, message: str) -> None:
    write_files(tmp_path, "images/a.jpg", "labels/a.png")
    (tmp_path / "split.csv").write_text(content)
    with pytest.raises(ValueError, match=message):
        match_pairs(Description(), tmp_path, "train")


def test_a_broken_link_is_named(tmp_path: Path) -> None:
    write_files(tmp_path, "images/a.jpg", "labels/a.png")
    (tmp_path / "images/a.jpg").unlink()
    (tmp_path / "images/a.jpg").symlink_to("gone.jpg")
    _, [line] = match_pairs(Description(), tmp_path, draw_split("a"))
    assert line == f"{tmp_path}/images/a.jpg: a link to gone.jpg, where no file is; correct or remove it"


def test_a_label_of_two_splits_beside_one_image_is_refused(tmp_path: Path) -> None:
    write_files(tmp_path, "images/a.jpg", "labels/train/a.png", "labels/val/a.png")
    with pytest.raises(
        ValueError, match=r"images/a\.jpg: is the image of labels/train/a\.png and of labels/val/a\.png"
    ):
        match_pairs(describe_files("images/*.jpg", "labels/{split}/{stem}.png"), tmp_path, "train")


def test_line_breaks_in_names_are_escaped(tmp_path: Path) -> None:
    write_files(tmp_path, "images/a\nb.jpg", "images/c\nd.jpg", "labels/c\nd.png", "labels/e\nf.png", "train.txt")
    description = describe_files("images/*.jpg", "labels/{stem}.png", group="(.)")
    (tmp_path / "train.txt").unlink()
    lines, pairs = [], []
    for split in SPLITS:
        with suppress(ValueError):
            some, problems = match_pairs(description, tmp_path, split)
            pairs, lines = [*pairs, *some], [*lines, *problems]
    with pytest.raises(ValueError, match=r"images/c\\nd\.jpg: cannot be decoded") as caught:
        read_pair(pairs[0], class_table(describe("camvid")))
    lines += str(caught.value).split("\n")
    assert len(lines) == 4
    assert all(re.search(r"/[ace]\\n[bdf]\.(jpg|png): ", line) for line in lines)
