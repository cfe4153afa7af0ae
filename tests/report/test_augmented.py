"""Pictures of augmented training samples: on the page, one per distinct augmentation; as a file, by the command."""

import io
import json
import shutil
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from results_tree import write_run

from seg.config.recipe import Augmentation, Recipe, Rotation
from seg.data.augmentation import affine_matrices, random_numbers, warp
from seg.data.loader import epoch_order
from seg.data.pack_format import Pack
from seg.data.sheets import augmentation_sheet
from seg.report.augmented import augmentation_text, augmented_of, write_augmented
from seg.report.runs import Run, read_run

FLIPPED, TURNED = Augmentation(flip=0.5), Augmentation(flip=0.5, rotation=Rotation(p=0.5, degrees=10.0))
MAKE = ["snakemake", "--cores", "2", "--", "train.json"]


def run_of(folder: Path, augmentation: Augmentation) -> Run:
    write_run(folder / "seed0", 0.5)
    content = json.loads((folder / "seed0/run.json").read_text())
    content["recipe"] |= {"augmentation": augmentation.model_dump(mode="json"), "train_images": None}
    (folder / "seed0/run.json").write_text(json.dumps(content))
    return read_run(folder / "seed0", "native")


def test_one_picture_per_distinct_augmentation(tmp_path: Path, packs: Any) -> None:
    given = {"a": TURNED, "plain": Augmentation(), "b": TURNED, "off": Augmentation(rotation=Rotation(p=0, degrees=5))}
    runs = {name: [run_of(tmp_path / name, augmentation)] for name, augmentation in (given | {"c": FLIPPED}).items()}
    paths = {f"streets/{name}": packs.train for name in runs}
    found = augmented_of({"streets": runs}, paths, 10**6)["streets"]
    assert [each["variants"] for each in found] == [["a", "b"], ["c"]]
    assert [each["text"] for each in found] == ["flip 0.5, rotation.p 0.5, rotation.degrees 10.0", "flip 0.5"]
    for each in found:
        kind, _, content = each["picture"].partition(",")
        assert kind == "data:image/webp;base64"
        with Image.open(io.BytesIO(b64decode(content))) as picture:
            assert list(picture.size) == each["size"] == [8 * 124 - 4, 4 * 94 - 4]
    assert augmented_of({"streets": runs}, {}, 10**6) == {"streets": []}
    (only,) = augmented_of({"streets": runs}, paths, len(found[0]["picture"]))["streets"]
    assert only == found[0]


def test_samples_are_those_of_the_first_epoch(packs: Any) -> None:
    """As drawn by the functions that the loader of a training calls; pixels outside of the image show it alone."""
    pack = Pack(packs.train)
    samples = epoch_order(12, 3, 0)
    sheet = augmentation_sheet(pack, TURNED, 3, 64)
    matrices = affine_matrices(TURNED, random_numbers(samples, seed=3, epoch=0), height=48, width=64)
    for row, (images, labels) in enumerate([pack.read(samples), warp(*pack.read(samples), matrices)]):
        colours = np.zeros((256, 3))
        colours[:11] = pack.about["palette"]
        mixed = np.where((labels == 255)[..., None], images, np.rint((images + colours[labels]) / 2))
        for i in range(12):
            top, left = (i // 8 * 2 + row) * 52, i % 8 * 68
            assert np.array_equal(sheet[top : top + 48, left : left + 64], mixed[i])


def test_the_text_of_an_augmentation() -> None:
    assert augmentation_text(Augmentation()) == "none"
    assert augmentation_text(Augmentation(rotation=Rotation(p=0.0, degrees=5))) == "none"


def test_a_file_is_written_whole_and_refusals_name_the_fix(tmp_path: Path, packs: Any, tiny_recipe: Recipe) -> None:
    out = tmp_path / "new/a.png"
    write_augmented(out, packs.train, tiny_recipe, MAKE, overwrite=False)
    with Image.open(out) as picture:
        assert picture.size == (8 * 244 - 4, 4 * 184 - 4)
    shutil.copy(packs.train, tmp_path / "train.json")  # without its pixels
    cases = {
        (out, packs.train): "exists; add --overwrite to replace it, or give another name",
        (tmp_path / "a.jpg", packs.train): r"expected a name that ends in \.png; give another name",
        (
            tmp_path / "b.png",
            tmp_path / "none.json",
        ): r"none\.json: missing; make it with: snakemake --cores 2 -- train",
        (tmp_path / "b.png", tmp_path / "train.json"): r"images\.npy: missing; make it with: snakemake --cores 2",
    }
    for (path, pack), message in cases.items():
        with pytest.raises(ValueError, match=message):
            write_augmented(path, pack, tiny_recipe, MAKE, overwrite=False)
    write_augmented(out, packs.train, tiny_recipe, MAKE, overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"new", "train.json"}
