"""Multiply-adds by hand, and the number of timed passes."""

import time

import pytest
import torch
from torch import Tensor, nn

from seg.evaluation import speed
from seg.evaluation.speed import measure_speed


def test_multiply_adds_of_one_image_by_hand() -> None:
    """3x3 from 3 to 8 channels on 10x12 pixels, then 1x1 to 4 at half of the sides."""
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 4, 1))
    with torch.inference_mode():
        found = measure_speed(network, network, torch.rand(1, 3, 10, 12))
    assert found.multiply_adds == 10 * 12 * 8 * 3 * 9 + 5 * 6 * 4 * 8
    assert found.latency_runs == 20
    assert 0 < found.latency_seconds < 1


def test_a_slow_network_is_timed_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "_SECONDS", 0.05)
    passes = []

    def slow(images: Tensor) -> Tensor:
        passes.append(len(passes))
        time.sleep(0.03)
        return images

    found = measure_speed(slow, nn.Identity(), torch.rand(1, 3, 4, 4))
    assert found.latency_runs == len(passes) - 1 <= 2  # after a first pass that is not timed
    assert found.latency_seconds >= 0.03
