"""Evaluation as a process: scores against a direct computation from the predictions, samples, refused input."""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

from seg.config.description import describe
from seg.config.recipe import Recipe
from seg.data.loader import Loader, scaled
from seg.data.pack import pack_split
from seg.data.pack_format import Pack
from seg.evaluation.evaluate import evaluate
from seg.evaluation.samples import draw_samples
from seg.models.checkpoint import load_checkpoint, save_checkpoint
from seg.results import EvaluationRun, read_history, read_result
from seg.training.train import Outputs, train

CPU = torch.device("cpu")


class Files(NamedTuple):
    """Outputs of an evaluation."""

    metrics: Path
    confusion: Path
    predictions: Path
    samples: Path
    run: Path


def files(folder: Path) -> Files:
    names = ("metrics.json", "confusion.npy", "predictions.zip", "samples.png", "evaluation.json")
    return Files(*(folder / name for name in names))


def command(model: Path, data: Path, out: Files, *more: str) -> subprocess.CompletedProcess[str]:
    """Evaluate as a rule of the workflow does."""
    flags = {"model": model, "pack": data, "device": "cpu", **out._asdict()}
    arguments = [str(part) for name, value in flags.items() for part in (f"--{name}", value)]
    line = [sys.executable, "-m", "seg.evaluation.evaluate", *arguments, *more]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def one_image(packs: Any, label: np.ndarray, folder: Path) -> Path:
    """A pack of the first validation image with this label (48, 64)."""
    about = Pack(packs.val).about | {"images": 1, "names": ["one"], "groups": [""]}
    np.save(folder / "one.images.npy", Pack(packs.val).read(np.array([0]))[0])
    np.save(folder / "one.labels.npy", label[None].astype(np.uint8))
    (folder / "one.json").write_text(json.dumps(about))
    native = json.loads(packs.val.with_name("val.native.json").read_text()) | {"names": ["one"], "sizes": [[48, 64]]}
    (folder / "one.native.json").write_text(json.dumps(native))
    np.save(folder / "one.native.npy", np.zeros(0, np.uint8))
    return folder / "one.json"


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The error of a command that fails with one line and exit code 2."""
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Training and evaluation set threads and kernels for their process; restore them."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


@pytest.fixture(scope="module")
def model(tiny_recipe: Recipe, packs: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network after two epochs."""
    folder = tmp_path_factory.mktemp("trained")
    out = Outputs(folder / "model.safetensors", folder / "history.csv", folder / "run.json", folder / "events")
    train(tiny_recipe, packs.train, packs.val, None, out, CPU, 0, "0123")
    return out.model


