"""`seg init`: the description of a directory, guessed from its files."""

import errno
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import tifffile
import yaml
from own_data import CLASSES, COUNT, KINDS, save, truth, write_images
from PIL import Image, ImageDraw

from seg.config.description import Description
from seg.datasets.classes import class_table
from seg.datasets.images import read_pair_label
from seg.datasets.lists import read_list, read_split_table
from seg.datasets.matching import match_pairs
from seg.datasets.splits import SPLITS
from seg.doctor.examine import examine
from seg.recognition.class_names import named_classes
from seg.recognition.recognise import recognise, rows_for_params


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_label_is_read_as_it_was_written(tmp_path: Path, kind: str) -> None:
    KINDS[kind](tmp_path)
    found = recognise(tmp_path)
    rows = yaml.safe_load(rows_for_params("cracks", found))
    description = Description.model_validate(
        {key: value for key, value in rows["datasets"]["cracks"].items() if key in Description.model_fields}
    )
    table = class_table(description, tmp_path)
    pairs = [pair for split in SPLITS for pair in match_pairs(description, tmp_path, split)[0]]
    assert len(pairs) == COUNT
    order = [0, 1, 2] if kind != "yolo" else [2, 0, 1]  # YOLO's background is the last class
    for pair in pairs[:5]:
        expected = truth(int(pair.name))
        expected = np.minimum(expected, 1) if kind == "binary" else expected
        values = read_pair_label(pair, table)
        if kind == "colours":  # in the order of the colours
            order = [0, 2, 1]
        assert np.array_equal(values, np.array(order)[expected])
    assert found.size == (64, 96)


@pytest.mark.parametrize("kind", ["coco", "labelme", "yolo"])
def test_a_byte_order_mark_before_labels_changes_nothing(tmp_path: Path, kind: str) -> None:
    KINDS[kind](tmp_path)
    (tmp_path / "classes.txt").unlink(missing_ok=True)
    plain = recognise(tmp_path)
    for file in [*tmp_path.glob("**/*.json"), *tmp_path.glob("labels/*.txt")]:
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert recognise(tmp_path) == plain


def test_names_of_classes_are_those_of_the_files(tmp_path: Path) -> None:
    for kind in ("coco", "labelme"):
        (tmp_path / kind).mkdir()
        KINDS[kind](tmp_path / kind)
        assert recognise(tmp_path / kind).keys["classes"] == list(CLASSES)
    KINDS["ids"](tmp_path / "ids")
    (tmp_path / "ids/classes.txt").write_text("\n".join(CLASSES))
    found = recognise(tmp_path / "ids")
    assert found.keys["classes"] == list(CLASSES)
    assert found.unknown == []


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    KINDS["gaps"](tmp_path)
    text = rows_for_params("cracks", recognise(tmp_path))
    assert "# not known: names of the classes" in text
    assert "# assumed: label values 0, 100, 200" in text
    assert "# assumed: no lists of splits: the hash of each name or group selects it, 70:15:15" in text


