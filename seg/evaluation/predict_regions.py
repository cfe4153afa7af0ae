"""Train ids and probabilities of images, from the logits of a network for the whole image or for its tiles."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from seg.config.inference import Inference
from seg.config.schema import SMALLEST_SIDE
from seg.data.loader import scaled
from seg.evaluation.passes import Forward, average_logits, enough_memory
from seg.evaluation.predict_loading import LoadedPicture, image_fault
from seg.evaluation.tiles import blend_tiles, tile_spans
from seg.metrics.calibration import resized_strips
from seg.metrics.labels import predict_labels
from seg.system.progress import progress_bar

PixelSize = tuple[int, int]  # height and width, pixels
_PASS = 1 << 18  # pixels of the small tiles that the network gets at a time
Region = tuple[slice, slice, np.ndarray, np.ndarray | None]  # rows, columns, train ids, probabilities


class Sizes(NamedTuple):
    """Sizes at which a network sees images.

    Attributes:
        native: images keep their own size; else they are resized to the evaluation size of the checkpoint.
        tile: size of the tiles in which images of their own size are segmented; `None`: as a whole.
        overlap: of the tiles in pixels; `None`: a quarter of the shorter side.
        batch: images at a time; `None`: as in evaluation at its size, else 1.
        max_pixels: largest image that is read; `None`: Pillow's limit, or 2**30 with tiles.
    """

    native: bool = False
    tile: PixelSize | None = None
    overlap: int | None = None
    batch: int | None = None
    max_pixels: int | None = None


def parse_tile(text: str) -> PixelSize:
    """Size of tiles from `512` or `512x768` (height x width); (0, 0), the default size, if the text is empty."""
    found = re.fullmatch(r"(\d+)(?:x(\d+))?", text or "0")
    size = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if text and min(size) < SMALLEST_SIDE:
        raise ValueError(f"--tile-size {text}: expected pixels such as 512 or 512x768, at least {SMALLEST_SIDE}")
    return size


class Network(NamedTuple):
    """A network that is ready to run."""

    forward: Forward
    live: Callable[[], float]
    passes: Inference
    scaling: str
    device: torch.device

    def logits(self, images: Sequence[np.ndarray]) -> Tensor:
        """Logits (B, C, H, W) of images (H, W, channels) uint8 of one size."""
        batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).to(self.device)
        return average_logits(self.forward, scaled(batch, self.scaling), self.passes)


def segment_group(
    network: Network, group: list[LoadedPicture], sizes: Sizes, probabilities: bool, faults: list[str]
) -> Iterator[tuple[LoadedPicture, Iterable[Region]]]:
    """Regions of each image of a batch. If the batch fails, its images are tried one by one."""
    if sizes.tile and sizes.overlap is not None:
        for image in group:
            yield image, _tile_regions(network, image, sizes.tile, sizes.overlap, probabilities)
        return
    height, width, _ = group[0].seen.shape
    shape = (len(group), height, width)
    task, fix = str(group[0].picture.path), "segment it in tiles with --tile"
    try:
        with torch.inference_mode(), enough_memory(network.live, shape, network.passes, network.device, task, fix):
            logits = network.logits([image.seen for image in group])
            found = [
                (image, _whole_regions(each[:, *image.content.slices], image.size, probabilities))
                for image, each in zip(group, logits, strict=True)
            ]
    except ValueError as error:
        if len(group) > 1:
            for image in group:
                yield from segment_group(network, [image], sizes, probabilities, faults)
        else:
            faults.append(image_fault(group[0].picture.path, error))
        return
    yield from found


def _whole_regions(logits: Tensor, size: PixelSize, probabilities: bool) -> Iterable[Region]:
    """Regions of an image that was segmented as a whole, from its logits (C, h, w)."""
    labels, columns = predict_labels(logits[None], size)[0].cpu().numpy(), slice(0, size[1])
    if not probabilities:
        return [(slice(0, size[0]), columns, labels, None)]
    return (
        (rows, columns, labels[rows], strip.softmax(0).cpu().numpy()) for rows, strip in resized_strips(logits, size)
    )


def _tile_regions(
    network: Network, image: LoadedPicture, tile: PixelSize, overlap: int, probabilities: bool
) -> Iterator[Region]:
    """Regions of an image that is segmented in tiles."""
    rows, columns = (tile_spans(side, each, overlap) for side, each in zip(image.size, tile, strict=True))
    height, width = (spans[-1].stop - spans[-1].start for spans in (rows, columns))  # of the largest tile
    together = max(1, _PASS // (height * width))

    def tiles() -> Iterator[Tensor]:
        for row in rows:
            for _, equal in groupby(columns, lambda column: column.stop - column.start):
                spans = list(equal)
                for start in range(0, len(spans), together):
                    batch = spans[start : start + together]
                    progress.update(len(batch))
                    yield from network.logits([image.seen[row.start : row.stop, x.start : x.stop] for x in batch])

    task, fix = str(image.picture.path), "lower --tile-size"
    shape = (together, height, width)
    with (
        progress_bar(len(rows) * len(columns), "tile") as progress,
        enough_memory(network.live, shape, network.passes, network.device, task, fix),
    ):
        for top, left, logits in blend_tiles(tiles(), rows, columns):
            labels = predict_labels(logits[None], (logits.shape[1], logits.shape[2]))[0].cpu().numpy()
            yield top, left, labels, logits.softmax(0).cpu().numpy() if probabilities else None
