"""Logits of a network, averaged over scales, mirrored images and windows: `seg.config.inference`."""

from collections.abc import Callable
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from seg.config.inference import Inference
from seg.models.checkpoint import Checkpoint
from seg.training.numerics import autocast

Forward = Callable[[Tensor], Tensor]


def forward_pass(checkpoint: Checkpoint, device: torch.device) -> Forward:
    """Function from scaled images (B, 3, H, W) on the device to logits, in the precision of the training."""
    model = checkpoint.model.to(device)

    def forward(images: Tensor) -> Tensor:
        with autocast(device, checkpoint.about["precision"]):
            logits: Tensor = model(images)
        return logits

    return forward


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
    return total / (len(inference.scales) * (1 + inference.flip))


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
    return total / windows


def window_starts(length: int, window: int, stride: int) -> list[int]:
    """First pixels of the windows along a side: every `stride` pixels, the last one so that it ends at the border."""
    last = length - window
    return [*range(0, last, stride), last]
