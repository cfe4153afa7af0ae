"""From logits to labels: the class with the largest logit at every pixel of the labels' own size."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
import torch.nn.functional as F

# Pixels of all classes that are looked at together: 19 classes in float32 fit the 1 MiB second-level cache of a core.
_BLOCK = 8192


def predict_labels(logits: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Arg max over the classes of the logits, resized to `size` (bilinear, `align_corners=False`).

    Equal to `F.interpolate(logits.float(), size, mode="bilinear").argmax(1)`: the lowest class wins a tie, and bfloat16
    logits are resized in float32. On the CPU OpenCV resizes, class by class, so that logits of the full size are never
    held and an image's labels do not depend on its batch. It computes positions in float64, PyTorch in float32: resized
    logits differ by at most 2**-22 times the longer side times the difference of two neighbours, and by rounding alone
    where the factor is a power of two; another label can come out only where the two best classes are that close.

    Args:
        logits: (N, C, h, w) float32 or bfloat16, contiguous or channels-last, on any device; C at most 255.
        size: height H and width W of the labels.

    Returns:
        (N, H, W) uint8 on the logits' device.

    Raises:
        ValueError: a logit is NaN (the model diverged), or there are more than 255 classes.
    """
    if logits.shape[1] > 255:
        raise ValueError(f"{logits.shape[1]} classes; uint8 labels hold at most 255")
    logits = logits.detach()
    resized = tuple(logits.shape[2:]) != tuple(size)
    if logits.device.type != "cpu":
        scores = F.interpolate(logits.float(), size, mode="bilinear") if resized else logits
        labels = scores.argmax(1).byte()
        _refuse_nan(bool(scores.amax().isnan()))
        return labels
    if resized:
        return torch.stack([_resized_argmax(image, size) for image in logits.float()])
    return torch.stack([_argmax(image) for image in logits])


def _refuse_nan(found: bool) -> None:
    if found:
        raise ValueError("the logits hold NaN: the training diverged; lower the learning rate and train again")


def _resized_argmax(logits: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Class by class with a running maximum: (C, h, w) float32 -> (H, W) uint8."""
    _refuse_nan(bool(logits.amax().isnan()))
    labels, above = np.zeros(size, np.uint8), np.empty(size, np.bool_)
    best, scores = np.full(size, -np.inf, np.float32), np.empty(size, np.float32)
    for k, plane in enumerate(logits.contiguous().numpy()):
        cv2.resize(plane, size[::-1], scores, interpolation=cv2.INTER_LINEAR)
        np.greater(scores, best, out=above)  # strictly: the lowest class keeps a tie
        np.maximum(labels, above.view(np.uint8) * np.uint8(k), out=labels)  # k only grows
        np.maximum(best, scores, out=best)
    return torch.from_numpy(labels)


def _argmax(logits: torch.Tensor) -> torch.Tensor:
    """(C, H, W) -> (H, W) uint8, in as many threads as PyTorch was given."""
    classes, height, width = logits.shape
    # NumPy knows no bfloat16; its bits are the upper half of a float32.
    planes = (logits.view(torch.int16) if logits.dtype == torch.bfloat16 else logits.float()).flatten(1).numpy()
    labels = np.empty(height * width, np.uint8)
    threads = torch.get_num_threads()
    share = -(-labels.size // threads)
    spans = [slice(start, start + share) for start in range(0, labels.size, share)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda span: _fill(labels[span], planes[:, span]), spans))
    _refuse_nan(labels.max(initial=0) == classes)
    return torch.from_numpy(labels.reshape(height, width))


def _fill(labels: np.ndarray, planes: np.ndarray) -> None:
    """Write to `labels` (P,) the first class with the largest of `planes` (C, P), or C where one is NaN.

    The planes are float32, or bfloat16 as int16. A block at a time is brought into cache as contiguous float32 (from
    channels-last it comes transposed); then each step is one vectorised NumPy call over all classes.
    """
    classes = len(planes)
    ready = planes.dtype == np.float32 and planes.strides[1] == planes.itemsize
    buffer = np.empty((classes, _BLOCK), np.float32)
    equal = np.empty((classes, _BLOCK), np.bool_)
    rank = np.arange(classes, 0, -1, dtype=np.uint8)[:, None]  # the first class has the largest
    for start in range(0, labels.size, _BLOCK):
        block, out = planes[:, start : start + _BLOCK], labels[start : start + _BLOCK]
        if not ready:
            held = buffer[:, : out.size]
            if planes.dtype == np.float32:
                held[:] = block
            else:
                held_bits = held.view(np.uint32)
                held_bits[:] = block.view(np.uint16)
                held_bits <<= 16
            block = held
        found = np.equal(block, block.max(0), out=equal[:, : out.size]).view(np.uint8)
        found *= rank
        np.subtract(np.uint8(classes), found.max(0, out=out), out=out)