def test_directories_of_splits(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        KINDS["binary"](tmp_path / split)
    found = recognise(tmp_path)
    assert (found.keys["images"], found.keys["labels"]) == ("{split}/photos/{stem}.png", "{split}/masks/{stem}.png")
    assert "directories are the splits" in found.assumed


def test_directories_that_may_be_splits(tmp_path: Path) -> None:
    for split in ("train", "dev", "eval"):
        KINDS["binary"](tmp_path / split)
    found = recognise(tmp_path)
    hint = f"whether 'eval' ({COUNT} images) is a split: if so, add it, as in `splits: {{names: {{test: [eval]}}}}`"
    assert (found.eval_split, found.unknown[-1]) == ("val", hint)
    description = Description().merged(**found.keys, splits={"names": {"test": ["eval"]}})
    assert [len(match_pairs(description, tmp_path, split)[0]) for split in SPLITS] == [COUNT] * 3


def test_frames_of_one_clip_stay_together(tmp_path: Path) -> None:
    write_images(tmp_path, "images/clip_{k:03}.png")
    for k in range(COUNT):
        (tmp_path / f"images/clip_{k:03}.png").rename(tmp_path / f"images/clip{k // 8}_{k:03}.png")
        (tmp_path / "labels").mkdir(exist_ok=True)
        (tmp_path / f"labels/clip{k // 8}_{k:03}.txt").write_text("0 0.1 0.1 0.5 0.1 0.5 0.5\n")
    assert recognise(tmp_path).keys["group"] == r"(.*)[_-]\d+$"


def test_a_shipped_layout_is_recognised(camvid_root: Path) -> None:
    assert recognise(camvid_root).keys == {"layout": "camvid"}


@pytest.mark.parametrize("kind", ["nothing", "images alone"])
def test_directories_that_are_no_dataset(tmp_path: Path, kind: str) -> None:
    if kind == "images alone":
        write_images(tmp_path, "images/{k:03}.png")
    with pytest.raises(ValueError, match="no images" if kind == "nothing" else "no labels of the 40 images"):
        recognise(tmp_path)


@pytest.mark.parametrize(
    ("names", "eval_split", "splits"),
    [
        (["train", "val", "test"], "test", None),
        (["Train", "Valid"], "val", None),
        (["train"], "test", {"draw": ["train"]}),
        (["train", "test"], "test", {"hold_out": 0.15}),
    ],
)
def test_the_scored_split_exists(
    tmp_path: Path, names: list[str], eval_split: str, splits: dict[str, list[str]] | None
) -> None:
    write_images(tmp_path, "flat/{k:03}.png")
    for k, file in enumerate(sorted((tmp_path / "flat").iterdir())):
        image = tmp_path / names[k % len(names)] / "images" / file.name
        image.parent.mkdir(parents=True, exist_ok=True)
        file.rename(image)
        save(image.parents[1] / "labels" / file.name, truth(k))
    found = recognise(tmp_path)
    assert (found.eval_split, found.keys.get("splits")) == (eval_split, splits)
    description = Description().merged(**found.keys)
    assert all(match_pairs(description, tmp_path, split)[0] for split in ("train", "val", eval_split))


def test_the_range_and_bands_of_images_are_suggested(tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for k in range(3):
        bands = np.full((40, 60, 4), 3000 + k, np.uint16)
        tifffile.imwrite(tmp_path / f"images/{k}.tif", bands, photometric="minisblack", planarconfig="contig")
        Image.fromarray(np.eye(40, 60, dtype=np.uint8)).save(tmp_path / f"masks/{k}.png")
    found = recognise(tmp_path)
    assert (found.keys["range"], found.keys["channels"]) == ([0, 4095], 4)
    assert found.size == (32, 64)


def test_the_range_is_that_of_images_from_the_whole_directory(tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for k in range(30):
        Image.fromarray(np.full((40, 60), 3000 if k < 15 else 60000, np.uint16)).save(tmp_path / f"images/{k:02}.png")
        Image.fromarray(np.eye(40, 60, dtype=np.uint8)).save(tmp_path / f"masks/{k:02}.png")
    assert recognise(tmp_path).keys["range"] == [0, 65535]


def _labelled(root: Path, *labels: Image.Image, ending: str = "png") -> None:
    """Images with labels in `labels`, which are repeated."""
    write_images(root, "images/{k:03}.png")
    (root / "labels").mkdir()
    for k in range(COUNT):
        labels[k % len(labels)].save(root / f"labels/{k:03}.{ending}")


def _disc(radius: int) -> Image.Image:
    """A disc without shades, four times as large as a label."""
    image = Image.new("L", (384, 256))
    ImageDraw.Draw(image).circle((192, 128), radius, fill=255)
    return image


@pytest.mark.parametrize(("ending", "mode"), [("png", "L"), ("png", "RGB"), ("jpg", "L"), ("jpg", "RGB")])
def test_shades_of_black_and_white_masks_are_no_classes(tmp_path: Path, ending: str, mode: str) -> None:
    smooth = [_disc(radius).resize((96, 64), Image.Resampling.BILINEAR).convert(mode) for radius in (60, 100)]
    _labelled(tmp_path, *smooth, ending=ending)
    found = recognise(tmp_path)
    assert found.keys["classes"] == ["background", "foreground"]
    assert any("shades between the nearer of the two" in line for line in found.assumed)
    description = Description().merged(**found.keys)
    pair = match_pairs(description, tmp_path, "train")[0][0]
    values = read_pair_label(pair, class_table(description))
    assert values[32, 48] == 1
    assert values[0, 0] == 0


@pytest.mark.parametrize(
    ("values", "ignored", "classes"),
    [
        ([0, 1, 2, 255], 255, ["class 0", "class 1", "class 2"]),
        ([0, 5, 15, 255], 255, ["class 0", "class 5", "class 15"]),
        ([0, 128, 255], None, ["class 0", "class 128", "class 255"]),
    ],
)
def test_only_255_above_small_ids_is_a_border(
    tmp_path: Path, values: list[int], ignored: int | None, classes: list[str]
) -> None:
    pixels = np.zeros((64, 96), np.uint8)
    pixels.flat[: len(values)] = values
    _labelled(tmp_path, Image.fromarray(pixels))
    found = recognise(tmp_path)
    assert found.keys.get("ignore") == ignored
    assert list(found.keys.get("classes", found.keys.get("ids", {}).values())) == classes


def test_a_label_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    _labelled(tmp_path, Image.fromarray(np.eye(64, 96, dtype=np.uint8)))
    (tmp_path / "labels/000.png").write_bytes(b"no image")
    found = recognise(tmp_path)
    assert found.keys["classes"] == ["class 0", "class 1"]
    assert "what is in labels/000.png, which cannot be read: `seg doctor` tells why" in found.unknown


@pytest.mark.parametrize(
    ("modes", "message"),
    [
        (["LA"], "000.png: got mode LA, expected 8-bit ids"),
        (["F"], "000.tif: got values of type float32, expected whole numbers"),
        (["L", "RGB"], "has ids, but .* has colours; store all labels"),
    ],
)
def test_labels_that_the_reader_refuses_are_refused(tmp_path: Path, modes: list[str], message: str) -> None:
    label = Image.fromarray(np.eye(64, 96, dtype=np.uint8))
    _labelled(tmp_path, *[label.convert(mode) for mode in modes], ending="tif" if "F" in modes else "png")
    with pytest.raises(ValueError, match=message):
        recognise(tmp_path)


@pytest.mark.parametrize(
    ("images", "labels", "patterns"),
    [
        (["{k:03}.jpg"], "{k:03}_mask.png", ("all/{stem}.jpg", "all/{stem}_mask.png")),
        (["{k:03}.jpg"], "{k:03}.png", ("all/{stem}.jpg", "all/{stem}.png")),
        (["{k:03}.png"], "{k:03}_gt.png", ("all/{stem:(?:(?!_gt[.])[^/])+}.png", "all/{stem}_gt.png")),
        (
            ["{k:03}.png", "{k:03}.jpg"],
            "{k:03}-label.png",
            ("all/{stem:(?:(?!\\-label[.])[^/])+}.*", "all/{stem}-label.*"),
        ),
    ],
)
def test_images_and_labels_in_one_directory(
    tmp_path: Path, images: list[str], labels: str, patterns: tuple[str, str]
) -> None:
    for k in range(COUNT):
        save(tmp_path / "all" / images[k % len(images)].format(k=k), np.full((64, 96, 3), k, np.uint8))
        save(tmp_path / "all" / labels.format(k=k), truth(k))
    found = recognise(tmp_path)
    assert (found.keys["images"], found.keys["labels"]) == patterns
    description = Description().merged(**found.keys)
    pairs = [pair for split in SPLITS for pair in match_pairs(description, tmp_path, split)[0]]
    assert sorted(pair.name for pair in pairs) == [f"{k:03}" for k in range(COUNT)]


@pytest.mark.parametrize(
    ("alpha", "channels", "assumed", "dropped"),
    [
        (np.arange(2400).reshape(40, 60) % 200, 4, "the last band is data, though it is marked as transparency", [20]),
        (np.full((40, 60), 255), None, "transparency is not used; `channels: 4` would use it as a band", []),
        (255 * np.eye(40, 60), None, "transparency is not used; `channels: 4` would use it as a band", [20]),
    ],
)
def test_a_band_that_is_marked_as_transparency(
    tmp_path: Path, alpha: np.ndarray, channels: int | None, assumed: str, dropped: list[int]
) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for k in range(20):
        pixels = np.dstack([np.full((40, 60, 3), k), alpha]).astype(np.uint8)
        tifffile.imwrite(tmp_path / f"images/{k}.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
        Image.fromarray(np.eye(40, 60, dtype=np.uint8)).save(tmp_path / f"masks/{k}.png")
    found = recognise(tmp_path)
    assert found.keys.get("channels") == channels
    assert any(line.startswith(assumed) for line in found.assumed)
    keys = {key: value for key, value in found.keys.items() if key != "channels"}
    findings = examine(tmp_path, Description().merged(**keys)).findings
    assert [each.number for each in findings if each.kind == "dropped_band"] == dropped
    kept = examine(tmp_path, Description().merged(**keys, channels=channels or 3)).findings
    assert not [each for each in kept if each.kind == "dropped_band"]


def test_damaged_images_do_not_hide_the_range_of_the_others(tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for k in range(30):
        Image.fromarray(np.full((40, 60), 3000, np.uint16)).save(tmp_path / f"images/{k:02}.png")
        Image.fromarray(np.eye(40, 60, dtype=np.uint8)).save(tmp_path / f"masks/{k:02}.png")
    for k in (0, 29):
        (tmp_path / f"images/{k:02}.png").write_bytes(b"no image")
    assert recognise(tmp_path).keys["range"] == [0, 4095]


def test_few_clips_are_divided_by_folds(tmp_path: Path) -> None:
    for clip in ("a", "b", "c", "d"):
        KINDS["ids"](tmp_path / clip)
    keys = recognise(tmp_path).keys
    assert (keys["group"], keys["folds"]) == ("(.+)/", 4)
    described = Description().merged(**keys)
    for fold in range(4):
        pairs = {split: match_pairs(described.merged(fold=fold), tmp_path, split)[0] for split in SPLITS}
        assert [len(pairs[split]) for split in SPLITS] == [2 * COUNT, COUNT, COUNT]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("task-1-annotation-1-by-1-tag-crack-0.png", None, "masks of Label Studio, which do not name their images"),
        ("ds0/ann/000.png.json", "{}", "annotations of Supervisely; export masks, COCO, LabelMe or YOLO"),
        ("annotations.xml", "<annotations/>", "annotations in XML"),
    ],
)
def test_labels_of_other_tools_are_named(tmp_path: Path, file: str, content: str | None, message: str) -> None:
    write_images(tmp_path, "ds0/img/{k:03}.png")
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        Image.new("L", (96, 64)).save(tmp_path / file)
    else:
        (tmp_path / file).write_text(content)
    with pytest.raises(ValueError, match=f"is one of the {message}"):
        recognise(tmp_path)


@pytest.mark.parametrize(
    ("folder", "names", "eval_split", "splits"),
    [
        (".", ["train", "val", "test"], "test", None),
        (".", ["train", "valid"], "val", None),
        ("lists", ["train", "val", "test"], "test", {"lists": "lists/{split}.txt"}),
        ("lists", ["train", "valid"], "val", {"lists": "lists/{split}.txt"}),
        ("lists", ["train", "test"], "test", {"lists": "lists/{split}.txt", "hold_out": 0.15}),
    ],
)
def test_lists_of_splits(
    tmp_path: Path, folder: str, names: list[str], eval_split: str, splits: dict[str, str | float] | None
) -> None:
    KINDS["ids"](tmp_path)
    (tmp_path / folder).mkdir(exist_ok=True)
    for i, name in enumerate(names):
        numbers = range(i, COUNT, len(names))
        (tmp_path / folder / f"{name}.txt").write_text("".join(f"photos/{k:03}.png\n" for k in numbers))
    found = recognise(tmp_path)
    assert (found.eval_split, found.keys.get("splits")) == (eval_split, splits)
    description = Description().merged(**found.keys)
    assert all(match_pairs(description, tmp_path, split)[0] for split in ("train", "val", eval_split))


@pytest.mark.parametrize("name", ["a{1}", "a*b", "a\nb", "a\\b"])
def test_directories_whose_name_no_pattern_contains_are_refused(tmp_path: Path, name: str) -> None:
    KINDS["ids"](tmp_path / name)
    with pytest.raises(ValueError, match="which patterns cannot have; rename the directory") as caught:
        recognise(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_directory_without_rights_is_named(tmp_path: Path) -> None:
    KINDS["ids"](tmp_path)
    denied = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "masks"))
    with (
        patch("seg.recognition.recognise.list_files", side_effect=denied),  # root may read everything
        pytest.raises(ValueError, match="masks: Permission denied; give yourself access with chmod or chown"),
    ):
        recognise(tmp_path)


def test_a_table_of_the_training_images_divides_nothing(tmp_path: Path) -> None:
    KINDS["ids"](tmp_path)
    (tmp_path / "train.csv").write_text("id,rle\n" + "".join(f"{k:03},1 2\n" for k in range(0, COUNT, 2)))
    found = recognise(tmp_path)
    assert (found.keys["splits"], found.eval_split) == ({"draw": ["train"]}, "test")
    pairs = [match_pairs(Description().merged(**found.keys), tmp_path, split)[0] for split in SPLITS]
    assert sum(map(len, pairs)) == COUNT
    assert all(pairs)


def test_too_few_images_are_said(tmp_path: Path) -> None:
    for name in ("images/1.png", "images/2.png", "masks/1.png", "masks/2.png"):
        save(tmp_path / name, np.eye(64, dtype=np.uint8))
    assert "2 names or groups, which are too few for three splits: add images, or lists of splits" in (
        recognise(tmp_path).assumed
    )


def test_visits_of_a_patient_stay_together(tmp_path: Path) -> None:
    for patient in "abcd":
        for visit in ("first", "second"):
            KINDS["ids"](tmp_path / patient / visit)
    assert recognise(tmp_path).keys["group"] == "([^/]+)/"


def test_two_slices_of_a_patient_stay_together(tmp_path: Path) -> None:
    for k in range(COUNT):
        save(tmp_path / f"images/p{k // 2:02}/{k % 2}.png", np.full((8, 8, 3), k, np.uint8))
        save(tmp_path / f"masks/p{k // 2:02}/{k % 2}.png", np.eye(8, dtype=np.uint8))
    assert recognise(tmp_path).keys["group"] == "(.+)/"


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("labels.txt", "__ignore__\n_background_\ncat\ndog\n", ["_background_", "cat", "dog"]),
        ("data.yaml", "names: {0: cat, 1: dog}\n", ["cat", "dog"]),
        ("data.yaml", "names: {1: cat, 2: dog}\n", None),  # ids with gaps, which a list cannot give
    ],
)
def test_names_of_classes_keep_their_ids(tmp_path: Path, file: str, content: str, expected: list[str] | None) -> None:
    (tmp_path / file).write_text(content)
    found = named_classes(tmp_path, [file])
    assert (found.names if found else None) == expected


def test_two_columns_of_splits_are_refused(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("image,source,split\na,train,train\nb,train,test\n")
    with pytest.raises(ValueError, match="got several columns of splits, expected one; remove the others"):
        read_split_table(tmp_path / "split.csv", {"a", "b"}, {"train": ["train"], "val": ["val"], "test": ["test"]})


def test_the_index_of_pandas_is_no_name(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(",image\n0,7\n1,8\n2,9\n")
    assert read_list(tmp_path / "train.csv", {str(k) for k in range(10)}) == ["7", "8", "9"]
