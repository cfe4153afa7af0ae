"""Batches of a pack: one gather and one warp per batch, in an order that depends only on the seed and the epoch.

Samples are read from the pack's files into the memory of the batch (`preadv`): as fast as a memory map, but without
mapped pages, so resident memory does not grow with the dataset. On a GPU, a pack that fits is kept in device memory,
where samples are gathered and warped.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import islice
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from seg.config.recipe import Augmentation
from seg.data.augmentation import (
    affine_matrices,
    has_effect,
    has_warp,
    random_numbers,
    snow_thresholds,
    warp,
    warp_tensors,
)
from seg.data.pack_format import Pack
from seg.data.snow import add_snow, add_snow_tensors, snow_tables

# Mean and standard deviation by name; "imagenet" as torchvision's pretrained weights expect.
SCALING = {
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "symmetric": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
# Largest share of a GPU's total memory for a resident pack. A limit by free memory would make results depend on other
# processes, because augmentation on the GPU and in OpenCV differ by rounding.
_SHARE_OF_DEVICE = 0.3


class Batch(NamedTuple):
    """Images (B, 3, H, W) uint8 channels-last, labels (B, H, W) uint8, and positions of the samples (B,)."""

    images: Tensor
    labels: Tensor
    samples: np.ndarray


def epoch_order(samples: int, seed: int, epoch: int) -> np.ndarray:
    """Permutation (samples,) of the positions; depends only on the seed and the epoch."""
    return np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(samples)


def scaled(images: Tensor, scaling: str) -> Tensor:
    """Images (B, 3, H, W) uint8 as float32 channels-last, `(image / 255 - mean) / std` with a row of `SCALING`."""
    if images.device.type == "cpu":  # a look-up table is several times faster than arithmetic
        table = _table(scaling)
        pixels = images.permute(0, 2, 3, 1).contiguous()
        values = torch.empty(pixels.shape)
        for source, target in zip(pixels.numpy(), values.numpy(), strict=True):
            cv2.LUT(source, table, target)
        return values.permute(0, 3, 1, 2)
    mean, std = (torch.tensor(values, device=images.device) for values in SCALING[scaling])
    return torch.addcmul((-mean / std).view(3, 1, 1), images.float(), (1 / (255 * std)).view(3, 1, 1))


@cache
def _table(scaling: str) -> np.ndarray:
    """Scaled values (1, 256, 3) float32 by pixel value and channel."""
    mean, std = (torch.tensor(values) for values in SCALING[scaling])
    return ((torch.arange(256)[:, None] / 255 - mean) / std)[None].numpy()


class Loader:
    """Batches of a pack on a device.

    Args:
        pack: pack to read.
        device: device of the batches.
        workers: threads that prepare batches ahead; they do not affect the batches.
    """

    def __init__(self, pack: Pack, device: torch.device, workers: int = 0) -> None:
        self.pack = pack
        self.device = device
        self.workers = workers
        self._resident: tuple[Tensor, Tensor] | None = None
        if device.type == "cuda" and pack.nbytes < _SHARE_OF_DEVICE * torch.cuda.mem_get_info(device)[1]:
            self._resident = self._upload()

    def batches(
        self,
        order: np.ndarray,
        batch: int,
        *,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        epoch: int = 0,
    ) -> Iterator[Batch]:
        """Batches of at most `batch` samples at the positions `order`, each sample augmented by its own random draw."""
        chunks = [order[start : start + batch] for start in range(0, len(order), batch)]

        def prepared(samples: np.ndarray) -> Batch:
            matrices = tables = None
            if augmentation and has_effect(augmentation):
                drawn = random_numbers(samples, seed=seed, epoch=epoch)
                if has_warp(augmentation):
                    matrices = affine_matrices(augmentation, drawn, height=self.pack.height, width=self.pack.width)
                if augmentation.snow:
                    thresholds = snow_thresholds(augmentation.snow, drawn)
                    tables = snow_tables(thresholds, augmentation.snow.brightness) if thresholds.any() else None
            return self._batch(samples, matrices, tables)

        if not self.workers:
            yield from map(prepared, chunks)
            return
        with ThreadPoolExecutor(self.workers) as pool:
            pending = iter(chunks)
            ahead = deque(pool.submit(prepared, chunk) for chunk in islice(pending, self.workers + 1))
            while ahead:
                ready = ahead.popleft().result()
                ahead.extend(pool.submit(prepared, chunk) for chunk in islice(pending, 1))
                yield ready

    def _batch(self, samples: np.ndarray, matrices: np.ndarray | None, tables: np.ndarray | None) -> Batch:
        if self._resident:
            positions = torch.from_numpy(samples).to(self.device)
            images, labels = (part.index_select(0, positions) for part in self._resident)
            images = images.permute(0, 3, 1, 2)
            if tables is not None:
                images = add_snow_tensors(images, tables)
            if matrices is not None:
                images, labels = warp_tensors(images, labels, matrices)
            return Batch(images, labels, samples)
        pixels, ids = self.pack.read(samples)
        if tables is not None:
            pixels = add_snow(pixels, tables)
        if matrices is not None:
            pixels, ids = warp(pixels, ids, matrices)
        images, labels = torch.from_numpy(pixels).permute(0, 3, 1, 2), torch.from_numpy(ids)
        if self.device.type == "cuda":
            images, labels = images.pin_memory(), labels.pin_memory()
        return Batch(images.to(self.device, non_blocking=True), labels.to(self.device, non_blocking=True), samples)

    def _upload(self) -> tuple[Tensor, Tensor]:
        """Copy the pack to device memory, a few samples at a time."""
        size = (len(self.pack), self.pack.height, self.pack.width)
        images = torch.empty((*size, 3), dtype=torch.uint8, device=self.device)
        labels = torch.empty(size, dtype=torch.uint8, device=self.device)
        for start in range(0, len(self.pack), 32):
            samples = np.arange(start, min(start + 32, len(self.pack)))
            for whole, part in zip((images, labels), self.pack.read(samples), strict=True):
                whole[start : start + len(samples)] = torch.from_numpy(part).to(self.device)
        return images, labels
