"""Scores at the labels' own size and at the pack's, against torchmetrics and cityscapesScripts; loss of the split."""

import tracemalloc
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling
from PIL import Image
from torch import nn
from torchmetrics.classification import MulticlassAccuracy, MulticlassCalibrationError, MulticlassJaccardIndex

from seg.config.description import describe
from seg.config.inference import Inference
from seg.config.recipe import Recipe
from seg.data.loader import Loader, scaled
from seg.data.native_labels import write_native_labels
from seg.data.pack import pack_split
from seg.data.pack_format import NativeLabels, Pack
from seg.datasets.classes import class_table
from seg.evaluation.evaluate import Evaluation, evaluate_images
from seg.evaluation.scoring import Tally
from seg.metrics.calibration import decide
from seg.models.checkpoint import Checkpoint
from seg.training.validation import validate

cityscapes = evalPixelLevelSemanticLabeling
CPU = torch.device("cpu")
CLASSES = 19
SIZE = (31, 45)  # of the pack; the labels have 48x64
WEIGHTS = np.linspace(0.2, 2, CLASSES)


class Case(NamedTuple):
    """An evaluation, and logits (N, 19, h, w) and labels (N, H, W) by scoring."""

    checkpoint: Checkpoint
    pack: Pack
    native: NativeLabels
    found: Evaluation
    logits: dict[str, torch.Tensor]
    labels: dict[str, np.ndarray]


def recipe_of(recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"loss": "weighted_cross_entropy", "batch": 3})  # 4 images: batches of 3 and 1


