"""Snow augmentation: pixels darker than a threshold become lighter, with unchanged hue and saturation.

The study bdd100k_lite shows an example without stating the method. This is the method of U. Saxena, Image Augmentation:
Make it rain, make it snow (2018): in HLS, lightness below a threshold is multiplied and clipped at white. For a given
lightness this multiplies all channels by one factor and adds one offset, so two tables of 256 values replace the
conversion to HLS and back.

The lightness of a pixel is the mean of its largest and smallest channel, rounded down.
"""

import cv2
import numpy as np
import torch

from seg.system.machine import on_device


def snow_tables(thresholds: np.ndarray, brightness: float) -> np.ndarray:
    """Factor and offset of the channels by lightness, (B, 2, 256) float32.

    Args:
        thresholds: (B,) float64, as fractions of the maximum lightness; 0 for no snow.
        brightness: factor of the lightness below the threshold, at least 1.
    """
    before = np.arange(256.0)
    snowy = before < 255 * thresholds[:, None]
    after = np.where(snowy, np.minimum(brightness * before, 255), before)
    # At constant saturation, a channel's distance from the lightness scales with min(lightness, 255 - lightness).
    room = np.minimum(before, 255 - before)
    factor = np.minimum(after, 255 - after) / np.where(room, room, 1)
    factor = np.where(snowy & (before > 0), factor, np.where(snowy, brightness, 1))
    return np.stack([factor, after - factor * before], 1).astype(np.float32)


def add_snow(images: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """Copies of images (B, H, W, 3) uint8 with snow, by their tables (B, 2, 256)."""
    snowy = images.copy()
    for image, (factor, offset) in zip(snowy, tables, strict=True):
        if (factor == 1).all():
            continue
        red, green, blue = cv2.split(image)
        high, low = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
        lightness = (high & low) + ((high ^ low) >> 1)  # floor of the mean, within uint8
        scale, shift = cv2.LUT(lightness, factor), cv2.LUT(lightness, offset)
        for channel in (red, green, blue):
            cv2.add(cv2.multiply(channel, scale, dtype=cv2.CV_32F), shift, channel, dtype=cv2.CV_8U)
        cv2.merge((red, green, blue), image)
    return snowy


def add_snow_tensors(images: torch.Tensor, tables: np.ndarray) -> torch.Tensor:
    """Copies of images (B, 3, H, W) uint8 with snow, on their device; equal to `add_snow` up to rounding."""
    lightness = (images.amax(1, keepdim=True).int() + images.amin(1, keepdim=True)) // 2
    places = lightness.long().flatten(1)
    factor, offset = (
        on_device(part, images.device).gather(1, places).view(lightness.shape)
        for part in np.ascontiguousarray(tables.swapaxes(0, 1))
    )
    return (images * factor + offset).round_().clamp_(0, 255).to(images.dtype)
