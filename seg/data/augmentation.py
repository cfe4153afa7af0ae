"""Random changes of an image and its labels: flips, rotation, affine and random resized crop as one affine map.

A matrix (2, 3) takes the pixel coordinates (x, y, 1) of the output to those (x, y) of the input; the first pixel's
centre is (0, 0). The image is flipped first (left and right, then upside down), then rotated about its centre, then
sheared, scaled, rotated and shifted by the affine step, then cropped and resized back, and sampled once: bilinearly for
the image, 0 outside; the nearest pixel for the labels, 255 outside. Snow falls before all that, on the image alone:
how much is drawn here, how it looks is told in `seg.data.snow`.
"""

import math
from functools import cache

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from seg.config.recipe import Affine, Augmentation, Crop, Snow
from seg.datasets import IGNORE

_TRIES = 10  # for a crop that fits, as in Szegedy et al., Going Deeper with Convolutions, and everywhere since
# Which of a sample's random numbers are whose. A new step takes its own at the end, so that no other draw changes.
_FIRST, _CROP = slice(0, 4), slice(4, 6 + 2 * _TRIES)
_SECOND, _AFFINE, _SNOW = (slice(_CROP.stop + start, _CROP.stop + stop) for start, stop in ((0, 2), (2, 7), (7, 9)))


def warps(augmentation: Augmentation) -> bool:
    """Whether any sample can come out moved."""
    chances = [augmentation.flip, augmentation.vertical_flip]
    chances += [step.p for step in (augmentation.rotation, augmentation.affine, augmentation.crop) if step]
    return any(chances)


def changes(augmentation: Augmentation) -> bool:
    """Whether any sample can come out changed."""
    return warps(augmentation) or (augmentation.snow is not None and augmentation.snow.p > 0)


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
    """Matrix (2, 3) float64 of one chosen change; without arguments exactly the identity.

    Args:
        height, width: of the image, pixels.
        flip: mirror left and right.
        vertical_flip: mirror top and bottom.
        degrees: rotate counter-clockwise about the centre; the size stays.
        affine: degrees counter-clockwise, shift to the right and down in pixels, factor of scale, and shear along x in
            degrees; the image is sheared first, then scaled, rotated (all about the centre) and shifted, the order of
            torchvision, which counts degrees clockwise.
        crop: left, top, width, height of the part to keep, in pixels from the image's upper left corner.
    """
    matrix = np.eye(3)
    if flip:
        matrix = matrix @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]])
    if vertical_flip:
        matrix = matrix @ np.array([[1, 0, 0], [0, -1, height - 1], [0, 0, 1]])
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
        # Pixels are areas here: the output's left edge -1/2 falls on the crop's left edge, left - 1/2.
        x_scale, y_scale = across / width, down / height
        matrix = matrix @ np.array(
            [[x_scale, 0, left + (x_scale - 1) / 2], [0, y_scale, top + (y_scale - 1) / 2], [0, 0, 1]]
        )
    return matrix[:2]


def _about_centre(
    height: int, width: int, a: float, b: float, c: float, d: float, *, right: float = 0.0, down: float = 0.0
) -> np.ndarray:
    """Matrix (3, 3): undo a shift, then [[a, b], [c, d]] about the image's centre."""
    x, y = (width - 1) / 2, (height - 1) / 2
    to_x, to_y = x + right, y + down  # where the centre comes to lie
    return np.array([[a, b, x - a * to_x - b * to_y], [c, d, y - c * to_x - d * to_y], [0, 0, 1]])


def random_numbers(samples: np.ndarray, *, seed: int, epoch: int) -> np.ndarray:
    """Numbers in [0, 1), a row (B, N) for each sample at positions (B,), drawn from (seed, epoch, sample) alone.

    So neither the batch a sample comes in nor the number of workers nor a restart changes a draw; and as every step has
    its own numbers in the row, switching one off leaves the others as they were.
    """
    drawn = np.empty((len(samples), _SNOW.stop))
    for row, sample in zip(drawn, samples, strict=True):
        # The last word of the counter separates the samples; at 0 lies the order of the epoch.
        stream = np.random.Philox(key=[seed, epoch], counter=[0, 0, 0, int(sample) + 1])
        np.random.Generator(stream).random(out=row)
    return drawn


