"""Augmentation of images and labels: flips, rotation, affine transform and random resized crop as one affine map.

A matrix (2, 3) maps pixel coordinates (x, y, 1) of the output to (x, y) of the input; the centre of the first pixel is
(0, 0). The order is: horizontal flip, vertical flip, rotation about the centre, affine transform (shear, scale,
rotation, translation), crop resized to the original size. The result is sampled once: images bilinearly with 0 outside,
labels by the nearest pixel with 255 outside. Snow comes before all of these and changes only the image: its strength is
drawn here and applied by `seg.data.snow`.
"""

import math
from functools import cache
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from seg.config.recipe import Affine, Augmentation, Crop, Snow
from seg.datasets import IGNORE
from seg.system.machine import on_device

_TRIES = 10  # attempts to draw a crop that fits into the image, as in torchvision's RandomResizedCrop
# Positions of each step's random numbers. New steps take numbers at the end, so that other draws do not change.
_FIRST, _CROP = slice(0, 4), slice(4, 6 + 2 * _TRIES)
_SECOND, _AFFINE, _SNOW = (slice(_CROP.stop + start, _CROP.stop + stop) for start, stop in ((0, 2), (2, 7), (7, 9)))


def has_warp(augmentation: Augmentation) -> bool:
    """Whether the geometry of any sample can change."""
    chances = [augmentation.flip, augmentation.vertical_flip]
    chances += [step.p for step in (augmentation.rotation, augmentation.affine, augmentation.crop) if step]
    return any(chances)


def has_effect(augmentation: Augmentation) -> bool:
    """Whether any sample can change."""
    return has_warp(augmentation) or (augmentation.snow is not None and augmentation.snow.p > 0)


def affine_matrix(
    height: int,
    width: int,
    *,
    flip: bool = False,
    vertical_flip: bool = False,
    degrees: float = 0.0,
    affine: tuple[float, float, float, float, float] | None = None,
    crop: tuple[float, float, float, float] | None = None,
) -> np.ndarray:
    """Matrix (2, 3) float64 of the given steps; without any, exactly the identity.

    Args:
        height, width: size of the image in pixels.
        flip, vertical_flip: flip horizontally, vertically.
        degrees: rotation about the centre, counter-clockwise; the size does not change.
        affine: rotation in degrees counter-clockwise, translation to the right and down in pixels, scale factor, and
            shear along x in degrees. The order is shear, scale, rotation (all about the centre) and translation, as in
            torchvision, which measures angles clockwise.
        crop: left, top, width and height of the crop in pixels, from the upper left corner of the image.
    """
    matrix = np.eye(3)
    if flip:
        matrix = matrix @ _about_centre(height, width, -1, 0, 0, 1)
    if vertical_flip:
        matrix = matrix @ _about_centre(height, width, 1, 0, 0, -1)
    if degrees:
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        matrix = matrix @ _about_centre(height, width, cos, -sin, sin, cos)
    if affine:
        angle, right, down, scale, shear = affine
        cos, sin = math.cos(math.radians(angle)) / scale, math.sin(math.radians(angle)) / scale
        slope = math.tan(math.radians(shear))
        linear = (cos + slope * sin, slope * cos - sin, sin, cos)  # [[1, slope], [0, 1]] @ [[cos, -sin], [sin, cos]]
        matrix = matrix @ _about_centre(height, width, *linear, right=right, down=down)
    if crop:
        left, top, across, down = crop
        # Pixels are areas: the left edge of the output, -1/2, maps to the left edge of the crop, left - 1/2.
        x_scale, y_scale = across / width, down / height
        x, y = left + (x_scale - 1) / 2, top + (y_scale - 1) / 2
        matrix = matrix @ np.array([[x_scale, 0, x], [0, y_scale, y], [0, 0, 1]])
    return matrix[:2]


def _about_centre(
    height: int, width: int, a: float, b: float, c: float, d: float, *, right: float = 0.0, down: float = 0.0
) -> np.ndarray:
    """Matrix (3, 3): inverse translation, then [[a, b], [c, d]] about the centre of the image."""
    x, y = (width - 1) / 2, (height - 1) / 2
    to_x, to_y = x + right, y + down  # the centre after the translation
    return np.array([[a, b, x - a * to_x - b * to_y], [c, d, y - c * to_x - d * to_y], [0, 0, 1]])


