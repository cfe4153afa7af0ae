"""Logits of a network, averaged over scales, mirrored images and windows: `seg.config.inference`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any
from weakref import ReferenceType, ref

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from seg.config.inference import Inference
from seg.models.checkpoint import Checkpoint
from seg.system.files import canonical_json
from seg.system.memory import bounded_memory
from seg.training.numerics import autocast

Forward = Callable[[Tensor], Tensor]
_SMALL = Inference(window=(512, 512), stride=(256, 256))  # takes less than 1 GB in every network of the studies
_PROBE = 256  # pixels, side of the image with which the memory of a network is determined


def forward_pass(checkpoint: Checkpoint, device: torch.device) -> Forward:
    """Function from scaled images (B, 3, H, W) on the device to logits, in the precision of the training."""
    model = checkpoint.model.to(device)

    def forward(images: Tensor) -> Tensor:
        with autocast(device, checkpoint.about["precision"]):
            logits: Tensor = model(images)
        return logits

    return forward


@contextmanager
def enough_memory(
    live: Callable[[], float],
    shape: tuple[int, int, int],
    inference: Inference,
    device: torch.device,
    task: str,
    fix: str,
) -> Iterator[None]:
    """Run the passes over images of a shape (B, H, W) with the memory that is available.

    Args:
        live: returns `live_bytes` of the network; called for large images on the CPU.
        shape: of the images.
        inference: passes whose logits are averaged.
        device: of the network.
        task: what is segmented, for the message.
        fix: how to set windows; `{}` stands for their values as JSON.

    Raises:
        MemoryShortageError: the passes require more.
        ValueError: the network does not accept images of this size.
    """
    images, height, width = shape
    h, w = (max(1, round(side * max(inference.scales))) for side in (height, width))
    if inference.window:
        h, w = min(inference.window[0], h), min(inference.window[1], w)
    on_cpu = device.type == "cpu"
    least = round(images * h * w * live()) if on_cpu and images * h * w > _PROBE**2 else 0
    windows = canonical_json(_SMALL.model_dump(mode="json", include={"window", "stride"}))
    smaller = "lower window and scales" if inference.window else fix.replace("{}", windows)
    fix = f"{smaller}, or run fewer jobs at once"
    with bounded_memory(f"{task}: {width}x{height} pixels", fix, least if on_cpu else None):
        try:
            yield
        except ValueError as error:
            raise ValueError(f"{task}: {error}") from None


@torch.inference_mode()
def live_bytes(forward: Forward, channels: int = 3) -> float:
    """Bytes per pixel that a network's layers keep at the same time on the CPU, at least.

    Counts the inputs and outputs of all layers while the network is applied to a small image.
    """
    live: dict[int, tuple[ReferenceType[Tensor], int]] = {}  # by address, so that views are not counted again
    totals = [0]

    def count(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        for tensor in (*inputs, output):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                live[storage.data_ptr()] = ref(tensor), storage.nbytes()
        totals.append(sum(size for tensor, size in live.values() if tensor() is not None))

    hook = register_module_forward_hook(count)
    try:
        forward(torch.zeros(1, channels, _PROBE, _PROBE))
    finally:
        hook.remove()
    return max(totals) / _PROBE**2


def average_logits(forward: Forward, images: Tensor, inference: Inference) -> Tensor:
    """Logits (B, C, H, W) of images (B, 3, H, W); those of a single pass unchanged, averages in float32.

    Args:
        forward: from scaled images to logits of the same height and width.
        images: float32, scaled as in training.
        inference: scales, flip and windows. Images are resized with antialiasing, logits back to H x W bilinearly.
    """
    if inference == Inference():
        return forward(images)
    size = images.shape[2:]
    total = images.new_zeros(())
    for scale in inference.scales:
        scaled_size = [max(1, round(side * scale)) for side in size]
        same = scaled_size == list(size)
        resized = images if same else F.interpolate(images, scaled_size, mode="bilinear", antialias=True)
        for mirrored in (False, True) if inference.flip else (False,):
            logits = _in_windows(forward, resized.flip(3) if mirrored else resized, inference)
            logits = logits.flip(3) if mirrored else logits
            total = total + (logits if same else F.interpolate(logits, size, mode="bilinear"))
    return total.div_(len(inference.scales) * (1 + inference.flip))


def _in_windows(forward: Forward, images: Tensor, inference: Inference) -> Tensor:
    """Logits (B, C, H, W) float32, averaged over the windows that contain a pixel; a window is at most the image."""
    if inference.window is None or inference.stride is None:
        return forward(images).float()
    height, width = images.shape[2:]
    h, w = min(inference.window[0], height), min(inference.window[1], width)
    total, windows = images.new_zeros(()), images.new_zeros(height, width)
    starts = window_starts(height, h, inference.stride[0]), window_starts(width, w, inference.stride[1])
    for top, left in product(*starts):
        logits = forward(images[:, :, top : top + h, left : left + w]).float()
        if not total.ndim:
            total = logits.new_zeros(*logits.shape[:2], height, width)
        total[:, :, top : top + h, left : left + w] += logits
        windows[top : top + h, left : left + w] += 1
    return total.div_(windows)


def window_starts(length: int, window: int, stride: int) -> list[int]:
    """First pixels of the windows along a side: every `stride` pixels, the last one so that it ends at the border."""
    last = length - window
    return [*range(0, last, stride), last]