@pytest.fixture(scope="module")
def out(model: Path, packs: Any, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Outputs of a process that evaluated the 12 images of the train split."""
    written = files(tmp_path_factory.mktemp("evaluated"))
    done = command(model, packs.train, written)
    assert done.returncode == 0, done.stderr
    return written


@pytest.fixture(scope="module")
def judged(model: Path, packs: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (N, H, W, 3), labels and plain predictions (N, H, W)."""
    data = Pack(packs.train)
    images, labels = data.read(np.arange(len(data)))
    checkpoint = load_checkpoint(model)
    with torch.inference_mode():
        # In the batches of the recipe: sums of another size may round differently.
        parts = torch.from_numpy(images).permute(0, 3, 1, 2).split(checkpoint.recipe.batch)
        logits = torch.cat([checkpoint.model(scaled(part, "imagenet")) for part in parts])
    return images, labels, logits.argmax(1).numpy().astype(np.uint8)


def plain_confusion(labels: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    matrix = np.zeros((11, 11), np.int64)
    for truth, guess in zip(labels.ravel(), prediction.ravel(), strict=True):
        if truth != 255:
            matrix[truth, guess] += 1
    return matrix


def test_one_confusion_matrix_per_image(out: Files, judged: tuple[np.ndarray, ...]) -> None:
    _, labels, prediction = judged
    matrices = np.load(out.confusion, allow_pickle=False)
    assert (matrices.dtype, matrices.shape) == (np.int64, (2, 12, 11, 11))
    assert np.array_equal(matrices[0], matrices[1])  # the labels' own size is that of the pack
    assert np.array_equal(matrices[1], [plain_confusion(*pair) for pair in zip(labels, prediction, strict=True)])


def test_metrics_are_those_of_the_predictions(out: Files, judged: tuple[np.ndarray, ...], packs: Any) -> None:
    _, labels, prediction = judged
    metrics = json.loads(out.metrics.read_text())
    classes = Pack(packs.train).classes
    scored = labels != 255
    truth, guess = labels[scored], prediction[scored]
    iou, recall, share = {}, [], []
    for k, name in enumerate(classes):
        union = ((truth == k) | (guess == k)).sum()
        both = ((truth == k) & (guess == k)).sum()
        iou[name] = both / union if union else None
        if (truth == k).any():
            recall.append((guess[truth == k] == k).mean())
            share.append((truth == k).mean() * iou[name])
    assert (metrics["split"], metrics["images"], metrics["classes"]) == ("train", 12, classes)
    assert metrics["names"] == Pack(packs.train).about["names"]
    assert metrics["native"] == metrics["pack"]
    metrics = metrics["pack"]
    assert metrics["iou"] == iou
    assert metrics["pixel_accuracy"] == (truth == guess).mean()
    assert metrics["miou"] == pytest.approx(np.mean([value for value in iou.values() if value is not None]), rel=1e-12)
    assert metrics["mean_accuracy"] == pytest.approx(np.mean(recall), rel=1e-12)
    assert metrics["frequency_weighted_iou"] == pytest.approx(np.sum(share), rel=1e-12)


def test_scores_of_predicting_the_most_frequent_class(out: Files, judged: tuple[np.ndarray, ...], packs: Any) -> None:
    labels = judged[1]
    pixels = np.bincount(labels[labels != 255], minlength=11)
    commonest = json.loads(out.metrics.read_text())["native"]["commonest"]
    assert commonest["class"] == Pack(packs.train).classes[pixels.argmax()]
    assert commonest["pixel_accuracy"] == pixels.max() / pixels.sum()
    assert commonest["miou"] == pytest.approx(pixels.max() / pixels.sum() / (pixels > 0).sum(), rel=1e-12)


def test_groups_and_order_are_those_of_the_pack(out: Files) -> None:
    metrics = json.loads(out.metrics.read_text())
    assert (metrics["groups"], metrics["ordered"]) == (["scene"] * 12, True)


def test_time_and_machine_are_not_in_the_metrics(out: Files) -> None:
    run = read_result(EvaluationRun, out.run, "evaluate again")
    assert (run.device, run.precision) == ("cpu", "fp32")
    assert run.images_per_second == pytest.approx(12 / run.seconds)
    assert run.peak_memory_bytes > 2**27
    assert set(run.model_dump()) & json.loads(out.metrics.read_text()).keys() == {"schema_version"}


def test_the_peak_memory_leaves_out_the_resident_pack(
    model: Path, packs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of a training does."""

    class Resident(Loader):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.resident_bytes = 1000

    monkeypatch.setattr("seg.evaluation.evaluate.Loader", Resident)
    monkeypatch.setattr("seg.evaluation.evaluate.peak_memory", lambda device: 2**30)
    out = files(tmp_path)
    evaluate(model, packs.train, *out, CPU)
    assert read_result(EvaluationRun, out.run, "evaluate again").peak_memory_bytes == 2**30 - 1000


def test_a_model_trained_in_tf32_is_evaluated_in_fp32_on_a_cpu(model: Path, packs: Any, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(model)
    about = {name: value for name, value in checkpoint.about.items() if name != "recipe"}
    save_checkpoint(tmp_path / "tf32.safetensors", checkpoint.model, checkpoint.recipe, about | {"precision": "tf32"})
    out = files(tmp_path)
    evaluate(tmp_path / "tf32.safetensors", packs.train, *out, CPU)
    assert read_result(EvaluationRun, out.run, "evaluate again").precision == "fp32"


def test_the_weighted_loss_has_the_weights_of_the_training(tiny_recipe: Recipe, packs: Any, tmp_path: Path) -> None:
    """Those of a subset of the training images: the loss is that of the last validation."""
    recipe = tiny_recipe.model_copy(update={"loss": "weighted_cross_entropy", "train_images": 5, "epochs": 1})
    trained = Outputs(*(tmp_path / name for name in ("model.safetensors", "history.csv", "run.json", "events")))
    train(recipe, packs.train, packs.val, None, trained, CPU, 0, "0123")
    out = files(tmp_path)
    evaluate(trained.model, packs.val, *out, CPU)
    (row,) = read_history(trained.history)
    assert json.loads(out.metrics.read_text())["loss"] == pytest.approx(row.val_loss, rel=1e-6)


def test_twice_gives_the_same_bits(out: Files, model: Path, packs: Any, tmp_path: Path) -> None:
    again = files(tmp_path)
    evaluate(model, packs.train, *again, CPU, workers=2)
    for one, other in list(zip(out, again, strict=True))[:4]:
        assert one.read_bytes() == other.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in again}


def test_samples_show_image_truth_prediction_and_error(out: Files, judged: tuple[np.ndarray, ...], packs: Any) -> None:
    """Four samples of the split, one row of four panels of 320x240 each: the pack's 64x48 five times larger."""
    palette = np.zeros((256, 3), np.uint8)
    palette[:11] = Pack(packs.train).about["palette"]
    with Image.open(out.samples) as file:
        whole = np.asarray(file)
    assert whole.shape == (4 * 240 + 3 * 4, 4 * 320 + 3 * 4, 3)
    for row, sample in enumerate((0, 3, 7, 11)):
        image, labels, prediction = (part[sample] for part in judged)
        top = row * 244
        shown = [whole[top : top + 240, left : left + 320] for left in range(0, 4 * 324, 324)]
        middles = shown[0][2::5, 2::5]  # where bilinear sampling hits a pixel of the image
        assert np.abs(middles.astype(int) - image).max() <= 1
        wrong, right = np.array([213, 62, 79]), np.array([235, 235, 235])
        error = np.where((labels == prediction)[..., None], right, wrong)
        ignored = (labels == 255)[..., None]
        panels = [np.where(ignored, 0, palette[labels]), palette[prediction], np.where(ignored, 0, error)]
        for panel, expected in zip(shown[1:], panels, strict=True):
            assert np.array_equal(panel, expected.repeat(5, 0).repeat(5, 1))


def test_predictions_of_all_images(out: Files, judged: tuple[np.ndarray, ...]) -> None:
    """The labels have the size of the pack, so a picture has a pixel for each pixel of the prediction."""
    with zipfile.ZipFile(out.predictions) as file:
        found = [np.asarray(Image.open(io.BytesIO(file.read(f"{i:06}.png")))) for i in range(12)]
        assert len(file.namelist()) == 12
    assert np.array_equal(np.stack(found), judged[2])


def test_samples_by_hand() -> None:
    palette = np.zeros((256, 3), np.uint8)
    palette[:2] = [[10, 20, 30], [40, 50, 60]]
    image = np.full((1, 2, 3), 99, np.uint8)
    drawn = draw_samples([(image, np.array([[0, 255]], np.uint8), np.array([[1, 1]], np.uint8))], palette)
    assert drawn.size == (4 * 320 + 3 * 4, 160)
    places = {"image": 50, "truth": 324 + 50, "ignored": 324 + 200, "predicted": 648 + 50, "wrong": 972 + 50}
    assert {name: drawn.getpixel((x, 80)) for name, x in places.items()} == {
        "image": (99, 99, 99),
        "truth": (10, 20, 30),
        "ignored": (0, 0, 0),
        "predicted": (40, 50, 60),
        "wrong": (213, 62, 79),
    }
    assert drawn.getpixel((972 + 200, 80)) == (0, 0, 0)  # an ignored pixel is neither right nor wrong
    assert drawn.getpixel((322, 80)) == (255, 255, 255)


def test_a_split_of_fewer_than_four_images_and_an_absent_class(model: Path, packs: Any, tmp_path: Path) -> None:
    """One image of one class: a class in neither the truth nor the prediction has no IoU."""
    written = files(tmp_path)
    evaluate(model, one_image(packs, np.zeros((48, 64)), tmp_path), *written, CPU)
    metrics = json.loads(written.metrics.read_text())
    predicted = np.load(written.confusion)[0, 0].sum(0) > 0
    for there, name in zip(predicted[1:], metrics["classes"][1:], strict=True):
        assert metrics["native"]["iou"][name] == (0 if there else None)
    with Image.open(written.samples) as file:
        assert file.height == 240


def test_a_pack_without_a_labelled_pixel_is_refused(model: Path, packs: Any, tmp_path: Path) -> None:
    message = refusal(command(model, one_image(packs, np.full((48, 64), 255), tmp_path), files(tmp_path / "out")))
    assert message.startswith(f"error: {tmp_path / 'one.json'}: has no labelled pixel")
    assert not (tmp_path / "out").exists()


def test_a_pack_of_other_classes_is_refused(model: Path, cityscapes_root: Path, tmp_path: Path) -> None:
    pack_split(cityscapes_root / "manifest.json", describe("cityscapes"), "val", 48, 64, tmp_path / "val")
    message = refusal(command(model, tmp_path / "val.json", files(tmp_path / "out")))
    assert message.startswith(f"error: {model} and {tmp_path / 'val.json'} have different classes; evaluate")
    assert not (tmp_path / "out").exists()


def test_an_unavailable_device_is_refused(model: Path, packs: Any, tmp_path: Path) -> None:
    done = command(model, packs.val, files(tmp_path / "out"), "--device", "tpu")
    assert refusal(done).startswith("error: --device tpu: not available; available are auto, ")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_no_partial_file(model: Path, packs: Any, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(1000 << 10))
    with pytest.raises(OSError, match="No space left on device"):
        evaluate(model, packs.val, *files(small_disk / "run"), CPU)
    assert not list((small_disk / "run").iterdir())
