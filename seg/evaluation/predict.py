"""Segmentation of single images with a checkpoint."""

from collections.abc import Iterator
from functools import cache, partial
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from seg.config.inference import Inference
from seg.data.loader import scaled
from seg.datasets.images import read_image
from seg.evaluation.passes import average_logits, enough_memory, forward_pass, live_bytes
from seg.metrics.labels import predict_labels
from seg.models.checkpoint import load_checkpoint
from seg.system.arguments import folded, same_file
from seg.system.files import refuse_special, written_whole
from seg.system.machine import choose_device
from seg.training.numerics import set_up


def segment(
    model: Path,
    images: list[Path],
    out: Path,
    device: str = "auto",
    inference: Inference | None = None,
    overwrite: bool = False,
) -> Iterator[Path]:
    """Write one palette PNG per image; its values are train ids, its colours those of the dataset.

    Args:
        model: checkpoint.
        images: files of any size that Pillow reads.
        out: directory to write `<stem>.png` to.
        device: `auto` or the name of a device.
        inference: passes whose logits are averaged; default: one.
        overwrite: replace existing files, but no image and not the model.

    Yields:
        The files written.

    Raises:
        ValueError: the checkpoint or an image is damaged, two images have the same stem, `out` contains an image, or a
            file to write exists.
    """
    targets = prediction_files(model, images, out, overwrite)
    checkpoint, where = load_checkpoint(model), choose_device(device)
    set_up(checkpoint.recipe.threads, checkpoint.recipe.deterministic, checkpoint.about["precision"], where)
    forward, passes = forward_pass(checkpoint, where), inference or Inference()
    live = cache(partial(live_bytes, forward))  # the same for all images
    for path, target in zip(images, targets, strict=True):
        pixels = np.array(read_image(path))
        height, width, _ = pixels.shape
        fix = "scale the image down, or segment it in windows with --inference '{}'"
        with torch.inference_mode(), enough_memory(live, (1, height, width), passes, where, str(path), fix):
            batch = torch.from_numpy(pixels).permute(2, 0, 1)[None].to(where)
            logits = average_logits(forward, scaled(batch, checkpoint.recipe.scaling), passes)
            labels = predict_labels(logits, (height, width))[0].cpu().numpy()
        prediction = Image.fromarray(labels, mode="P")
        prediction.putpalette(list(chain.from_iterable(checkpoint.about["palette"])))
        with written_whole(target) as (part,):
            prediction.save(part, "PNG")
        yield target


def prediction_files(model: Path, images: list[Path], out: Path, overwrite: bool = False) -> list[Path]:
    """File to write for each image, arguments as in `segment`. Raises ValueError if one would replace another file."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out}: is a file, expected a directory; give another name")
    # An image may be a link itself, such as one into DVC's cache.
    inside = [path for path in images if same_file(out, path.parent) or same_file(out, path.resolve().parent)]
    if inside:
        raise ValueError(f"--out {out}: contains {inside[0].name}, which could be overwritten; use another directory")
    targets = [out / f"{path.stem}.png" for path in images]
    first: dict[str, Path] = {}
    for path, target in zip(images, targets, strict=True):
        if (other := first.setdefault(folded(target), path)) is not path:
            raise ValueError(f"{path}: would be written to {target}, as {other}; segment them separately")
    for target in targets:
        refuse_special(target)
        if any(same_file(target, path) for path in (model, *images)):
            raise ValueError(f"{target}: is also read; use another --out")
    existing = [target for target in targets if target.exists() or target.is_symlink()]
    if existing and not overwrite:
        count = f" ({len(existing)} of {len(targets)} predictions exist)" if len(targets) > 1 else ""
        them = "it" if len(existing) == 1 else "them"
        raise ValueError(f"{existing[0]}: exists{count}; add --overwrite to replace {them}, or use another --out")
    return targets
