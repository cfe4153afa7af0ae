"""Multiply-adds and latency of a network."""

import time
from collections.abc import Callable
from itertools import chain
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

_RUNS = 20
_SECONDS = 2.0  # after which no further run starts


class Speed(NamedTuple):
    """Multiply-adds of one forward pass, median of the latency over `latency_runs` passes."""

    multiply_adds: int
    latency_seconds: float
    latency_runs: int


def measure_speed(forward: Callable[[Tensor], Tensor], network: nn.Module, image: Tensor) -> Speed:
    """Time forward passes of one image (1, 3, H, W) after a first one: 20, or as many as start within 2 seconds.

    Convolutions and matrix products are counted as multiply-adds, as in the papers; `FlopCounterMode` counts each as
    two operations. They are counted on the meta device, because they do not depend on kernels.
    """
    tensors = {name: tensor.to("meta") for name, tensor in chain(network.named_parameters(), network.named_buffers())}
    with FlopCounterMode(display=False) as counter:
        functional_call(network, tensors, torch.empty_like(image, device="meta"))
    forward(image)
    synchronize(image.device)
    times: list[float] = []
    while len(times) < _RUNS and sum(times) < _SECONDS:
        start = time.perf_counter()
        forward(image)
        synchronize(image.device)
        times.append(time.perf_counter() - start)
    return Speed(counter.get_total_flops() // 2, median(times), len(times))


def synchronize(device: torch.device) -> None:
    """Wait for the work on an accelerator, so that a clock includes it."""
    if device.type != "cpu":
        torch.accelerator.synchronize()
