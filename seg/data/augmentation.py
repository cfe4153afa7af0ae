"""Random changes of an image and its labels: flip, rotation and random resized crop as one affine map.

A matrix (2, 3) takes the pixel coordinates (x, y, 1) of the output to those (x, y) of the input; the first pixel's
centre is (0, 0). The image is flipped first, then rotated about its centre, then cropped and resized back, and sampled
once: bilinearly for the image, 0 outside; the nearest pixel for the labels, 255 outside.
"""

import math

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from seg.data.layouts import IGNORE
from seg.recipe import Augmentation, Crop

_TRIES = 10  # for a crop that fits, as in Szegedy et al., Going Deeper with Convolutions, and everywhere since


def affine_matrix(
    height: int,
    width: int,
    *,
    flip: bool = False,
    degrees: float = 0.0,
    crop: tuple[float, float, float, float] | None = None,
) -> np.ndarray:
    """Matrix (2, 3) float64 of one chosen change; without arguments exactly the identity.

    Args:
        height, width: of the image, pixels.
        flip: mirror left and right.
        degrees: rotate counter-clockwise about the centre; the size stays.
        crop: left, top, width, height of the part to keep, in pixels from the image's upper left corner.
    """
    matrix = np.eye(3)
    if flip:
        matrix = matrix @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]])
    if degrees:
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        x, y = (width - 1) / 2, (height - 1) / 2
        matrix = matrix @ np.array([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y], [0, 0, 1]])
    if crop:
        left, top, across, down = crop
        # Pixels are areas here: the output's left edge -1/2 falls on the crop's left edge, left - 1/2.
        x_scale, y_scale = across / width, down / height
        matrix = matrix @ np.array(
            [[x_scale, 0, left + (x_scale - 1) / 2], [0, y_scale, top + (y_scale - 1) / 2], [0, 0, 1]]
        )
    return matrix[:2]


def affine_matrices(
    augmentation: Augmentation, samples: np.ndarray, *, seed: int, epoch: int, height: int, width: int
) -> np.ndarray:
    """Matrices (B, 2, 3) float64 of the samples at positions (B,), each drawn from (seed, epoch, sample) alone.

    So neither the batch a sample comes in nor the number of workers nor a restart changes a draw; and as every step has
    its own random numbers, switching one off leaves the others as they were.
    """
    drawn = np.empty((len(samples), 2, 3))
    for matrix, sample in zip(drawn, samples, strict=True):
        # The last word of the counter separates the samples; at 0 lies the order of the epoch.
        stream = np.random.Philox(key=[seed, epoch], counter=[0, 0, 0, int(sample) + 1])
        flip, rotation, angle, crop, *numbers = np.random.Generator(stream).random(6 + 2 * _TRIES).tolist()
        rotated = augmentation.rotation is not None and rotation < augmentation.rotation.p
        cropped = augmentation.crop is not None and crop < augmentation.crop.p
        matrix[:] = affine_matrix(
            height,
            width,
            flip=flip < augmentation.flip,
            degrees=(2 * angle - 1) * augmentation.rotation.degrees if rotated else 0.0,  # type: ignore[union-attr]
            crop=_crop(augmentation.crop, numbers, height, width) if cropped else None,  # type: ignore[arg-type]
        )
    return drawn


def _crop(crop: Crop, numbers: list[float], height: int, width: int) -> tuple[float, float, float, float]:
    """Left, top, width and height of a random part, from 2 + 2 `_TRIES` numbers in [0, 1).

    Where no try fits into the image, the largest part in the middle whose aspect ratio is allowed.
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
    """Apply a matrix a sample on the CPU. What is not changed comes out exactly, and so does a mere mirror image.

    Args:
        images: (B, H, W, 3) uint8.
        labels: (B, H, W) uint8.
        matrices: (B, 2, 3) float64, see above.

    Returns:
        New arrays like `images` and `labels`. They do not depend on OpenCV's number of threads.
    """
    warped_images, warped_labels = np.empty_like(images), np.empty_like(labels)
    height, width = labels.shape[1:]
    identity, mirror = affine_matrix(height, width), affine_matrix(height, width, flip=True)
    # OpenCV samples four channels twice as fast as three, to the same bits; the way there and back costs a tenth.
    padded, sampled = np.empty((2, height, width, 4), np.uint8)
    samples = zip(images, labels, matrices, warped_images, warped_labels, strict=True)
    for image, label, matrix, warped_image, warped_label in samples:
        if np.array_equal(matrix, identity):
            warped_image[:], warped_label[:] = image, label
        elif np.array_equal(matrix, mirror):
            cv2.flip(image, 1, warped_image)
            cv2.flip(label, 1, warped_label)
        else:
            cv2.cvtColor(image, cv2.COLOR_RGB2RGBA, padded)
            _sample(padded, matrix, sampled, cv2.INTER_LINEAR, 0)
            cv2.cvtColor(sampled, cv2.COLOR_RGBA2RGB, warped_image)
            _sample(label, matrix, warped_label, cv2.INTER_NEAREST, IGNORE)
    return warped_images, warped_labels


def _sample(source: np.ndarray, matrix: np.ndarray, target: np.ndarray, interpolation: int, outside: int) -> None:
    flags = interpolation | cv2.WARP_INVERSE_MAP  # the matrix leads from the output to the input
    cv2.warpAffine(source, matrix, target.shape[1::-1], target, flags, cv2.BORDER_CONSTANT, outside)


def warp_tensors(images: torch.Tensor, labels: torch.Tensor, matrices: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Apply a matrix a sample to tensors where they lie, all samples at once.

    The geometry is that of `warp`; values differ by rounding, labels where a sampling point lies between two pixels.

    Args:
        images: (B, 3, H, W), float32, or uint8 (then rounded to it again); any memory format.
        labels: (B, H, W) uint8.
        matrices: (B, 2, 3) float64, see above.

    Returns:
        New tensors like `images`, in channels-last memory, and like `labels`, on their device.
    """
    height, width = labels.shape[1:]
    # grid_sample counts from -1 to 1 between the outer edges of the image: x = (width * (u + 1) - 1) / 2.
    pixels = np.array([[width / 2, 0, (width - 1) / 2], [0, height / 2, (height - 1) / 2], [0, 0, 1]])
    maps = np.linalg.inv(pixels)[:2, :2] @ (matrices @ pixels - [[0, 0, (width - 1) / 2], [0, 0, (height - 1) / 2]])
    theta = torch.from_numpy(maps.astype(np.float32)).to(images.device)
    grid = F.affine_grid(theta, [len(labels), 1, height, width], align_corners=False)
    sampled = F.grid_sample(images.float(), grid, "bilinear", "zeros", align_corners=False)
    # Outside is 0 for grid_sample and 255 for us: shifted before and after, exact in float32.
    shifted = labels[:, None].float() - IGNORE
    ids = F.grid_sample(shifted, grid, "nearest", "zeros", align_corners=False)[:, 0] + IGNORE
    if not images.is_floating_point():
        sampled = sampled.round_()
    return sampled.to(images.dtype, memory_format=torch.channels_last), ids.to(labels.dtype)
