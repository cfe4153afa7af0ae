"""Pictures of the page: which images are chosen, that all pictures of one lie on each other, and the budget."""

import io
import json
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from results_tree import CLASSES, IMAGES, PALETTE, write, write_run

from seg.config.image_form import ImageForm
from seg.data.pack_format import NATIVE_VERSION, PACK_VERSION
from seg.evaluation.small_pictures import label_png, write_predictions
from seg.report.pictures import MOST, pictures_of
from seg.report.runs import Run, read_run

HEIGHT, WIDTH = 12, 20  # of the pack
OWN = (24, 40)  # size of the images
NAMES = [f"scene_{i:03}" for i in range(IMAGES)]


def write_pack(path: Path, resize: str = "stretch", names: Sequence[str] = NAMES) -> Path:
    """A pack of images that are `i` everywhere, and labels at their own size: class 1 on the left, not scored right."""
    count = len(names)
    images = np.arange(count, dtype=np.uint8)[:, None, None, None].repeat(HEIGHT, 1).repeat(WIDTH, 2).repeat(3, 3)
    labels = np.full((count, *OWN), 255, np.uint8)
    labels[:, :, : OWN[1] // 2] = 1
    path.mkdir(parents=True)
    form = ImageForm(resize=resize).model_dump(mode="json")  # type: ignore[arg-type]
    about = {"classes": list(CLASSES), "names": list(names), "palette": PALETTE, "form": form}
    keys: dict[str, Any] = {"scored": [], "ids": [], "id_pixels": [], "label_values": []}
    keys |= {"schema_version": PACK_VERSION, "split": "val", "images": count, "height": HEIGHT, "width": WIDTH}
    write(path / "val.json", about | keys)
    native = {"schema_version": NATIVE_VERSION, "names": list(names), "classes": list(CLASSES), "sizes": [OWN] * count}
    write(path / "val.native.json", native)
    np.save(path / "val.images.npy", images)
    np.save(path / "val.labels.npy", np.zeros((count, HEIGHT, WIDTH), np.uint8))
    np.save(path / "val.native.npy", labels.reshape(-1))
    return path / "val.json"


def write_variant(folder: Path, scores: Sequence[float], predicted: int) -> Run:
    """A run whose images have these accuracies on class 0 alone, and that predicts one class everywhere."""
    write_run(folder / "seed0", 0.5)
    matrices = np.zeros((2, IMAGES, len(CLASSES), len(CLASSES)), np.int64)
    matrices[:, :, 0, 0] = np.round(1000 * np.array(scores))
    matrices[:, :, 0, 1] = 1000 - matrices[:, :, 0, 0]
    np.save(folder / "seed0/confusion.npy", matrices)
    write_predictions(
        folder / "seed0/predictions.zip", [label_png(np.full(OWN, predicted, np.uint8), PALETTE)] * IMAGES
    )
    return read_run(folder / "seed0", "native")


def pixels(uri: str) -> np.ndarray:
    kind, _, content = uri.partition(",")
    assert kind in ("data:image/webp;base64", "data:image/png;base64")
    with Image.open(io.BytesIO(b64decode(content))) as file:
        return np.asarray(file.convert("RGBA"))


@pytest.fixture
def study(tmp_path: Path) -> dict[str, list[Run]]:
    """`good` is right but on image 7; `bad` is the worse the higher the number of the image, and right on image 7."""
    good, bad = np.full(IMAGES, 0.9), 0.9 - np.arange(IMAGES) / 50
    good[7], bad[7] = 0.2, 0.9
    return {
        name: [write_variant(tmp_path / name, of, k)] for k, (name, of) in enumerate({"good": good, "bad": bad}.items())
    }


def test_sets_scores_and_pictures(study: dict[str, list[Run]], tmp_path: Path) -> None:
    found = pictures_of({"streets": study}, {"streets": write_pack(tmp_path / "pack")}, 10**7)["streets"]
    json.dumps(found, allow_nan=False)
    assert found["sets"]["differ"][:3] == ["scene_007", "scene_023", "scene_022"]
    assert found["sets"]["worst"]["good"][0] == "scene_007"
    assert found["sets"]["worst"]["bad"] == [f"scene_{i:03}" for i in range(23, 13, -1)]
    assert found["sets"]["samples"] == [NAMES[round(i * 23 / 9)] for i in range(10)]
    # One class of 1000 pixels: IoU of the true class is the accuracy, that of the other is 0.
    assert found["scores"]["good"]["scene_007"] == pytest.approx(0.1)
    assert found["scores"]["bad"]["scene_007"] == pytest.approx(0.45)
    assert set(found["omitted"].values()) == {0}
    shown = {name for kind in ("samples", "differ") for name in found["sets"][kind]}
    shown |= {name for of in found["sets"]["worst"].values() for name in of}
    assert set(found["images"]) == set(found["scores"]["bad"]) == set(found["predictions"]["good"]) == shown
    each = found["images"]["scene_007"]
    assert each["size"] == [40, 24]
    image, truth, prediction = map(pixels, (each["image"], each["truth"], found["predictions"]["bad"]["scene_007"]))
    assert image.shape == truth.shape == prediction.shape == (24, 40, 4)
    assert np.abs(image[..., :3].astype(int) - 7).max() <= 3  # WebP is lossy
    assert (truth[:, :20] == [*PALETTE[1], 255]).all()
    assert (truth[:, 20:, 3] == 0).all()
    assert (prediction == [*PALETTE[1], 255]).all()
    assert found["palette"][1] == "#464646"
    assert found["classes"] == list(CLASSES)


@pytest.mark.parametrize("resize", ["pad", "crop"])
def test_padding_is_removed_and_what_was_cropped_is_black(
    resize: str, study: dict[str, list[Run]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a pack of 12x20, an image of 24x24 has 12x12 pixels with padding at both sides, or loses rows if cropped."""
    monkeypatch.setattr(f"{__name__}.OWN", (24, 24))
    pack = write_pack(tmp_path / "pack", resize)
    images = np.load(pack.with_name("val.images.npy"))
    images[:] = 200
    if resize == "pad":
        images[:, :, :4] = images[:, :, 16:] = 0
    np.save(pack.with_name("val.images.npy"), images)
    found = pictures_of({"streets": study}, {"streets": pack}, 10**7)["streets"]
    each = next(iter(found["images"].values()))
    assert each["size"] == [24, 24]
    image = pixels(each["image"])[..., 0].astype(int)
    rows = slice(0, 24) if resize == "pad" else slice(5, 19)  # 14 of 24 rows have the aspect of the pack
    assert np.abs(image[rows] - 200).max() <= 12
    assert resize == "pad" or image[:3].max() <= 12


@pytest.mark.parametrize("budget", [0, 5_000, 20_000, 60_000])
def test_a_budget_is_kept_and_what_is_omitted_is_counted(
    budget: int, study: dict[str, list[Run]], tmp_path: Path
) -> None:
    pack = write_pack(tmp_path / "pack")
    packs, studies = {"a": pack, "b": pack}, {"a": study, "b": study}
    found = pictures_of(studies, packs, budget)
    embedded = sum(
        len(uri)
        for of in found.values()
        for uri in [
            *(each[kind] for each in of["images"].values() for kind in ("image", "truth")),
            *(uri for each in of["predictions"].values() for uri in each.values()),
        ]
    )
    assert embedded <= budget
    for of in found.values():
        sizes = {kind: len(of["sets"][kind]) for kind in ("samples", "differ")}
        sizes["worst"] = sum(map(len, of["sets"]["worst"].values()))
        whole = {"samples": MOST, "differ": MOST, "worst": 2 * MOST}
        assert {kind: sizes[kind] + of["omitted"][kind] for kind in sizes} == whole
        missing = sum(name not in each for each in of["predictions"].values() for name in of["images"])
        assert of["omitted"]["predictions"] == missing
        for name in of["sets"]["samples"] + of["sets"]["differ"]:
            assert all(name in each for each in of["predictions"].values())
        for variant, names in of["sets"]["worst"].items():
            assert set(names) <= of["predictions"][variant].keys()
    assert len(found["a"]["sets"]["samples"]) - len(found["b"]["sets"]["samples"]) in (0, 1)


def test_images_of_all_folds(study: dict[str, list[Run]], tmp_path: Path) -> None:
    """Three folds of one variant; the other fold's images have other names."""
    packs, runs = {}, []
    for fold in range(3):
        names = [f"fold{fold}_{name}" for name in NAMES]
        packs[f"streets/fold{fold}"] = write_pack(tmp_path / f"pack{fold}", names=names)
        run = study["bad"][0]
        metrics = run.metrics.model_copy(update={"names": tuple(names)})
        runs.append(run._replace(fold=fold, metrics=metrics))
    found = pictures_of({"streets": {"bad": runs}}, packs, 10**7)["streets"]
    assert found["sets"]["differ"] == []  # a single variant
    assert found["sets"]["worst"]["bad"][:3] == ["fold0_scene_023", "fold1_scene_023", "fold2_scene_023"]
    assert np.abs(pixels(found["images"]["fold2_scene_023"]["image"])[..., 0].astype(int) - 23).max() <= 3


def test_an_image_without_a_labelled_pixel_is_in_no_ranking(study: dict[str, list[Run]], tmp_path: Path) -> None:
    for runs in study.values():
        matrices = np.load(runs[0].directory / "confusion.npy")
        matrices[:, [0, 7]] = 0
        np.save(runs[0].directory / "confusion.npy", matrices)
    found = pictures_of({"streets": study}, {"streets": write_pack(tmp_path / "pack")}, 10**7)["streets"]
    ranked = {*found["sets"]["differ"], *found["sets"]["worst"]["good"], *found["sets"]["worst"]["bad"]}
    assert not ranked & {"scene_000", "scene_007"}
    assert found["scores"]["good"]["scene_000"] is None  # it is a sample


def test_missing_files_are_named(study: dict[str, list[Run]], tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "pack")
    for runs in study.values():
        (runs[0].directory / "predictions.zip").unlink()
    with pytest.raises(ValueError, match="missing; evaluate this seed again") as caught:
        pictures_of({"streets": study}, {"streets": pack}, 10**7)
    assert len(str(caught.value).splitlines()) == 2
    other = json.loads(pack.read_text()) | {"names": [f"x{i}" for i in range(IMAGES)]}
    write(pack, other)
    write(
        pack.with_name("val.native.json"),
        json.loads(pack.with_name("val.native.json").read_text()) | {"names": other["names"]},
    )
    with pytest.raises(ValueError, match="was evaluated on other images than those of"):
        pictures_of({"streets": study}, {"streets": pack}, 10**7)


def test_a_study_without_a_pack_has_no_pictures(study: dict[str, list[Run]]) -> None:
    assert pictures_of({"streets": study}, {}, 10**7) == {}
