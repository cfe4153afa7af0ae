"""`seg init` on masks whose values may be no classes."""

from pathlib import Path

import numpy as np
import pytest
from own_data import COLOURS, COUNT, binary, save, truth, write_images
from PIL import Image

from seg.config.description import Description
from seg.datasets.classes import class_table
from seg.datasets.images import read_pair_label
from seg.datasets.matching import match_pairs
from seg.recognition.recognise import recognise


def masks(root: Path, *looks: np.ndarray, ending: str = "png") -> None:
    """Images, and their masks with the values or colours of each look in turn."""
    write_images(root, "images/{k:03}.png")
    for k in range(COUNT):
        save(root / f"masks/{k:03}.{ending}", looks[k % len(looks)][truth(k)].astype(np.uint8))


@pytest.mark.parametrize(
    ("look", "count"), [(np.array([0, 100, 200]), r"\d+"), (np.array([0, 1, 2]), r"\d"), (COLOURS, r"\d+")]
)
def test_shades_of_jpeg_are_no_classes(tmp_path: Path, look: np.ndarray, count: str) -> None:
    masks(tmp_path, look, ending="jpg")
    expected = f"labels masks/{{stem}}.jpg have {count} values, expected PNG, for JPEG changes values; store masks so"
    with pytest.raises(ValueError, match=expected):
        recognise(tmp_path)


def test_colours_of_jpeg_are_the_nearest_of_a_list(tmp_path: Path) -> None:
    masks(tmp_path, COLOURS, ending="jpg")
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\nwall,0,0,0\ncrack,220,20,60\nrust,0,128,255\n")
    found = recognise(tmp_path)
    assert (found.keys["classes"], found.keys["nearest"], found.unknown) == (["wall", "crack", "rust"], True, [])


def test_more_values_than_classes_are_refused(tmp_path: Path) -> None:
    write_images(tmp_path, "images/{k:03}.png")
    for k in range(COUNT):
        save(tmp_path / f"masks/{k:03}.png", np.arange(64 * 96, dtype=np.uint16).reshape(64, 96) % 300)
    with pytest.raises(ValueError, match="have 300 values, expected one of each of at most 255 classes"):
        recognise(tmp_path)


def test_one_value_is_refused(tmp_path: Path) -> None:
    masks(tmp_path, np.zeros(3))
    with pytest.raises(ValueError, match=r"labels masks/\{stem\}\.png have the value 0 only, expected two classes"):
        recognise(tmp_path)


@pytest.mark.parametrize(
    ("look", "value", "text"), [(np.array([0, 1, 2]), 7, "ids 7"), (COLOURS, (1, 2, 3), "colours 1 2 3")]
)
def test_a_value_of_few_pixels_is_doubted(
    tmp_path: Path, look: np.ndarray, value: int | tuple[int, ...], text: str
) -> None:
    masks(tmp_path, look)
    with Image.open(tmp_path / "masks/000.png") as file:
        label = np.array(file)
    label[0, 0] = value
    save(tmp_path / "masks/000.png", label)
    line = f"whether {text} are classes: they have 0.000% of the pixels, as faults at borders do"
    assert line in recognise(tmp_path).unknown


def test_many_values_may_be_objects(tmp_path: Path) -> None:
    masks(tmp_path, *(np.array([0, k + 1, k + 1]) for k in range(COUNT)))
    assert "whether 41 ids are classes: numbered objects and brightnesses are not" in recognise(tmp_path).unknown


@pytest.mark.parametrize("radii", [[20.0, 20.1, 20.2], [10.0, 15.0, 20.0]])
def test_masks_of_one_shape_may_be_fields_of_view(tmp_path: Path, radii: list[float]) -> None:
    write_images(tmp_path, "images/{k:03}.png")
    y, x = np.ogrid[-32:32, -48:48]
    for k in range(COUNT):
        disc = (y**2 + x**2 < radii[k % 3] ** 2) * np.uint8(255)
        save(tmp_path / f"masks/{k:03}.png", np.roll(disc, k % 5, axis=1))
    doubt = "whether ids are classes: each has the same share of all labels, as in masks of the field of view"
    assert (doubt in recognise(tmp_path).unknown) == (radii[0] == 20)


