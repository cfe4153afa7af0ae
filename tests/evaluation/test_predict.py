"""Predictions: sizes, passes, label values and other outputs against plain computations."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling
from PIL import Image

from seg.config.description import describe
from seg.config.inference import Inference
from seg.config.recipe import Recipe
from seg.data.loader import Loader, scaled
from seg.data.native_labels import write_native_labels
from seg.data.pack import pack_split
from seg.data.pack_format import NativeLabels, Pack
from seg.datasets.classes import class_table
from seg.evaluation.evaluate import evaluate_images
from seg.evaluation.predict import segment
from seg.evaluation.predict_inputs import find_pictures
from seg.evaluation.predict_outputs import PredictionOutputs
from seg.evaluation.predict_regions import Sizes, parse_tile
from seg.models import build_model
from seg.models.checkpoint import load_checkpoint, save_checkpoint
from seg.system.console import IncompleteError
from seg.training.train import Outputs, train

cityscapes = evalPixelLevelSemanticLabeling
PALETTE = np.array([[10, 20, 30], [200, 0, 0], [0, 0, 250]], np.uint8)
ABOUT = {"classes": ["road", "wall", "sky"], "palette": PALETTE.tolist(), "precision": "fp32"}
VALUES = [7, 11, 8]
SIZE = (64, 96)


@pytest.fixture(scope="module")
def model(tiny_recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    torch.manual_seed(0)
    network = build_model("fcn", 3, {})
    images = torch.randn(4, 3, 8, 12).repeat_interleave(8, 2).repeat_interleave(8, 3)
    with torch.no_grad():  # every class is somewhere, with clear probabilities
        for _ in range(20):
            network.train()(images)
        network.classifier.weight *= 20
        network.classifier.bias -= network.eval()(images).mean((0, 2, 3))
    save_checkpoint(path, network, tiny_recipe, ABOUT | {"label_values": VALUES, "eval_size": SIZE})
    return path


def photo(path: Path, height: int, width: int, seed: int = 0) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (-(-height // 8), -(-width // 8), 3), np.uint8)
    pixels = small.repeat(8, 0).repeat(8, 1)[:height, :width]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


def logits(model: Path, pixels: np.ndarray) -> torch.Tensor:
    """Logits (1, C, h, w) of an image as the network sees it."""
    checkpoint = load_checkpoint(model)
    with torch.inference_mode():
        found: torch.Tensor = checkpoint.model(scaled(torch.tensor(pixels).permute(2, 0, 1)[None], "imagenet"))
    return found


def at_evaluation_size(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize(SIZE[::-1], Image.Resampling.BILINEAR))


def run(model: Path, images: Path | list[Path], out: Path, **options: Any) -> list[Path]:
    given = images if isinstance(images, list) else [images]
    return list(segment(model, given, out, "cpu", **options))


def ids(path: Path) -> np.ndarray:
    with Image.open(path) as file:
        return np.asarray(file)


def close(found: np.ndarray, expected: np.ndarray, values: list[int] = VALUES) -> bool:
    """Whether label values are those of train ids, but for a few pixels at which logits are equal up to rounding."""
    return bool((found == np.array(values)[expected]).mean() > 0.999) and len(np.unique(found)) > 1


def test_the_network_sees_its_evaluation_size_and_logits_are_resized_back(model: Path, tmp_path: Path) -> None:
    pixels = photo(tmp_path / "a.png", 150, 130)
    (path,) = run(model, tmp_path / "a.png", tmp_path / "out")
    expected = F.interpolate(logits(model, at_evaluation_size(pixels)), (150, 130), mode="bilinear").argmax(1)[0]
    assert close(ids(path), expected.numpy())
    (path,) = run(model, tmp_path / "a.png", tmp_path / "native", sizes=Sizes(native=True))
    assert close(ids(path), logits(model, pixels).argmax(1)[0].numpy())


def test_mirrored_passes_are_averaged(model: Path, tmp_path: Path) -> None:
    pixels = photo(tmp_path / "a.png", *SIZE)
    (path,) = run(model, tmp_path / "a.png", tmp_path / "out", inference=Inference(flip=True))
    mirrored = logits(model, pixels[:, ::-1].copy()).flip(3)
    assert close(ids(path), ((logits(model, pixels) + mirrored) / 2).argmax(1)[0].numpy())


def test_a_tile_of_the_picture_is_the_whole_picture(model: Path, tmp_path: Path) -> None:
    pixels = photo(tmp_path / "a.png", 70, 90)
    (path,) = run(model, tmp_path / "a.png", tmp_path / "out", sizes=Sizes(tile=(128, 128)))
    assert close(ids(path), logits(model, pixels).argmax(1)[0].numpy())


def test_tiles_fill_the_picture(model: Path, tmp_path: Path) -> None:
    photo(tmp_path / "a.png", 300, 210)
    outputs = PredictionOutputs(probabilities=True, overlay=True)
    (path,) = run(model, tmp_path / "a.png", tmp_path / "out", sizes=Sizes(tile=parse_tile("")), outputs=outputs)
    probabilities = np.load(tmp_path / "out/a.probabilities.npy")
    assert ids(path).shape == (300, 210)
    assert (np.array(VALUES)[probabilities.argmax(0)] == ids(path)).mean() > 0.98
    assert np.abs(probabilities.sum(0, np.int64) - 255).max() <= 2


def test_ids_above_255_are_16_bits(model: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    values = [0, 300, 65535]
    about = ABOUT | {"label_values": values, "eval_size": SIZE}
    save_checkpoint(tmp_path / "m.safetensors", load_checkpoint(model).model, tiny_recipe, about)
    pixels = photo(tmp_path / "a.png", *SIZE)
    (path,) = run(tmp_path / "m.safetensors", tmp_path / "a.png", tmp_path / "out")
    assert ids(path).dtype == np.uint16
    assert close(ids(path), logits(model, pixels).argmax(1)[0].numpy(), values)


def test_other_outputs(model: Path, tmp_path: Path) -> None:
    pixels = photo(tmp_path / "a.png", *SIZE)
    outputs = PredictionOutputs("colours", overlay=True, probabilities=True, shares=True)
    (path,) = run(model, tmp_path / "a.png", tmp_path / "out", outputs=outputs)
    scores = logits(model, pixels)[0]
    labels = (ids(path)[:, :, None] == PALETTE).all(3).argmax(2)
    assert (labels == scores.argmax(0).numpy()).mean() > 0.999
    assert np.array_equal(ids(path), PALETTE[labels])
    mixed = np.rint((pixels.astype(int) + PALETTE[labels]) / 2)
    assert np.array_equal(ids(tmp_path / "out/a.overlay.png"), mixed)
    probabilities = np.load(tmp_path / "out/a.probabilities.npy")
    assert np.abs(probabilities - 255 * scores.softmax(0).numpy()).max() <= 0.51
    shares = dict(zip(ABOUT["classes"], [(labels == k).mean() for k in range(3)], strict=True))
    content = json.loads((tmp_path / "out/shares.json").read_text())
    assert content["total"] == content["images"][0]["shares"] == pytest.approx(shares, abs=1e-6)
    with (tmp_path / "out/shares.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["labels"] for row in rows] == ["a.png"]
    assert {name: float(rows[0][name]) for name in shares} == pytest.approx(shares, abs=1e-6)
    with Image.open(tmp_path / "out/legend.png") as legend:
        assert legend.getpixel((10, 12)) == tuple(PALETTE[0])
        assert legend.getpixel((10, 60)) == tuple(PALETTE[2])


def test_batches_of_images_of_several_sizes(model: Path, tmp_path: Path) -> None:
    shapes = [(64, 96), (64, 96), (70, 96), (64, 96), (64, 96), (64, 96)]
    for k, shape in enumerate(shapes):
        photo(tmp_path / f"photos/{k}.png", *shape, seed=k)
    for sizes in (Sizes(), Sizes(native=True, batch=2)):
        out = tmp_path / f"out{sizes.batch}"
        together = run(model, tmp_path / "photos", out, sizes=sizes)
        assert [path.name for path in together] == [f"{k}.png" for k in range(6)]
        for k, path in enumerate(together):
            (alone,) = run(model, tmp_path / f"photos/{k}.png", out / "alone", sizes=sizes._replace(batch=1))
            assert (ids(path) == ids(alone)).mean() > 0.999


def test_a_broken_file_is_named_and_the_others_are_done(model: Path, tmp_path: Path) -> None:
    for name in ("a.png", "c.png"):
        photo(tmp_path / "photos" / name, *SIZE)
    (tmp_path / "photos/b.png").write_text("no image")
    done = segment(model, [tmp_path / "photos"], tmp_path / "out", "cpu")
    assert [next(done).name, next(done).name] == ["a.png", "c.png"]
    with pytest.raises(IncompleteError, match=r"b\.png: cannot be decoded .*; replace the file$"):
        next(done)


@pytest.mark.parametrize(("pattern", "target"), [("", "gone.png"), ("*.png", "gone.png"), ("*.png", "b.png")])
def test_a_broken_link_is_named_and_the_others_are_done(model: Path, tmp_path: Path, pattern: str, target: str) -> None:
    photo(tmp_path / "photos/a.png", *SIZE)
    (tmp_path / "photos/b.png").symlink_to(target)
    done = segment(model, [tmp_path / "photos" / pattern], tmp_path / "out", "cpu")
    assert next(done).name == "a.png"
    with pytest.raises(IncompleteError, match=r"b\.png: (No such file|Too many)"):
        next(done)


def test_names_keep_directories_and_endings_apart(tmp_path: Path) -> None:
    files = ["day/a.jpg", "day/a.png", "day/more/b.PNG", "night/a.jpg", "night/notes.txt", "day/._a.jpg", "out/a.png"]
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def names(*given: str) -> list[str]:
        return [each.name for each in find_pictures([tmp_path / each for each in given], tmp_path / "out")]

    assert names("day", "night") == ["day/a.jpg", "day/a.png", "day/more/b", "night/a"]
    assert names("night") == names("night/a.jpg") == names("night/*.jpg", "night/a.jpg") == ["a"]
    assert names("day/a.jpg", "night/a.jpg") == ["day/a", "night/a"]
    assert names("*/a.jpg") == ["day/a", "night/a"]  # not those in `out`
    assert names(".") == ["day/a.jpg", "day/a.png", "day/more/b", "night/a"]
    assert names("**/b.*") == ["day/more/b"]
    for given in ("day/*.gif", "none"):
        with pytest.raises(ValueError, match=r"no images there|No such file"):
            names(given)


def test_cityscapes_evaluator_counts_what_evaluation_counts(
    cityscapes_root: Path, tiny_recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From training to files of label ids: the owners' evaluator finds the confusion matrix of our evaluation."""
    for split in ("train", "val"):
        for write in (pack_split, write_native_labels):
            write(cityscapes_root / "manifest.json", describe("cityscapes"), split, 32, 40, tmp_path / split)
    packs, cpu = (tmp_path / "train.json", tmp_path / "val.json"), torch.device("cpu")
    files = Outputs(*(tmp_path / name for name in ("m.safetensors", "h.csv", "r.json", "events")))
    train(tiny_recipe, *packs, None, files, cpu, 0, "0123")
    found = evaluate_images(
        load_checkpoint(files.model), Loader(Pack(packs[1]), cpu), NativeLabels(packs[1]), Inference()
    )
    run(files.model, cityscapes_root / "leftImg8bit/val", tmp_path / "out")
    monkeypatch.setattr(cityscapes, "CSUPPORT", False)
    for name, value in {"evalInstLevelScore": False, "evalPixelAccuracy": False, "evalLabels": list(range(34))}.items():
        monkeypatch.setattr(cityscapes.args, name, value)
    counts = np.zeros((34, 34), np.ulonglong)
    for path in (tmp_path / "out/ulm").iterdir():
        label = path.name.replace("leftImg8bit", "gtFine_labelIds")
        cityscapes.evaluatePair(
            str(path), str(cityscapes_root / "gtFine/val/ulm" / label), counts, {}, {}, cityscapes.args
        )
    ids = list(class_table(describe("cityscapes")).label_values())
    assert np.array_equal(counts[np.ix_(ids, ids)], found.tallies["native"].confusion.sum(0))
    assert counts[ids].sum() == counts[np.ix_(ids, ids)].sum() > 0
