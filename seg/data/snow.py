"""Snow on a sunny road: what is darker than a threshold becomes lighter, in hue and saturation as it was.

The study on BDD100K shows such a picture and does not tell the method. Ours is the usual one, after U. Saxena, Image
Augmentation: Make it rain, make it snow (2018): in hue, lightness and saturation (HLS), the lightness below a threshold
is multiplied and cut off at white. At one lightness, HLS changes all channels by the same factor and offset: so we need
two tables of 256 values instead of the way to HLS and back.

A pixel's lightness is the mean of its largest and smallest channel, rounded down.
"""

import cv2
import numpy as np
import torch


def snow_tables(thresholds: np.ndarray, brightness: float) -> np.ndarray:
    """Factor and offset of the channels at each lightness, (B, 2, 256) float32.

    Args:
        thresholds: (B,) float64, shares of the full lightness; 0: no snow.
        brightness: what the lightness below the threshold is multiplied by, at least 1.
    """
    before = np.arange(256.0)
    snowy = before < 255 * thresholds[:, None]
    after = np.where(snowy, np.minimum(brightness * before, 255), before)
    # With the saturation fixed, a channel's distance from the lightness is in proportion to the nearer end's distance.
    room = np.minimum(before, 255 - before)
    factor = np.minimum(after, 255 - after) / np.where(room, room, 1)
    factor = np.where(snowy & (before > 0), factor, np.where(snowy, brightness, 1))
    return np.stack([factor, after - factor * before], 1).astype(np.float32)


def snowed(images: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """Images (B, H, W, 3) uint8 in snow, new, from those of a sunny day and their tables (B, 2, 256)."""
    snowy = images.copy()
    for image, (factor, offset) in zip(snowy, tables, strict=True):
        if (factor == 1).all():
            continue
        red, green, blue = cv2.split(image)
        high, low = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
        lightness = (high & low) + ((high ^ low) >> 1)  # of their mean, without leaving uint8
        scale, shift = cv2.LUT(lightness, factor), cv2.LUT(lightness, offset)
        for channel in (red, green, blue):
            cv2.add(cv2.multiply(channel, scale, dtype=cv2.CV_32F), shift, channel, dtype=cv2.CV_8U)
        cv2.merge((red, green, blue), image)
    return snowy


def snow_tensors(images: torch.Tensor, tables: np.ndarray) -> torch.Tensor:
    """Images (B, 3, H, W) uint8 in snow, new, where they lie; the pixels of `snowed` to the rounding."""
    lightness = (images.amax(1, keepdim=True).int() + images.amin(1, keepdim=True)) // 2
    places = lightness.long().flatten(1)
    factor, offset = (
        torch.from_numpy(part).to(images.device).gather(1, places).view(lightness.shape)
        for part in np.ascontiguousarray(tables.swapaxes(0, 1))
    )
    return (images * factor + offset).round_().clamp_(0, 255).to(images.dtype)
