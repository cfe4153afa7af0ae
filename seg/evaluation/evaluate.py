"""Evaluate a checkpoint on the scored split: confusion matrices, metrics with intervals, pictures."""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seg.data.loader import Loader, scaled
from seg.data.pack_format import Pack
from seg.evaluation.bootstrap import bootstrap_intervals
from seg.evaluation.pictures import picture
from seg.metrics.confusion import confusion_matrix
from seg.metrics.labels import predict_labels
from seg.metrics.scores import METRICS, class_iou
from seg.models.checkpoint import Checkpoint, load_checkpoint
from seg.system.console import run_stage, say
from seg.system.files import canonical_json, written_whole
from seg.system.machine import choose_device, machine_info, peak_memory
from seg.training.numerics import autocast, set_up

PICTURES = 4  # samples in the picture, spread evenly over the split


@torch.inference_mode()
def confusion_by_image(
    checkpoint: Checkpoint, pack: Pack, device: torch.device, workers: int = 0
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Confusion matrices (N, C, C) int64, one an image, and the predictions (H, W) uint8 of the pictured samples."""
    classes = len(checkpoint.about["classes"])
    pictured = {int(i) for i in np.linspace(0, len(pack) - 1, min(PICTURES, len(pack)))}
    model = checkpoint.model.to(device)
    matrices = np.zeros((len(pack), classes, classes), np.int64)
    predictions = {}
    for batch in Loader(pack, device, workers).batches(np.arange(len(pack)), checkpoint.recipe.batch):
        with autocast(device, checkpoint.about["precision"]):
            logits = model(scaled(batch.images, checkpoint.recipe.scaling))
        predicted = predict_labels(logits, (pack.height, pack.width)).cpu().numpy()
        for sample, labels, prediction in zip(batch.samples, batch.labels.cpu().numpy(), predicted, strict=True):
            matrices[sample] = confusion_matrix(labels, prediction, classes)
            if int(sample) in pictured:
                predictions[int(sample)] = prediction
    return matrices, predictions


def summary(matrices: np.ndarray, classes: list[str]) -> dict[str, Any]:
    """Metrics of a split with 95% intervals, from one confusion matrix an image (N, C, C); absent classes are None."""
    whole = matrices.sum(0)
    values = {name: _number(metric(whole)) for name, metric in METRICS.items()}
    intervals = bootstrap_intervals(matrices, {**METRICS, "iou": class_iou})
    iou_ends = intervals.pop("iou").T
    constant = _commonest(whole)
    return {
        **values,
        "iou": dict(zip(classes, map(_number, class_iou(whole)), strict=True)),
        "intervals": {name: [_number(end) for end in ends] for name, ends in intervals.items()},
        "iou_intervals": {
            name: None if np.isnan(ends).any() else [_number(end) for end in ends]
            for name, ends in zip(classes, iou_ends, strict=True)
        },
        "commonest": {"class": classes[int(whole.sum(1).argmax())]}
        | {name: _number(METRICS[name](constant)) for name in ("pixel_accuracy", "miou")},
    }


def _commonest(whole: np.ndarray) -> np.ndarray:
    """The confusion matrix (C, C) of predicting the split's commonest class everywhere."""
    matrix = np.zeros_like(whole)
    matrix[:, whole.sum(1).argmax()] = whole.sum(1)
    return matrix


def _number(value: np.ndarray | float) -> float | None:
    return None if np.isnan(value) else float(value)


def evaluate(
    model: Path,
    pack: Path,
    metrics: Path,
    confusion: Path,
    samples: Path,
    cost: Path,
    device: torch.device,
    workers: int = 0,
) -> None:
    """Write metrics, confusion matrices, the picture and what it took; all or none.

    Raises:
        ValueError: checkpoint and pack have other classes, or one is damaged.
    """
    checkpoint, data = load_checkpoint(model), Pack(pack)
    if checkpoint.about["classes"] != data.classes:
        raise ValueError(f"{model} knows other classes than {pack}; evaluate it on the data set it was trained on")
    set_up(checkpoint.recipe.threads, checkpoint.recipe.deterministic, device)
    start = time.monotonic()
    matrices, predictions = confusion_by_image(checkpoint, data, device, workers)
    seconds = time.monotonic() - start
    result = {
        "split": data.about["split"],
        "images": len(data),
        "names": data.about["names"],
        "classes": data.classes,
        **summary(matrices, data.classes),
    }
    spent = {
        "device": str(device),
        "machine": machine_info(device),
        "precision": checkpoint.about["precision"],
        "seconds": seconds,
        "images_per_second": len(data) / seconds,
        "peak_memory_bytes": peak_memory(device),
    }
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(data.classes)] = data.about["palette"]
    pictured = sorted(predictions)
    strips = list(zip(*data.read(np.array(pictured)), [predictions[i] for i in pictured], strict=True))
    with written_whole(metrics, confusion, samples, cost) as (metrics_part, confusion_part, samples_part, cost_part):
        metrics_part.write_text(canonical_json(result) + "\n", encoding="utf-8")
        with confusion_part.open("wb") as file:
            np.save(file, matrices)
        picture(strips, palette).save(samples_part, "PNG")
        cost_part.write_text(canonical_json(spent) + "\n", encoding="utf-8")
    say(f"mIoU {result['miou']} pixel accuracy {result['pixel_accuracy']} on {len(data)} images of '{result['split']}'")


def main() -> None:
    """Evaluate a checkpoint on a pack."""
    parser = argparse.ArgumentParser(prog="python -m seg.evaluation.evaluate", description=main.__doc__)
    parser.add_argument("--model", type=Path, required=True, help="checkpoint")
    parser.add_argument("--pack", type=Path, required=True, help=".json of the pack of the scored split")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON to write")
    parser.add_argument("--confusion", type=Path, required=True, help=".npy to write, one matrix an image")
    parser.add_argument("--samples", type=Path, required=True, help="PNG to write")
    parser.add_argument("--cost", type=Path, required=True, help="JSON to write: time, memory, machine")
    parser.add_argument("--device", default="auto", help="cuda, cuda:1, mps, cpu; by default what is there")
    parser.add_argument("--workers", type=int, default=0, help="threads that prepare batches ahead")
    arguments = vars(parser.parse_args())
    evaluate(**arguments | {"device": choose_device(arguments["device"])})


if __name__ == "__main__":
    run_stage(main)
