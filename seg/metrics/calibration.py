"""Labels with their confidence at any size, and the expected calibration error.

The confidence of a pixel is its largest softmax probability. The expected calibration error is the mean over the pixels
of |accuracy - mean confidence| of the pixel's bin, with 15 bins of equal width (Guo et al., On Calibration of Modern
Neural Networks, ICML 2017).
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from seg.datasets import IGNORE
from seg.metrics.labels import predict_labels, refuse_nan

BINS = 15
# Rows processed at a time, so that resized logits of all classes are never in memory: float32 logits of 19 classes and
# 2048 columns take 1.2 MB.
_ROWS = 8
_ROWS_ON_GPU = 64
_COUNTED = 1 << 20  # pixels counted at a time, which takes 40 MB


def decide(logits: torch.Tensor, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Labels and their confidence from logits, resized to `size` (bilinear, `align_corners=False`).

    Args:
        logits: (C, h, w) float32 or bfloat16, on any device; C at most 255.
        size: height H and width W.

    Returns:
        Labels (H, W) uint8, as from `seg.metrics.labels.predict_labels`, and confidence (H, W) float32.

    Raises:
        ValueError: a logit is NaN, or there are more than 255 classes.
    """
    if logits.device.type == "cpu":
        labels = predict_labels(logits[None], size)[0].numpy()
        return labels, _confidence(logits, size)
    return _decide_in_strips(logits, size)


def calibration_counts(labels: np.ndarray, prediction: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Pixels, right pixels and sum of the confidence in each bin, without ignored pixels.

    Args:
        labels, prediction: (H, W) uint8.
        confidence: (H, W) float32 in [0, 1].

    Returns:
        (3, BINS) float64.
    """
    total, own = np.zeros((3, BINS)), np.arange(BINS)
    rows = max(1, _COUNTED // labels.shape[1])
    for start in range(0, len(labels), rows):
        truth, guess, sure = (part[start : start + rows] for part in (labels, prediction, confidence))
        scored = truth != IGNORE
        sure, right = sure[scored], (truth == guess)[scored]
        # The counts so far come first: the sums are rounded as those of all pixels at once. 1 is in the last bin.
        bins = np.concatenate([own, np.minimum((sure * BINS).astype(np.int64), BINS - 1)])
        for counts, weights in zip(total, (np.ones_like(sure), right, sure), strict=True):
            counts[:] = np.bincount(bins, np.concatenate([counts, weights]), BINS)
    return total


def calibration_error(counts: np.ndarray) -> float:
    """Expected calibration error in [0, 1], from counts (3, BINS) summed over images."""
    pixels, right, confidence = counts
    return float(np.abs(right - confidence).sum() / pixels.sum())


def _confidence(logits: torch.Tensor, size: tuple[int, int]) -> np.ndarray:
    """Confidence (H, W) float32 of logits (C, h, w) on the CPU, with PyTorch's number of threads."""
    classes, height, width = logits.shape
    confidence = np.empty(size, np.float32)
    above, below, weight = _rows(height, size[0])

    def fill(start: int) -> None:
        strip = slice(start, min(start + _ROWS, size[0]))
        if (height, width) == size:
            scores = logits[:, strip].float().contiguous().numpy()
        else:
            scores, lower = (logits[:, rows[strip]].float().numpy() for rows in (above, below))
            scores += (lower - scores) * weight[strip, None]
            flat = scores.reshape(-1, width)
            scores = cv2.resize(flat, (size[1], len(flat)), interpolation=cv2.INTER_LINEAR)
        scores = scores.reshape(classes, -1)
        shifted = scores - scores.max(0)
        confidence[strip] = (1 / np.exp(shifted, out=shifted).sum(0)).reshape(-1, size[1])

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(fill, range(0, size[0], _ROWS)))
    return confidence


def _decide_in_strips(logits: torch.Tensor, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """`decide` with PyTorch, on a GPU."""
    labels = torch.empty(size, dtype=torch.uint8, device=logits.device)
    confidence = torch.empty(size, device=logits.device)
    for strip, scores in resized_strips(logits, size):
        best = scores.max(0)
        labels[strip] = best.indices.byte()
        confidence[strip] = 1 / (scores - best.values).exp().sum(0)
    refuse_nan(bool(confidence.isnan().any()))
    return labels.cpu().numpy(), confidence.cpu().numpy()


def resized_strips(logits: torch.Tensor, size: tuple[int, int]) -> Iterator[tuple[slice, torch.Tensor]]:
    """Rows, and logits (C, rows, W) float32, of logits (C, h, w) resized to `size` (bilinear), from top to bottom."""
    height, width = logits.shape[1:]
    above, below, weight = (torch.from_numpy(each).to(logits.device) for each in _rows(height, size[0]))
    for start in range(0, size[0], _ROWS_ON_GPU):
        strip = slice(start, min(start + _ROWS_ON_GPU, size[0]))
        if (height, width) == size:
            yield strip, logits[:, strip].float()
        else:
            rows = torch.lerp(logits[:, above[strip]].float(), logits[:, below[strip]].float(), weight[strip, None])
            yield strip, F.interpolate(rows[None], (rows.shape[1], size[1]), mode="bilinear")[0]


def _rows(height: int, resized: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each row (H,) of the resized logits: the rows above and below it, and the weight of the latter, float32."""
    position = np.clip((np.arange(resized) + 0.5) * (height / resized) - 0.5, 0, height - 1)
    above = position.astype(np.int64)
    return above, np.minimum(above + 1, height - 1), (position - above).astype(np.float32)
