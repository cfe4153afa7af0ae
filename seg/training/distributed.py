"""One training in several processes, a GPU each. What is summed over them comes to what one process would have.

`torchrun` starts the processes. In a single one every function here gives back what it got.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from seg.models.layers import PooledNorm
from seg.system.gpus import take
from seg.system.machine import choose_device, gpu, kind_of

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PATIENCE = timedelta(days=1)  # of a process for the others: the first may wait for free GPUs, or for a disk


@contextmanager
def joined() -> Iterator[None]:
    """Be one of the processes that `torchrun` started, where it did."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:  # which torchrun sets (torch's documentation, Environment Variables)
        yield
        return
    _end_with_launcher()
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=_PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


def _end_with_launcher() -> None:
    """Have Linux kill this process when `torchrun` is killed, which puts it into a session of its own: prctl(2)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def processes() -> int:
    """How many there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Which of them this one is, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def first() -> bool:
    """Whether this is the one that writes."""
    return rank() == 0


def own_device(name: str) -> torch.device:
    """The device of this process, as `seg.system.machine.choose_device`; the first process takes the GPUs for all."""
    if processes() == 1 or kind_of(name) != "cuda":
        return choose_device(name)
    return gpu(of_first(take(processes()) if first() else [0] * processes())[rank()])


def of_first(numbers: list[int]) -> list[int]:
    """The first process' numbers; the others give as many."""
    if processes() == 1:
        return numbers
    values = torch.tensor(numbers)
    dist.broadcast(values, 0)
    return values.tolist()


def of_all(values: Tensor) -> list[Tensor]:
    """Every process' tensor on the CPU, by rank; all have one shape."""
    if processes() == 1:
        return [values]
    gathered = [torch.empty_like(values) for _ in range(processes())]
    dist.all_gather(gathered, values)
    return gathered


def everywhere(values: Tensor) -> Tensor:
    """Sum over all processes, through which gradients flow back to each."""
    if processes() == 1:
        return values
    total: Tensor = _Sum.apply(values)
    return total


class _Sum(torch.autograd.Function):
    """The sum over all processes; as every process' loss depends on every process' values, so is its gradient."""

    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:
        total = values.contiguous().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total


def replicated(model: nn.Module, device: torch.device) -> nn.Module:
    """What to call in training: the model, with batch norm over all processes and gradients averaged over them.

    Raises:
        ValueError: it has a batch norm of its own kind, which would see a process' own samples only.
    """
    if processes() == 1:
        return model
    for name, module in model.named_modules():
        if type(module) in (nn.BatchNorm2d, PooledNorm):  # every process has an image, so that all have more than one
            module.__class__ = _BatchNorm
        elif isinstance(module, nn.modules.batchnorm._BatchNorm):
            raise ValueError(f"{name} is a {type(module).__name__}, which several GPUs cannot share; take gpus: 1")
    devices = [device] if device.type == "cuda" else None
    return DistributedDataParallel(model, device_ids=devices, broadcast_buffers=False)


class _BatchNorm(nn.BatchNorm2d):
    """Batch norm with the mean and variance of all processes' samples; torch's SyncBatchNorm knows GPUs only."""

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) as it came, in its dtype."""
        if not self.training:
            return super().forward(features)
        values = features.to(torch.promote_types(features.dtype, torch.float32))
        pixels = values.new_tensor([values.numel() / values.shape[1]])
        sums = everywhere(torch.cat([values.sum((0, 2, 3)), pixels]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centred = values - mean[:, None, None]
        variance = everywhere(centred.square().sum((0, 2, 3))) / count
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            with torch.no_grad():
                self.num_batches_tracked.add_(1)
                update = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
                self.running_mean.lerp_(mean, update)
                self.running_var.lerp_(variance * count / (count - 1), update)
        scaled = centred * (variance + self.eps).rsqrt()[:, None, None]
        return (scaled * self.weight[:, None, None] + self.bias[:, None, None]).to(features.dtype)
