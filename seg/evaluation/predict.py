"""Segmentation of images with a checkpoint: at the network's evaluation size, at their own size or in tiles.

`seg.evaluation.predict_inputs` finds the images, `predict_loading` reads them, `predict_regions` runs the network and
`predict_outputs` writes.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from seg.config.image_form import ImageForm
from seg.config.inference import Inference
from seg.datasets.faults import group_faults
from seg.evaluation.passes import forward_pass, live_bytes
from seg.evaluation.predict_inputs import check_targets, find_pictures
from seg.evaluation.predict_loading import LoadedPicture, equal_batches, image_fault, load_pictures
from seg.evaluation.predict_outputs import PictureWriter, PredictedClasses, PredictionOutputs, write_summaries
from seg.evaluation.predict_regions import Network, PixelSize, Region, Sizes, segment_group
from seg.evaluation.tiles import tile_spans
from seg.models.checkpoint import Checkpoint, load_checkpoint
from seg.system.console import IncompleteError, printable, say
from seg.system.files import written_whole
from seg.system.machine import choose_device
from seg.system.progress import tracked
from seg.training.numerics import set_up

_TILE = (512, 512)  # pixels, of a checkpoint without evaluation size
_MOST_PIXELS = 1 << 30  # of a picture that is segmented in tiles, unless another limit is given


def segment(
    model: Path,
    images: Sequence[Path],
    out: Path,
    device: str = "auto",
    inference: Inference | None = None,
    overwrite: bool = False,
    sizes: Sizes | None = None,
    outputs: PredictionOutputs | None = None,
) -> Iterator[Path]:
    """Write the labels of each image as PNG, and what else `outputs` asks for.

    Args:
        model: checkpoint.
        images: files, directories and patterns, see `find_pictures`.
        out: directory to write to.
        device: `auto` or the name of a device.
        inference: passes whose logits are averaged; default: one.
        overwrite: replace existing files, but no image and not the model.
        sizes: at which the network sees the images.
        outputs: what to write.

    Yields:
        The labels written.

    Raises:
        ValueError: the checkpoint is damaged, an argument is invalid, or a file to write exists or is read.
        IncompleteError: some images could not be segmented: one line per image; the others are written.
    """
    sizes, outputs, passes = sizes or Sizes(), outputs or PredictionOutputs(), inference or Inference()
    pictures = find_pictures(images, out)
    targets = [(file, str(each.path)) for each in pictures for file in outputs.files(out, each.name).values()]
    targets += [(file, "the summary of all images") for file in outputs.summaries(out)]
    check_targets(model, pictures, out, targets, overwrite)
    checkpoint, where = load_checkpoint(model), choose_device(device)
    sizes, size = _resolve(model, checkpoint, sizes, passes)
    classes = PredictedClasses(checkpoint.about, outputs.encoding)
    set_up(checkpoint.recipe.threads, checkpoint.recipe.deterministic, checkpoint.about["precision"], where)
    forward = forward_pass(checkpoint, where)
    form = ImageForm.model_validate(checkpoint.about.get("form", {}))
    live = cache(partial(live_bytes, forward, form.channel_count()))  # the same for all images
    network = Network(forward, live, passes, checkpoint.recipe.scaling, where)
    counts: dict[tuple[str, str], np.ndarray] = {}
    faults: list[str] = []
    reduced: list[Path] = []
    loaded = load_pictures(tracked(pictures, "image"), form, size, sizes.max_pixels, faults)
    for group in equal_batches(loaded, sizes.batch or 1):
        for image, regions in segment_group(network, group, sizes, outputs.probabilities, faults):
            files = outputs.files(out, image.picture.name)
            try:
                pixels = _write(files, classes, image, regions)
            except ValueError as error:
                faults.append(image_fault(image.picture.path, error))
                continue
            counts[str(image.picture.path), files["labels"].relative_to(out).as_posix()] = pixels
            reduced += [image.picture.path] * image.drops_band
            yield files["labels"]
    write_summaries(out, outputs, classes, counts)
    if reduced:
        such = f"{len(reduced)} of {len(pictures)} images, such as {printable(str(reduced[0]))}"
        say(f"warning: the transparency of {such}, is not used")
    if faults:
        if counts:
            say(f"{len(counts)} of {len(pictures)} images are segmented")
        raise IncompleteError("\n".join(group_faults(faults)))


def _write(
    files: dict[str, Path], classes: PredictedClasses, image: LoadedPicture, regions: Iterable[Region]
) -> np.ndarray:
    """Write the files of an image, all or none. Returns the number of pixels (C,) of each class."""
    with written_whole(*files.values()) as parts, torch.inference_mode():
        named = dict(zip(files, parts, strict=True))
        with PictureWriter(named, classes, image.size, image.pixels) as writer:
            for region in regions:
                writer.add(*region)
    return writer.counts


def _resolve(model: Path, checkpoint: Checkpoint, sizes: Sizes, passes: Inference) -> tuple[Sizes, PixelSize | None]:
    """The sizes with their defaults, and the size that images are resized to, if they are."""
    about = checkpoint.about
    if missing := [key for key in ("label_values", "eval_size") if key not in about]:
        say(
            f"warning: {model}: has no {' and no '.join(missing)}, as it was trained by an earlier version; labels are "
            "train ids and images keep their own size; train again"
        )
    if sizes.tile == (0, 0):
        sizes = sizes._replace(tile=tuple(about.get("eval_size", _TILE)))
    if sizes.tile:
        if passes.window:
            raise ValueError("--tile and a window of --inference: give one of them")
        overlap = min(sizes.tile) // 4 if sizes.overlap is None else sizes.overlap
        for side in sizes.tile:
            tile_spans(side, min(sizes.tile), overlap)
        sizes = sizes._replace(native=True, overlap=overlap, max_pixels=sizes.max_pixels or _MOST_PIXELS)
    elif sizes.overlap is not None:
        raise ValueError(f"--overlap {sizes.overlap}: of tiles, which are not used; add --tile")
    size = None if sizes.native or "eval_size" not in about else tuple(about["eval_size"])
    return sizes._replace(batch=sizes.batch or (checkpoint.recipe.eval_batch if size else 1)), size