def affine_matrices(augmentation: Augmentation, drawn: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """Matrices (B, 2, 3) float64 that the `random_numbers` (B, N) come to."""
    matrices = np.empty((len(drawn), 2, 3))
    for matrix, numbers in zip(matrices, drawn.tolist(), strict=True):
        flip, rotation, angle, crop = numbers[_FIRST]
        vertical_flip, affine = numbers[_SECOND]
        rotated = augmentation.rotation is not None and rotation < augmentation.rotation.p
        moved = augmentation.affine is not None and affine < augmentation.affine.p
        cropped = augmentation.crop is not None and crop < augmentation.crop.p
        matrix[:] = affine_matrix(
            height,
            width,
            flip=flip < augmentation.flip,
            vertical_flip=vertical_flip < augmentation.vertical_flip,
            degrees=(2 * angle - 1) * augmentation.rotation.degrees if rotated else 0.0,  # type: ignore[union-attr]
            affine=_affine(augmentation.affine, numbers[_AFFINE], height, width) if moved else None,  # type: ignore[arg-type]
            crop=_crop(augmentation.crop, numbers[_CROP], height, width) if cropped else None,  # type: ignore[arg-type]
        )
    return matrices


def snow_thresholds(snow: Snow, drawn: np.ndarray) -> np.ndarray:
    """Thresholds (B,) float64 that the `random_numbers` (B, N) come to, 0 where it does not snow."""
    falls, strength = drawn[:, _SNOW].T
    return np.where(falls < snow.p, snow.threshold.low + strength * (snow.threshold.high - snow.threshold.low), 0.0)


def _affine(affine: Affine, numbers: list[float], height: int, width: int) -> tuple[float, float, float, float, float]:
    """Degrees, shift to the right and down in whole pixels, scale and shear, from 5 numbers in [0, 1)."""
    angle, right, down, scale, shear = numbers
    across, along = affine.translation * width, affine.translation * height
    factor = affine.scale.low + scale * (affine.scale.high - affine.scale.low) if affine.scale else 1.0
    return (
        (2 * angle - 1) * affine.degrees,
        round((2 * right - 1) * across),
        round((2 * down - 1) * along),
        factor,
        (2 * shear - 1) * affine.shear,
    )


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
    """Apply a matrix a sample on the CPU. What is not changed comes out exactly, and so do mere mirror images.

    Args:
        images: (B, H, W, 3) uint8.
        labels: (B, H, W) uint8.
        matrices: (B, 2, 3) float64, see above.

    Returns:
        New arrays like `images` and `labels`. They do not depend on OpenCV's number of threads.
    """
    warped_images, warped_labels = np.empty_like(images), np.empty_like(labels)
    height, width = labels.shape[1:]
    identity, codes = _mirrors(height, width)
    # OpenCV samples four channels twice as fast as three, to the same bits; the way there and back costs a tenth.
    padded, sampled = np.empty((2, height, width, 4), np.uint8)
    samples = zip(images, labels, matrices, warped_images, warped_labels, strict=True)
    for image, label, matrix, warped_image, warped_label in samples:
        values = tuple(matrix.ravel().tolist())
        if values == identity:
            warped_image[:], warped_label[:] = image, label
        elif values in codes:
            cv2.flip(image, codes[values], warped_image)
            cv2.flip(label, codes[values], warped_label)
        else:
            cv2.cvtColor(image, cv2.COLOR_RGB2RGBA, padded)
            _sample(padded, matrix, sampled, cv2.INTER_LINEAR, 0)
            cv2.cvtColor(sampled, cv2.COLOR_RGBA2RGB, warped_image)
            _sample(label, matrix, warped_label, cv2.INTER_NEAREST, IGNORE)
    return warped_images, warped_labels


@cache
def _mirrors(height: int, width: int) -> tuple[tuple[float, ...], dict[tuple[float, ...], int]]:
    """The identity's values, and OpenCV's codes of mirror images by those of their matrices."""
    identity, *mirrors = (
        tuple(affine_matrix(height, width, flip=flip, vertical_flip=vertical).ravel().tolist())
        for flip, vertical in ((False, False), (True, False), (False, True), (True, True))
    )
    return identity, dict(zip(mirrors, (1, 0, -1), strict=True))


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
