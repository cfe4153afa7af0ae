"""Findings of faulty directories, and the picture."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scenes import SCENE_SPLITS, scene, write_scenes

from seg.config.description import complete, describe
from seg.doctor.examine import Diagnosis, examine
from seg.doctor.findings import Finding
from seg.doctor.overlay_sheet import choose_panels, write_sheet


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_scenes(tmp_path / "own")
    return tmp_path / "own"


def diagnose(root: Path, **keys: object) -> Diagnosis:
    return examine(root, complete(describe("folder").merged(**keys)))


def findings(root: Path, **keys: object) -> dict[str, Finding]:
    return {finding.kind: finding for finding in diagnose(root, **keys).findings}


def edit(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    Image.fromarray(np.ascontiguousarray(change(np.array(Image.open(path))))).save(path)


def test_a_good_directory_has_no_findings(root: Path) -> None:
    assert diagnose(root).findings == []


def test_bands_are_chosen(root: Path) -> None:
    assert findings(root, bands=[3, 2, 1]) == {}


def test_values_outside_of_the_range_are_a_warning_and_many_are_an_error(root: Path) -> None:
    for path in (root / "images").iterdir():
        edit(path, lambda image: image[..., 0].astype(np.uint16) * 10)
    assert "clipped" not in findings(root, range=[0, 2550])
    edit(root / "images/03.png", lambda image: np.where(np.indices(image.shape)[0] < 24, 60000, image))
    found = findings(root, range=[0, 2550])["clipped"]
    assert (found.severity, found.title) == (
        "warning",
        "images with values outside of range: [0, 2550], which are clipped",
    )
    low = np.array(Image.open(root / "images/03.png")).min()
    assert found.lines == [f"{root}/images/03.png: 25.0% of the samples, found {low} to 60000"]
    assert found.fix == "set range: [0, 60000], or keep it if the values outside tell nothing"
    edit(root / "images/04.png", lambda image: image + np.uint16(5000))
    assert [each.severity for each in diagnose(root, range=[0, 2550]).findings if each.kind == "clipped"] == [
        "error",
        "warning",
    ]


def test_a_turned_label_is_a_warning_and_many_are_an_error(root: Path) -> None:
    edit(root / "labels/03.png", np.fliplr)
    found = findings(root)["label_mismatch"]
    assert (found.severity, found.lines) == (
        "warning",
        [f"{root}/labels/03.png: fits its image better mirrored left to right"],
    )
    for k in range(4, 30):
        edit(root / f"labels/{k:02}.png", np.fliplr)
    assert findings(root)["label_mismatch"].severity == "error"


def test_the_label_of_another_image_is_a_warning(root: Path) -> None:
    (root / "labels/03.png").write_bytes((root / "labels/04.png").read_bytes())
    assert [line.split(":")[0] for line in findings(root)["label_mismatch"].lines] == [f"{root}/labels/03.png"]


def test_labels_of_the_next_image_are_an_error(root: Path) -> None:
    labels = sorted((root / "labels").iterdir())
    contents = [path.read_bytes() for path in labels]
    for path, content in zip(labels, contents[1:] + contents[:1], strict=True):
        path.write_bytes(content)
    found = findings(root)["label_mismatch"]
    assert found.severity == "error"
    assert found.title.startswith("labels that are those of the previous image by name")


def test_unknown_values_are_counted_over_all_files(root: Path) -> None:
    for k in (2, 9, 11, 28):
        edit(root / f"labels/{k:02}.png", lambda label: np.where(label == 2, 77, label))
    found = findings(root)["unknown_label_values"]
    share = np.mean([scene(k)[1] == 2 for k in (2, 9, 11, 28)])
    assert found.title == f"labels with values of no class: 77 in 4 files ({share:.2%} of their pixels)"
    assert found.number == 4
    assert found.fix == "add ids: { 77: <class> } to those of the classes, or ignore: [77]"


def test_binary_masks_of_two_classes_get_their_key(root: Path) -> None:
    for path in (root / "labels").iterdir():
        edit(path, lambda label: np.where(label > 0, 255, 0).astype(np.uint8))
    (root / "classes.yaml").write_text("[wall, crack]")
    found = findings(root)["unknown_label_values"]
    assert found.fix.startswith("add ids: { 0: wall, 255: crack }, or")
    assert "unknown_label_values" not in findings(root, ids={0: "wall", 255: "crack"})


@pytest.mark.parametrize("filter", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC])
def test_interpolated_labels_are_found(root: Path, filter: Image.Resampling) -> None:  # noqa: A002
    path = root / "labels/01.png"
    Image.fromarray(scene(1)[1]).resize((64, 48), Image.Resampling.NEAREST).resize((128, 96), filter).save(path)
    assert findings(root)["interpolated_label"].number == 1


def test_shades_of_masks_are_no_classes(root: Path) -> None:
    for path in (root / "labels").iterdir():
        mask = Image.fromarray(np.where(np.array(Image.open(path)) > 0, 255, 0).astype(np.uint8))
        mask.resize((200, 150), Image.Resampling.BILINEAR).resize((128, 96), Image.Resampling.BILINEAR).save(path)
    found = findings(root, ids={0: "wall", 255: "crack"}, classes=["wall", "crack"])
    assert (found["interpolated_label"].severity, found["interpolated_label"].number) == ("error", 30)
    assert "unknown_label_values" not in found


def test_copies_and_frames_of_one_video_are_found(root: Path) -> None:
    image = Image.open(root / "images/01.png")
    image.resize((120, 90)).resize((128, 96)).convert("RGB").save(root / "images/21.jpg", quality=80)
    (root / "images/21.png").unlink()
    edit(root / "images/26.png", lambda _: np.clip(np.array(image).astype(int) + 5, 0, 255).astype(np.uint8))
    found = findings(root)
    assert found["copy_across_splits"].lines == [
        f"{root}/images/21.jpg: in split 'val', like {root}/images/01.png in 'train'"
    ]
    assert found["similar_across_splits"].number == 1


def test_palettes_that_contradict_the_classes_are_found(root: Path) -> None:
    colours = [[0, 0, 0], [220, 20, 60], [0, 128, 255], [9, 9, 9], [8, 8, 8], [7, 7, 7]]
    names = ["wall", "crack", "rust", "door", "pipe", "sign"]
    rows = [{"name": name, "colour": colour} for name, colour in zip(names, colours, strict=True)]
    for path, order in ((root / "labels/01.png", [0, 1, 2, 3, 4, 5]), (root / "labels/02.png", [0, 2, 1, 3, 4, 5])):
        label = Image.open(path)
        label.putpalette([channel for i in order for channel in colours[i]])
        label.save(path)
    found = findings(root, classes=rows)
    assert found.keys() == {"palette_contradicts"}
    assert found["palette_contradicts"].lines == [f"{root}/labels/02.png: shows 1 (crack) as rust, 2 (rust) as crack"]


def test_processes_find_the_same(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "labels/03.png").write_bytes(b"")
    edit(root / "labels/04.png", np.fliplr)
    alone = diagnose(root).content()
    monkeypatch.setattr("seg.doctor.inspection._POOL_PAYS", 1)
    assert diagnose(root).content() == alone


def test_orientation_of_exif_is_reported(root: Path) -> None:
    image = Image.open(root / "images/01.png")
    exif = image.getexif()
    exif[0x0112] = 3
    image.save(root / "images/01.png", exif=exif)
    assert findings(root)["exif_orientation"].lines == [
        f"{root}/labels/01.png: has EXIF orientation 1, its image 3, so it may be turned against the image"
    ]


def test_groups_in_two_splits_are_reported(root: Path) -> None:
    assert findings(root, group=r"^(\d)")["group_across_splits"].lines == ["2: in val and test"]


def test_the_picture_shows_labels_that_cannot_be_used(root: Path) -> None:
    edit(root / "labels/22.png", lambda label: np.where(label == 2, 77, label))
    edit(root / "labels/23.png", lambda label: label[:, :-1])
    (root / "images/24.png").write_bytes(b"")
    diagnosis = diagnose(root)
    panels = choose_panels(diagnosis)
    assert {panel.pair.name for panel in panels[:3]} == {"22", "23", "24"}
    write_sheet(root.parent / "sheet.png", diagnosis)
    with Image.open(root.parent / "sheet.png") as sheet:
        colours = {colour for _, colour in sheet.getcolors(2**24) or ()}
    assert (255, 0, 255) in colours  # in the legend


def test_the_picture_shows_findings_first(root: Path) -> None:
    edit(root / "labels/22.png", np.flipud)
    panels = choose_panels(diagnose(root))
    assert len(panels) == 16
    assert (panels[0].pair.name, panels[0].fault) == ("22", "fits its image better mirrored top to bottom")
    assert {panel.split for panel in panels} == set(SCENE_SPLITS)
