"""Labels from logits: the class with the largest logit at each pixel, at the size of the labels."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
import torch.nn.functional as F

# Pixels processed at a time: float32 logits of 19 classes then fit into 1 MiB, the second-level cache of a core.
_BLOCK = 8192


def predict_labels(logits: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Argmax over the classes of the logits, resized to `size` (bilinear, `align_corners=False`).

    Equal to `F.interpolate(logits.float(), size, mode="bilinear").argmax(1)`: ties go to the lowest class, and bfloat16
    logits are resized in float32. On the CPU, OpenCV resizes one class at a time, so that full-size logits are never in
    memory and the labels of an image do not depend on its batch. OpenCV computes positions in float64, PyTorch in
    float32: resized logits differ by at most 2**-22 times the longer side times the difference of two neighbours, and
    only by rounding if the factor is a power of two. Labels differ only where the two best classes are that close.

    Args:
        logits: (N, C, h, w) float32 or bfloat16, contiguous or channels-last, on any device; C at most 255.
        size: height H and width W of the labels.

    Returns:
        (N, H, W) uint8 on the device of the logits.

    Raises:
        ValueError: a logit is NaN, or there are more than 255 classes.
    """
    if logits.shape[1] > 255:
        raise ValueError(f"got {logits.shape[1]} classes, expected at most 255, as labels are uint8")
    logits = logits.detach()
    resized = tuple(logits.shape[2:]) != tuple(size)
    if logits.device.type != "cpu":
        scores = F.interpolate(logits.float(), size, mode="bilinear") if resized else logits
        labels = scores.argmax(1).byte()
        refuse_nan(bool(scores.amax().isnan()))
        return labels
    if resized:
        return torch.stack([_resized_argmax(image, size) for image in logits.float()])
    return torch.stack([_argmax(image) for image in logits])


def refuse_nan(found: bool) -> None:
    """Raise ValueError if a logit is NaN."""
    if found:
        raise ValueError("the logits contain NaN, the training diverged; lower the learning rate and train again")


def _resized_argmax(logits: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Class by class with a running maximum: (C, h, w) float32 -> (H, W) uint8."""
    refuse_nan(bool(logits.amax().isnan()))
    labels, above = np.zeros(size, np.uint8), np.empty(size, np.bool_)
    best, scores = np.full(size, -np.inf, np.float32), np.empty(size, np.float32)
    for k, plane in enumerate(logits.contiguous().numpy()):
        cv2.resize(plane, size[::-1], scores, interpolation=cv2.INTER_LINEAR)
        np.greater(scores, best, out=above)  # strict: ties go to the lowest class
        np.maximum(labels, above.view(np.uint8) * np.uint8(k), out=labels)  # k increases
        np.maximum(best, scores, out=best)
    return torch.from_numpy(labels)


def _argmax(logits: torch.Tensor) -> torch.Tensor:
    """(C, H, W) -> (H, W) uint8, with PyTorch's number of threads."""
    classes, height, width = logits.shape
    # NumPy has no bfloat16; its bits are the upper half of a float32.
    planes = (logits.view(torch.int16) if logits.dtype == torch.bfloat16 else logits.float()).flatten(1).numpy()
    labels = np.empty(height * width, np.uint8)
    threads = torch.get_num_threads()
    share = -(-labels.size // threads)
    spans = [slice(start, start + share) for start in range(0, labels.size, share)]
    if threads == 1:  # a thread for each small image would take longer than the image
        _fill(labels, planes)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda span: _fill(labels[span], planes[:, span]), spans))
    refuse_nan(labels.max(initial=0) == classes)
    return torch.from_numpy(labels.reshape(height, width))


def _fill(labels: np.ndarray, planes: np.ndarray) -> None:
    """Write the first class with the largest value of `planes` (C, P) to `labels` (P,), or C where a value is NaN.

    The planes are float32, or bfloat16 viewed as int16. One block at a time is copied into cache as contiguous float32
    (transposed if channels-last); each step is then one vectorized NumPy call over all classes.
    """
    classes = len(planes)
    ready = planes.dtype == np.float32 and planes.strides[1] == planes.itemsize
    buffer = np.empty((classes, _BLOCK), np.float32)
    equal = np.empty((classes, _BLOCK), np.bool_)
    rank = np.arange(classes, 0, -1, dtype=np.uint8)[:, None]  # the first class has the highest
    for start in range(0, labels.size, _BLOCK):
        block, out = planes[:, start : start + _BLOCK], labels[start : start + _BLOCK]
        if not ready:
            copy = buffer[:, : out.size]
            if planes.dtype == np.float32:
                copy[:] = block
            else:
                bits = copy.view(np.uint32)
                bits[:] = block.view(np.uint16)
                bits <<= 16
            block = copy
        found = np.equal(block, block.max(0), out=equal[:, : out.size]).view(np.uint8)
        found *= rank
        np.subtract(np.uint8(classes), found.max(0, out=out), out=out)