@pytest.fixture(scope="module")
def case(cityscapes_root: Path, tiny_recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A random linear classifier of colours on four images in the layout of Cityscapes."""
    folder = tmp_path_factory.mktemp("scored")
    for write in (pack_split, write_native_labels):
        write(cityscapes_root / "manifest.json", describe("cityscapes"), "val", *SIZE, folder / "val")
    pack, native = Pack(folder / "val.json"), NativeLabels(folder / "val.json")
    torch.manual_seed(0)
    model = nn.Conv2d(3, CLASSES, 3, padding=1)
    about = {"classes": pack.classes, "precision": "fp32", "class_weights": WEIGHTS.tolist()}
    checkpoint = Checkpoint(model, recipe_of(tiny_recipe), about)
    found = evaluate_images(checkpoint, Loader(pack, CPU), native, Inference())
    images, labels = pack.read(np.arange(4))
    with torch.inference_mode():
        parts = torch.from_numpy(images).permute(0, 3, 1, 2).split(3)
        logits = torch.cat([model(scaled(part, "imagenet")) for part in parts])
    resized = F.interpolate(logits, (48, 64), mode="bilinear", align_corners=False)
    own = np.stack([native.read(k) for k in range(4)])
    by_size = {"pack": logits, "native": resized}, {"pack": labels, "native": own}
    return Case(checkpoint, pack, native, found, *by_size)


@pytest.mark.parametrize("scoring", ["native", "pack"])
def test_scores_are_those_of_torchmetrics(case: Case, scoring: str) -> None:
    scores = case.found.tallies[scoring].scores(case.pack.classes)
    labels, probabilities = torch.from_numpy(case.labels[scoring]).long(), case.logits[scoring].softmax(1)
    prediction = probabilities.argmax(1)
    each = MulticlassJaccardIndex(CLASSES, average=None, ignore_index=255)(prediction, labels).numpy()
    iou = [value or 0 for value in scores.iou.values()]  # it gives 0 for absent classes
    assert np.array_equal(np.array(iou, np.float32), each)
    micro = MulticlassAccuracy(CLASSES, average="micro", ignore_index=255)
    assert scores.pixel_accuracy == pytest.approx(float(micro(prediction, labels)), rel=1e-6)
    by_image = [float(micro(*pair)) for pair in zip(prediction, labels, strict=True)]
    assert scores.image_accuracy == pytest.approx(np.mean(by_image), rel=1e-6)
    jaccard = MulticlassJaccardIndex(CLASSES, average="macro", ignore_index=255)
    assert scores.miou == pytest.approx(float(jaccard(prediction, labels)), rel=1e-6)
    by_image = [float(jaccard(*pair)) for pair in zip(prediction, labels, strict=True)]
    assert scores.image_miou == pytest.approx(np.mean(by_image), rel=1e-6)
    reference = MulticlassCalibrationError(CLASSES, n_bins=15, norm="l1", ignore_index=255)
    assert scores.calibration_error == pytest.approx(float(reference(probabilities, labels)), abs=1e-5)


def test_native_iou_is_that_of_cityscapes_scripts_on_files(
    case: Case, cityscapes_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dataset's own label files, and predictions written at their size."""
    monkeypatch.setattr(cityscapes, "CSUPPORT", False)
    for name, value in {"evalInstLevelScore": False, "evalPixelAccuracy": False, "evalLabels": list(range(34))}.items():
        monkeypatch.setattr(cityscapes.args, name, value)
    scored = class_table(describe("cityscapes")).scored
    official = np.zeros((34, 34), np.ulonglong)
    predictions = case.logits["native"].argmax(1).numpy()
    for name, prediction in zip(case.pack.about["names"], predictions, strict=True):
        Image.fromarray(np.array(scored, np.uint8)[prediction]).save(tmp_path / "prediction.png")
        label = cityscapes_root / f"gtFine/val/ulm/{name}_gtFine_labelIds.png"
        cityscapes.evaluatePair(str(tmp_path / "prediction.png"), str(label), official, {}, {}, cityscapes.args)
    expected = {label: cityscapes.getIouScoreForLabel(label, official, cityscapes.args) for label in scored}
    scores = case.found.tallies["native"].scores(case.pack.classes)
    assert [np.nan if iou is None else iou for iou in scores.iou.values()] == list(expected.values())
    assert scores.miou == pytest.approx(cityscapes.getScoreAverage(expected, cityscapes.args), rel=1e-15)
    assert scores.miou != case.found.tallies["pack"].scores(case.pack.classes).miou


def test_the_loss_is_that_of_validation(case: Case) -> None:
    weights = torch.from_numpy(WEIGHTS).float()
    recipe = case.checkpoint.recipe
    loss, _, miou, _ = validate(case.checkpoint.model, Loader(case.pack, CPU), recipe, weights, "fp32")
    assert case.found.loss == loss
    assert case.found.tallies["pack"].scores(case.pack.classes).miou == pytest.approx(miou, rel=1e-12)
    plain = F.cross_entropy(case.logits["pack"], torch.from_numpy(case.labels["pack"]).long(), ignore_index=255)
    assert loss != pytest.approx(float(plain), rel=1e-3)  # it is weighted


def mirrored(case: Case) -> torch.Tensor:
    """Logits of the mirrored images, mirrored back."""
    images = torch.from_numpy(case.pack.read(np.arange(4))[0]).permute(0, 3, 1, 2)
    with torch.inference_mode():
        return case.checkpoint.model(scaled(images.flip(3), "imagenet")).flip(3)


def test_passes_are_averaged_before_scoring(case: Case) -> None:
    for inference, expected in (
        (Inference(window=(48, 64), stride=(48, 64)), case.logits["pack"]),
        (Inference(flip=True), (case.logits["pack"] + mirrored(case)) / 2),
    ):
        found = evaluate_images(case.checkpoint, Loader(case.pack, CPU), case.native, inference)
        labels = torch.from_numpy(case.labels["pack"]).long()
        right = (expected.argmax(1) == labels)[labels != 255].float().mean()
        assert found.tallies["pack"].scores(case.pack.classes).pixel_accuracy == pytest.approx(float(right), rel=1e-6)


def test_an_image_without_a_labelled_pixel_is_in_no_mean_over_images(case: Case) -> None:
    whole = case.found.tallies["pack"]
    longer = Tally(5, CLASSES)
    longer.__dict__ |= whole.__dict__ | {"confusion": np.concatenate([whole.confusion, np.zeros((1, 19, 19), int)])}
    assert longer.scores(case.pack.classes) == whole.scores(case.pack.classes)


def test_logits_are_never_in_memory_at_the_size_of_the_labels() -> None:
    """Those of 41 classes at 1024x2048 would take 344 MB in float32."""
    logits = torch.randn(41, 128, 256)
    tracemalloc.start()
    decide(logits, (1024, 2048))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6
