"""Evaluate a checkpoint on the evaluation split: confusion matrices, metrics, samples."""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seg.data.loader import Loader, scaled
from seg.data.pack_format import Pack
from seg.evaluation.samples import draw_samples
from seg.metrics.confusion import confusion_matrix
from seg.metrics.labels import predict_labels
from seg.metrics.scores import METRICS, class_iou
from seg.models.checkpoint import Checkpoint, load_checkpoint
from seg.results import Commonest, EvaluationRun, Machine, Metrics
from seg.system.console import run_stage, say
from seg.system.files import written_whole
from seg.system.machine import choose_device, machine_info, peak_memory
from seg.training.numerics import autocast, resolve_precision, set_up

SAMPLES = 4  # images that are drawn, spread evenly over the split


@torch.inference_mode()
def confusion_by_image(
    checkpoint: Checkpoint, pack: Pack, device: torch.device, workers: int = 0
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Confusion matrices (N, C, C) int64, one per image, and predictions (H, W) uint8 of the images that are drawn."""
    classes = len(checkpoint.about["classes"])
    drawn = {int(i) for i in np.linspace(0, len(pack) - 1, min(SAMPLES, len(pack)))}
    model = checkpoint.model.to(device)
    matrices = np.zeros((len(pack), classes, classes), np.int64)
    predictions = {}
    for batch in Loader(pack, device, workers).batches(np.arange(len(pack)), checkpoint.recipe.batch):
        with autocast(device, checkpoint.about["precision"]):
            logits = model(scaled(batch.images, checkpoint.recipe.scaling))
        predicted = predict_labels(logits, (pack.height, pack.width)).cpu().numpy()
        for sample, labels, prediction in zip(batch.samples, batch.labels.cpu().numpy(), predicted, strict=True):
            matrices[sample] = confusion_matrix(labels, prediction, classes)
            if int(sample) in drawn:
                predictions[int(sample)] = prediction
    return matrices, predictions


def summarize_scores(matrices: np.ndarray, classes: list[str]) -> dict[str, Any]:
    """The scores of `Metrics` from one confusion matrix per image (N, C, C)."""
    total = matrices.sum(0)
    truth = total.sum(1)
    constant = np.zeros_like(total)  # confusion matrix of predicting the most frequent class for all pixels
    constant[:, truth.argmax()] = truth
    return {
        **{name: float(metric(total)) for name, metric in METRICS.items()},
        "iou": {
            name: None if np.isnan(iou) else float(iou) for name, iou in zip(classes, class_iou(total), strict=True)
        },
        "commonest": Commonest(
            name=classes[int(truth.argmax())],
            pixel_accuracy=float(METRICS["pixel_accuracy"](constant)),
            miou=float(METRICS["miou"](constant)),
        ),
    }


def evaluate(
    model: Path,
    pack: Path,
    metrics: Path,
    confusion: Path,
    samples: Path,
    run_info: Path,
    device: torch.device,
    workers: int = 0,
) -> None:
    """Write metrics, confusion matrices, samples, and time and memory of the run; all or none.

    Raises:
        ValueError: checkpoint and pack have different classes, one is damaged, or the pack has no labelled pixel.
    """
    checkpoint, data = load_checkpoint(model), Pack(pack)
    if checkpoint.about["classes"] != data.classes:
        raise ValueError(f"{model} and {pack} have different classes; evaluate a model on the dataset of its training")
    set_up(checkpoint.recipe.threads, checkpoint.recipe.deterministic, checkpoint.about["precision"], device)
    start = time.monotonic()
    matrices, predictions = confusion_by_image(checkpoint, data, device, workers)
    seconds = time.monotonic() - start
    if not matrices.any():
        raise ValueError(f"{pack}: has no labelled pixel, so no score is defined; check the dataset's labels")
    result = Metrics(
        split=data.about["split"],
        images=len(data),
        names=tuple(data.about["names"]),
        groups=tuple(data.about["groups"]),
        ordered=data.about["ordered"],
        classes=tuple(data.classes),
        **summarize_scores(matrices, data.classes),
    )
    run = EvaluationRun(
        device=str(device),
        machine=Machine(**machine_info(device)),
        precision=resolve_precision(checkpoint.about["precision"], device),
        seconds=seconds,
        images_per_second=len(data) / seconds,
        peak_memory_bytes=peak_memory(device),
    )
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(data.classes)] = data.about["palette"]
    drawn = list(zip(*data.read(np.array(list(predictions))), predictions.values(), strict=True))
    with written_whole(metrics, confusion, samples, run_info) as (metrics_part, confusion_part, samples_part, run_part):
        metrics_part.write_text(result.text(), encoding="utf-8")
        with confusion_part.open("wb") as file:
            np.save(file, matrices)
        draw_samples(drawn, palette).save(samples_part, "PNG")
        run_part.write_text(run.text(), encoding="utf-8")
    say(f"mIoU {result.miou} pixel accuracy {result.pixel_accuracy} on {len(data)} images of '{result.split}'")


def main() -> None:
    """Evaluate a checkpoint on a pack."""
    parser = argparse.ArgumentParser(prog="python -m seg.evaluation.evaluate", description=main.__doc__)
    parser.add_argument("--model", type=Path, required=True, help="checkpoint")
    parser.add_argument("--pack", type=Path, required=True, help=".json of the pack of the evaluation split")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON to write: scores")
    parser.add_argument("--confusion", type=Path, required=True, help=".npy to write: one matrix per image")
    parser.add_argument("--samples", type=Path, required=True, help="PNG to write")
    parser.add_argument("--run-info", type=Path, required=True, help="JSON to write: time, memory, machine")
    parser.add_argument("--device", default="auto", help="cuda, cuda:1, mps or cpu; default: the best available")
    parser.add_argument("--workers", type=int, default=0, help="threads that prepare batches ahead")
    arguments = vars(parser.parse_args())
    evaluate(**arguments | {"device": choose_device(arguments["device"])})


if __name__ == "__main__":
    run_stage(main)
