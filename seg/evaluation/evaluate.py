"""Evaluate a checkpoint on the evaluation split: confusion matrices, scores, loss, predictions, samples.

The network gets the images of the pack. Its logits are scored twice: at the size of the pack, and resized to each
label's own size (native). Of an image that was padded to the aspect of the pack, the logits of the padding are dropped
before; of one that was cropped, only the pixels that the network saw are scored.
"""

import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from seg.config.inference import Inference, inference_from_json
from seg.data.loader import Loader, scaled
from seg.data.pack_format import NativeLabels, Pack
from seg.data.resizing import place
from seg.datasets import IGNORE
from seg.datasets.overlay import colour_table
from seg.evaluation.passes import average_logits, enough_memory, forward_pass, live_bytes
from seg.evaluation.samples import draw_samples
from seg.evaluation.scoring import Tally, count_image
from seg.evaluation.small_pictures import distinct_colours, label_picture, label_png, write_predictions
from seg.evaluation.speed import Speed, measure_speed, synchronize
from seg.models.checkpoint import Checkpoint, load_checkpoint
from seg.results import SCORINGS, EvaluationRun, Machine, Metrics
from seg.system.arguments import StageParser
from seg.system.console import run_stage, say
from seg.system.files import written_whole
from seg.system.machine import choose_device, machine_info, peak_memory
from seg.training.losses import make_loss
from seg.training.numerics import resolve_precision, set_up

SAMPLES = 4  # images that are drawn, spread evenly over the split


class Evaluation(NamedTuple):
    """Counts of all images by scoring, loss, and predictions (H, W) uint8 of the images that are drawn.

    `pictures` are PNG files of the predictions of all images, see `seg.evaluation.small_pictures`. `throughput` is in
    images per second of the network alone, with the recipe's `eval_batch` and the passes.
    """

    tallies: dict[str, Tally]
    loss: float
    drawn: dict[int, np.ndarray]
    pictures: list[bytes]
    throughput: float


@torch.inference_mode()
def evaluate_images(checkpoint: Checkpoint, loader: Loader, native: NativeLabels, inference: Inference) -> Evaluation:
    """Run the network on a pack and count.

    The loss is defined as in validation: the loss of the training, mean over batches weighted by labelled pixels.

    Args:
        checkpoint: network with its recipe and the class weights of its training.
        loader: of a pack, on the device to run on.
        native: labels at their own size.
        inference: passes whose logits are averaged.
    """
    pack, device = loader.pack, loader.device
    recipe, classes, resize = checkpoint.recipe, len(checkpoint.about["classes"]), pack.about["form"]["resize"]
    to_draw = {int(i) for i in np.linspace(0, len(pack) - 1, min(SAMPLES, len(pack)))}
    forward = forward_pass(checkpoint, device)
    compute_loss = make_loss(recipe.loss, torch.tensor(checkpoint.about["class_weights"], device=device))
    tallies = {scoring: Tally(len(pack), classes) for scoring in SCORINGS}
    palette = distinct_colours(pack.about["palette"])
    total_loss, pixels, drawn, pictures = 0.0, 0, {}, [b""] * len(pack)
    times: list[tuple[float, int]] = []  # seconds and images of each batch
    for batch in loader.batches(np.arange(len(pack)), recipe.eval_batch):
        images = scaled(batch.images, recipe.scaling)
        synchronize(device)
        start = time.perf_counter()
        logits = average_logits(forward, images, inference)
        synchronize(device)
        times.append((time.perf_counter() - start, len(images)))
        labelled = int((batch.labels != IGNORE).sum())
        total_loss += float(compute_loss(logits, batch.labels)) * labelled
        pixels += labelled
        for sample, each, labels in zip(batch.samples.tolist(), logits, batch.labels.cpu().numpy(), strict=True):
            counts, prediction = count_image(each, labels)
            tallies["pack"].add(sample, counts)
            if sample in to_draw:
                drawn[sample] = prediction
            size = native.size(sample)
            placement = place(resize, size, (pack.height, pack.width))
            if (own := native.read(sample)) is not None:
                content = each[:, *placement.target.slices]
                counts, prediction = count_image(content, np.ascontiguousarray(own[placement.source.slices]))
            tallies["native"].add(sample, counts)
            pictures[sample] = label_png(label_picture(prediction, placement.source, size), palette)
    seconds, images_seen = map(sum, zip(*(times[1:] or times), strict=True))  # the first batch also warms up
    return Evaluation(tallies, total_loss / max(pixels, 1), drawn, pictures, images_seen / seconds)


@torch.inference_mode()
def network_speed(checkpoint: Checkpoint, loader: Loader) -> Speed:
    """Multiply-adds and latency of the network for an image of the pack."""
    (batch,) = loader.batches(np.arange(1), 1)
    forward = forward_pass(checkpoint, loader.device)
    return measure_speed(forward, checkpoint.model, scaled(batch.images, checkpoint.recipe.scaling))


