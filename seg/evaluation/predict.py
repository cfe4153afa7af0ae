"""Segmentation of single images with a checkpoint."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from seg.config.inference import Inference
from seg.data.loader import scaled
from seg.datasets.images import read_image
from seg.evaluation.passes import average_logits, forward_pass
from seg.metrics.labels import predict_labels
from seg.models.checkpoint import load_checkpoint
from seg.system.files import written_whole
from seg.system.machine import choose_device
from seg.training.numerics import set_up


def segment(
    model: Path, images: list[Path], out: Path, device: str = "auto", inference: Inference | None = None
) -> Iterator[Path]:
    """Write one palette PNG per image; its values are train ids, its colours those of the dataset.

    Args:
        model: checkpoint.
        images: files of any size that Pillow reads.
        out: directory to write `<stem>.png` to.
        device: `auto` or the name of a device.
        inference: passes whose logits are averaged; default: one.

    Yields:
        The files written.

    Raises:
        ValueError: the checkpoint or an image is damaged, two images have the same stem, or `out` contains an image.
    """
    # An image may be a link itself, such as one into DVC's cache.
    inside = [path for path in images if out.resolve() in (path.parent.resolve(), path.resolve().parent)]
    if inside:
        raise ValueError(f"--out {out}: contains {inside[0].name}, which could be overwritten; use another directory")
    if len({path.stem for path in images}) < len(images):
        raise ValueError("two images have the same stem and would overwrite each other; segment them separately")
    checkpoint, where = load_checkpoint(model), choose_device(device)
    set_up(checkpoint.recipe.threads, checkpoint.recipe.deterministic, checkpoint.about["precision"], where)
    forward = forward_pass(checkpoint, where)
    for path in images:
        pixels = np.asarray(read_image(path))
        batch = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].to(where)
        with torch.inference_mode():
            logits = average_logits(forward, scaled(batch, checkpoint.recipe.scaling), inference or Inference())
            labels = predict_labels(logits, pixels.shape[:2])[0].cpu().numpy()
        prediction = Image.fromarray(labels, mode="P")
        prediction.putpalette(list(chain.from_iterable(checkpoint.about["palette"])))
        with written_whole(out / f"{path.stem}.png") as (part,):
            prediction.save(part, "PNG")
        yield out / f"{path.stem}.png"
