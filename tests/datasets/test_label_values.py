"""Label files as people have them: ids with gaps, binary masks, colours, 16 and 32 bits, offsets."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from cityscapesscripts.helpers import labels as official
from PIL import Image

from seg.config.description import Description, complete, describe, read_description
from seg.datasets import IGNORE
from seg.datasets.classes import ClassTable, class_table
from seg.datasets.images import read_label


def table_of(**keys: Any) -> ClassTable:
    return class_table(Description.model_validate(keys))


def write_label(path: Path, pixels: list[list[Any]], dtype: Any = np.uint8) -> Path:
    Image.fromarray(np.array(pixels, dtype)).save(path)
    return path


def train_ids(path: Path, table: ClassTable, encoding: str | None = None) -> list[list[int]]:
    positions: list[list[int]] = table.train_ids()[read_label(path, table, encoding)].tolist()
    return positions


def test_ids_with_gaps(tmp_path: Path) -> None:
    table = table_of(ids={0: "wall", 100: "crack"}, ignore=[255])
    assert table.names == ("wall", "crack")
    assert train_ids(write_label(tmp_path / "a.png", [[0, 100, 255]]), table) == [[0, 1, IGNORE]]


def test_several_ids_of_one_class(tmp_path: Path) -> None:
    table = table_of(classes=["wall", "crack"], ids={0: "wall", 1: "crack", 2: "crack", 7: "wall"})
    assert train_ids(write_label(tmp_path / "a.png", [[0, 1, 2, 7]]), table) == [[0, 1, 1, 0]]


def test_a_class_that_is_not_scored(tmp_path: Path) -> None:
    table = table_of(classes=["wall", "void", "crack"], ignore="void")
    assert table.names == ("wall", "crack")
    assert train_ids(write_label(tmp_path / "a.png", [[0, 1, 2]]), table) == [[0, IGNORE, 1]]


def test_a_binary_mask(tmp_path: Path) -> None:
    table = table_of(ids={0: "wall", 255: "crack"})
    assert train_ids(write_label(tmp_path / "a.png", [[0, 255]]), table) == [[0, 1]]


def test_a_mask_of_one_bit(tmp_path: Path) -> None:
    path = write_label(tmp_path / "a.png", [[False, True, True]], bool)
    with Image.open(path) as file:
        assert file.mode == "1"
    assert train_ids(path, table_of(classes=["wall", "crack"])) == [[0, 1, 1]]


@pytest.mark.parametrize(("dtype", "ending"), [(np.uint16, "png"), (np.uint16, "tif"), (np.int32, "tif")])
def test_masks_of_more_bits(tmp_path: Path, dtype: Any, ending: str) -> None:
    table = table_of(ids={0: "wall", 1000: "crack", 40000: "rust"})
    assert train_ids(write_label(tmp_path / f"a.{ending}", [[0, 1000, 40000]], dtype), table) == [[0, 1, 2]]


@pytest.mark.parametrize("kind", ["uint32", "int64", "uint64", "int8"])
def test_labels_of_tiff_keep_values_of_any_integer_type(tmp_path: Path, kind: str) -> None:
    most = min(2**32 - 1, int(np.iinfo(kind).max))
    tifffile.imwrite(tmp_path / "a.tif", np.array([[0, 7, most]], kind))
    assert train_ids(tmp_path / "a.tif", table_of(ids={0: "wall", most: "crack", 7: "rust"})) == [[0, 2, 1]]


def test_labels_of_fractions_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2, 2), np.float32))
    with pytest.raises(ValueError, match=r"a\.tif: got values of type float32, expected whole numbers; store the id"):
        read_label(tmp_path / "a.tif", table_of(classes=["wall", "crack"]))


@pytest.mark.parametrize("photometric", ["miniswhite", "minisblack"])
@pytest.mark.parametrize("kind", [np.bool_, np.uint8])
def test_values_of_tiff_are_those_stored_however_they_are_shown(tmp_path: Path, kind: Any, photometric: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.array([[0, 1, 1]], kind), photometric=photometric)
    assert train_ids(tmp_path / "a.tif", table_of(classes=["wall", "crack"])) == [[0, 1, 1]]


def test_negative_values(tmp_path: Path) -> None:
    table = table_of(classes=["wall", "crack"], ids={-1: "wall", 1: "crack"}, ignore=-(2**31))
    assert train_ids(write_label(tmp_path / "a.tif", [[-1, 1, -(2**31)]], np.int32), table) == [[0, 1, IGNORE]]
    with pytest.raises(ValueError, match="got id 255"):  # no index from the end
        read_label(write_label(tmp_path / "b.png", [[255]]), table)


def test_an_offset_makes_zero_unscored_as_in_ade20k(tmp_path: Path) -> None:
    table = table_of(classes=["wall", "building"], offset=-1)
    assert train_ids(write_label(tmp_path / "a.png", [[0, 1, 2]]), table) == [[IGNORE, 0, 1]]
    with pytest.raises(ValueError, match=r"got id 3 \(1 pixel\), expected 1 to 2 and 0; fix the label"):
        read_label(write_label(tmp_path / "b.png", [[3]]), table)


def test_values_that_no_key_names_are_counted(tmp_path: Path) -> None:
    table = table_of(ids={0: "wall", 100: "crack"}, ignore=[255])
    with pytest.raises(ValueError, match=r"got id 7 \(2 pixels\), id 9 \(1 pixel\), expected 0, 100 and 255"):
        read_label(write_label(tmp_path / "a.png", [[0, 7, 7, 9]]), table)


def test_a_message_about_large_ids_takes_no_memory(tmp_path: Path) -> None:
    table = table_of(ids={0: "wall", 4_000_000_000: "crack"})
    with pytest.raises(ValueError, match=r"got id 7 .*, expected 0, 4000000000; fix the label"):
        read_label(write_label(tmp_path / "a.png", [[0, 7]]), table)


def test_a_negative_value_of_32_bits(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"got id -1 \(1 pixel\), expected 0 to 1"):
        read_label(write_label(tmp_path / "a.tif", [[-1, 0]], np.int32), table_of(classes=["wall", "crack"]))


# Colours

COLOURS: dict[str, Any] = {"colours": {"0 0 0": "wall", "#dc143c": "crack"}, "classes": ["wall", "crack"]}


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colours(tmp_path: Path, mode: str) -> None:
    Image.fromarray(np.array([[[0, 0, 0], [220, 20, 60]]], np.uint8)).convert(mode).save(tmp_path / "a.png")
    assert train_ids(tmp_path / "a.png", table_of(**COLOURS)) == [[0, 1]]


def test_colours_of_the_classes_are_those_of_the_labels(tmp_path: Path) -> None:
    table = table_of(classes=["wall", {"name": "crack", "colour": [9, 8, 7]}, {"name": "rust", "colour": [1, 2, 3]}])
    assert train_ids(write_label(tmp_path / "a.png", [[[1, 2, 3], [9, 8, 7]]]), table) == [[2, 1]]


def test_a_colour_that_is_not_scored(tmp_path: Path) -> None:
    table = table_of(**COLOURS, ignore=["224 224 192"])
    assert train_ids(write_label(tmp_path / "a.png", [[[224, 224, 192], [0, 0, 0]]]), table) == [[IGNORE, 0]]


def test_antialiased_borders_are_an_error_with_their_share(tmp_path: Path) -> None:
    path = write_label(tmp_path / "a.png", [[[0, 0, 0], [110, 10, 30], [110, 10, 30], [220, 20, 60]]])
    with pytest.raises(ValueError, match=r"a\.png: 50\.0% of the pixels have colours of no class, such as 110 10 30"):
        read_label(path, table_of(**COLOURS))


def test_antialiased_borders_are_the_nearest_colour(tmp_path: Path) -> None:
    path = write_label(tmp_path / "a.png", [[[0, 0, 0], [100, 10, 30], [120, 10, 30], [220, 20, 60]]])
    assert train_ids(path, table_of(**COLOURS, nearest=True)) == [[0, 0, 1, 1]]


def test_ids_stay_ids_where_classes_have_colours(tmp_path: Path) -> None:
    assert train_ids(write_label(tmp_path / "a.png", [[1, 0]]), table_of(**COLOURS)) == [[1, 0]]


def test_train_ids_of_a_dataset_with_other_ids(tmp_path: Path) -> None:
    table = table_of(classes=["void", "road", "static", "car"], ignore=["void", "static"])
    path = write_label(tmp_path / "a.png", [[0, 1, 255]])
    assert train_ids(path, table, "train_ids") == [[0, 1, IGNORE]]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"classes": ["a", "b"], "ids": {0: "a", 9: "bb"}}, "ids: class 'bb' of 9 is unknown; did you mean 'b'?"),
        ({"classes": ["a", "b"], "ignore": "c"}, "ignore: class 'c' is unknown"),
        ({"classes": ["a", "b"], "colours": {"1 2 3": "c"}}, "colours: class 'c' of"),
        ({"classes": ["a", "b"], "colours": {"1 2 300": "a"}}, "less than or equal to 255"),
        ({"classes": ["a", "b"], "colours": {"red": "a"}}, "tuple"),
        ({"classes": ["a"]}, "got 1, expected 2 to 255"),
        ({"classes": ["a", "a"]}, "class 1: name 'a' is already used by class 0"),
        ({"ids": {-(2**31) - 1: "a", 0: "b"}}, "greater than or equal to -2147483648"),
        ({"imges": "x/*.png"}, "did you mean images?"),
        ({"group": "("}, "no regular expression"),
    ],
)
def test_descriptions_that_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        Description.model_validate(keys)
    assert message in str(caught.value)


# Keys that meet


def test_an_ignored_value_of_a_class_with_another(tmp_path: Path) -> None:
    table = table_of(ids={0: "wall", 1: "wall", 2: "crack"}, ignore=1)
    assert train_ids(write_label(tmp_path / "a.png", [[0, 1, 2]]), table) == [[0, IGNORE, 1]]


def test_a_positive_offset_wraps_no_value(tmp_path: Path) -> None:
    table = table_of(classes=["a", "b", "c"], offset=1)
    with pytest.raises(ValueError, match="got id 255"):
        read_label(write_label(tmp_path / "a.png", [[0, 1, 255]]), table)


def test_a_negative_offset_ignores_zero_only(tmp_path: Path) -> None:
    table = table_of(ids={1000: "a", 2000: "b"}, offset=-1)
    assert train_ids(write_label(tmp_path / "a.png", [[0, 1001]], np.uint16), table) == [[IGNORE, 0]]
    with pytest.raises(ValueError, match=r"got id 77"):
        read_label(write_label(tmp_path / "b.png", [[77]], np.uint16), table)


def test_a_palette_is_colours_where_the_encoding_says_so(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8))
    image.putpalette([220, 20, 60, 0, 0, 0])
    image.save(tmp_path / "a.png")
    assert train_ids(tmp_path / "a.png", table_of(**COLOURS), "colours") == [[1, 0]]
    assert train_ids(tmp_path / "a.png", table_of(**COLOURS)) == [[0, 1]]


def test_transparent_pixels_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.array([[[0, 0, 0, 0]]], np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png: has transparent pixels; store the mask without an alpha channel"):
        read_label(tmp_path / "a.png", table_of(**COLOURS))


def test_many_unknown_values_are_counted(tmp_path: Path) -> None:
    path = write_label(tmp_path / "a.png", np.arange(2, 1002).reshape(10, 100).tolist(), np.uint16)
    with pytest.raises(ValueError, match="and 995 other values") as caught:
        read_label(path, table_of(classes=["a", "b"]))
    assert len(str(caught.value)) < 400


def test_classes_yaml_keeps_what_else_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "classes.yaml").write_text("classes: [a, b, c]\nignore: 255\n")
    table = class_table(Description(ignore=["c"]), tmp_path)
    assert (table.names, table.ignored) == (("a", "b"), (255,))
    with pytest.raises(ValueError, match="ignore: class 'd' is unknown"):
        class_table(Description(ignore=["d"]), tmp_path)


def test_a_key_set_back_to_its_default_reaches_the_stage() -> None:
    row = Description.model_validate({"layout": "camvid", "ordered": False, "ignore": [], "group": None})
    again = read_description(json.dumps(complete(row).model_dump(mode="json", exclude_unset=True)))
    assert (again.ordered, again.ignore, again.group) == (False, [], None)
    with pytest.raises(ValueError, match=r"colours: class 'sky' of .* is unknown; known are a, b"):
        complete(Description.model_validate({"layout": "camvid", "classes": ["a", "b"]}))


@pytest.mark.parametrize(
    ("keys", "values"),
    [
        ({"classes": ["wall", "crack"]}, (0, 1)),
        ({"classes": ["void", "wall", "crack"], "ignore": ["void"]}, (1, 2)),
        ({"classes": ["wall", "crack"], "offset": -1}, (1, 2)),
        ({"ids": {0: "wall", 100: "crack"}}, (0, 100)),
        ({"classes": ["wall", "crack"], "ids": {7: "crack", 300: "wall", 4: "crack"}}, (300, 4)),
        ({"colours": {"220 20 60": "crack", "0 0 0": "wall"}}, (0, 1)),
    ],
    ids=str,
)
def test_label_values_of_predictions(keys: dict[str, Any], values: tuple[int, ...]) -> None:
    assert table_of(**keys).label_values() == values


def test_label_values_of_cityscapes_are_those_of_its_owners() -> None:
    owners = {label.trainId: label.id for label in official.labels if 0 <= label.trainId < IGNORE}
    assert class_table(describe("cityscapes")).label_values() == tuple(owners[k] for k in range(19))


def test_classes_are_drawn_in_the_colours_of_labels() -> None:
    table = table_of(colours={"220 20 60": "crack", "1 2 3": "wall", "9 9 9": "crack"})
    assert table.palette == ((220, 20, 60), (1, 2, 3))