def random_numbers(samples: np.ndarray, *, seed: int, epoch: int) -> np.ndarray:
    """Uniform random numbers in [0, 1), (B, N), for the samples at positions (B,).

    A row depends only on (seed, epoch, sample), not on the batch, the number of workers or a restart. Each step has its
    own numbers in the row, so that disabling one does not change the others.
    """
    drawn = np.empty((len(samples), _SNOW.stop))
    for row, sample in zip(drawn, samples, strict=True):
        # The last word of the counter is the stream of the sample; `epoch_order` uses stream 0.
        stream = np.random.Philox(key=[seed, epoch], counter=[0, 0, 0, int(sample) + 1])
        np.random.Generator(stream).random(out=row)
    return drawn


def affine_matrices(augmentation: Augmentation, drawn: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """Matrices (B, 2, 3) float64 from `random_numbers` (B, N)."""
    matrices = np.empty((len(drawn), 2, 3))
    for matrix, numbers in zip(matrices, drawn.tolist(), strict=True):
        flip, rotation, angle, crop = numbers[_FIRST]
        vertical_flip, affine = numbers[_SECOND]
        steps: dict[str, Any] = {
            "flip": flip < augmentation.flip,
            "vertical_flip": vertical_flip < augmentation.vertical_flip,
        }
        if augmentation.rotation and rotation < augmentation.rotation.p:
            steps["degrees"] = (2 * angle - 1) * augmentation.rotation.degrees
        if augmentation.affine and affine < augmentation.affine.p:
            steps["affine"] = _affine(augmentation.affine, numbers[_AFFINE], height, width)
        if augmentation.crop and crop < augmentation.crop.p:
            steps["crop"] = _crop(augmentation.crop, numbers[_CROP], height, width)
        matrix[:] = affine_matrix(height, width, **steps)
    return matrices


def snow_thresholds(snow: Snow, drawn: np.ndarray) -> np.ndarray:
    """Lightness thresholds (B,) float64 from `random_numbers` (B, N); 0 for samples without snow."""
    falls, strength = drawn[:, _SNOW].T
    return np.where(falls < snow.p, snow.threshold.low + strength * (snow.threshold.high - snow.threshold.low), 0.0)


def _affine(affine: Affine, numbers: list[float], height: int, width: int) -> tuple[float, float, float, float, float]:
    """Rotation, translation to the right and down in whole pixels, scale and shear, from 5 numbers in [0, 1)."""
    angle, right, down, scale, shear = numbers
    across, along = affine.translation * width, affine.translation * height
    moves = round((2 * right - 1) * across), round((2 * down - 1) * along)
    factor = affine.scale.low + scale * (affine.scale.high - affine.scale.low) if affine.scale else 1.0
    return (2 * angle - 1) * affine.degrees, *moves, factor, (2 * shear - 1) * affine.shear


def _crop(crop: Crop, numbers: list[float], height: int, width: int) -> tuple[float, float, float, float]:
    """Left, top, width and height of a random crop, from 2 + 2 * `_TRIES` numbers in [0, 1).

    If no attempt fits into the image, the largest central crop with an allowed aspect ratio.
    """
    x, y, *tries = numbers
    for area, aspect in zip(tries[::2], tries[1::2], strict=True):
        pixels = height * width * (crop.area.low + area * (crop.area.high - crop.area.low))
        ratio = crop.aspect.low * (crop.aspect.high / crop.aspect.low) ** aspect
        across, down = math.sqrt(pixels * ratio), math.sqrt(pixels / ratio)
        if across <= width and down <= height:
            return x * (width - across), y * (height - down), across, down
    ratio = min(max(width / height, crop.aspect.low), crop.aspect.high)
    across, down = min(width, height * ratio), min(height, width / ratio)
    return (width - across) / 2, (height - down) / 2, across, down


def warp(images: np.ndarray, labels: np.ndarray, matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Apply one matrix per sample on the CPU; the identity and flips are exact.

    Args:
        images: (B, H, W, C) uint8.
        labels: (B, H, W) uint8.
        matrices: (B, 2, 3) float64, from output to input coordinates.

    Returns:
        New arrays like `images` and `labels`, independent of OpenCV's number of threads.
    """
    warped_images, warped_labels = np.empty_like(images), np.empty_like(labels)
    height, width = labels.shape[1:]
    identity, codes = _mirrors(height, width)
    # OpenCV warps at most four channels, and four twice as fast as three, with equal results.
    parts = [slice(k, k + 4) for k in range(0, images.shape[3], 4)]
    padded, sampled = np.zeros((2, height, width, 4), np.uint8)
    samples = zip(images, labels, matrices, warped_images, warped_labels, strict=True)
    for image, label, matrix, warped_image, warped_label in samples:
        values = tuple(matrix.ravel().tolist())
        if values == identity:
            warped_image[:], warped_label[:] = image, label
        elif values in codes:
            cv2.flip(image, codes[values], warped_image)
            cv2.flip(label, codes[values], warped_label)
        else:
            for part in parts:
                _copy(image[..., part], padded)
                _sample(padded, matrix, sampled, cv2.INTER_LINEAR, 0)
                _copy(sampled, warped_image[..., part])
            _sample(label, matrix, warped_label, cv2.INTER_NEAREST, IGNORE)
    return warped_images, warped_labels


def _copy(source: np.ndarray, target: np.ndarray) -> None:
    """Copy the channels that both arrays have."""
    kept = min(source.shape[2], target.shape[2])
    if source.flags.c_contiguous and target.flags.c_contiguous and kept == 3:  # OpenCV is several times faster
        cv2.cvtColor(source, cv2.COLOR_RGB2RGBA if target.shape[2] == 4 else cv2.COLOR_RGBA2RGB, target)
    else:
        target[..., :kept] = source[..., :kept]


@cache
def _mirrors(height: int, width: int) -> tuple[tuple[float, ...], dict[tuple[float, ...], int]]:
    """Values of the identity matrix, and OpenCV's flip codes by the values of the flip matrices."""
    identity, *mirrors = (
        tuple(affine_matrix(height, width, flip=flip, vertical_flip=vertical).ravel().tolist())
        for flip, vertical in ((False, False), (True, False), (False, True), (True, True))
    )
    return identity, dict(zip(mirrors, (1, 0, -1), strict=True))


def _sample(source: np.ndarray, matrix: np.ndarray, target: np.ndarray, interpolation: int, outside: int) -> None:
    flags = interpolation | cv2.WARP_INVERSE_MAP  # the matrix maps output to input
    cv2.warpAffine(source, matrix, target.shape[1::-1], target, flags, cv2.BORDER_CONSTANT, outside)


def warp_tensors(images: torch.Tensor, labels: torch.Tensor, matrices: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Apply one matrix per sample on the tensors' device, all samples at once.

    The geometry is that of `warp`. Values differ by rounding, labels where a sampling point is between two pixels.

    Args:
        images: (B, C, H, W) float32, or uint8, which the result is rounded to; any memory format.
        labels: (B, H, W) uint8.
        matrices: (B, 2, 3) float64, from output to input coordinates.

    Returns:
        New tensors like `images`, channels-last, and like `labels`.
    """
    height, width = labels.shape[1:]
    # Coordinates of grid_sample run from -1 to 1 between the edges of the image: x = (width * (u + 1) - 1) / 2.
    pixels = np.array([[width / 2, 0, (width - 1) / 2], [0, height / 2, (height - 1) / 2], [0, 0, 1]])
    maps = np.linalg.inv(pixels)[:2, :2] @ (matrices @ pixels - [[0, 0, (width - 1) / 2], [0, 0, (height - 1) / 2]])
    theta = on_device(maps.astype(np.float32), images.device)
    grid = F.affine_grid(theta, [len(labels), 1, height, width], align_corners=False)
    sampled = F.grid_sample(images.float(), grid, "bilinear", "zeros", align_corners=False)
    # grid_sample fills with 0; subtracting and adding 255, exact in float32, makes that 255.
    shifted = labels[:, None].float() - IGNORE
    ids = F.grid_sample(shifted, grid, "nearest", "zeros", align_corners=False)[:, 0] + IGNORE
    if not images.is_floating_point():
        sampled = sampled.round_()
    return sampled.to(images.dtype, memory_format=torch.channels_last), ids.to(labels.dtype)