@pytest.mark.parametrize(("looks", "doubted"), [(([0, 1, 1], [0, 255, 255]), True), (([0, 1, 255],), False)])
def test_255_beside_no_class_may_be_one(tmp_path: Path, looks: tuple[list[int], ...], doubted: bool) -> None:
    masks(tmp_path, *map(np.array, looks))
    found = recognise(tmp_path)
    assert found.keys["ignore"] == 255
    assert any(line.startswith("whether 255 is a border") for line in found.unknown) == doubted


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("wall\ncrack\n", {0: "wall", 255: "crack"}),
        ("crack\n", {0: "background", 255: "crack"}),
        ("wall\ncrack\nrust\n", {0: "background", 255: "foreground"}),
    ],
)
def test_names_of_binary_masks(tmp_path: Path, names: str, expected: dict[int, str]) -> None:
    binary(tmp_path)
    (tmp_path / "classes.txt").write_text(names)
    found = recognise(tmp_path)
    fits = "foreground" not in expected.values()
    assert found.keys["ids"] == expected
    assert found.unknown == ([] if fits else ["names of the classes: classes.txt has 3, for other values"])


def test_numbers_in_a_list_of_names_are_values(tmp_path: Path) -> None:
    masks(tmp_path, np.array([1, 2, 3]))
    (tmp_path / "classes.txt").write_text("1: wall\n2: crack\n3 rust\n")
    assert recognise(tmp_path).keys["ids"] == {1: "wall", 2: "crack", 3: "rust"}


def test_values_in_a_list_of_names_are_no_positions(tmp_path: Path) -> None:
    masks(tmp_path, np.array([0, 1, 1]))
    (tmp_path / "classes.txt").write_text("1: crack\n2: rust\n")
    found = recognise(tmp_path)
    assert found.keys["classes"] == ["class 0", "class 1"]
    assert found.unknown == ["names of the classes: classes.txt has 2, for other values"]


def test_a_name_that_is_given_twice_is_refused_with_the_directory(tmp_path: Path) -> None:
    masks(tmp_path, np.array([0, 1, 2]))
    (tmp_path / "classes.txt").write_text("wall\ncrack\ncrack\n")
    with pytest.raises(ValueError, match=f"{tmp_path}: classes: class 2: name 'crack' is already used by class 1"):
        recognise(tmp_path)


def with_palettes(root: Path, *palettes: list[int]) -> None:
    """Images, and their masks with each palette in turn, whose colours are the classes."""
    write_images(root, "images/{k:03}.png")
    (root / "masks").mkdir()
    for k in range(COUNT):
        order = palettes[k % len(palettes)]
        label = Image.fromarray(np.argsort(order).astype(np.uint8)[truth(k)])
        label.putpalette([int(channel) for position in order for channel in COLOURS[position]])
        label.save(root / f"masks/{k:03}.gif")


def test_palettes_that_differ_tell_the_classes_by_colours(tmp_path: Path) -> None:
    with_palettes(tmp_path, [0, 1, 2], [1, 2, 0])
    found = recognise(tmp_path)
    assert found.keys["labels"] == {"files": "masks/{stem}.gif", "encoding": "colours"}
    description = Description().merged(**found.keys)
    table = class_table(description, tmp_path)
    for pair in match_pairs(description, tmp_path, "train")[0]:
        expected = np.array([0, 2, 1])[truth(int(pair.name))]  # in the order of the colours
        assert np.array_equal(read_pair_label(pair, table), expected)


def test_one_palette_tells_ids(tmp_path: Path) -> None:
    with_palettes(tmp_path, [0, 1, 2])
    assert recognise(tmp_path).keys["labels"] == "masks/{stem}.gif"


def test_names_that_differ_in_case_are_doubted(tmp_path: Path) -> None:
    masks(tmp_path, np.array([0, 1, 2]))
    (tmp_path / "classes.txt").write_text("wall\ncrack\nCrack\n")
    assert "whether 'crack' and 'Crack' are one class" in recognise(tmp_path).unknown


def test_labels_of_another_size_are_doubted(tmp_path: Path) -> None:
    write_images(tmp_path, "images/{k:03}.png")
    for k in range(COUNT):
        save(tmp_path / f"masks/{k:03}.png", truth(k)[::2, ::2])
    line = ".png is 48x32, its image 96x64; their sizes must be equal, so resize one"
    assert recognise(tmp_path).unknown[-1].endswith(line)


def test_lists_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    masks(tmp_path, np.array([0, 1, 2]))
    (tmp_path / "train.txt").write_text("000\n001\n")
    (tmp_path / "val.txt").write_text("001\n")
    with pytest.raises(ValueError, match=r"'001' is listed in train\.txt and in val\.txt; keep one"):
        recognise(tmp_path)
