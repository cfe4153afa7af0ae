"""Batches of a pack: one gather and one warp per batch, in an order that depends only on the seed and the epoch.

Samples are read from the pack's files into the memory of the batch (`preadv`): as fast as a memory map, but without
mapped pages, so resident memory does not grow with the dataset.

On a GPU, a pack that fits is kept in device memory. If it does not, threads read batches ahead into pinned memory, from
where they are copied without waiting for the GPU. Both are augmented on the GPU, so the batches have the same bits.
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
from seg.system.machine import on_device

# Mean and standard deviation by name; "imagenet" as torchvision's pretrained weights expect.
SCALING = {
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "symmetric": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
_SHARE_OF_DEVICE = 0.3  # of the free memory of a GPU, which resident packs may take
_THREADS = 4  # that read ahead for a GPU


class Batch(NamedTuple):
    """Images (B, C, H, W) uint8 channels-last, labels (B, H, W) uint8, and positions of the samples (B,)."""

    images: Tensor
    labels: Tensor
    samples: np.ndarray


def epoch_order(samples: int, seed: int, epoch: int) -> np.ndarray:
    """Permutation (samples,) of the positions; depends only on the seed and the epoch."""
    return np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(samples)


def scaled(images: Tensor, scaling: str) -> Tensor:
    """Images (B, C, H, W) uint8 as float32 channels-last, `(image / 255 - mean) / std` with `channel_scaling`."""
    if images.device.type == "cpu":  # a look-up table is several times faster than arithmetic
        table = _table(scaling, images.shape[1])
        pixels = images.permute(0, 2, 3, 1).contiguous()
        values = torch.empty(pixels.shape)
        for source, target in zip(pixels.numpy(), values.numpy(), strict=True):
            cv2.LUT(source, table, target)
        return values.permute(0, 3, 1, 2)
    offset, factor = _line(scaling, images.shape[1], images.device)
    return torch.addcmul(offset, images.float(), factor)


def channel_scaling(scaling: str, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel: a row of `SCALING`, repeated in turn; for one channel, their means.

    Channels are then scaled as those whose pretrained weights they get, see `seg.models.channels`.
    """
    mean, std = SCALING[scaling]
    if channels == 1:
        return (sum(mean) / len(mean),), (sum(std) / len(std),)
    turns = [i % len(mean) for i in range(channels)]
    return tuple(mean[i] for i in turns), tuple(std[i] for i in turns)


@cache
def _line(scaling: str, channels: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Offset and factor (C, 1, 1) of the scaling, kept on the device: a copy in every step would wait for the GPU."""
    rows = channel_scaling(scaling, channels)
    mean, std = (torch.tensor(values, device=device).view(-1, 1, 1) for values in rows)
    return -mean / std, 1 / (255 * std)


@cache
def _table(scaling: str, channels: int) -> np.ndarray:
    """Scaled values (1, 256, C) float32 by pixel value and channel."""
    mean, std = (torch.tensor(values) for values in channel_scaling(scaling, channels))
    return ((torch.arange(256)[:, None] / 255 - mean) / std)[None].numpy()


class Loader:
    """Batches of a pack on a device.

    Args:
        pack: pack to read.
        device: device of the batches.
        workers: threads that prepare batches ahead; they do not affect the batches. By default 4 for a pack that a GPU
            has no room for, else 0.

    Attributes:
        resident_bytes: size of the pack in the device's memory, 0 if it is not kept there.
    """

    def __init__(self, pack: Pack, device: torch.device, workers: int | None = None) -> None:
        self.pack = pack
        self.device = device
        self._resident: tuple[Tensor, Tensor] | None = None
        if device.type == "cuda" and pack.nbytes < _SHARE_OF_DEVICE * torch.cuda.mem_get_info(device)[0]:
            self._resident = self._upload()
        self.resident_bytes = pack.nbytes if self._resident else 0
        ahead = _THREADS if device.type == "cuda" and not self._resident else 0
        self.workers = ahead if workers is None else workers

    def batches(
        self,
        order: np.ndarray,
        batch: int,
        *,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        epoch: int = 0,
        share: tuple[int, int] = (0, 1),
    ) -> Iterator[Batch]:
        """Batches of at most `batch` samples at the positions `order`, each sample augmented by its own random draw.

        With `share=(k, n)`, every n-th sample of each batch, from the k-th; a batch may then be empty.
        """
        first, step = share
        chunks = [order[start : start + batch][first::step] for start in range(0, len(order), batch)]

        def prepared(samples: np.ndarray) -> Batch:
            matrices = tables = None
            if len(samples) and augmentation and has_effect(augmentation):
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
        with ThreadPoolExecutor(self.workers, initializer=self._enter_thread) as pool:
            pending = iter(chunks)
            ahead = deque(pool.submit(prepared, chunk) for chunk in islice(pending, self.workers + 1))
            while ahead:
                ready = ahead.popleft().result()
                ahead.extend(pool.submit(prepared, chunk) for chunk in islice(pending, 1))
                yield ready

    def _enter_thread(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)

    def _batch(self, samples: np.ndarray, matrices: np.ndarray | None, tables: np.ndarray | None) -> Batch:
        if self.device.type == "cuda" or self._resident:
            images, labels = self._on_device(samples)
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
        images, labels = (torch.from_numpy(part).to(self.device) for part in (pixels, ids))
        return Batch(images.permute(0, 3, 1, 2), labels, samples)

    def _on_device(self, samples: np.ndarray) -> tuple[Tensor, Tensor]:
        """Images (B, H, W, C) and labels (B, H, W) uint8 of the samples."""
        if self._resident:
            positions = on_device(samples, self.device)
            images, labels = (part.index_select(0, positions) for part in self._resident)
        else:
            images, labels = (on_device(part, self.device) for part in self.pack.read(samples))
        return images, labels

    def _upload(self) -> tuple[Tensor, Tensor]:
        """Copy the pack to device memory, a few samples at a time."""
        size = (len(self.pack), self.pack.height, self.pack.width)
        images = torch.empty((*size, self.pack.channels), dtype=torch.uint8, device=self.device)
        labels = torch.empty(size, dtype=torch.uint8, device=self.device)
        for start in range(0, len(self.pack), 32):
            samples = np.arange(start, min(start + 32, len(self.pack)))
            for whole, part in zip((images, labels), self.pack.read(samples), strict=True):
                whole[start : start + len(samples)] = torch.from_numpy(part).to(self.device)
        return images, labels
