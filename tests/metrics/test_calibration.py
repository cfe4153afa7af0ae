"""Confidence against softmax of interpolated logits, and the calibration error by hand and against torchmetrics."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.classification import MulticlassCalibrationError

from seg.metrics import calibration
from seg.metrics.calibration import BINS, calibration_counts, calibration_error, decide

SIZES = [(9, 14), (36, 56), (31, 17), (5, 40), (1, 1)]
DECIDE = {"CPU": decide, "GPU": calibration._decide_in_strips}  # the latter runs on the CPU as well


def random_logits(classes: int = 19) -> torch.Tensor:
    return 3 * torch.randn((classes, 9, 14), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("device", DECIDE)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("size", SIZES)
def test_equals_interpolate_and_softmax(
    device: str, layout: torch.memory_format, dtype: torch.dtype, size: tuple[int, int]
) -> None:
    logits = random_logits()[None].to(dtype, memory_format=layout)[0]
    labels, confidence = DECIDE[device](logits, size)
    assert (labels.dtype, labels.shape) == (np.uint8, size)
    expected = F.interpolate(logits[None].float(), size, mode="bilinear")[0].softmax(0).amax(0)
    assert np.abs(confidence - expected.numpy()).max() < 2e-5
    scores = F.interpolate(logits[None].float(), size, mode="bilinear")[0]
    chosen = scores.gather(0, torch.from_numpy(labels).long()[None])[0]
    assert (scores.amax(0) - chosen).max() < 2e-5  # the best class, but for rounding


def test_both_ways_agree_on_strips_of_rows_that_do_not_divide_the_height() -> None:
    logits = random_logits()
    for size in ((9, 14), (131, 70)):
        for one, other in zip(decide(logits, size), calibration._decide_in_strips(logits, size), strict=True):
            assert np.allclose(one, other, atol=2e-5)


@pytest.mark.parametrize("device", DECIDE)
def test_nan_is_refused(device: str) -> None:
    logits = random_logits()
    logits[3, 4, 5] = torch.nan
    for size in ((9, 14), (20, 20)):
        with pytest.raises(ValueError, match="the logits contain NaN, the training diverged"):
            DECIDE[device](logits, size)


def test_by_hand() -> None:
    """Two pixels of confidence 0.9, one right; one of 0.5, right; one ignored; one of 1, which is in the last bin."""
    labels = np.array([[0, 1, 1, 255, 0]], np.uint8)
    prediction = np.array([[0, 0, 1, 0, 0]], np.uint8)
    confidence = np.array([[0.9, 0.9, 0.5, 0.7, 1.0]], np.float32)
    counts = calibration_counts(labels, prediction, confidence)
    assert counts.shape == (3, BINS)
    assert counts[0, [7, 13, 14]].tolist() == [1, 2, 1]  # floor(15 x 0.5), floor(15 x 0.9), last
    assert counts[0].sum() == 4
    # |1 - 0.5| of one pixel, |0.5 - 0.9| of two, |1 - 1| of one
    assert calibration_error(counts) == pytest.approx((0.5 + 2 * 0.4 + 0) / 4, rel=1e-6)


@given(st.integers(0, 2**32), st.integers(2, 12))
def test_equals_torchmetrics(seed: int, classes: int) -> None:
    generator = np.random.default_rng(seed)
    logits = torch.from_numpy(generator.normal(0, 2, (classes, 12, 17)).astype(np.float32))
    labels = generator.integers(0, classes, (12, 17)).astype(np.uint8)
    labels[generator.random(labels.shape) < 0.2] = 255
    prediction, confidence = decide(logits, labels.shape)
    reference = MulticlassCalibrationError(classes, n_bins=BINS, norm="l1", ignore_index=255)
    expected = reference(logits[None].softmax(1), torch.from_numpy(labels)[None].long())
    assert calibration_error(calibration_counts(labels, prediction, confidence)) == pytest.approx(
        float(expected), abs=1e-5
    )


def test_counts_of_blocks_have_the_bits_of_all_pixels_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    labels, prediction = generator.integers(0, 4, (2, 301, 97), np.uint8)
    labels[labels == 3] = 255
    confidence = generator.random((301, 97), np.float32)
    whole = calibration_counts(labels, prediction, confidence)
    monkeypatch.setattr(calibration, "_COUNTED", 1000)
    assert calibration_counts(labels, prediction, confidence).tobytes() == whole.tobytes()
    scored = labels != 255
    bins = np.minimum((confidence[scored] * BINS).astype(np.int64), BINS - 1)
    assert whole[2].tobytes() == np.bincount(bins, confidence[scored], BINS).tobytes()