def evaluate(
    model: Path,
    pack: Path,
    metrics: Path,
    confusion: Path,
    predictions: Path,
    samples: Path,
    run_info: Path,
    device: torch.device,
    inference: Inference | None = None,
    workers: int = 0,
) -> None:
    """Write metrics, confusion matrices, predictions, samples, and time and memory of the run; all or none.

    Raises:
        ValueError: checkpoint and pack have different classes, one is damaged, or the pack has no labelled pixel.
    """
    checkpoint, data, inference = load_checkpoint(model), Pack(pack), inference or Inference()
    if checkpoint.about["classes"] != data.classes:
        raise ValueError(f"{model} and {pack} have different classes; evaluate a model on the dataset of its training")
    if checkpoint.about.get("form", data.about["form"]) != data.about["form"]:
        raise ValueError(f"{model} and {pack} read images differently; evaluate a model on the dataset of its training")
    set_up(checkpoint.recipe.threads, checkpoint.recipe.deterministic, checkpoint.about["precision"], device)
    start = time.monotonic()
    shape = (min(checkpoint.recipe.eval_batch, len(data)), data.height, data.width)
    fix = "set {} in evaluation of params.yaml"
    live = partial(live_bytes, forward_pass(checkpoint, device), data.channels)
    with enough_memory(live, shape, inference, device, f"{pack}: {shape[0]} images at a time", fix):
        loader = Loader(data, device, workers)
        found = evaluate_images(checkpoint, loader, NativeLabels(pack), inference)
        seconds = time.monotonic() - start
        speed = network_speed(checkpoint, loader)
    matrices = np.stack([found.tallies[scoring].confusion for scoring in SCORINGS])
    if not matrices.any((1, 2, 3)).all():
        raise ValueError(f"{pack}: has no labelled pixel, so no score is defined; check the dataset's labels")
    result = _metrics(data, inference, found)
    run = EvaluationRun(
        device=str(device),
        machine=Machine(**machine_info(device)),
        precision=resolve_precision(checkpoint.about["precision"], device),
        seconds=seconds,
        images_per_second=len(data) / seconds,
        throughput_images_per_second=found.throughput,
        **speed._asdict(),
        peak_memory_bytes=peak_memory(device) - loader.resident_bytes,
    )
    drawn = list(zip(*data.read(np.array(list(found.drawn))), found.drawn.values(), strict=True))
    with written_whole(metrics, confusion, predictions, samples, run_info) as parts:
        metrics_part, confusion_part, predictions_part, samples_part, run_part = parts
        metrics_part.write_text(result.text(), encoding="utf-8")
        with confusion_part.open("wb") as file:
            np.save(file, matrices)
        write_predictions(predictions_part, found.pictures)
        draw_samples(drawn, colour_table(data.about["palette"])).save(samples_part, "PNG")
        run_part.write_text(run.text(), encoding="utf-8")
    scores = result.native
    say(f"mIoU {scores.miou} pixel accuracy {scores.pixel_accuracy} on {len(data)} images of '{result.split}'")


def _metrics(pack: Pack, inference: Inference, evaluation: Evaluation) -> Metrics:
    """Content of `metrics.json`."""
    return Metrics(
        split=pack.about["split"],
        images=len(pack),
        names=tuple(pack.about["names"]),
        groups=tuple(pack.about["groups"]),
        ordered=pack.about["ordered"],
        classes=tuple(pack.classes),
        inference=inference.model_dump(mode="json"),
        loss=evaluation.loss,
        native=evaluation.tallies["native"].scores(pack.classes),
        pack=evaluation.tallies["pack"].scores(pack.classes),
    )


def main() -> None:
    """Evaluate a checkpoint on a pack."""
    parser = StageParser("seg.evaluation.evaluate", main.__doc__)
    parser.add_argument("--model", type=Path, required=True, help="checkpoint")
    parser.add_argument("--pack", type=Path, required=True, help=".json of the pack of the evaluation split")
    parser.add_output("--metrics", ".json", "JSON to write: scores")
    parser.add_output("--confusion", ".npy", ".npy to write: two matrices per image")
    parser.add_output("--predictions", ".zip", "ZIP file to write: small predictions of all images")
    parser.add_output("--samples", ".png", "PNG to write")
    parser.add_output("--run-info", ".json", "JSON to write: time, memory, machine")
    parser.add_argument("--device", default="auto", help="cuda, cuda:1, mps or cpu; default: the best available")
    parser.add_argument("--workers", type=int, default=0, help="threads that prepare batches ahead")
    parser.add_argument(
        "--inference", default="{}", help="JSON: flip, scales, window, stride, see docs/reference/params.md"
    )
    arguments = vars(parser.parse_stage())
    converted = {"device": choose_device(arguments["device"]), "inference": inference_from_json(arguments["inference"])}
    evaluate(**arguments | converted)


if __name__ == "__main__":
    run_stage(main)
